"""What this process has used of the machine so far."""

import resource
import sys
from pathlib import Path

__all__ = ["peak_memory_mib", "read_and_written_mib"]

PROC = Path("/proc/self")


def peak_memory_mib() -> float:
    """Return the peak resident memory of this process, in MiB.

    On Linux ``getrusage`` would count the parent's memory at the time of the start as well, so the
    number comes from the kernel's high-water mark of the memory that this program itself has had.
    """
    peak = _numbers("status").get("VmHWM")
    if peak is not None:
        return peak / 2**10  # of kB
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (
        2**20 if sys.platform == "darwin" else 2**10
    )


def read_and_written_mib() -> tuple[float, float] | None:
    """Return how much this process has read and written, in MiB, from the cache or the disk.

    None where the system does not count it.
    """
    counted = _numbers("io")
    if not counted.keys() >= {"rchar", "wchar"}:
        return None
    return counted["rchar"] / 2**20, counted["wchar"] / 2**20


def _numbers(name: str) -> dict[str, int]:
    """Return the numbers of a file of ``name: number`` lines in /proc, none where there is none."""
    try:
        text = (PROC / name).read_text(encoding="utf-8")
    except OSError:
        return {}
    pairs = (line.partition(":") for line in text.splitlines())
    words = ((key, value.split()) for key, _, value in pairs)
    return {key: int(value[0]) for key, value in words if value and value[0].isdecimal()}
