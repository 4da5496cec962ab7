"""Writes are whole or absent."""

import errno
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from modemap.files import (
    canonical_json,
    is_running,
    read_json,
    staged_directory,
    staged_file,
    write_bytes,
    write_json,
)
from modemap.refusals import NoRoomError, bytes_in, telling_room

NOWHERE = Path("/dev/full")  # takes no byte, as a full disk


def test_equal_values_give_equal_bytes():
    """The order of keys in memory does not show."""
    assert canonical_json({"b": 1, "a": [2]}) == canonical_json({"a": [2], "b": 1})


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_json_refuses_what_it_cannot_say(value):
    """NaN never reaches a metrics file."""
    with pytest.raises(ValueError, match="not JSON compliant"):
        canonical_json({"metric": value})


def test_a_written_file_reads_back(tmp_path):
    """What was written is what is read, and nothing else lies beside it."""
    write_json(tmp_path / "a" / "b.json", {"x": 1})

    assert read_json(tmp_path / "a" / "b.json") == {"x": 1}
    assert [entry.name for entry in (tmp_path / "a").iterdir()] == ["b.json"]


def test_a_failed_write_leaves_the_old_file(tmp_path):
    """An error inside the block keeps what stood there."""
    path = tmp_path / "file"
    write_bytes(path, b"old")

    with pytest.raises(ZeroDivisionError), staged_file(path) as temporary:
        temporary.write_bytes(b"half" * (1 // 0))

    assert path.read_bytes() == b"old"
    assert [entry.name for entry in tmp_path.iterdir()] == ["file"]


def test_a_failed_directory_leaves_the_old_one(tmp_path):
    """An error inside the block keeps the old directory whole."""
    with staged_directory(tmp_path / "d") as folder:
        (folder / "one").write_text("1")

    with pytest.raises(ZeroDivisionError), staged_directory(tmp_path / "d") as folder:
        (folder / "two").write_text("2" * (1 // 0))

    assert [entry.name for entry in (tmp_path / "d").iterdir()] == ["one"]
    assert [entry.name for entry in tmp_path.iterdir()] == ["d"]


def test_a_directory_is_replaced_whole(tmp_path):
    """Files of the old directory do not linger in the new one."""
    for name in ("one", "two"):
        with staged_directory(tmp_path / "d") as folder:
            (folder / name).write_text(name)

    assert [entry.name for entry in (tmp_path / "d").iterdir()] == ["two"]


def test_what_a_killed_writer_left_is_swept_by_the_next(tmp_path):
    """A temporary file of a dead process is removed when its target is written again."""
    script = (
        "import os, sys; from pathlib import Path; from modemap.files import staged_file\n"
        "with staged_file(Path(sys.argv[1])) as f: f.write_text('half'); os._exit(9)"
    )
    path = tmp_path / "file"
    subprocess.run([sys.executable, "-c", script, str(path)], check=False, env={**os.environ})
    assert not path.exists()
    assert len(list(tmp_path.iterdir())) == 1

    write_bytes(path, b"whole")

    assert [entry.name for entry in tmp_path.iterdir()] == ["file"]


@pytest.mark.parametrize("kind", ["link to a folder", "link to nothing", "file", "folder"])
def test_a_directory_takes_the_place_of_whatever_stands_there(tmp_path, kind):
    """A link is replaced and not followed, and nothing is left beside the directory."""
    victim = tmp_path / "victim"
    target = tmp_path / "place" / "d"
    target.parent.mkdir()
    if kind == "link to a folder":
        victim.mkdir()
        (victim / "mine").write_text("mine")
    if kind.startswith("link"):
        target.symlink_to(victim)
    elif kind == "file":
        target.write_text("old")
    else:
        target.mkdir()

    with staged_directory(target) as folder:
        (folder / "new").write_text("new")

    assert not target.is_symlink()
    assert [entry.name for entry in target.iterdir()] == ["new"]
    assert [entry.name for entry in target.parent.iterdir()] == ["d"]
    if kind == "link to a folder":
        assert [entry.name for entry in victim.iterdir()] == ["mine"]


def test_a_write_stopped_between_its_two_renames_puts_the_old_directory_back(tmp_path, monkeypatch):
    """Whoever is asked to stop at the worst moment still loses nothing."""
    target = tmp_path / "d"
    with staged_directory(target) as folder:
        (folder / "old").write_text("old")
    rename = Path.rename

    def stop_second(self, new):
        if new == target and self.name.endswith(".part"):
            raise SystemExit
        return rename(self, new)

    monkeypatch.setattr(Path, "rename", stop_second)
    with pytest.raises(SystemExit), staged_directory(target) as folder:
        (folder / "new").write_text("new")

    assert [entry.name for entry in target.iterdir()] == ["old"]
    assert [entry.name for entry in tmp_path.iterdir()] == ["d"]


def test_what_the_system_refuses_is_told_of_the_file_itself(tmp_path):
    """No message speaks of a temporary name."""
    (tmp_path / "no folder").write_text("")

    with pytest.raises(OSError, match="no folder") as caught:
        write_bytes(tmp_path / "no folder" / "file", b"")
    assert ".part" not in str(caught.value)

    (tmp_path / "d").mkdir()
    with pytest.raises(IsADirectoryError) as caught:
        write_bytes(tmp_path / "d", b"")
    assert caught.value.filename == str(tmp_path / "d")


def test_bytes_that_do_not_fit_are_counted(tmp_path):
    """Before what was written is removed, and in a file's own folder as well as beside it."""
    (tmp_path / "d").mkdir()
    (tmp_path / "d" / "kept").write_bytes(b"kept")

    def write():
        with staged_directory(tmp_path / "d") as folder:
            (folder / "one").write_bytes(bytes(1000))
            with staged_file(folder / "two") as temporary:
                temporary.write_bytes(bytes(24))
                NOWHERE.write_bytes(b"that is too much")

    with pytest.raises(NoRoomError, match="No space left") as caught:
        write()

    assert caught.value.filename == str(tmp_path / "d")
    assert caught.value.written == 1024
    assert caught.value.free > 0
    assert [path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()] == [b"kept"]


def test_a_full_disk_elsewhere_is_told_of_that_place(tmp_path):
    """What a block writes to another folder is not counted as the target's."""
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "rows").write_bytes(bytes(7))

    def write():
        with staged_file(tmp_path / "file") as temporary:
            temporary.write_bytes(bytes(1000))
            with telling_room(elsewhere, lambda: bytes_in(elsewhere)), NOWHERE.open("wb") as full:
                full.write(b"that is too much")

    with pytest.raises(NoRoomError, match="No space left") as caught:
        write()

    assert caught.value.filename == str(elsewhere)
    assert caught.value.written == 7


def test_a_copy_that_does_not_fit_is_told_of_its_target(tmp_path):
    """Not of the file that was to be copied, which is fine."""
    (tmp_path / "from").write_bytes(b"rows")
    copied = OSError(errno.ENOSPC, "no", str(tmp_path / "from"), None, str(tmp_path / "to" / "x"))

    with (
        pytest.raises(NoRoomError, match="No space") as caught,
        telling_room(tmp_path / "to", lambda: 3),
    ):
        raise copied

    assert caught.value.filename == str(tmp_path / "to")
    assert caught.value.written == 3


def test_a_process_that_has_ended_does_not_run():
    """Nor does one whose exit code nobody has asked for: what it left can be swept."""
    child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    assert is_running(child.pid)

    child.stdin.close()
    deadline = time.monotonic() + 30
    while is_running(child.pid) and time.monotonic() < deadline:
        time.sleep(0.01)

    assert not is_running(child.pid)
    assert child.returncode is None  # it waits to be asked
    child.wait()
    assert not is_running(child.pid)
    assert is_running(os.getpid())
    assert is_running(1)
