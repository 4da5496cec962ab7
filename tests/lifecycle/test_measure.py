"""Releases are measured row by row on the same rows, and group by group."""

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from modemap.lifecycle.evidence.measure import measure_both, measure_groups
from modemap.release import load_release
from modemap.sketch import sketches_of


@pytest.fixture
def table(rows):
    """Return the rows with a group each: two large ones, and three small ones."""
    side = np.where(rows[:, 1] > 1200, "far", "near").astype(object)
    side[:30] = [f"small {i % 3}" for i in range(30)]
    side[30] = None
    return pa.table({"delay": rows[:, 0], "distance": rows[:, 1], "side": side})


@pytest.fixture
def prepared(table, tmp_path):
    """Return a folder with these test rows."""
    (tmp_path / "test").mkdir()
    pq.write_table(table, tmp_path / "test" / "rows.parquet")
    return tmp_path


def test_both_are_measured_on_the_same_rows(releases, tiny_release, prepared, rows):
    """Means and intervals are of one and the same rows."""
    candidate, champion = load_release(releases["bad map"]), load_release(tiny_release)

    found = measure_both(candidate, champion, prepared)

    assert found.n_rows == len(rows)
    ours, theirs = found.candidate, found.champion
    errors = candidate.quantization_errors(rows, candidate.yardstick(sketches_of([rows])))
    assert ours.quantization_error == errors.mean()
    loss = ours.quantization_error - theirs.quantization_error
    assert found.quantization_error.mean == pytest.approx(loss)
    assert 0 < found.quantization_error.low < loss < found.quantization_error.high
    assert found.log_likelihood.mean == 0.0  # the mixture is the same


def test_small_groups_are_looked_at_together(tiny_release, prepared, table):
    """Every row belongs to one group of a column."""
    groups = measure_groups(load_release(tiny_release), prepared, ["side"])

    sizes = {group.value: group.n_rows for group in groups}
    assert sizes.pop("of small groups") == 31
    assert set(sizes) == {"near", "far"}
    assert sum(sizes.values()) + 31 == len(table)
    mean = sum(group.n_rows * group.error_ratio for group in groups) / len(table)
    assert mean == pytest.approx(1.0)
    assert all(0 <= group.anomaly_share <= 1 for group in groups)


def test_a_column_of_too_many_values_has_no_groups(tiny_release, prepared, monkeypatch):
    """A column that names single rows cannot be looked at by group."""
    monkeypatch.setattr("modemap.lifecycle.evidence.measure.N_GROUPS", 4)

    with pytest.raises(ValueError, match="column side has 6 values: groups are at most 4"):
        measure_groups(load_release(tiny_release), prepared, ["side"])
