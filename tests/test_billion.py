"""The benchmark of a billion values, on few of them."""

import shutil
from types import SimpleNamespace

import pytest

from benchmarks import billion


@pytest.fixture(autouse=True)
def few_rows(monkeypatch, tmp_path):
    """Let it work on 50,000 rows in chunks, in a folder of its own."""
    monkeypatch.setattr(billion, "FOLDER", tmp_path / "billion")
    monkeypatch.setattr(billion, "N_ROWS", 50_000)
    monkeypatch.setattr(billion, "CHUNK", 17_000)


def test_every_value_comes_back_and_no_file_is_left(tmp_path):
    """From disk and in memory; the names say what was measured."""
    bars = {bar.work: bar for bar in billion.measure()}

    assert bars["values that do not come back exactly"].value == 0
    assert {"fit in memory, 2 threads", "memory while working from disk"} <= set(bars)
    assert len(bars) == 9
    assert list(tmp_path.iterdir()) == []


def test_a_disk_without_room_is_told_before_anything_is_written(monkeypatch, tmp_path, capsys):
    """It says how much is needed and how much there is."""
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=10**6))

    with pytest.raises(SystemExit, match="not enough room"):
        billion.measure()

    assert "50,000 rows need 0 GB of disk; 0 GB are free" in capsys.readouterr().out
    assert list((tmp_path / "billion").iterdir()) == []
