"""What is gathered of blocks is what whole tables say."""

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from modemap.errors import ParamsError
from modemap.estimators import blocks
from modemap.stages import tallies
from modemap.stages.tallies import Distribution, LabelCounts, Mean, sampled


@pytest.fixture
def table():
    """Return rows with a key."""
    rng = np.random.default_rng(0)
    return pa.table({"id": rng.permutation(3000), "x": rng.normal(size=3000)})


@pytest.fixture
def _small_blocks(monkeypatch):
    monkeypatch.setattr(blocks, "GRAIN", 256)
    monkeypatch.setattr(blocks, "MAX_ROWS", 256)


@pytest.mark.usefixtures("_small_blocks")
def test_a_sample_is_chosen_by_key_whatever_the_order(tmp_path, table):
    """The same rows are looked at after they were put into another order."""
    for name, rows in (("a", table), ("b", table.sort_by("id"))):
        (tmp_path / name / "test").mkdir(parents=True)
        pq.write_table(rows, tmp_path / name / "test" / "rows.parquet")

    one, other = (sampled(tmp_path / name, "test", ["x"], ["id"], 500) for name in "ab")

    assert len(one) == len(np.unique(one)) == 500
    assert np.array_equal(np.sort(one, axis=0), np.sort(other, axis=0))
    whole = sampled(tmp_path / "a", "test", ["x"], ["id"], 3000)
    assert np.array_equal(whole[:, 0], table["x"].to_numpy())


def test_quantiles_are_exact_of_few_values_and_near_of_many(monkeypatch):
    """A sketch stands in beyond a million values, and is off by less than a bin is wide."""
    values = np.random.default_rng(0).normal(-30, 4, 200_000)
    shares = np.linspace(0, 1, 101)
    exact, sketched = Distribution(), Distribution()

    for part in np.split(values, 4):
        exact.add(part)
    monkeypatch.setattr(tallies, "N_EXACT", 100_000)
    for part in np.split(values, 4):
        sketched.add(part)

    assert np.array_equal(exact.quantiles(shares), np.quantile(values, shares))
    np.testing.assert_allclose(sketched.quantiles(shares), np.quantile(values, shares), rtol=2e-4)


def test_a_mean_is_that_of_all_blocks():
    """Of nothing it is NaN, which no gate lets pass."""
    mean = Mean()
    assert np.isnan(mean.value)

    for part in ([1.0, 2.0], [6.0]):
        mean.add(np.array(part))

    assert mean.value == 3.0


def test_labels_are_counted_by_group_and_must_be_few(monkeypatch):
    """Rows without a label are left out; a column that names single rows is no label."""
    counts = LabelCounts(3)
    counts.add(pa.chunked_array([["b", None, "a"]]), np.array([0, 1, 2]))
    counts.add(pa.chunked_array([["a", "a"]]), np.array([2, 1]))

    assert counts.table.tolist() == [[0, 1, 2], [1, 0, 0]]
    monkeypatch.setattr(tallies, "MAX_LABELS", 2)
    with pytest.raises(ParamsError, match=r"prepare\.label.*at most 2 values"):
        counts.add(pa.chunked_array([["c"]]), np.array([0]))
