"""A cluster of two processes that the tests of the engine share."""

import tempfile
from contextlib import ExitStack

import pytest

from modemap.engine import dask_engine
from modemap.estimators import blocks


@pytest.fixture(scope="session")
def started(tmp_path_factory):
    """Start two processes on this machine, once; only they have the folder of the tests."""
    with ExitStack() as stack:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(tempfile, "tempdir", str(tmp_path_factory.mktemp("scratch")))
            patch.delenv("DASK_SCHEDULER_ADDRESS", raising=False)
            made = stack.enter_context(dask_engine(n_workers=2))
        yield made


@pytest.fixture
def engine(started):
    """Return the engine once both processes are there: a test may have killed one."""
    started._client.wait_for_workers(2)
    return started


@pytest.fixture
def _small_blocks(monkeypatch):
    """Cut rows at every thousandth or so: as many millions are."""
    monkeypatch.setattr(blocks, "GRAIN", 1 << 10)
    monkeypatch.setattr(blocks, "MAX_ROWS", 1 << 10)
