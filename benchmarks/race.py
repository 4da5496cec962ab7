"""A hundred promoters at once, round after round, on SQLite: one wins and nobody is lost.

RACE_PROCESSES and RACE_ROUNDS set how many, by default a hundred of each.
"""

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from benchmarks.bars import Bar

__all__ = ["measure"]

SECONDS = 60.0  # a round's limit


def measure() -> list[Bar]:
    """Race, and compare what came of it with what must."""
    n_processes, n_rounds = (
        int(os.environ.get(name, "100")) for name in ("RACE_PROCESSES", "RACE_ROUNDS")
    )
    found = _race(n_processes, n_rounds)
    winners = [number for number, _ in found["winners"]]
    numbers = [number for number, _ in found["entries"]]
    n_entries = n_processes * n_rounds + 1
    said = f"{n_processes} promoters, {n_rounds} rounds"
    wrong = sum(winners.count(number) != 1 for number in range(n_rounds))
    untold = (n_processes - 1) * n_rounds - found["n_told"]
    astray = sum(a != b for a, b in zip(numbers, range(1, n_entries + 1), strict=False))
    valid = sum(is_valid for _, is_valid in found["entries"])
    return [
        Bar(f"{said}: rounds without exactly one champion", wrong, 0, ""),
        Bar("losers that were not told", abs(untold), 0, ""),
        Bar("entries lost or out of line", astray + abs(n_entries - len(numbers)), 0, ""),
        Bar("valid entries beyond one a round", abs(valid - n_rounds - 1), 0, ""),
        Bar("looks of a reader that saw no champion", found["reader"]["none"], 0, ""),
        Bar("processes that failed", sum(map(bool, found["codes"])), 0, ""),
        Bar("a round", found["seconds_a_round"], SECONDS, "s", [found["seconds_a_round"]]),
    ]


def _race(n_processes: int, n_rounds: int) -> dict[str, object]:
    with tempfile.TemporaryDirectory() as folder:
        address = f"sqlite:///{Path(folder, 'raced.db')}"
        command = ["-m", "tests.system.racing", address, str(n_processes), str(n_rounds), folder]
        done = subprocess.run(
            [sys.executable, *command], stdout=subprocess.PIPE, text=True, check=True
        )
    return dict(json.loads(done.stdout))
