"""The terminal tells an expected error once; what nobody expected keeps its traceback."""

import io
import logging

import pytest

from modemap.errors import GateRefusedError
from modemap.orchestration.console import ExpectedErrors

REFUSED = GateRefusedError("version 1", "must pass", found='it\'s "odd"', hint="mend it")


@pytest.fixture
def shown():
    """Return what a terminal with the filter shows, empty as yet."""
    return io.StringIO()


@pytest.fixture
def fail(shown):
    """Return a function that logs an error as Prefect's engine does for a task that raised it."""
    handler = logging.StreamHandler(shown)
    handler.addFilter(ExpectedErrors())
    logger = logging.Logger("prefect.task_runs")
    logger.addHandler(handler)
    return lambda error: _fail(logger, error)


def _fail(logger, error):
    try:
        raise error
    except type(error):
        logger.exception("Task run failed with exception: %r", error)
    message = f"Task run encountered an exception {type(error).__name__}: {error}"
    logger.error("Finished in state Failed(%r)", message)


def test_an_expected_error_is_left_to_whoever_tells_it(shown, fail):
    """Only that the task failed is shown, not why and not where in the code."""
    fail(REFUSED)

    assert shown.getvalue() == "Finished in state Failed\n"


@pytest.mark.parametrize("error", [ValueError("a fault of ours"), KeyError("x"), OSError(5, "io")])
def test_an_unexpected_error_keeps_its_traceback(shown, fail, error):
    """Beside an expected one as well."""
    fail(REFUSED)

    fail(error)

    assert "Traceback (most recent call last)" in shown.getvalue()
    assert f"encountered an exception {type(error).__name__}: " in shown.getvalue().splitlines()[-1]


def test_other_packages_are_shown_as_they_are():
    """The filter is for Prefect's records alone."""
    record = logging.LogRecord(
        "modemap.x", logging.ERROR, __file__, 1, "m", None, (type(REFUSED), REFUSED, None)
    )

    assert ExpectedErrors().filter(record)
