"""From data/raw to the three parts that models see."""

import json

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from modemap.data.batches import write_batches
from modemap.data.matrix import prepared_batches, prepared_files
from modemap.errors import DataError, ParamsError
from modemap.estimators.preparation import Preparation
from modemap.files import read_json
from modemap.params import PrepareParams
from modemap.stages.prepare import prepare
from tests.trees import contents

PARTS = ("train", "validation", "test")


@pytest.fixture
def rows():
    """Return two thousand rows with a key and missing values."""
    rng = np.random.default_rng(0)
    return pa.table(
        {
            "x": pa.array(rng.normal(size=2000), mask=rng.random(2000) < 0.1),
            "id": np.arange(2000),
            "n": pa.array(rng.integers(0, 9, 2000), mask=rng.random(2000) < 0.2),
            "whole": rng.integers(0, 9, 2000),
            "name": rng.choice(["a", "b"], 2000),
        }
    )


def _prepare(folder, *tables, **changes):
    write_batches(folder / "raw", [(f"part-{i}", table) for i, table in enumerate(tables)])
    settings = {
        "key": ["id"],
        "columns": {"x": "drop", "n": "median", "whole": "error"},
        "validation_share": 0.2,
        "test_share": 0.2,
        **changes,
    }
    params = PrepareParams(**settings)
    return prepare(folder / "raw", folder / "prepared", folder / "prepare.json", params)


def _part(folder, name):
    return pa.concat_tables(map(pq.read_table, prepared_files(folder / "prepared", name)))


def _sides(folder):
    return {key: part for part in PARTS for key in _part(folder, part)["id"].to_pylist()}


def _outputs(folder):
    return contents(folder / "prepared")


def _refused(folder):
    return not (folder / "prepared").exists() and not (folder / "prepare.json").exists()


def test_parts_hold_keys_and_filled_columns_in_raw_units(tmp_path, rows):
    """Rows are dropped, filled or kept by each column's policy, and come in their order."""
    _prepare(tmp_path, rows)

    train = _part(tmp_path, "train")
    preparation = Preparation.load(tmp_path / "prepared" / "preparation.npz")
    median = preparation.fill_[1]
    sides = _sides(tmp_path)
    raw = rows.filter(pc.is_valid(rows["x"])).to_pylist()
    expected = [
        {"id": r["id"], "x": r["x"], "n": median if r["n"] is None else r["n"], "whole": r["whole"]}
        for r in raw
        if sides[r["id"]] == "train"
    ]
    assert train.schema.names == ["id", "x", "n", "whole"]
    assert [str(kind) for kind in train.schema.types] == ["int64", "double", "double", "double"]
    assert train.to_pylist() == expected
    assert len(sides) == len(raw)


def test_the_report_counts_rows_dropped_and_values_filled(tmp_path, rows):
    """The numbers agree with the files and with the raw rows."""
    numbers = _prepare(tmp_path, rows)

    n_rows = {part: _part(tmp_path, part).num_rows for part in PARTS}
    dropped = rows["x"].null_count
    kept = rows.filter(pc.is_valid(rows["x"]))
    assert read_json(tmp_path / "prepare.json") == {
        "rows": n_rows,
        "dropped_rows": dropped,
        "dropped": {"x": dropped},
        "filled": {"n": kept["n"].null_count},
    }
    assert numbers == {**n_rows, "dropped": dropped}
    assert sum(n_rows.values()) == 2000 - dropped


def test_a_row_keeps_its_side_when_data_grow(tmp_path, rows):
    """More rows, cut into other batches, in another order and with one more column: same sides."""
    order = np.random.default_rng(1).permutation(2000)
    more = rows.take(order).append_column("new", pa.array(np.arange(2000)))
    _prepare(tmp_path / "before", rows.slice(0, 700))

    _prepare(tmp_path / "after", more.slice(0, 1100), more.slice(1100))

    before, after = _sides(tmp_path / "before"), _sides(tmp_path / "after")
    assert set(before) < set(after)
    assert {key: after[key] for key in before} == before


def test_the_cut_into_batches_changes_no_row_and_nothing_learned(tmp_path, rows):
    """One batch or three, with the same rows in the same order, gives the same parts."""
    _prepare(tmp_path / "one", rows)
    _prepare(tmp_path / "three", rows.slice(0, 10), rows.slice(10, 990), rows.slice(1000))

    one, three = tmp_path / "one", tmp_path / "three"
    assert all(_part(one, part).equals(_part(three, part)) for part in PARTS)
    assert _outputs(one)["preparation.npz"] == _outputs(three)["preparation.npz"]
    assert _outputs(one)["shares.json"] == _outputs(three)["shares.json"]
    assert len(_outputs(three)) == 11


def test_runs_in_other_folders_and_on_other_threads_give_the_same_bytes(tmp_path, rows):
    """The stage is reproducible to the byte."""
    threads = pa.cpu_count()
    try:
        for name, count in (("a", 1), ("b", 4), ("b", 2)):
            pa.set_cpu_count(count)
            _prepare(tmp_path / name, rows)
    finally:
        pa.set_cpu_count(threads)

    assert _outputs(tmp_path / "a") == _outputs(tmp_path / "b")


@pytest.mark.parametrize("part", ["validation", "test"])
def test_held_out_rows_reach_no_fitted_statistic(tmp_path, rows, part):
    """Other values in validation or test rows change these rows and nothing learned."""
    _prepare(tmp_path / "a", rows)
    held_out = pc.is_in(rows["id"], _part(tmp_path / "a", part)["id"])
    scaled = pc.if_else(held_out, pc.multiply(rows["x"], 1000.0), rows["x"])
    shifted = pc.if_else(held_out, pc.add(rows["n"], 50), rows["n"])

    _prepare(tmp_path / "b", rows.set_column(0, "x", scaled).set_column(2, "n", shifted))

    a, b = _outputs(tmp_path / "a"), _outputs(tmp_path / "b")
    assert a["preparation.npz"] == b["preparation.npz"]
    first, second = ({p: _part(tmp_path / name, p) for p in PARTS} for name in "ab")
    assert [p for p in PARTS if first[p] != second[p]] == [part]


def test_other_training_rows_change_what_is_learned(tmp_path, rows):
    """The test above would pass over a preparation that learns nothing; this one would not."""
    _prepare(tmp_path / "a", rows)

    _prepare(tmp_path / "b", rows.set_column(0, "x", pc.multiply(rows["x"], 2.0)))

    a, b = (
        Preparation.load(tmp_path / name / "prepared" / "preparation.npz").scale_ for name in "ab"
    )
    assert b[0] == pytest.approx(2 * a[0])


def test_without_a_key_the_whole_row_decides(tmp_path, rows):
    """Equal rows share a side, the order of columns does not matter, and no key is written."""
    _prepare(tmp_path / "a", pa.concat_tables([rows, rows]), key=[])
    _prepare(tmp_path / "b", rows.select(rows.column_names[::-1]), key=[])

    assert _part(tmp_path / "a", "train").schema.names == ["x", "n", "whole"]
    for part in PARTS:
        twice, once = (
            np.concatenate(
                list(prepared_batches(tmp_path / name / "prepared", part, "x").batches())
            )
            for name in "ab"
        )
        np.testing.assert_array_equal(np.concatenate([once, once]), twice)


BAD_COLUMNS = {
    "absent": ({"columns": {"y": "drop"}}, "`y`", "no such column in part-0"),
    "key absent": ({"key": ["ident"]}, "`ident`", "no such column in part-0"),
    "text": ({"columns": {"name": "drop"}}, "`name`", "string"),
    "infinite": ({"columns": {"inf": "drop"}}, "`inf`", "1 of 2000 values larger in part-0, the"),
    "huge": ({"columns": {"huge": "drop"}}, "`huge`", "the first at {'id': '6'}"),
    "tiny": ({"columns": {"tiny": "drop"}}, "`tiny`", "1e-160 at most"),
    "missing everywhere": ({"columns": {"void": "median"}}, "`void`", "missing in all of 2000"),
    "of no type": ({"columns": {"null": "drop"}}, "`null`", "missing in all of 2000 rows"),
    "missing where it must not": ({"columns": {"x": "error"}}, "`x`", "values missing in part-0"),
}


@pytest.mark.parametrize(("changes", "column", "found"), BAD_COLUMNS.values(), ids=BAD_COLUMNS)
def test_a_column_that_cannot_be_used_is_named(tmp_path, rows, changes, column, found):
    """The message says which column, which batch, how many values and where the first is."""
    infinite, huge = np.zeros(2000), np.zeros(2000)
    infinite[5], huge[6] = -np.inf, 1e300
    for name, values in (
        ("inf", pa.array(infinite)),
        ("huge", pa.array(huge)),
        ("tiny", pa.array(np.arange(2000) % 2 * -1e-160)),
        ("void", pa.nulls(2000, pa.float64())),
        ("null", pa.nulls(2000)),
    ):
        rows = rows.append_column(name, values)

    with pytest.raises(DataError, match=column) as caught:
        _prepare(tmp_path, rows, **changes)

    assert found in caught.value.found
    assert caught.value.exit_code == 3
    assert _refused(tmp_path)


@pytest.mark.parametrize("n_rows", [1, 5, 12])
def test_too_few_rows_are_refused(tmp_path, rows, n_rows):
    """Nothing can be learned from so few, and a part might be empty."""
    with pytest.raises(DataError, match="each part must get rows"):
        _prepare(tmp_path, rows.slice(0, n_rows))

    assert _refused(tmp_path)


def test_a_part_that_stays_empty_is_refused(tmp_path, rows):
    """Equal rows without another key are all on one side; the counts say so."""
    same = rows.set_column(1, "id", pa.array([1] * 2000))

    with pytest.raises(DataError, match="each part must get rows") as caught:
        _prepare(tmp_path, same)

    assert " 0" in caught.value.found
    assert _refused(tmp_path)


def test_a_key_cannot_be_a_model_column_too(tmp_path, rows):
    """Its two forms would have one name."""
    with pytest.raises(ParamsError, match=r"prepare\.columns"):
        _prepare(tmp_path, rows, columns={"id": "error", "x": "drop"})

    assert _refused(tmp_path)


def test_a_failure_leaves_the_outputs_of_the_last_run(tmp_path, rows):
    """Whole old files, or whole new ones."""
    _prepare(tmp_path, rows)
    before = _outputs(tmp_path)

    with pytest.raises(DataError, match="`y`"):
        _prepare(tmp_path, rows, columns={"y": "drop"})

    assert _outputs(tmp_path) == before


def test_categories_and_times_are_derived_and_the_label_is_carried_along(tmp_path, rows):
    """They come after the numbers, and no fitted number depends on a label or a test row."""
    at = pa.array(np.arange(2000) * 3600, pa.timestamp("s"))
    rows = rows.append_column("at", at).append_column("truth", pa.array(["u", "v"] * 1000))
    settings = {"categories": {"name": ["a"]}, "times": {"at": ["hour"]}, "label": "truth"}

    _prepare(tmp_path, rows, **settings)

    train = _part(tmp_path, "train")
    derived = ["name = a", "at hour sin", "at hour cos"]
    assert train.schema.names == ["id", "x", "n", "whole", *derived, "truth"]
    raw = {row["id"]: row for row in rows.to_pylist()}
    assert train["truth"].to_pylist() == [raw[key]["truth"] for key in train["id"].to_pylist()]
    assert train["name = a"].to_pylist() == [
        float(raw[key]["name"] == "a") for key in train["id"].to_pylist()
    ]
    before = (tmp_path / "prepared" / "preparation.npz").read_bytes()
    sides = _sides(tmp_path)
    other = pa.array([{"u": "v", "v": "u"}[text] for text in rows["truth"].to_pylist()])
    is_test = np.array([sides.get(key) == "test" for key in rows["id"].to_pylist()])
    name = pa.array(np.where(is_test, "z", rows["name"].to_numpy(zero_copy_only=False)))
    changed = rows.set_column(7 - 1, "truth", other).set_column(4, "name", name)
    _prepare(tmp_path, changed, **settings)
    assert (tmp_path / "prepared" / "preparation.npz").read_bytes() == before


@pytest.mark.parametrize(
    ("zone", "zones"), [("America/New_York", {"at": "America/New_York"}), (None, None)]
)
def test_the_zone_of_times_is_kept_where_they_have_one(tmp_path, rows, zone, zones):
    """Of times without one nothing is said, so that nothing else changes."""
    at = pa.array(np.arange(2000) * 3600, pa.timestamp("s", zone))

    _prepare(tmp_path, rows.append_column("at", at), times={"at": ["hour"]})

    shares = json.loads((tmp_path / "prepared" / "shares.json").read_bytes())
    assert shares.get("zones") == zones


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"label": "id"}, "a column of prepare.key cannot be a model column or the label too"),
        ({"label": "name = a", "categories": {"name": ["a"]}}, "must have names of its own"),
    ],
)
def test_a_column_cannot_have_two_meanings(tmp_path, rows, settings, message):
    """Neither the key nor a derived name may come back as the label."""
    with pytest.raises(ParamsError, match=message):
        _prepare(tmp_path, rows, **settings)

    assert _refused(tmp_path)


@pytest.mark.parametrize("how", ["pca", "whiten"])
def test_decorrelation_is_learned_of_training_rows_alone(tmp_path, rows, how):
    """Test and validation rows that change move no byte of it; training rows that change do."""
    _prepare(tmp_path / "as-is", rows, decorrelate=how)
    sides = _sides(tmp_path / "as-is")
    files = {}
    for side in ("train", "test", "validation"):
        is_side = np.array([sides.get(key) == side for key in rows["id"].to_pylist()])
        x = pc.if_else(pa.array(is_side), pc.multiply(rows["x"], 5.0), rows["x"])
        changed = rows.set_column(rows.schema.get_field_index("x"), "x", x)
        _prepare(tmp_path / side, changed, decorrelate=how)
        files[side] = (tmp_path / side / "prepared" / "preparation.npz").read_bytes()

    as_is = (tmp_path / "as-is" / "prepared" / "preparation.npz").read_bytes()
    assert files["test"] == files["validation"] == as_is
    assert files["train"] != as_is


def test_whitened_training_rows_of_several_batches(tmp_path, rows):
    """Rows stand in files in raw units; prepared, their covariance is the identity."""
    _prepare(tmp_path / "one", rows, decorrelate="whiten")
    _prepare(
        tmp_path / "three", *(rows.slice(i, 700) for i in range(0, 2000, 700)), decorrelate="whiten"
    )

    loaded = Preparation.load(tmp_path / "three" / "prepared" / "preparation.npz")
    train = prepared_batches(tmp_path / "three" / "prepared", "train", loaded.columns)
    X = np.concatenate([loaded.transform(block) for block in train.batches()])

    np.testing.assert_allclose(np.cov(X.T, bias=True), np.eye(3), atol=1e-9)
    once = (tmp_path / "one" / "prepared" / "preparation.npz").read_bytes()
    assert (tmp_path / "three" / "prepared" / "preparation.npz").read_bytes() == once


def test_what_cannot_be_whitened_leaves_nothing(tmp_path, rows):
    """A constant column is named, and how to go on."""
    constant = rows.set_column(3, "whole", pa.array(np.full(2000, 4)))

    with pytest.raises(DataError, match="columns whole: to be whitened") as caught:
        _prepare(tmp_path, constant, decorrelate="whiten")

    assert "prepare.decorrelate to pca" in str(caught.value)
    assert _refused(tmp_path)
