"""How a stage starts and ends as a process: logging, one thread for BLAS, exit codes."""

import logging
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import NoReturn

from threadpoolctl import threadpool_limits

from modemap.errors import ModemapError
from modemap.files import write_json
from modemap.params import Params, load_params

__all__ = ["FAILURES", "configure_logging", "run_stage"]

FAILURES = Path(".modemap/failures")

logger = logging.getLogger(__name__)


def configure_logging() -> None:
    """Send the project's log lines to standard error, and of other packages the warnings."""
    handler = logging.StreamHandler(sys.stderr)
    handler.addFilter(_is_ours_or_a_warning)
    logging.basicConfig(format="%(message)s", level=logging.INFO, handlers=[handler])


def _is_ours_or_a_warning(record: logging.LogRecord) -> bool:
    return record.levelno >= logging.WARNING or record.name.startswith(("modemap", "__main__"))


def run_stage(name: str, stage: Callable[[Params], Mapping[str, object]]) -> NoReturn:
    """Run ``stage`` on params.yaml in the current folder and exit with its documented code.

    BLAS and OpenMP get one thread, since their sums change with the number of threads. A failure is
    also written to ``.modemap/failures/NAME.json`` for whoever started the stage.
    """
    configure_logging()
    failure = FAILURES / f"{name}.json"
    failure.unlink(missing_ok=True)
    started = time.perf_counter()
    try:
        with threadpool_limits(limits=1):
            numbers = stage(load_params())
    except ModemapError as error:
        write_json(failure, _record(error))
        logger.error("%s: error: %s", name, error)
        sys.exit(error.exit_code)
    logger.info("%s", summary_line(name, time.perf_counter() - started, numbers))
    sys.exit(0)


def summary_line(name: str, seconds: float, numbers: Mapping[str, object]) -> str:
    """Return the stage's seconds and main numbers on one line."""
    shown = [f"{key} {_shown(value)}" for key, value in numbers.items()]
    return f"{name}: " + ", ".join([f"{seconds:.1f} s", *shown])


def _shown(value: object) -> str:
    if isinstance(value, float):
        return f"{value:.4g}"
    return f"{value:,}" if isinstance(value, int) else str(value)


def _record(error: ModemapError) -> dict[str, object]:
    return {
        "exit_code": error.exit_code,
        "place": error.place,
        "rule": error.rule,
        "found": error.found,
        "hint": error.hint,
    }
