"""Fixtures that tests of several rooms share."""

import shutil

import pytest


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
