"""What tests of every storey share."""

import os

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
