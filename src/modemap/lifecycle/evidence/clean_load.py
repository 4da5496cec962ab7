"""Load a release in a process of its own, repeat its golden rows, and try what it costs.

``python -P -m modemap.lifecycle.evidence.clean_load DIRECTORY DIGEST [CHAMPION DIGEST]`` prints one
line of JSON, or exits with a message and code 7. Candidate and champion are timed in turn, so that
what else the machine does weighs on both alike.
"""

import json
import signal
import subprocess
import sys
import time
import tracemalloc
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
from numpy.typing import NDArray

from modemap.errors import ModemapError, ReleaseError
from modemap.lifecycle.evidence.behaviour import try_behaviour
from modemap.release import Release, golden_mismatch, golden_rows, load_release
from modemap.usage import peak_memory_mib

__all__ = ["load_cleanly", "main"]

SECONDS = 120.0
MESSAGE = 500  # characters of what the process said
N_ROWS, N_CALLS = 1000, 7
STOPPED = (-signal.SIGINT, -signal.SIGTERM)  # by whoever stops the command; a crash ends otherwise


def load_cleanly(
    directory: Path,
    digest: str,
    champion: tuple[Path, str] | None = None,
    seconds: float = SECONDS,
) -> dict[str, Any]:
    """Load the release in ``directory`` in a clean process; return what that process reports.

    The process sees this installation and nothing of the current folder. It measures ``champion``,
    directory and digest, beside the release.

    Raises
    ------
    ReleaseError
        If the release does not load or answer there, or not in time.
    KeyboardInterrupt
        If that process was interrupted, which tells nothing of the release.
    """
    module = "modemap.lifecycle.evidence.clean_load"
    command = [sys.executable, "-P", "-m", module, str(directory.resolve()), digest]
    if champion is not None:
        command += [str(champion[0].resolve()), champion[1]]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=seconds, check=False)
    except subprocess.TimeoutExpired:
        _refuse(directory, f"no answer within {seconds:g} s")
    if done.returncode in STOPPED:
        raise KeyboardInterrupt
    if done.returncode:
        _refuse(directory, " ".join(done.stderr.split())[-MESSAGE:] or f"exit {done.returncode}")
    try:
        report = dict(json.loads(done.stdout))
    except (ValueError, TypeError):
        _refuse(directory, f"no report but {done.stdout[:MESSAGE]!r}")
    if report.get("digest") != digest:
        _refuse(directory, f"a report on {report.get('digest')}")
    return report


def main(directory: Path, digest: str, *champion: str) -> None:
    """Load the release, repeat its golden rows and print what it took."""
    started = time.perf_counter()
    release = load_release(directory, digest)
    loaded = time.perf_counter()
    if mismatch := golden_mismatch(directory, release):
        _refuse(directory, mismatch)
    answered = time.perf_counter()
    rows = _between(golden_rows(directory))
    report: dict[str, Any] = {
        "digest": release.digest,
        "columns": release.measured_columns,
        "load_seconds": loaded - started,
        "answer_seconds": answered - loaded,
        "behaviour": try_behaviour(release, rows),
        "peak_memory_mib": peak_memory_mib(),
        **_costs(directory, digest),
    }
    rivals = [(release, rows)]
    if champion:
        report["champion"] = _try_champion(rivals, Path(champion[0]), champion[1])
    latencies = _latencies(rivals)
    report["latency_ms"] = latencies[0]
    if len(latencies) > 1:
        report["champion"]["latency_ms"] = latencies[1]
    sys.stdout.write(json.dumps(report) + "\n")


def _try_champion(
    rivals: list[tuple[Release, NDArray[np.float64]]], directory: Path, digest: str
) -> dict[str, Any]:
    """Add the champion to ``rivals`` and return its costs, or in words why it has none."""
    try:
        rivals.append((load_release(directory, digest), _between(golden_rows(directory))))
        return _costs(directory, digest)
    except ModemapError as error:
        return {"failure": " ".join(str(error).split())}


def _costs(directory: Path, digest: str) -> dict[str, float]:
    """Return the size of the files, and the most memory that Python and NumPy held at once."""
    tracemalloc.start()
    release = load_release(directory, digest)
    release.score(_between(golden_rows(directory)))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    size = sum(path.stat().st_size for path in directory.iterdir())
    return {"answer_memory_mib": peak / 2**20, "size_mib": size / 2**20}


def _latencies(rivals: list[tuple[Release, NDArray[np.float64]]]) -> list[float]:
    """Return the least milliseconds that each release takes for its rows, over calls in turn."""
    calls: list[list[float]] = [[] for _ in rivals]
    for _ in range(N_CALLS):
        for (release, rows), taken in zip(rivals, calls, strict=True):
            started = time.perf_counter()
            release.score(rows)
            taken.append(1e3 * (time.perf_counter() - started))
    return [min(taken) for taken in calls]


def _between(golden: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return a thousand rows between golden ones."""
    rng = np.random.default_rng(0)
    first, second = golden[rng.integers(len(golden), size=(2, N_ROWS))]
    return np.asarray(first + rng.random((N_ROWS, 1)) * (second - first))


def _refuse(directory: Path, found: str) -> NoReturn:
    rule = "the release must load and answer its golden rows in a clean process"
    raise ReleaseError(directory, rule, found=found, hint="make it again: `dvc repro evaluate`")


if __name__ == "__main__":
    try:
        main(Path(sys.argv[1]), *sys.argv[2:])
    except ModemapError as error:
        sys.stderr.write(f"{error}\n")
        sys.exit(error.exit_code)
