"""The laws of the column sketch: the values alone decide every bit of it."""

import os
import pickle
import subprocess
import sys
import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

import modemap.sketch as sketch_module
from modemap.kernels.columns.bins import EMPTY, LIMIT
from modemap.kernels.columns.counter import Counter
from modemap.sketch import ColumnSketch

N = 300_000
RNG = np.random.default_rng(0)
COLUMNS = {
    "normal": RNG.normal(size=N),
    "cents": RNG.lognormal(3, 1, N).round(2),
    "many cents": RNG.normal(0, 1e6, N).round(2),
    "years": RNG.integers(1900, 2030, N).astype(float),
    "epoch seconds": 1.7e9 + RNG.integers(0, 10**7, N),
    "epoch microseconds": 1.7e15 + RNG.integers(0, 10**13, N),
    "latitudes": 40 + 0.1 * RNG.normal(size=N),
    "pressures": 101325 + 800 * RNG.normal(size=N),
    "bits": RNG.integers(0, 2**64, N, dtype=np.uint64).view(np.float64),
    "few": RNG.normal(size=500)[RNG.integers(0, 500, N)],
    "odd": RNG.choice([0.0, -0.0, 5e-324, -5e-324, 1e300, -1e300, np.nan, 2.0**63, 0.1], N),
    "two sides": RNG.choice([-1, 1], N) * (40 + RNG.uniform(size=N)),
    "mixed": np.where(RNG.uniform(size=N) < 0.5, RNG.normal(size=N), RNG.integers(0, 99, N)),
    "many, then few": np.concatenate(
        (RNG.normal(size=10_000), RNG.choice([0.0, -0.0, np.nan, 1.5], N - 10_000))
    ),
}
COLUMNS["bits"][~np.isfinite(COLUMNS["bits"])] = np.nan
VALUES = st.one_of(
    st.floats(allow_infinity=False),
    st.integers(-(2**63), 2**63).map(float),
    st.integers(-(10**9), 10**9).map(lambda n: n / 100),
)


def merged(parts):
    """Merge the sketches of parts by a random tree."""
    rng = np.random.default_rng(len(parts))
    sketches = [ColumnSketch().update(part) for part in parts]
    while len(sketches) > 1:
        other = sketches.pop(rng.integers(len(sketches)))
        sketches[rng.integers(len(sketches))].merge(other)
    return sketches[0]


@pytest.mark.parametrize("name", COLUMNS)
def test_order_cuts_and_merges_change_no_byte(name):
    """One update, many, any merge tree and any order give the same sketch."""
    x, rng = COLUMNS[name], np.random.default_rng(1)
    whole = ColumnSketch().update(x).to_bytes()

    for n_parts in (2, 7):
        cuts = np.sort(rng.integers(0, N, n_parts - 1))
        parts = np.split(rng.permutation(x), cuts)
        assert merged(parts).to_bytes() == whole
    in_turn = ColumnSketch()
    for part in np.split(x, np.sort(rng.integers(0, N, 9))):
        in_turn.update(part)
    assert in_turn.to_bytes() == whole


def test_values_far_from_the_first_ones_are_counted():
    """A table of pages that is too narrow is left; each update comes to its end."""
    x = np.concatenate((40 + np.arange(400) / 3, [1e300, -7.7, np.nan, 1e-300], np.arange(9) / 7))

    one_by_one = ColumnSketch()
    for value in x:
        one_by_one.update([value])

    together = ColumnSketch().update(x[:200]).update(x[200:])
    assert one_by_one.to_bytes() == together.to_bytes() == ColumnSketch().update(x).to_bytes()


@pytest.mark.parametrize("n_missing", [20_000, 100_000])
def test_columns_may_begin_with_missing_values(n_missing):
    """However many they are, a few numbers among them or after them are counted."""
    x = np.full(n_missing + 70_000, np.nan)
    x[n_missing:] = np.tile([0.25, np.nan, 1.0], 70_000)[:70_000]

    sketch = ColumnSketch().update(x[:1]).update(x[1:])

    assert sketch.n + sketch.n_missing == len(x)
    assert sketch.values_and_counts()[0].tolist() == [0.25, 1.0]
    assert sketch.to_bytes() == ColumnSketch().update(x[::-1]).to_bytes()


def test_negative_zero_is_zero_beside_negative_numbers_next_to_it():
    """Also where its sign's page has cells."""
    x = np.tile([-0.0, 0.0, -5e-324, 5e-324], 20_000)

    values, counts = ColumnSketch().update(x).values_and_counts()

    assert values.tolist() == [-5e-324, 0.0, 5e-324]
    assert counts.tolist() == [20_000, 40_000, 20_000]


@settings(deadline=None, max_examples=100)
@given(st.lists(arrays(np.float64, st.integers(0, 30), elements=VALUES), min_size=1, max_size=5))
def test_small_sketches_hold_every_value(parts):
    """Distinct values and counts are NumPy's, whatever the parts; reading changes nothing."""
    sketch = merged(parts)
    x = np.concatenate(parts)
    values, counts = np.unique(x[~np.isnan(x)] + 0.0, return_counts=True)

    found, found_counts = sketch.values_and_counts()

    np.testing.assert_array_equal(found, values)
    np.testing.assert_array_equal(found_counts, counts)
    assert (sketch.n, sketch.n_missing) == (counts.sum(), np.isnan(x).sum())
    if len(values):
        assert (sketch.min, sketch.max) == (values[0], values[-1])
    assert ColumnSketch.from_bytes(sketch.to_bytes()).to_bytes() == sketch.to_bytes()


@settings(deadline=None, max_examples=50)
@given(arrays(np.float64, 20, elements=VALUES), arrays(np.int64, 20, elements=st.integers(0, 9)))
def test_whole_weights_are_repeated_rows(x, weights):
    """A weight of 3 is the row three times, a weight of 0 no row."""
    weighted = ColumnSketch().update(x, weights)

    assert weighted.to_bytes() == ColumnSketch().update(np.repeat(x, weights)).to_bytes()


def test_weights_of_many_values_are_repeated_rows():
    """Also where values fall into bins."""
    x, weights = COLUMNS["normal"], RNG.integers(0, 4, N)

    weighted = ColumnSketch().update(x, weights).to_bytes()

    assert weighted == ColumnSketch().update(np.repeat(x, weights)).to_bytes()


@pytest.mark.parametrize(
    "name", [name for name in COLUMNS if name not in {"bits", "odd", "many, then few"}]
)
def test_bins_keep_the_column(name):
    """Mean, quantiles, extremes and spread survive, also far from zero."""
    x = COLUMNS[name]
    sketch, spread = ColumnSketch().update(x), x.std()

    values, counts = sketch.values_and_counts()

    mean = x[0] + np.average(values - x[0], weights=counts)
    assert abs(mean - x[0] - (x - x[0]).mean()) < 1e-9 * spread
    shares = np.linspace(0, 1, 101)
    errors = sketch.quantiles(shares) - np.quantile(x, shares, method="inverted_cdf")
    assert np.abs(errors).max() < 2e-3 * spread
    assert np.sqrt(np.average((values - mean) ** 2, weights=counts)) == pytest.approx(
        spread, rel=1e-4
    )
    assert (sketch.min, sketch.max) == (x.min(), x.max())


@pytest.fixture
def memory(monkeypatch):
    """Return what a sketch takes while it counts and after: the arrays of all its counters."""
    taken, sizes, add = [], {}, Counter._add_chunk

    def watched(counter, values):
        add(counter, values)
        sizes[id(counter)] = counter.nbytes
        taken.append(sum(sizes.copy().values()))

    monkeypatch.setattr(Counter, "_add_chunk", watched)
    return taken


@pytest.mark.parametrize("n_threads", [1, 4])
@pytest.mark.parametrize("name", COLUMNS)
def test_memory_and_bytes_are_bounded(memory, monkeypatch, name, n_threads):
    """Whatever comes in on however many threads: 8 MB in all, 4 MB as bytes, 65,536 bins."""
    monkeypatch.setattr(sketch_module, "ROWS_PER_THREAD", 1 << 15)
    x = COLUMNS[name]
    sketch = ColumnSketch()

    for part in (x, -x, RNG.permutation(x), COLUMNS["normal"], COLUMNS["cents"]):
        sketch.update(part, n_threads=n_threads)
        memory.append(sketch.nbytes)

    assert max(memory) <= 8e6
    assert len(sketch.to_bytes()) <= 4e6
    assert sketch.nbytes <= 8e6
    assert len(sketch.values_and_counts()[0]) <= LIMIT


@pytest.mark.parametrize("n_threads", [1, 4])
def test_little_memory_is_taken_in_passing(n_threads):
    """Also what NumPy takes while bins are placed anew is bounded, whatever the column's length."""
    x = np.tile(COLUMNS["normal"], 30)
    ColumnSketch().update(x[:N]).update(x)  # loads the kernels
    tracemalloc.start()
    try:
        sketch = ColumnSketch().update(x, n_threads=n_threads)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert sketch.n == len(x)
    assert peak <= 8e6 * min(n_threads, 2)


def test_decimals_give_up_their_table_where_memory_is_short():
    """What they have counted is kept."""
    x = np.where(RNG.uniform(size=N) < 0.5, RNG.normal(size=N), RNG.integers(0, 99, N))
    x[: 1 << 13] = 1.0
    counter = Counter(EMPTY)
    counter.keep_below(2_000_000)

    counter.add(x)

    bins = counter.settle()
    expected = ColumnSketch.from_bytes(ColumnSketch().update(x).to_bytes())._bins
    assert all((ours == theirs).all() for ours, theirs in zip(bins[:2], expected[:2], strict=True))
    assert counter.nbytes <= 2_000_000


def test_threads_change_no_byte():
    """Parts counted side by side merge to the same sketch."""
    x = np.tile(COLUMNS["normal"], 15)

    side_by_side = ColumnSketch().update(x, n_threads=2).update(-x).update(x, n_threads=3)

    assert side_by_side.to_bytes() == ColumnSketch().update(np.concatenate((x, -x, x))).to_bytes()


def test_the_portable_path_gives_the_same_bytes():
    """Without numba's compiler sorting takes over."""
    code = (
        "import hashlib, numpy as np; from modemap.sketch import ColumnSketch\n"
        "rng = np.random.default_rng(0); s = ColumnSketch()\n"
        "for _ in range(3): s.update(np.append(rng.normal(size=200_000), np.nan))\n"
        "print(hashlib.sha256(s.to_bytes()).hexdigest())"
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


def test_histograms_have_open_ends():
    """Values beyond the edges are counted; an edge belongs to the interval above."""
    sketch = ColumnSketch().update([-5.0, 0.0, 0.5, 1.0, 9.0, np.nan])

    assert sketch.histogram([0.0, 1.0]).tolist() == [1, 2, 2]


@pytest.mark.parametrize("dtype", [np.float32, np.int8, np.int64, np.uint64, bool])
def test_other_numbers_are_converted(dtype):
    """Whatever the dtype, the sketch is that of the float64 values."""
    x = np.arange(200).astype(dtype)

    same = ColumnSketch().update(x.astype(np.float64)).to_bytes()

    assert ColumnSketch().update(x).to_bytes() == same


def test_none_is_missing():
    """A column of objects is taken if it holds numbers."""
    sketch = ColumnSketch().update(np.array([1.0, None, 2], object))

    assert (sketch.n, sketch.n_missing) == (2, 1)


def test_pickles_hold_the_bytes():
    """Workers may send sketches."""
    sketch = ColumnSketch().update(COLUMNS["normal"])

    assert pickle.loads(pickle.dumps(sketch)).to_bytes() == sketch.to_bytes()  # noqa: S301


@pytest.mark.parametrize(
    ("values", "weights", "message"),
    [
        ([1.0, np.inf], None, "values must be finite or NaN, got inf in row 1"),
        ([-np.inf] * 9, None, "values must be finite or NaN, got -inf in row 0"),
        ([1.0, -np.inf], [1, 1], "values must be finite or NaN"),
        (["a", "1"], None, "values must be real numbers, got 'a'"),
        ([1j], None, "values must be real numbers, got complex128"),
        ([[1.0]], None, r"values must have shape \(n,\), got \(1, 1\)"),
        ([1.0], [-1], "weights must be whole numbers >= 0"),
        ([1.0], [0.5], "weights must be whole numbers >= 0"),
        ([1.0], [np.nan], "weights must be whole numbers >= 0"),
        ([1.0], [1, 2], r"weights must have shape \(1,\)"),
        ([1.0], [2.0**41], "a sketch counts at most"),
    ],
)
def test_what_is_no_column_is_refused(values, weights, message):
    """The message names the rule and the value."""
    with pytest.raises(ValueError, match=message):
        ColumnSketch().update(values, weights)


@pytest.mark.parametrize("n_threads", [1, 2])
@pytest.mark.parametrize("name", ["normal", "cents"])
def test_a_refused_update_counts_nothing(name, n_threads):
    """Not even finite values before an infinite one; its row is told, whatever thread saw it."""
    x = np.tile(COLUMNS[name], 15)
    sketch = ColumnSketch().update(x[:1000])
    before = sketch.to_bytes()
    x[-5] = np.inf

    with pytest.raises(ValueError, match=f"got inf in row {len(x) - 5}$"):
        sketch.update(x, n_threads=n_threads)

    assert sketch.to_bytes() == before


def test_damaged_bytes_are_refused():
    """No cut and no changed byte gives a sketch."""
    data = ColumnSketch().update(COLUMNS["years"]).to_bytes()

    for cut in (0, 5, 40, len(data) - 1):
        with pytest.raises(ValueError, match="data must"):
            ColumnSketch.from_bytes(data[:cut])
    for place in range(0, len(data), 97):
        changed = bytearray(data)
        changed[place] ^= 1
        with pytest.raises(ValueError, match="data must"):
            ColumnSketch.from_bytes(bytes(changed))


@pytest.mark.parametrize("call", [lambda s: s.quantiles(0.5), lambda s: s.histogram([1.0, 1.0])])
def test_questions_without_an_answer_are_refused(call):
    """Quantiles of nothing, edges that do not rise."""
    with pytest.raises(ValueError, match=r"quantiles need at least one value|edges must be rising"):
        call(ColumnSketch())


def test_an_empty_sketch_has_no_extremes():
    """They are NaN; counts are zero."""
    sketch = ColumnSketch().update([])

    assert (sketch.n, sketch.n_missing) == (0, 0)
    assert np.isnan(sketch.min)
    assert np.isnan(sketch.max)


@pytest.mark.parametrize("n_rows", [1, 2, 999])
def test_percentiles_are_numpys_of_an_exact_sketch(n_rows):
    """Between two values they lie where NumPy puts them, to the last bit."""
    values = np.random.default_rng(n_rows).normal(size=n_rows).round(2)
    q = np.linspace(0, 100, 41)

    found = ColumnSketch().update(values).percentiles(q)

    assert np.array_equal(found, np.percentile(values, q))


def test_percentiles_of_nothing_or_beyond_the_range_are_refused():
    """The message names the value."""
    with pytest.raises(ValueError, match="percentiles need at least one value, got none"):
        ColumnSketch().percentiles(50)
    with pytest.raises(ValueError, match="q must lie between 0 and 100, got 101"):
        ColumnSketch().update([1.0]).percentiles(101)
