"""Encoding of one column: boundaries, argmax, draws, and the way back, against plain NumPy."""

import os
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from modemap.estimators.column_modes import ColumnModes
from modemap.estimators.encoding import ColumnCoder
from modemap.kernels.columns.boundaries import decision_boundaries
from modemap.kernels.columns.sampling import drawn_modes


def mixture_of(rng, n_components, decades):
    """Return a random mixture whose widths span so many decades."""
    weights = rng.dirichlet(np.ones(n_components))
    stds = 10.0 ** rng.uniform(-decades / 2, decades / 2, n_components)
    return ColumnModes(weights, rng.normal(0, 5, n_components), stds, np.empty(0))


def rows_of(rng, mixture, n):
    """Return rows of the mixture, rows far outside, and rows at the edges of its modes."""
    chosen = rng.integers(0, len(mixture.weights), n)
    x = rng.normal(mixture.means[chosen], mixture.stds[chosen])
    return np.concatenate((x, rng.normal(0, 1e3, n // 10), mixture.means))


@pytest.mark.parametrize("seed", range(30))
def test_boundaries_give_the_most_probable_mode(seed):
    """At every row, however narrow a mode is and however many intervals it owns."""
    rng = np.random.default_rng(seed)
    mixture = mixture_of(rng, rng.integers(1, 12), decades=6)
    peaks = np.log(mixture.weights / mixture.stds)
    halves = 0.5 / mixture.stds**2
    x = rows_of(rng, mixture, 5000)

    cuts, winners = decision_boundaries(peaks, mixture.means, halves)

    expected = (peaks - halves * (x[:, None] - mixture.means) ** 2).argmax(axis=1)
    np.testing.assert_array_equal(winners[np.searchsorted(cuts, x, side="right")], expected)
    coder = ColumnCoder(mixture, np.ones(len(peaks), bool), None, x.min(), x.max())
    np.testing.assert_array_equal(coder.encode(x).modes, expected)


@pytest.mark.parametrize("seed", range(12))
def test_drawn_modes_are_those_of_the_definition(seed):
    """The table is only a shortcut: each row's mode is the directly computed one."""
    rng = np.random.default_rng(seed)
    mixture = mixture_of(rng, rng.integers(1, 12), decades=2)
    valid = mixture.weights >= np.sort(mixture.weights)[len(mixture.weights) // 3]
    x = rows_of(rng, mixture, 20_000)
    coder = ColumnCoder(mixture, valid, None, *np.quantile(x, [0.01, 0.99]))
    peaks, halves = np.log(mixture.weights / mixture.stds), 0.5 / mixture.stds**2

    modes = coder.encode(x, seed=5, first_row=7).modes

    expected = drawn_modes(x, 7, 5, peaks, mixture.means, halves, valid)
    assert np.mean(modes != expected) < 1e-4  # rounding at the very edge of a draw


def test_draws_follow_the_responsibilities():
    """Restricted to valid components, each raised by 1e-6, as RDT and CTGAN do."""
    mixture = ColumnModes(
        np.array([0.6, 0.3, 0.1]), np.array([0.0, 1.0, 0.5]), np.ones(3), np.empty(0)
    )
    valid = np.array([True, True, False])
    coder = ColumnCoder(mixture, valid, None, -3.0, 4.0)

    modes = coder.encode(np.full(400_000, 0.8), seed=3).modes

    densities = mixture.weights * np.exp(-0.5 * (0.8 - mixture.means) ** 2)
    share = densities[:2] / densities.sum() + 1e-6
    assert np.mean(modes == 0) == pytest.approx(share[0] / share.sum(), abs=0.004)


def test_a_draw_depends_on_seed_and_row_alone():
    """Parts give the draws of the whole; another seed gives others."""
    rng = np.random.default_rng(0)
    mixture = mixture_of(rng, 6, decades=1)
    x = rows_of(rng, mixture, 100_000)
    coder = ColumnCoder(mixture, np.ones(6, bool), None, x.min(), x.max())
    whole = coder.encode(x, seed=1).modes

    parts = [coder.encode(x[i : i + 777], 1, i).modes for i in range(0, len(x), 777)]

    np.testing.assert_array_equal(np.concatenate(parts), whole)
    assert (coder.encode(x, seed=2).modes != whole).any()


@settings(deadline=None, max_examples=60)
@given(
    st.integers(-4, 7), st.integers(0, 4), st.floats(-1e9, 1e9), st.booleans(), st.integers(0, 99)
)
def test_decimals_of_any_offset_and_scale_come_back_exactly(spread, decimals, offset, draws, seed):
    """From single precision where it suffices, from double where it does not."""
    rng = np.random.default_rng(seed)
    x = np.round(offset + 10.0**spread * rng.normal(size=500), decimals)
    x[::50] = np.nan
    center, width = np.nanmean(x), max(np.nanstd(x), 1e-9)
    mixture = ColumnModes(
        np.array([0.5, 0.5]), center + width * np.array([-0.5, 0.5]), np.full(2, width), np.empty(0)
    )
    coder = ColumnCoder(mixture, np.ones(2, bool), decimals, np.nanmin(x), np.nanmax(x))

    encoding = coder.encode(x, seed if draws else None)

    np.testing.assert_array_equal(coder.decode(encoding), x)
    if coder.dtype == np.float32:  # the few rows that are kept were clipped
        inside = np.delete(np.arange(500), encoding.rows)
        assert (np.abs(encoding.values[inside]) <= 0.99).all()


@pytest.mark.parametrize("spread", [1e2, 1e4, 1e6, 1e8])
def test_single_precision_is_taken_where_cents_survive_it(spread):
    """No unclipped row is kept: the encoder knows beforehand what it can restore."""
    x = np.round(np.random.default_rng(0).normal(0, spread, 100_000), 2)
    mixture = ColumnModes(np.ones(1), np.zeros(1), np.array([spread]), np.empty(0))
    coder = ColumnCoder(mixture, np.ones(1, bool), 2, x.min(), x.max())

    encoding = coder.encode(x)

    assert coder.dtype == (np.float32 if spread <= 1e4 else np.float64)
    assert (np.abs(x[encoding.rows]) > 0.98 * 4 * spread).all()


def test_the_portable_path_gives_the_same_encoding():
    """Without numba's compiler NumPy takes over."""
    code = (
        "import hashlib, numpy as np; from modemap import ModeNormalizer\n"
        "x = np.random.default_rng(0).normal(size=(3000, 2)).round(2); x[5] = np.nan\n"
        "from modemap.estimators.column_modes import ColumnModes\n"
        "from modemap.estimators.encoding import ColumnCoder\n"
        "m = ColumnModes(np.array([.7, .3]), np.array([0., 1.]), np.array([1., .1]), np.empty(0))\n"
        "c, d = ColumnCoder(m, np.ones(2, bool), 2, -3, 3), hashlib.sha256()\n"
        "f = ColumnCoder(m, np.ones(2, bool), None, -3, 3)\n"
        "for seed in (None, 4):\n"
        "  for c, z in ((c, x[:, 0]), (f, x[:, 0] / 3), (f, np.append(x[:, 0], 1e-9))):\n"
        "    e = c.encode(z, seed)\n"
        "    for a in (e.values, e.modes, e.rows, e.kept, c.decode(e)): d.update(a.tobytes())\n"
        "print(d.hexdigest())"
    )
    digests = {
        subprocess.run(
            [sys.executable, "-c", code],
            env=os.environ | {"NUMBA_DISABLE_JIT": switch},
            check=True,
            capture_output=True,
        ).stdout
        for switch in "01"
    }

    assert len(digests) == 1
