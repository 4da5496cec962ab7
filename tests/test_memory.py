"""The peak of a process is its own."""

import resource
import subprocess
import sys

import numpy as np

from modemap import memory

PEAK = "from modemap.memory import peak_memory_mib; print(peak_memory_mib())"


def _peak_of_a_child():
    done = subprocess.run([sys.executable, "-c", PEAK], capture_output=True, text=True, check=True)
    return float(done.stdout)


def test_the_parent_does_not_count():
    """A process started by a large one is not large for that."""
    before = _peak_of_a_child()
    large = np.ones(2**26)  # 512 MiB
    assert memory.peak_memory_mib() > large.nbytes / 2**20

    assert abs(_peak_of_a_child() - before) < 64


def test_the_peak_outlives_what_was_freed():
    """What was held at once counts after it was given back."""
    code = f"import numpy as np; x = np.ones(2**25); del x; {PEAK}"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert float(done.stdout) > 256


def test_other_systems_ask_getrusage(monkeypatch, tmp_path):
    """Where there is no /proc, the number comes in the system's own unit."""
    monkeypatch.setattr(memory, "STATUS", tmp_path / "missing")
    kib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss

    assert memory.peak_memory_mib() >= kib / 2**10
    monkeypatch.setattr(sys, "platform", "darwin")  # counts in bytes
    assert memory.peak_memory_mib() < kib / 2**10
