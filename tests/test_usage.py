"""What a process has used is its own."""

import resource
import subprocess
import sys

import numpy as np
import pytest

from modemap import usage

PEAK = "from modemap.usage import peak_memory_mib; print(peak_memory_mib())"
needs_proc = pytest.mark.skipif(not usage.PROC.exists(), reason="this system has no /proc")


def _said_by_a_child(code):
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return float(done.stdout)


@needs_proc
def test_the_parent_does_not_count():
    """A process started by a large one is not large for that."""
    before = _said_by_a_child(PEAK)
    large = np.ones(2**26)  # 512 MiB
    assert usage.peak_memory_mib() > large.nbytes / 2**20

    assert abs(_said_by_a_child(PEAK) - before) < 64


def test_the_peak_outlives_what_was_freed():
    """What was held at once counts after it was given back."""
    assert _said_by_a_child(f"import numpy as np; x = np.ones(2**25); del x; {PEAK}") > 256


@needs_proc
def test_what_is_read_and_written_is_counted(tmp_path):
    """From the cache too: it is the work, not the disk, that is counted."""
    before = usage.read_and_written_mib()
    (tmp_path / "file").write_bytes(bytes(5 << 20))
    (tmp_path / "file").read_bytes()
    after = usage.read_and_written_mib()

    assert [b - a for a, b in zip(before, after, strict=True)] == pytest.approx([5, 5], abs=0.5)


def test_other_systems_ask_getrusage(monkeypatch, tmp_path):
    """Where there is no /proc, the peak comes in the system's own unit, and nothing of files."""
    monkeypatch.setattr(usage, "PROC", tmp_path)
    kib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss

    assert usage.read_and_written_mib() is None
    assert usage.peak_memory_mib() >= kib / 2**10
    monkeypatch.setattr(sys, "platform", "darwin")  # counts in bytes
    assert usage.peak_memory_mib() < kib / 2**10
