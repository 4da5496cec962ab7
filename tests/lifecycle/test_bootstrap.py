"""The paired bootstrap finds what is surely different and calls chance what is."""

import numpy as np
import pytest

from modemap.lifecycle.evidence.bootstrap import N_BLOCKS, PairedBootstrap


def paired_bootstrap(candidate, champion, *cuts):
    """Return the interval of rows that come in parts."""
    bootstrap = PairedBootstrap()
    for part in zip(np.split(candidate, cuts), np.split(champion, cuts), strict=True):
        bootstrap.add(*part)
    return bootstrap.interval()


def test_equal_rows_leave_no_doubt():
    """Without any difference the interval is a point."""
    values = np.random.default_rng(0).normal(size=100)

    interval = paired_bootstrap(values, values)

    assert (interval.mean, interval.low, interval.high) == (0.0, 0.0, 0.0)


@pytest.mark.parametrize("n_rows", [500, 3 * N_BLOCKS + 7])
def test_the_interval_is_that_of_the_normal_approximation(n_rows):
    """On many rows mean and standard error say the same, also once rows are put into blocks."""
    rng = np.random.default_rng(1)
    champion = rng.normal(0, 10, n_rows)  # what is hard for both counts for neither
    candidate = champion + rng.normal(0.1, 1, n_rows)

    interval = paired_bootstrap(candidate, champion)

    differences = candidate - champion
    margin = 1.96 * differences.std() / np.sqrt(n_rows)
    assert interval.mean == pytest.approx(differences.mean())
    assert interval.low == pytest.approx(differences.mean() - margin, abs=0.15 * margin)
    assert interval.high == pytest.approx(differences.mean() + margin, abs=0.15 * margin)


def test_the_same_rows_give_the_same_interval():
    """A verdict can be repeated."""
    rng = np.random.default_rng(2)
    pair = rng.normal(size=(2, 300))

    assert paired_bootstrap(*pair) == paired_bootstrap(*pair)


def test_cuts_of_the_rows_change_no_digit():
    """A row goes to a block by its place, whatever part it came in."""
    pair = np.random.default_rng(4).normal(size=(2, 2 * N_BLOCKS + 11))

    cut = paired_bootstrap(*pair, 1, 500, N_BLOCKS, N_BLOCKS + 3, 2 * N_BLOCKS)

    assert cut == paired_bootstrap(*pair)


def test_the_interval_covers_the_truth_as_often_as_it_says():
    """Of 200 samples without a difference about 95 % have zero inside."""
    rng = np.random.default_rng(3)
    n_covered = 0
    for _ in range(200):
        interval = paired_bootstrap(rng.normal(size=100), rng.normal(size=100))
        n_covered += interval.low <= 0 <= interval.high

    assert 180 <= n_covered <= 199


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_a_row_without_a_number_leaves_no_interval(bad):
    """What is not finite is handed on for the rule to refuse."""
    interval = paired_bootstrap(np.array([1.0, bad]), np.array([1.0, 1.0]))

    assert not np.isfinite([interval.mean, interval.low, interval.high]).any()
