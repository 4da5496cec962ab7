"""What becomes of a source whose columns change, as docs/changing-data.md says it."""

import datetime as dt

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from modemap.data.matrix import prepared_files
from modemap.errors import DataError
from modemap.params import IngestParams, PrepareParams, ValidateParams
from modemap.stages.ingest import ingest
from modemap.stages.prepare import prepare
from modemap.stages.validate import validate

pytestmark = pytest.mark.workflow

N_ROWS = 400
SUITE = """\
key: [id]
expectations:
  - type: expect_table_columns_to_match_set
    kwargs: {column_set: [id, meters, code, at], exact_match: true}
  - {type: expect_column_values_to_be_of_type, kwargs: {column: meters, type_: float64}}
  - type: expect_column_values_to_be_between
    kwargs: {column: meters, min_value: 0, max_value: 99}
  - type: expect_column_values_to_be_in_set
    kwargs: {column: code, value_set: [a, b, c], mostly: 0.95}
  - type: expect_column_values_to_be_between
    kwargs: {column: at, min_value: '2020-01-01T00:00:00+00:00'}
"""


def rows(first=0):
    """Return good rows with ids from ``first`` on."""
    rng = np.random.default_rng(first)
    start = dt.datetime(2020, 6, 1, tzinfo=dt.UTC)
    return pa.table(
        {
            "id": np.arange(first, first + N_ROWS),
            "meters": rng.uniform(1, 90, N_ROWS).round(2),
            "code": rng.choice(["a", "b", "c"], N_ROWS),
            "at": pa.array(
                [start + dt.timedelta(hours=i) for i in range(N_ROWS)], pa.timestamp("us", "UTC")
            ),
        }
    )


def changed(table, column, values):
    """Return the table with other values in a column."""
    return table.set_column(table.column_names.index(column), column, values)


ZURICH = pa.timestamp("us", "Europe/Zurich")
ADDED = {"added": lambda t: t.append_column("extra", t["id"])}
DROPPED = {"dropped": lambda t: t.drop_columns(["code"])}
RENAMED = {"renamed": lambda t: t.rename_columns(["id", "metres", "code", "at"])}
REORDERED = {"reordered": lambda t: t.select(["at", "code", "meters", "id"])}
RETYPED = {"retyped": lambda t: changed(t, "meters", t["meters"].cast(pa.string()))}
UNIT = {"unit x 1000": lambda t: changed(t, "meters", pc.multiply(t["meters"], 1000.0))}
LEVELS = {
    "categories exploding": lambda t: changed(
        t, "code", pa.array([f"code {i}" for i in range(len(t))])
    )
}
ZONE = {"another zone": lambda t: changed(t, "at", t["at"].cast(ZURICH))}
NO_ZONE = {"no zone": lambda t: changed(t, "at", t["at"].cast(pa.timestamp("us")))}


class Source:
    """Files of a source that go through the first three stages."""

    def __init__(self, folder):
        self.folder = folder
        (folder / "in").mkdir()
        (folder / "suite.yaml").write_text(SUITE)

    def ingest(self, *tables):
        """Bring the tables, a file each, into data/raw."""
        for path in (self.folder / "in").iterdir():
            path.unlink()
        for i, table in enumerate(tables):
            pq.write_table(table, self.folder / "in" / f"{i}.parquet")
        params = IngestParams(source=f"{self.folder}/in/*.parquet")
        ingest(self.folder / "raw", self.folder / "ingest.json", params)

    def validate(self):
        """Hold the batches to the contract."""
        params = ValidateParams(suite=str(self.folder / "suite.yaml"))
        validate(
            self.folder / "raw", self.folder / "validate.json", self.folder / "rejected", params
        )

    def prepare(self):
        """Prepare the batches; return the rows of each split."""
        params = PrepareParams(
            key=["id"],
            columns={"meters": "error"},
            categories={"code": ["a", "b"]},
            times={"at": ["hour"]},
            validation_share=0.2,
            test_share=0.2,
        )
        prepared = self.folder / "prepared"
        prepare(self.folder / "raw", prepared, self.folder / "prepare.json", params)
        return {
            split: pa.concat_tables(map(pq.read_table, prepared_files(prepared, split)))
            for split in ("train", "validation", "test")
        }


@pytest.fixture
def source(tmp_path):
    """Return a source without files."""
    return Source(tmp_path)


BESIDE = {
    "added": (ADDED, "extra besides"),
    "dropped": (DROPPED, "no code"),
    "renamed": (RENAMED, "no meters; metres besides"),
    "reordered": (REORDERED, "another order: at, code, meters, id"),
    "retyped": (RETYPED, "meters is string, not double"),
    "another zone": (ZONE, "at is timestamp[us, tz=Europe/Zurich], not timestamp[us, tz=UTC]"),
}


@pytest.mark.parametrize(("change", "found"), BESIDE.values(), ids=BESIDE)
def test_a_file_unlike_its_neighbours_is_refused_by_ingest(source, change, found):
    """The message names the file, the one it differs from, how, and what to do."""
    [alter] = change.values()

    with pytest.raises(DataError, match=r"must have the columns and types of") as caught:
        source.ingest(rows(), alter(rows(N_ROWS)))

    assert caught.value.place.endswith("1.parquet")
    assert caught.value.found == found
    assert "export both alike" in caught.value.hint
    assert not (source.folder / "raw").exists()


OVER_TIME = {
    "added": (ADDED, "expect_table_columns_to_match_set"),
    "dropped": (DROPPED, "expect_table_columns_to_match_set"),
    "renamed": (RENAMED, "expect_table_columns_to_match_set"),
    "retyped": (RETYPED, "expect_column_values_to_be_of_type(meters)"),
    "unit x 1000": (UNIT, "expect_column_values_to_be_between(meters)"),
    "categories exploding": (LEVELS, "expect_column_values_to_be_in_set(code)"),
    "no zone": (NO_ZONE, "expect_column_values_to_be_between(at)"),
}


@pytest.mark.parametrize(("change", "rule"), OVER_TIME.values(), ids=OVER_TIME)
def test_a_source_that_changed_as_a_whole_is_refused_by_its_contract(source, change, rule):
    """The message names the rule, what it found and where the rows lie."""
    [alter] = change.values()
    source.ingest(alter(rows()))

    with pytest.raises(DataError, match="every batch must keep the contract") as caught:
        source.validate()

    assert rule in caught.value.found
    assert "suite.yaml" in caught.value.place
    assert "mend the source" in caught.value.hint
    assert list((source.folder / "rejected").iterdir())
    assert not (source.folder / "validate.json").exists()


def test_another_order_of_all_columns_changes_nothing(source):
    """Columns are known by their names: rows, sides and what is learned stay."""
    source.ingest(rows())
    before, learned = source.prepare(), (source.folder / "prepared/preparation.npz").read_bytes()
    [alter] = REORDERED.values()

    source.ingest(alter(rows()))
    source.validate()

    assert source.prepare() == before
    assert (source.folder / "prepared/preparation.npz").read_bytes() == learned


def test_another_zone_of_all_times_moves_no_row_to_another_side(source):
    """The instants are the same; only parts such as the hour are those of the new zone."""
    source.ingest(rows())
    before = source.prepare()
    [alter] = ZONE.values()

    source.ingest(alter(rows()))
    source.validate()
    after = source.prepare()

    same = ["id", "meters", "code = a", "code = b"]
    for split, table in before.items():
        assert after[split].select(same) == table.select(same)
        assert after[split]["at hour sin"] != table["at hour sin"]


def test_new_levels_do_not_widen_the_prepared_rows(source):
    """Where the contract lets them pass, levels that are not listed lie together."""
    [alter] = LEVELS.values()
    source.ingest(alter(rows()))

    train = source.prepare()["train"]

    derived = ["code = a", "code = b", "at hour sin", "at hour cos"]
    assert train.column_names == ["id", "meters", *derived]
    assert sum(train["code = a"].to_pylist()) == 0
