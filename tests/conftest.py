"""What tests of every storey share."""

import os
import shutil

import pytest

ALLOWED_SKIPS: frozenset[str] = frozenset()


def pytest_configure() -> None:
    """Let child processes write byte code: without it every start is slow."""
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)


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
    """Hide from tests the tracking store and the flow run of whoever started them."""
    for name in ("MLFLOW_TRACKING_URI", "MLFLOW_REGISTRY_URI", "MODEMAP_FLOW_RUN"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture(scope="session")
def empty_store(tmp_path_factory):
    """Return a project folder with a fresh store: making the database takes seconds, once."""
    from modemap.tracking import open_store

    root = tmp_path_factory.mktemp("empty")
    open_store(root, "flights")
    return root


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
