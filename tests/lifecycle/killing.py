"""Walk the writes of a command: kill it after the first, the second, ... and call it again.

``python -m tests.lifecycle.killing COMMAND FOLDER`` prints a line of JSON for each write. Processes
are forked from this one, which has imported everything and opened nothing.
"""

import json
import os
import shutil
import signal
import sys
from pathlib import Path

from modemap.lifecycle import gate, promote, register, rollback, status, verify
from modemap.lifecycle.history import history
from modemap.tracking.store import open_store, prepare_to_open

WRITES = ("create_", "delete_", "finalize_", "log_", "set_")


def _command(name: str, root: Path) -> None:
    if name == "rollback":
        if status.status(root).version != 1:
            rollback.rollback(root, 1, why="killed before")
        else:
            promote.promote(root, 1)  # whoever finds it done calls again: nothing changes
        return
    version = register.register(root).number
    if status.status(root).version != version:
        if name != "promote":
            gate.gate(root, version).require()
        promote.promote(root, version)
    else:
        promote.promote(root, version)


def _killing(point: int) -> None:
    """Let this process die after its ``point``-th write to the store."""
    from mlflow import MlflowClient

    left = [point]

    def wrapped(write):
        def write_and_die(*arguments, **options):
            result = write(*arguments, **options)
            left[0] -= 1
            if left[0] == 0:
                os.kill(os.getpid(), signal.SIGKILL)
            return result

        return write_and_die

    for name in dir(MlflowClient):
        if name.startswith(WRITES):
            setattr(MlflowClient, name, wrapped(getattr(MlflowClient, name)))


def _forked(root: Path, work) -> int:
    child = os.fork()
    if child == 0:
        os.chdir(root)
        code = 1
        try:
            work()
            code = 0
        finally:
            sys.stdout.flush()
            os._exit(code)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def _tell(root: Path, point: int | None) -> None:
    killed = status.status(root).version
    name = root.parent.name.partition("-")[0]
    _command(name, root)
    champion = status.status(root)
    store = open_store(root, "flights")
    running = store.client.search_runs([store.experiment_id], "attributes.status = 'RUNNING'")
    report = {
        "point": point,
        "killed": killed,
        "champion": champion.version,
        "alias": champion.alias,
        "findings": [str(finding) for finding in verify.verify(root).findings],
        "running": len(running),
        "entries": len(history(root)),
    }
    sys.stdout.write(json.dumps(report) + "\n")


def main(command: str, folder: Path) -> None:
    """Print what became of each killed call."""
    prepare_to_open()
    point = 0
    while True:
        point += 1
        root = Path(
            shutil.copytree(folder / "checkout", folder.parent / f"{command}-{point}" / "checkout")
        )

        def killed(root=root, point=point):
            open_store(root, "flights")  # a copied store follows its folder
            _killing(point)
            _command(command, root)

        code = _forked(root, killed)
        is_last = code == 0
        if code not in {0, -signal.SIGKILL}:
            sys.exit(f"{command} ended with {code} before write {point}")
        shown = None if is_last else point
        if _forked(root, lambda root=root, shown=shown: _tell(root, shown)):
            sys.exit(f"{command} could not be called again after write {point}")
        if is_last:
            return


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]).resolve())
