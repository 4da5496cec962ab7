"""A bar: what was measured, the limit it must keep, and every repetition behind it."""

import json
import os
import platform
import subprocess
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

__all__ = ["Bar", "machine", "print_bars", "write_results"]

RESULTS = Path("benchmarks/results")


@dataclass(frozen=True)
class Bar:
    """One row of the table; it holds when ``value`` is at most ``limit``, or at least."""

    work: str
    value: float
    limit: float
    unit: str
    repetitions: Sequence[float] = ()
    is_least: bool = False  # whether more is better

    @property
    def holds(self) -> bool:
        """Whether the bar was met; a value that is not a number does not meet it."""
        return self.value >= self.limit if self.is_least else self.value <= self.limit

    @property
    def sign(self) -> str:
        """How the value must stand to the limit."""
        return "≥" if self.is_least else "≤"


def print_bars(bars: Sequence[Bar]) -> None:
    """Print one line for each bar."""
    for bar in bars:
        verdict = "holds" if bar.holds else "DOES NOT HOLD"
        limit = f"{bar.sign} {bar.limit:7.4g} {bar.unit:<5}"
        print(f"{bar.work:<66} {bar.value:8.4g} {limit} {verdict}")


def machine() -> dict[str, object]:
    """Return what ran the measurement: processor, cores, memory, Python."""
    cpu = next(
        (
            line.split(":", 1)[1].strip()
            for line in Path("/proc/cpuinfo").read_text().splitlines()
            if line.startswith("model name")
        ),
        platform.processor(),
    )
    memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / 2**30
    return {
        "cpu": cpu,
        "cores": os.cpu_count(),
        "memory_gib": round(memory, 1),
        "python": platform.python_version(),
    }


def write_results(suite: str, bars: Sequence[Bar]) -> Path:
    """Write machine, commit and every repetition as JSON; return the file."""
    commit = subprocess.run(
        ["git", "rev-parse", "HEAD"], capture_output=True, text=True, check=True
    ).stdout.strip()
    RESULTS.mkdir(parents=True, exist_ok=True)
    path = RESULTS / f"{suite}.json"
    rows = [asdict(bar) | {"holds": bar.holds, "sign": bar.sign} for bar in bars]
    document = {"suite": suite, "commit": commit, "machine": machine(), "bars": rows}
    path.write_text(json.dumps(document, indent=2) + "\n")
    return path
