"""Load a release in a process of its own and repeat its golden rows.

``python -P -m modemap.lifecycle.clean_load DIRECTORY DIGEST`` prints one line of JSON, or exits
with a message and code 7.
"""

import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, NoReturn

from modemap.errors import ModemapError, ReleaseError
from modemap.release import golden_mismatch, load_release

__all__ = ["load_cleanly", "main"]

SECONDS = 120.0
MESSAGE = 500  # characters of what the process said


def load_cleanly(directory: Path, digest: str, seconds: float = SECONDS) -> dict[str, Any]:
    """Load the release in ``directory`` in a clean process; return what that process reports.

    The process sees this installation and nothing of the current folder.

    Raises
    ------
    ReleaseError
        If the release does not load or answer there, or not in time.
    """
    module = "modemap.lifecycle.clean_load"
    command = [sys.executable, "-P", "-m", module, str(directory.resolve()), digest]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=seconds, check=False)
    except subprocess.TimeoutExpired:
        _refuse(directory, f"no answer within {seconds:g} s")
    if done.returncode:
        _refuse(directory, " ".join(done.stderr.split())[-MESSAGE:] or f"exit {done.returncode}")
    try:
        report = dict(json.loads(done.stdout))
    except (ValueError, TypeError):
        _refuse(directory, f"no report but {done.stdout[:MESSAGE]!r}")
    if report.get("digest") != digest:
        _refuse(directory, f"a report on {report.get('digest')}")
    return report


def main(directory: Path, digest: str) -> None:
    """Load the release, repeat its golden rows and print what it took."""
    started = time.perf_counter()
    release = load_release(directory, digest)
    loaded = time.perf_counter()
    if mismatch := golden_mismatch(directory, release):
        _refuse(directory, mismatch)
    seconds = {"load_seconds": loaded - started, "answer_seconds": time.perf_counter() - loaded}
    sys.stdout.write(json.dumps({"digest": release.digest, **seconds}) + "\n")


def _refuse(directory: Path, found: str) -> NoReturn:
    rule = "the release must load and answer its golden rows in a clean process"
    raise ReleaseError(directory, rule, found=found, hint="make it again: `dvc repro evaluate`")


if __name__ == "__main__":
    try:
        main(Path(sys.argv[1]), sys.argv[2])
    except ModemapError as error:
        sys.stderr.write(f"{error}\n")
        sys.exit(error.exit_code)
