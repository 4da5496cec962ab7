"""`modemap drift`: files and versions, what it prints, how it exits, and what it cannot check."""

import json
import sys
from typing import ClassVar

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from modemap import cli
from modemap.errors import DataError, ReleaseError
from modemap.estimators.preparation import Preparation
from modemap.files import write_json
from modemap.lifecycle.monitor.drift import drift
from modemap.lifecycle.monitor.observe import Wanted, observe
from modemap.monitoring.keeping import load_reference, save_reference
from modemap.monitoring.profile import MAX_SAMPLE, Reference
from modemap.release import REFERENCE, load_release, read_parts, verify_release, write_manifest
from modemap.stages.reference import keep_reference
from tests.lifecycle.conftest import Project, copy_of
from tests.pages import read_page


def _table(n_rows=3000, seed=0, **changes):
    rng = np.random.default_rng(seed)
    columns = {
        "delay": pa.array(np.round(rng.gamma(2, 10, n_rows), 1), mask=rng.random(n_rows) < 0.02),
        "distance": rng.integers(100, 3000, n_rows),
        "carrier": rng.choice(["AA", "UA", "WN"], n_rows, p=[0.5, 0.3, 0.2]),
        "name": [f"row {i}" for i in range(n_rows)],
    }
    kept = {name: values for name, values in (columns | changes).items() if values is not None}
    return pa.table(kept)


def _write(folder, name, table):
    path = folder / name
    pq.write_table(table, path)
    return str(path)


@pytest.fixture
def modemap(monkeypatch, capsys, tmp_path):
    """Return the command line in a folder; it returns exit code, output and errors."""

    def run(*arguments, root=tmp_path):
        monkeypatch.chdir(root)
        monkeypatch.setattr(sys, "argv", ["modemap", "drift", *map(str, arguments)])
        with pytest.raises(SystemExit) as caught:
            cli.main()
        captured = capsys.readouterr()
        return caught.value.code, captured.out, captured.err

    return run


@pytest.fixture
def before(tmp_path):
    """Return a file to compare others with."""
    return _write(tmp_path, "before.parquet", _table())


def test_the_same_population_exits_with_0(modemap, before, tmp_path):
    """Other rows of it are no drift; names of rows are left out and told."""
    after = _write(tmp_path, "after.parquet", _table(seed=1))

    code, out, _ = modemap(before, after)

    assert code == 0
    assert out.startswith("drift: no\n3,000 rows beside 3,000\n")
    assert "name: not compared, 3,000 texts in 3,000 rows" in out
    (joint,) = (line.split() for line in out.splitlines() if line.startswith("correlation"))
    assert joint[1] == "no"
    assert float(joint[2]) < float(joint[3])  # what chance explains up to
    assert joint[4] == "0.05"


def test_drift_exits_with_4_and_is_explained(modemap, before, tmp_path):
    """JSON says which columns, how far, and in sentences what became of them."""
    rng = np.random.default_rng(1)
    late = pa.array(np.round(rng.gamma(2, 10, 3000) + 8, 1))
    carriers = rng.choice(["AA", "UA", "XX"], 3000)
    after = _write(tmp_path, "after.parquet", _table(seed=1, delay=late, carrier=carriers))

    code, out, _ = modemap(before, after, "--json")

    found = json.loads(out)
    columns = {column["name"]: column for column in found["columns"]}
    assert code == 4
    assert found["drift"] is True
    assert [columns[name]["verdict"] for name in ("delay", "distance", "carrier")] == [
        "yes",
        "no",
        "yes",
    ]
    assert columns["delay"]["psi"] > columns["delay"]["threshold"]
    assert list(columns["carrier"]["unseen"]) == ["XX"]
    assert any("level 'XX' was never seen before" in said for said in columns["carrier"]["said"])


def test_the_columns_that_are_named_are_compared_alone(modemap, before, tmp_path):
    """A drifted column that nobody asks for raises no alarm; an unknown one is an error."""
    after = _write(tmp_path, "after.parquet", _table(seed=1, delay=np.full(3000, 500.0)))

    assert modemap(before, after, "--columns", "distance,carrier")[0] == 0
    code, _, err = modemap(before, after, "--columns", "weight")
    assert code == 2
    assert "each must be a column of" in err
    assert "found: weight" in err


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"delay": None}, "delay: no such column in the window"),
        ({"delay": ["late"] * 3000}, "delay: string in the window, not numbers"),
        ({"delay": np.r_[np.inf, np.zeros(2999)]}, "delay: values must be finite or NaN, got inf"),
    ],
)
def test_what_cannot_be_compared_exits_with_5(modemap, before, tmp_path, changes, why):
    """A column that is gone, of another type or infinite is never called free of drift."""
    after = _write(tmp_path, "after.parquet", _table(seed=0, **changes))

    code, out, _ = modemap(before, after)

    assert code == 5
    assert out.startswith("drift: not checkable")
    assert f"not checkable: {why}" in out
    assert out.count(why) == 1


def test_an_infinite_value_in_the_reference_exits_with_5(modemap, tmp_path):
    """The reference must be countable too."""
    rows = _table(delay=np.r_[np.inf, np.zeros(2999)])
    before = _write(tmp_path, "before.parquet", rows)

    code, out, _ = modemap(before, _write(tmp_path, "after.parquet", _table()))

    assert code == 5
    assert "in row 0, in the reference" in out


@pytest.mark.parametrize("n_rows", [1, 49])
def test_a_window_of_few_rows_exits_with_5(modemap, before, tmp_path, n_rows):
    """One row says nothing."""
    after = _write(tmp_path, "after.parquet", _table(n_rows))

    code, out, _ = modemap(before, after, "--json")

    assert (code, json.loads(out)["drift"]) == (5, None)


def test_a_window_without_rows_is_an_error(modemap, before, tmp_path):
    """An empty table is broken input, told with place, rule, value and next step."""
    code, _, err = modemap(before, _write(tmp_path, "after.parquet", _table(0)))

    assert code == 3
    for part in ("after.parquet", "must hold rows", "found: no rows", "hint:"):
        assert part in err


def test_an_extra_column_is_told_and_changes_no_answer(modemap, before, tmp_path):
    """A column that only the window has cannot drift."""
    table = _table(seed=1).append_column("weight", pa.array(np.arange(3000.0)))

    code, out, _ = modemap(before, _write(tmp_path, "after.parquet", table))

    assert code == 0
    assert "weight: not compared, only the window has it" in out


def test_csv_is_read_as_well(modemap, before, tmp_path):
    """Any file that a project ingests can be compared."""
    path = tmp_path / "after.csv"
    _table(seed=1).to_pandas().to_csv(path, index=False)

    assert modemap(before, path)[0] == 0


@pytest.mark.parametrize("option", [("--rate", "0"), ("--rate", "1"), ("--min-effect", "-1")])
def test_settings_out_of_bounds_are_refused(modemap, before, option):
    """A rate is a probability, an effect not negative."""
    code, _, err = modemap(before, before, *option)

    assert code == 2
    assert "--rate must lie between 0 and 1" in err


def test_the_page_says_what_the_answer_says(modemap, before, tmp_path):
    """The report's numbers are the check's, and nothing in it is fetched."""
    after = _write(tmp_path, "after.parquet", _table(2000, 1, delay=np.full(2000, 77.0)))

    code, out, _ = modemap(before, after, "--json", "--report", tmp_path / "drift.html")

    found = json.loads(out)
    page = read_page((tmp_path / "drift.html").read_text())
    heading = next(named for tag, named in page.elements if tag == "h1")
    cards = [named["data-column"] for _, named in page.elements if "data-column" in named]
    assert code == 4
    assert heading["data-answer"] == "yes"
    assert page.facts["n"] == ["2000"]
    assert page.facts["n_reference"] == ["3000"]
    assert cards == ["delay"]
    assert float(page.facts["psi"][0]) == pytest.approx(found["columns"][0]["psi"])
    assert not [named for _, named in page.elements if "src" in named or "://" in str(named)]


def test_two_threads_count_what_one_would():
    """Tables are counted piece by piece as they would be whole; the sample is even."""
    whole = _table(100_000)
    pieces = [whole.slice(start, 7000) for start in range(0, 100_000, 7000)]
    wanted = Wanted(["delay", "distance"], ["carrier"])

    cut, once = observe(pieces, wanted), observe([whole], wanted)

    assert cut.n_rows == once.n_rows == 100_000
    assert cut.n_missing == once.n_missing
    assert cut.levels == once.levels
    for name in wanted.numbers:
        assert cut.numbers[name].to_bytes() == once.numbers[name].to_bytes()
    assert MAX_SAMPLE / 2 <= len(cut.sample) <= MAX_SAMPLE
    np.testing.assert_array_equal(cut.sample, once.sample)


@pytest.fixture(scope="session")
def release_with_reference(rows, make_release, tmp_path_factory):
    """Return a release that keeps its training rows' shares."""
    folder = tmp_path_factory.mktemp("kept")
    release, prepared = make_release(folder / "release"), folder / "prepared"
    prepared.mkdir()
    for name, part in (("train", rows[:350]), ("validation", rows[350:])):
        table = pa.table(dict(zip(("delay", "distance"), part.T, strict=True)))
        (prepared / name).mkdir()
        pq.write_table(table, prepared / name / "rows.parquet")
    missing = {"delay": 10, "distance": 0}
    write_json(prepared / "shares.json", {"rows": 360, "missing": missing, "levels": {}})
    (release / "manifest.json").unlink()
    keep_reference(prepared, read_parts(release), release)
    write_manifest(release, columns=("delay", "distance"), params={})
    return release


@pytest.fixture
def champion(after_promotion, release_with_reference, tmp_path):
    """Return a project whose version 2 has a reference, and whose champion, 1, has none."""
    from modemap.lifecycle.register import register

    project: Project = copy_of(after_promotion, tmp_path)
    project.install(release_with_reference)
    register(project.root)
    return project.root


@pytest.mark.workflow
def test_a_version_is_compared_with_its_own_rows(champion, rows, modemap, tmp_path):
    """Rows like those it learned from are no drift; moved ones are, on the map as well."""
    raw = np.vstack([rows, [np.nan, 700.0]])
    names = ("delay", "distance")
    same = _write(tmp_path, "same.parquet", pa.table(dict(zip(names, raw.T, strict=True))))
    moved = pa.table(dict(zip(names, (raw + [40, 900]).T, strict=True)))  # noqa: RUF005

    calm = drift(champion, "2", same)
    code, out, _ = modemap(2, _write(tmp_path, "m.parquet", moved), "--json", root=champion)

    joint = {part["name"]: part["verdict"] for part in json.loads(out)["joint"]}
    assert calm.drift is False
    assert (calm.n, calm.n_reference) == (501, 360)
    assert code == 4
    assert joint["map_distance"] == joint["log_likelihood"] == "yes"


@pytest.mark.workflow
def test_a_version_without_a_reference_cannot_be_compared(champion, before, modemap):
    """A release made before references were kept is not checkable, whatever the rows are."""
    code, out, _ = modemap("champion", before, root=champion)

    assert code == 5
    assert f"its release holds no {REFERENCE}, train it again" in out


def test_a_reference_is_read_as_it_was_written(release_with_reference, tmp_path):
    """All parts come back, and written again they are the same bytes."""
    path = release_with_reference / REFERENCE
    again = tmp_path / "again.npz"

    save_reference(again, load_reference(path))

    assert again.read_bytes() == path.read_bytes()
    assert REFERENCE in verify_release(release_with_reference)["files"]
    assert load_release(release_with_reference).columns == ["delay", "distance"]


def test_a_damaged_reference_is_refused(release_with_reference, tmp_path):
    """A file that is cut, or another kind of model, is no reference."""
    path = tmp_path / REFERENCE
    path.write_bytes((release_with_reference / REFERENCE).read_bytes()[:-200])

    with pytest.raises(ReleaseError, match="reference"):
        load_reference(path)
    with pytest.raises(ReleaseError, match="kind 'preparation'"):
        load_reference(release_with_reference / "preparation.npz")


def test_what_a_release_fills_is_filled_in_the_window_too():
    """The policy is the training's: a row without a delay is dropped, none else."""
    preparation = Preparation(["delay", "distance"], {"delay": "drop", "distance": "median"})
    preparation.fit(np.array([[1.0, 10.0], [2.0, 20.0], [3.0, 30.0]]))

    class Release:
        columns = preparation.columns
        manifest: ClassVar = {"params": {}}

    Release.preparation = preparation
    table = pa.table({"delay": [1.0, None, 3.0], "distance": [None, 20.0, 30.0]})

    from modemap.lifecycle.monitor.observe import _Rows

    seen = observe([table], Wanted(["delay", "distance"]))
    columns = _Rows(Wanted(["delay", "distance"]), Release).columns(table, seen)

    assert columns["delay"].tolist() == [1, 3]
    assert columns["distance"].tolist() == [20, 30]


def test_held_out_rows_move_no_column_of_the_reference(rows, make_release, tmp_path):
    """Other validation rows change what models answered, never a column's cells."""
    kept = []
    for i, held_out in enumerate((rows[350:], rows[350:] + 5)):
        prepared, release = tmp_path / str(i), make_release(tmp_path / f"release{i}")
        prepared.mkdir()
        for name, part in (("train", rows[:350]), ("validation", held_out)):
            table = pa.table(dict(zip(("delay", "distance"), part.T, strict=True)))
            (prepared / name).mkdir()
            pq.write_table(table, prepared / name / "rows.parquet")
        write_json(prepared / "shares.json", {"rows": 350, "missing": {}, "levels": {}})
        keep_reference(prepared, read_parts(release), release)
        kept.append(load_reference(release / REFERENCE))

    one, other = kept
    assert isinstance(one, Reference)
    for name, cells in one.numbers.items():
        np.testing.assert_array_equal(cells.counts, other.numbers[name].counts)
        np.testing.assert_array_equal(cells.cuts, other.numbers[name].cuts)
    np.testing.assert_array_equal(one.correlations.values, other.correlations.values)
    assert (one.models.hits.counts != other.models.hits.counts).any()


@pytest.mark.parametrize("asked", ["nope.parquet", "in/*.parquet", "empty.parquet"])
def test_a_source_that_was_named_by_hand_is_not_sought_in_the_params(tmp_path, monkeypatch, asked):
    """`ingest.source` has no part in it, be the file absent or without rows."""
    monkeypatch.chdir(tmp_path)
    pq.write_table(pa.table({"x": [1.0, 2.0]}), "reference.parquet")
    pq.write_table(pa.table({"x": pa.array([], pa.float64())}), "empty.parquet")

    with pytest.raises(DataError) as caught:
        drift(tmp_path, "reference.parquet", asked)

    assert "ingest.source" not in caught.value.hint
    assert caught.value.hint
