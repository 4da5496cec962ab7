"""What was learned of a batch, kept beside all outputs."""

import pytest

from modemap.data.kept import Kept


def test_a_folder_that_takes_nothing_is_named(tmp_path):
    """What has to be kept raises, what only saves time does not."""
    folder = tmp_path / "kept"
    folder.write_text("no folder")
    kept = Kept(folder)

    with pytest.raises(OSError, match=str(folder)):
        kept.put(b"a result", "batch")
    kept.remember(b"a result", "batch")

    assert kept.get("batch") is None


def test_what_cannot_be_kept_leaves_nothing_half_written(tmp_path):
    """A file that cannot come to its name is taken away again."""
    kept = Kept(tmp_path)
    kept.put(b"a result", "batch")
    (entry,) = tmp_path.iterdir()
    entry.unlink()
    entry.mkdir()

    with pytest.raises(OSError, match=str(tmp_path)):
        kept.put(b"a result", "batch")

    assert list(tmp_path.iterdir()) == [entry]
