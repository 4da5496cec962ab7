"""Each detector alone, beside plain NumPy and SciPy."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial.distance import jensenshannon
from scipy.stats import spearmanr, wasserstein_distance

from modemap.monitoring.cells import MAX_CELLS, Cells
from modemap.monitoring.correlation import correlate, largest_change
from modemap.monitoring.levels import Levels, compare_levels, unseen
from modemap.monitoring.missing import compare_missing
from modemap.monitoring.models import Hits, compare_hits
from modemap.monitoring.modes import mode_changes
from modemap.monitoring.stability import LEAST_EXPECTED, compare, gathered
from modemap.monitoring.transport import wasserstein
from modemap.monitoring.windows import k_of_n
from modemap.sketch import ColumnSketch

COUNTS = st.lists(st.integers(1, 500), min_size=2, max_size=12)


def _cells(values):
    return Cells.of(ColumnSketch().update(values))


@given(pairs=st.lists(st.tuples(st.integers(1, 500), st.integers(1, 500)), min_size=2))
def test_the_index_is_never_negative_and_has_no_direction(pairs):
    """Both samples change places without changing any number."""
    a, b = np.array(pairs).T

    found, turned = compare(a, b), compare(b, a)

    assert found.index >= found.psi >= 0
    assert found.index == pytest.approx(turned.index, abs=1e-12)
    assert found.p_value == pytest.approx(turned.p_value, abs=1e-6)
    expected = jensenshannon(a / a.sum(), b / b.sum(), base=2) ** 2
    assert found.jensen_shannon == pytest.approx(expected, abs=1e-9)


def test_the_index_is_the_sum_of_its_terms():
    """Of large counts it is the textbook's number."""
    a, b = np.array([1_000_000, 3_000_000]), np.array([2_000_000, 2_000_000])

    expected = (0.5 - 0.25) * np.log(0.5 / 0.25) + (0.5 - 0.75) * np.log(0.5 / 0.75)
    found = compare(a, b)
    assert found.index == pytest.approx(expected, rel=1e-6)
    assert found.psi == pytest.approx(expected - 5e-7, rel=1e-6)


@given(pairs=st.lists(st.tuples(st.integers(0, 60), st.integers(0, 60)), min_size=1))
def test_neighbouring_bins_are_joined_until_both_samples_expect_rows(pairs):
    """Every group expects enough rows of the smaller sample, and groups are neighbours."""
    a, b = np.array(pairs).T
    groups = gathered(a, b)

    together = np.bincount(groups, weights=a + b)
    share = min(a.sum(), b.sum()) / max((a + b).sum(), 1)
    assert (np.diff(groups) >= 0).all()
    assert groups[0] == 0
    assert len(together) == 1 or (together * share >= LEAST_EXPECTED - 1e-9).all()


def test_cells_are_the_values_where_these_are_few():
    """Each value is a cell, and cuts lie halfway between."""
    cells = _cells([1.0, 1.0, 2.0, 5.0])

    assert cells.means.tolist() == [1, 2, 5]
    assert cells.cuts.tolist() == [1.5, 3.5]
    before, after = cells.beside(ColumnSketch().update([0.0, 1.0, 4.9, 6.0]))
    assert before.tolist() == [0, 2, 1, 1, 0]
    assert after.tolist() == [1, 1, 0, 1, 1]


def test_cells_hold_about_as_many_rows_each_where_values_are_many():
    """Sixty thousand values become MAX_CELLS cells of nearly equal counts."""
    x = np.random.default_rng(0).lognormal(size=60_000)

    cells = _cells(x)

    assert len(cells.counts) == MAX_CELLS
    assert cells.n == len(x)
    assert np.ptp(cells.counts) <= 4
    np.testing.assert_array_equal(
        np.bincount(np.searchsorted(cells.cuts, x, side="right")), cells.counts
    )


def test_cells_of_the_largest_numbers_do_not_overflow():
    """Means and cuts between numbers near the largest float are finite."""
    cells = _cells(np.linspace(-1.7, 1.7, 3000) * 1e308)

    assert np.isfinite(cells.means).all()
    assert np.isfinite(cells.cuts).all()
    assert (np.diff(cells.cuts) > 0).all()


def test_rows_are_carried_as_far_as_scipy_says():
    """The distance is SciPy's, in standard deviations of the reference."""
    rng = np.random.default_rng(0)
    x, y = rng.normal(0, 3, 400), rng.normal(1, 4, 300)

    expected = wasserstein_distance(x, y) / x.std()
    assert wasserstein(_cells(x), _cells(y)) == pytest.approx(expected, rel=1e-9)
    assert wasserstein(_cells(np.ones(9)), _cells(np.ones(5))) == 0
    assert wasserstein(_cells(np.ones(9)), _cells(np.zeros(5))) == np.inf


def test_a_level_never_seen_is_told_and_counts():
    """A new level with a tenth of the rows is significant, and named."""
    before, after = Levels({"a": 900, "b": 100}), Levels({"a": 800, "b": 100, "new": 100})

    found = compare_levels(before, after)

    assert found.psi > 0.05
    assert found.p_value < 1e-6
    assert unseen(before, after) == {"new": 100}


def test_many_rare_levels_are_no_drift():
    """Names that each side has a few of differ by chance, and count as one."""
    rng = np.random.default_rng(0)

    def draw():
        names, counts = np.unique(rng.integers(0, 3000, 2000), return_counts=True)
        return Levels(dict(zip(map(str, names), counts.tolist(), strict=True)))

    assert compare_levels(draw(), draw()).p_value > 0.01


def test_levels_that_are_not_kept_by_name_count_together():
    """A reference that keeps its commonest levels only takes all others for one."""
    before = Levels({"a": 500, "b": 300, "c": 5, "d": 5}).commonest(2)

    assert before.counts == {"a": 500, "b": 300}
    assert before.n == 810
    found = compare_levels(before, Levels({"a": 500, "b": 300, "e": 5, "f": 5}))
    assert found.psi == pytest.approx(0, abs=1e-12)


@pytest.mark.parametrize(
    ("missing", "n", "is_significant"), [(0, 100, False), (1, 100, False), (12, 100, True)]
)
def test_few_missing_values_are_judged_exactly(missing, n, is_significant):
    """One missing value where the reference has none is chance; twelve are not."""
    found = compare_missing(0, 1000, missing, n)

    assert (found.p_value < 1e-4) == is_significant


def test_rank_correlations_are_spearmans():
    """Of the reference's own rows they are Spearman's, also where values are missing."""
    rng = np.random.default_rng(0)
    X = rng.standard_normal((500, 3))
    X[:, 1] += X[:, 0]
    holed = X.copy()
    holed[:50, 2] = np.nan
    names = ["a", "b", "c"]

    found = correlate(X, names, [_cells(x) for x in X.T])
    with_holes = correlate(holed, names, [_cells(x) for x in holed.T])

    assert found.values[0, 1] == pytest.approx(spearmanr(X[:, 0], X[:, 1]).statistic, abs=1e-9)
    assert with_holes.pairs[0, 2] == 450
    expected = spearmanr(X[50:, 0], X[50:, 2]).statistic
    assert with_holes.values[0, 2] == pytest.approx(expected, abs=0.01)


def test_outliers_do_not_make_a_correlation():
    """A row of two huge values moves ranks by one place only."""
    X = np.random.default_rng(0).standard_normal((1000, 2))
    cells = [_cells(x) for x in X.T]
    spoilt = X.copy()
    spoilt[0] = 1e12

    before, after = (correlate(rows, ["a", "b"], cells) for rows in (X, spoilt))

    assert largest_change(before, after, 0.01, 0.05).effect < 0.001


def test_a_single_column_has_no_correlation():
    """There is no pair to look at."""
    X = np.random.default_rng(0).standard_normal((100, 1))
    found = correlate(X, ["a"], [_cells(X[:, 0])])

    assert largest_change(found, found, 0.01, 0.05) is None


def test_a_region_of_the_map_that_fills_is_told():
    """Rows that move to one corner are found there, with their segment."""
    rng = np.random.default_rng(0)
    segments = np.repeat([[0], [1]], 8, axis=1).repeat(4, axis=0)
    before = Hits(rng.multinomial(5000, np.full(64, 1 / 64)).reshape(8, 8), segments)
    counts = rng.multinomial(4000, np.full(64, 1 / 64)).reshape(8, 8)
    counts[0, 0] += 1000

    found, regions = compare_hits(before, Hits(counts, segments))

    assert found.psi > 0.05
    assert (regions[0].rows, regions[0].columns, regions[0].segments) == ((0, 0), (0, 0), [0])
    assert regions[0].after - regions[0].before == pytest.approx(0.2, abs=0.01)
    same, _ = compare_hits(before, before)
    assert same.psi == 0


def test_few_rows_are_compared_in_larger_regions():
    """A hundred rows on a map of 64 units fall into blocks, not units."""
    rng = np.random.default_rng(0)
    segments = np.zeros((8, 8), np.int64)
    before, after = (
        Hits(rng.multinomial(100, np.full(64, 1 / 64)).reshape(8, 8), segments) for _ in range(2)
    )

    found, regions = compare_hits(before, after)

    assert 2 <= found.n_bins <= 5
    assert regions[0].rows[1] - regions[0].rows[0] >= 3


def test_a_new_mode_is_told_with_its_place_and_share():
    """A third of the rows that come to lie elsewhere make a mode that was not there."""
    rng = np.random.default_rng(0)
    old, new = rng.normal(0, 1, 3000), rng.normal(12, 1, 1000)

    changes = mode_changes(_cells(old), _cells(np.concatenate((old, new))))

    appeared = next(change for change in changes if change.kind == "appeared")
    assert appeared.after[0] == pytest.approx(12, abs=1)
    assert "a mode appeared at" in appeared.sentence


@pytest.mark.parametrize(
    ("answers", "expected"),
    [
        ([], None),
        ([True], None),
        ([True, True], True),
        ([False, False], False),
        ([True, False, False], False),
        ([False, True, False, True], True),
        ([False, None, True], None),
        ([None, None, None], None),
        ([True, True, False, False, False], False),
    ],
)
def test_two_of_three_windows_raise_an_alarm(answers, expected):
    """One odd window is none; what was not checked leaves it open where it could decide."""
    assert k_of_n(answers, 2, 3) is expected


def test_more_windows_than_there_are_cannot_be_asked_for():
    """K lies between 1 and N."""
    with pytest.raises(ValueError, match="k must lie between"):
        k_of_n([True], 4, 3)
