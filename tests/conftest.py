"""What tests of every storey share."""

import os
import shutil
from pathlib import Path

import numpy as np
import pytest
from hypothesis import settings
from hypothesis.internal.conjecture import providers

from tests.sharing import made_once

pytest_plugins = ["tests.projects", "tests.stories", "tests.documentation"]

# The same examples in every run; `--hypothesis-profile=default` looks for new ones. Constants of
# loaded modules would be among them, and which modules are loaded depends on the order of tests.
providers._get_local_constants = lambda: providers._local_constants
settings.register_profile("repeatable", derandomize=True, deadline=None)
settings.load_profile("repeatable")

ALLOWED_SKIPS: frozenset[str] = frozenset()

LONGEST_FIRST = (  # each worker takes the next file when it has ended one
    "workflow/test_retrain",  # trains the project that the others of `workflow` copy
    "engine/test_bytes",
    "kernels/maps/test_twins",
    "stages/test_validate",
    "estimators/test_conventions",
    "estimators/test_som_laws",
    "workflow/test_together",
    "workflow/test_no_promote",
    "workflow/test_readme",
    "workflow/test_deploy",
    "workflow/test_dvc",
    "estimators/test_mixture",
    "lifecycle/test_gate",
    "tracking/test_store",
    "lifecycle/test_export",
    "packaging/test_core_install",
    "docs/test_site",  # builds the site for the others of `docs`
    "docs/test_blocks",
    "kernels/test_compilation",
    "lifecycle/test_history",
    "lifecycle/test_promote",
)


def pytest_configure() -> None:
    """Let child processes write byte code: without it every start is slow."""
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items):
    """Begin with the longest files, so that no worker waits for the other at the end."""
    ranks = {f"tests/{name}.py": rank for rank, name in enumerate(LONGEST_FIRST)}
    items.sort(key=lambda item: ranks.get(item.nodeid.partition("::")[0], len(ranks)))


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item):
    """Fail a test that skips itself: what did not run proves nothing."""
    outcome = yield
    report = outcome.get_result()
    if report.skipped and item.nodeid not in ALLOWED_SKIPS:
        report.outcome = "failed"
        report.longrepr = f"{item.nodeid} skipped itself: {report.longrepr}"


@pytest.fixture(autouse=True)
def _no_settings_from_outside(monkeypatch):
    """Hide from tests the tracking store, flow run and alerts of whoever started them."""
    own = ("MODEMAP_FLOW_RUN", "MODEMAP_ALERTS_URL")
    for name in ("MLFLOW_TRACKING_URI", "MLFLOW_REGISTRY_URI", *own):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture(scope="session")
def empty_store(tmp_path_factory):
    """Return a project folder with a fresh store: making the database takes seconds, once."""
    from modemap.tracking import open_store

    return made_once(tmp_path_factory, "empty", lambda folder: open_store(folder, "flights"))


@pytest.fixture
def root(empty_store, tmp_path):
    """Return a project folder with its own fresh tracking store."""
    folder = tmp_path / "checkout"
    folder.mkdir()
    shutil.copytree(empty_store / "mlruns", folder / "mlruns")
    return folder


@pytest.fixture
def store(root):
    """Return the open store of ``root``."""
    from modemap.tracking import open_store

    return open_store(root, "flights")


@pytest.fixture(scope="session")
def rows():
    """Return rows of two clumps in two columns: delay in minutes, distance in miles."""
    rng = np.random.default_rng(0)
    clumps = rng.normal([0, 500], [5, 50], (300, 2)), rng.normal([60, 2000], [15, 200], (200, 2))
    return rng.permutation(np.round(np.concatenate(clumps), 1))


@pytest.fixture(scope="session")
def make_release(rows):
    """Return a maker of tiny releases: ``make_release(folder, columns=…, **som_arguments)``."""
    from tests.releases import write_release

    def make(folder, columns=("delay", "distance"), **arguments):
        return write_release(folder, rows, columns, **arguments)

    return make


@pytest.fixture(scope="session")
def tiny_release(make_release, tmp_path_factory):
    """Return a release that is only read."""
    return make_release(tmp_path_factory.mktemp("tiny") / "release")


@pytest.fixture
def release(tiny_release, tmp_path):
    """Return a release that a test may spoil."""
    return Path(shutil.copytree(tiny_release, tmp_path / "release"))
