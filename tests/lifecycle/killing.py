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

from modemap.lifecycle import approve, gate, promote, register, rollback, status, verify
from modemap.lifecycle.evidence import collect
from modemap.lifecycle.history import history
from modemap.tracking.store import open_store, prepare_to_open
from tests.lifecycle.conftest import load_in_process

WRITES = ("create_", "delete_", "finalize_", "log_", "set_")
KEY = "key"  # beside the checkout, of an approver

STEPS = {
    "register": register.register,
    "gate": lambda root: gate.gate(root).require(),
    "approve": lambda root: approve.approve(root, 2, key=root.parent / KEY, why="a test"),
    "promote": promote.promote,
    "rollback": lambda root: rollback.rollback(root, 1, why="a test"),
}


def _call_again(command: str, root: Path) -> None:
    """Do what a person or a flow does after the crash: the same again, and what follows it."""
    if command == "rollback":
        STEPS["rollback"](root)
        return
    if command == "approve":
        STEPS["approve"](root)
        promote.promote(root)
        return
    version = register.register(root)
    if status.status(root).version != version.number and command != "promote":
        gate.gate(root).require()
    promote.promote(root)


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
    _call_again(root.parent.name.partition("-")[0], root)
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
    collect.load_cleanly = rollback.load_cleanly = load_in_process
    point = 0
    while True:
        point += 1
        root = Path(shutil.copytree(folder, folder.parent / f"{command}-{point}"), "checkout")

        def killed(root=root, point=point):
            open_store(root, "flights")  # a copied store follows its folder
            _killing(point)
            STEPS[command](root)

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
