"""The process in which a flow runs: wait for the server, call the flow, exit with its code."""

import importlib.util
import json
import os
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

from modemap.errors import ModemapError, ParamsError, StageError
from modemap.lifecycle.report import prepare_to_write
from modemap.lifecycle.status import status
from modemap.orchestration.servers import wait_until_healthy
from modemap.orchestration.standby import standby
from modemap.orchestration.summary import closing_lines
from modemap.tracking.store import prepare_to_open

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
    try:
        flow = load_flow(path)
        threading.Thread(target=_prepare, daemon=True).start()  # while others are waited for
        address = os.environ["PREFECT_API_URL"]
        if not wait_until_healthy(f"{address}/health"):
            raise StageError(
                address,
                "the Prefect server must answer",
                found="no answer",
                hint="start it, or unset PREFECT_API_URL so that a run starts its own",
            )
        flow(**parameters)
        champion = status(Path.cwd())
        if champion is not None:
            print("\n".join(closing_lines(Path.cwd(), champion)))  # noqa: T201  # for the terminal
    except ModemapError as error:
        print(f"error: {error}", file=sys.stderr)  # noqa: T201  # the message for the person who ran it
        return error.exit_code
    finally:
        standby.dismiss()
    return 0


def _prepare() -> None:
    """Import what follows the stages."""
    prepare_to_open()
    prepare_to_write()


if __name__ == "__main__":
    sys.exit(run_flow(Path(sys.argv[1]), json.loads(sys.argv[2])))
