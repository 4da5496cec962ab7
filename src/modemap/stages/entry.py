"""How a stage starts and ends as a process: logging, one thread for BLAS, exit codes."""

import atexit
import gc
import logging
import os
import signal
import sys
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from importlib.metadata import version
from pathlib import Path
from types import FrameType
from typing import NoReturn

from threadpoolctl import threadpool_limits

from modemap.errors import ModemapError, ParamsError, StageError
from modemap.files import write_json
from modemap.params import Params, load_params
from modemap.refusals import refused
from modemap.stages.inputs import check_inputs

__all__ = ["FAILURES", "check_version", "configure_logging", "run_stage"]

FAILURES = Path(".modemap/failures")

logger = logging.getLogger(__name__)


def configure_logging() -> None:
    """Send the project's log lines to standard error, and of other packages the warnings."""
    handler = logging.StreamHandler(sys.stderr)
    handler.addFilter(_is_ours_or_a_warning)
    logging.basicConfig(format="%(message)s", level=logging.INFO, handlers=[handler])


def _is_ours_or_a_warning(record: logging.LogRecord) -> bool:
    return record.levelno >= logging.WARNING or record.name.startswith(("modemap", "__main__"))


class _Terminated(SystemExit):
    """SIGTERM came: blocks that are open end as they do at any exit."""


def run_stage(name: str, stage: Callable[[Params], Mapping[str, object]]) -> NoReturn:
    """Run ``stage`` on params.yaml in the current folder and exit with its documented code.

    BLAS and OpenMP get one thread, since their sums change with the number of threads. A failure is
    also written to ``.modemap/failures/NAME.json`` for whoever started the stage.
    """
    configure_logging()
    atexit.register(gc.freeze)  # searching all that was imported for garbage would take a second
    signal.signal(signal.SIGTERM, _terminate)
    started = time.perf_counter()
    try:
        (FAILURES / f"{name}.json").unlink(missing_ok=True)
        with threadpool_limits(limits=1):
            params = load_params()
            check_version(params)
            check_inputs(name, Path.cwd())
            numbers = stage(params)
    except ModemapError as error:
        _fail(name, error)
    except OSError as error:
        _fail(name, refused(error, "the stage", name, f"run `dvc repro {name}`"))
    except _Terminated:
        rule, hint = "must be left to run to its end", f"run `dvc repro {name}` again"
        _fail(name, StageError(name, rule, found="SIGTERM", hint=hint))
    logger.info("%s", summary_line(name, time.perf_counter() - started, numbers))
    sys.exit(0)


def check_version(params: Params) -> None:
    """Refuse to run a project under another version of this package than its params name.

    The stages of such a project watch that number instead of this package's files: other code
    under the same number would pass for the old one.

    Raises
    ------
    ParamsError
        If the versions differ.
    """
    if params.modemap is None:
        return
    installed = version("modemap")
    if installed != params.modemap.version:
        raise ParamsError(
            "params.yaml: modemap.version",
            f"must be the version that is installed, {installed}",
            found=params.modemap.version,
            hint=f"run `modemap upgrade`, or pip install 'modemap=={params.modemap.version}'",
        )


def _terminate(_number: int, _frame: FrameType | None) -> NoReturn:
    raise _Terminated


def _fail(name: str, error: ModemapError) -> NoReturn:
    is_told = False
    with suppress(OSError):  # where the disk is full, the message alone must do
        write_json(FAILURES / f"{name}.json", _record(error))
        is_told = "MODEMAP_FLOW_RUN" in os.environ  # by the flow, which reads the record
    if not is_told:
        logger.error("%s: error: %s", name, error)
    sys.exit(error.exit_code)


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
