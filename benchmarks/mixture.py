"""The mixture and the mode normaliser beside scikit-learn, RDT and CTGAN, in one run."""

import json
import subprocess
import time
import warnings
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from sklearn.exceptions import ConvergenceWarning
from sklearn.mixture import BayesianGaussianMixture as Peer
from threadpoolctl import threadpool_limits

from benchmarks.bars import Bar
from benchmarks.peers import python_with
from modemap import BayesianGaussianMixture, ModeNormalizer
from modemap.sketch import ColumnSketch

__all__ = ["measure"]

N_ROWS = 10_000_000
N_FIT = 1_000_000
ROUNDS = 3
ONE_HOT = 100  # times faster than CTGAN's transform: it writes nine times the bytes of an encoding
PEER_ITERATIONS = 6  # of scikit-learn's hundred: they all cost the same
PEERS = """
import json, sys, time, warnings
import joblib, numpy as np, pandas as pd
from ctgan.data_transformer import DataTransformer
from rdt.transformers import ClusterBasedNormalizer
warnings.simplefilter("ignore")
x = np.load(sys.argv[1], mmap_mode="r")
small = pd.DataFrame({"x": np.array(x[:1_000_000])})
model = ClusterBasedNormalizer(max_clusters=10, enforce_min_max_values=False)
model.reset_randomization()
model.fit(small[:20_000], "x")
def seconds(work):
    started = time.process_time()
    result = work()
    return time.process_time() - started, result
sampled, encoded = seconds(lambda: model.transform(small))
columns = pd.concat([encoded] * 10, ignore_index=True)
inverse, _ = seconds(lambda: model.reverse_transform(columns))
transformer = DataTransformer()
transformer.fit(small[:20_000])
with joblib.parallel_config(backend="sequential"):  # in this process, whose seconds are counted
    ctgan, _ = seconds(lambda: transformer.transform(small))
print(json.dumps({"sampled": sampled, "inverse": inverse, "ctgan": ctgan}))
"""

Rows = NDArray[np.float64]


def measure() -> list[Bar]:
    """Measure every bar; CPU seconds, as ratios to the peer's in the same run."""
    warnings.simplefilter("ignore", ConvergenceWarning)
    x = _column(N_ROWS)
    with threadpool_limits(1):  # of BLAS and OpenMP: one thread each
        return [*_fit_bars(x[:N_FIT]), *_coding_bars(x), _joint_bar(), _counting_bar()]


def _column(n_rows: int) -> Rows:
    """Return cents of two modes and a tail."""
    rng = np.random.default_rng(0)
    centers = np.array([500.0, 2000.0])[rng.integers(0, 2, n_rows)]
    is_tail = rng.integers(0, 2, n_rows) == 1
    x = np.where(is_tail, rng.lognormal(3, 1, n_rows), rng.normal(centers, 100))
    return np.round(x, 2)


def _fit_bars(x: Rows) -> list[Bar]:
    labels = np.searchsorted(np.quantile(x, np.linspace(0.1, 0.9, 9)), x)
    arguments = {"n_components": 10, "tol": 0.0, "reg_covar": 1e-6}
    ours = BayesianGaussianMixture(max_iter=100, init_params=labels, **arguments)
    ours.fit(x[:, np.newaxis])
    mine = [_seconds(lambda: ours.fit(x[:, np.newaxis])) for _ in range(ROUNDS)]
    base = Peer(max_iter=1, init_params="random_from_data", random_state=0, **arguments)
    more = Peer(
        max_iter=1 + PEER_ITERATIONS, init_params="random_from_data", random_state=0, **arguments
    )
    base.fit(x[:, np.newaxis])  # warms up
    first = _seconds(lambda: base.fit(x[:, np.newaxis]))
    step = (_seconds(lambda: more.fit(x[:, np.newaxis])) - first) / PEER_ITERATIONS
    ratios = [100 * step / seconds for seconds in mine]
    bar = _ratio("1-D fit of 1M rows, K = 10, 100 iterations, beside scikit-learn", ratios, 500)
    chooser = BayesianGaussianMixture(n_components="auto", random_state=0)
    choices = [_seconds(lambda: chooser.fit(x[:, np.newaxis])) / step for _ in range(ROUNDS)]
    name = "choice of K and fit of 1M rows, beside one iteration of scikit-learn"
    return [bar, Bar(name, min(choices), 1, "x", choices)]


def _coding_bars(x: Rows) -> list[Bar]:
    peer = _peers_seconds(x)
    bars = []
    for encoding, bar in (("sampled", 1000), ("argmax", 5000)):
        normalizer = ModeNormalizer(10, encoding=encoding, random_state=0).fit(x[:, np.newaxis])
        normalizer.encode(x[:1000, np.newaxis])
        rows = x[:N_FIT, np.newaxis]
        mine = [_seconds(lambda n=normalizer, r=rows: n.encode(r)) for _ in range(ROUNDS)]
        ratios = [peer["sampled"] / seconds for seconds in mine]
        bars.append(_ratio(f"transform of 1M rows, {encoding}, beside RDT", ratios, bar))
        if encoding == "sampled":
            mine = [
                _seconds(lambda n=normalizer, r=rows: n.one_hot(n.encode(r))) for _ in range(ROUNDS)
            ]
            ratios = [peer["ctgan"] / seconds for seconds in mine]
            bars.append(_ratio("transform of 1M rows, one-hot, beside CTGAN", ratios, ONE_HOT))
    encoded = normalizer.encode(x[:, np.newaxis])
    mine = [_seconds(lambda: normalizer.inverse_transform(encoded)) for _ in range(ROUNDS)]
    ratios = [peer["inverse"] / seconds for seconds in mine]
    bars.append(_ratio("inverse of 10M rows, beside RDT", ratios, 30))
    wrong = int(np.count_nonzero(normalizer.inverse_transform(encoded)[:, 0] != x))
    bars.append(Bar("rows of 10M that do not come back exactly", wrong, 0, "", [wrong]))
    return bars


def _joint_bar() -> Bar:
    rng = np.random.default_rng(1)
    X = rng.normal(size=(N_FIT, 8)) + 3.0 * rng.integers(0, 4, N_FIT)[:, np.newaxis]

    def step(kind: type, n_iter: int) -> float:
        arguments = {"n_components": 10, "tol": 0.0, "init_params": "random", "random_state": 0}
        seconds = [
            _seconds(lambda n=n: kind(max_iter=n, **arguments).fit(X)) for n in (1, 1 + n_iter)
        ]
        return (seconds[1] - seconds[0]) / n_iter

    step(BayesianGaussianMixture, 1)
    mine = [step(BayesianGaussianMixture, 10) for _ in range(ROUNDS)]
    theirs = step(Peer, PEER_ITERATIONS)
    ratios = [theirs / seconds for seconds in mine]
    return _ratio("joint fit, full, 1M x 8, K = 10, an iteration, beside scikit-learn", ratios, 40)


def _counting_bar() -> Bar:
    x = np.random.default_rng(2).normal(size=N_ROWS)
    sketch = ColumnSketch().update(x)
    mine = [1e9 * _seconds(lambda: sketch.update(x)) / N_ROWS for _ in range(ROUNDS)]
    return Bar("counting where nothing is decimal, a row", min(mine), 4, "ns", mine)


def _ratio(work: str, ratios: list[float], bar: float) -> Bar:
    """Return a bar on how many times faster we are."""
    return Bar(work, max(ratios), bar, "times", ratios, is_least=True)


def _seconds(work: Callable[[], object]) -> float:
    started = time.process_time()
    work()
    return time.process_time() - started


def _peers_seconds(x: Rows) -> dict[str, float]:
    python = python_with("mixture")
    path = python.parents[1] / "column.npy"
    np.save(path, x)
    try:
        done = subprocess.run(
            [python, "-c", PEERS, path], check=True, capture_output=True, text=True
        )
    finally:
        path.unlink()
    found: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return found
