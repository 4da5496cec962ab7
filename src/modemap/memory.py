"""The most memory that this process has held at once."""

import resource
import sys
from pathlib import Path

__all__ = ["peak_memory_mib"]

STATUS = Path("/proc/self/status")


def peak_memory_mib() -> float:
    """Return the peak resident memory of this process, in MiB.

    On Linux ``getrusage`` would count the parent's memory at the time of the start as well, so the
    number comes from the kernel's high-water mark of the memory that this program itself has had.
    """
    lines = STATUS.read_text(encoding="utf-8").splitlines() if STATUS.exists() else []
    for line in lines:
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) / 2**10  # of kB
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / (2**20 if sys.platform == "darwin" else 2**10)
