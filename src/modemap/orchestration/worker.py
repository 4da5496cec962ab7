"""The process in which a flow runs: wait for the server, call the flow, exit with its code."""

import atexit
import gc
import importlib.util
import json
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn

from modemap.errors import ModemapError, ParamsError, StageError
from modemap.lifecycle.monitor.looked import Looked
from modemap.lifecycle.status import status
from modemap.orchestration.ahead import import_ahead
from modemap.orchestration.console import tell_expected_errors_once
from modemap.orchestration.processes import INTERRUPTED
from modemap.orchestration.servers import wait_until_healthy
from modemap.orchestration.standby import standby
from modemap.orchestration.summary import closing_lines

__all__ = ["load_flow", "run_flow"]


def load_flow(path: Path) -> Callable[..., Any]:
    """Return the flow that ``path`` defines under its own file name.

    Raises
    ------
    ParamsError
        If the file is missing or defines no such flow.
    """
    spec = importlib.util.spec_from_file_location(path.stem, path)
    if spec is None or spec.loader is None or not path.is_file():
        raise ParamsError(
            path,
            "the flow's file must exist",
            found="no such file",
            hint="run in the project's folder",
        )
    module = importlib.util.module_from_spec(spec)
    sys.modules[path.stem] = module
    spec.loader.exec_module(module)
    found = getattr(module, path.stem, None)
    if not callable(found):
        raise ParamsError(
            path, f"must define the flow `{path.stem}`", found="no such name", hint="see README.md"
        )
    return found  # type: ignore[no-any-return]  # a module's attribute is Any


def run_flow(path: Path, parameters: dict[str, Any]) -> int:
    """Call the flow in ``path`` once the server answers; return the exit code."""
    standby.prepare()  # while the flow is imported
    atexit.register(gc.freeze)  # searching all that was imported for garbage would take a second
    try:
        flow = load_flow(path)
        tell_expected_errors_once()
        address = os.environ["PREFECT_API_URL"]
        health = f"{address}/health"
        if not wait_until_healthy(health, seconds=0):
            import_ahead()
        if not wait_until_healthy(health):
            raise _no_answer(StageError, address, "no answer")
        answer = _call(flow, parameters, address)
        if isinstance(answer, Looked):
            print(answer.said)  # noqa: T201  # for the terminal
            return answer.exit_code
        champion = status(Path.cwd())
        if champion is not None:
            print("\n".join(closing_lines(Path.cwd(), champion)))  # noqa: T201  # for the terminal
    except KeyboardInterrupt:
        return INTERRUPTED
    except _ServerGoneError as error:
        _leave(error)
    except ModemapError as error:
        return _told(error)
    finally:
        standby.dismiss()
    return 0


class _ServerGoneError(StageError):
    """The Prefect server went away in the middle of a flow."""


def _call(flow: Callable[..., Any], parameters: dict[str, Any], address: str) -> Any:
    """Return what the flow returned.

    What its stages made and the registry took stays when the server goes away: the next run finds
    it up to date.
    """
    from httpx import TransportError  # noqa: PLC0415  # the flow brought Prefect, which brought it

    from modemap.orchestration.waiting import go_on  # noqa: PLC0415

    try:
        return go_on(flow, parameters)
    except TransportError as error:
        raise _no_answer(_ServerGoneError, address, error) from None


def _no_answer(kind: type[StageError], address: str, found: object) -> StageError:
    hint = "start it, or unset PREFECT_API_URL so that a run starts its own"
    return kind(address, "the Prefect server must answer", found=found, hint=hint)


def _told(error: ModemapError) -> int:
    print(f"error: {error}", file=sys.stderr)  # noqa: T201  # the message for the person who ran it
    return error.exit_code


def _leave(error: ModemapError) -> NoReturn:
    """End at once: Prefect would go on for minutes to tell a server that is gone."""
    code = _told(error)
    standby.dismiss()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


if __name__ == "__main__":
    sys.exit(run_flow(Path(sys.argv[1]), json.loads(sys.argv[2])))
