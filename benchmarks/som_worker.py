"""What the suite `som` measures, in an environment that has the peers: prints one JSON object.

Everything is measured in this one process, in rounds that take turns, in seconds of its processor.
"""

import json
import sys
import time
import warnings
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import fastersom
import intrasom
import minisom
import numpy as np
import python_som
import torch
import xpysom

from modemap import SelfOrganizingMap
from modemap.kernels import Prepared, sums_by_unit
from modemap.metrics import quantization_error, topographic_error

MISSING_SHARE = 0.1
SHAPES = {"A": (100_000, 20, 20), "B": (10_000, 784, 30), "C": (1_000_000, 8, 50)}
N_EPOCHS = {"A": 10, "B": 10, "C": 5}
N_ROUNDS = 3
ONCE = ("python-som",)  # measured in the first round alone: minutes, and far from the fastest
Fit = Callable[[], np.ndarray]


def cpu_seconds(work: Callable[[], object]) -> float:
    """Return the processor's seconds of a call."""
    started = time.process_time()
    work()
    return time.process_time() - started


def wall_seconds(work: Callable[[], object]) -> float:
    """Return the seconds of a call."""
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def samples(shape: str) -> np.ndarray:
    """Return float32 samples, which all take as they are, in clumps so that maps have a form."""
    n, d, _ = SHAPES[shape]
    rng = np.random.default_rng(0)
    clumps = rng.normal(size=(12, d)).astype(np.float32)
    noise = rng.normal(scale=0.5, size=(n, d)).astype(np.float32)
    return clumps[rng.integers(0, 12, size=n)] + noise


def chosen_start(X: np.ndarray, side: int) -> tuple[np.ndarray, tuple[float, float]]:
    """Return the units and radii that all libraries begin with."""
    start = X[np.random.default_rng(1).choice(len(X), side * side, replace=False)]
    return start, (side / 4, 1.0)


def our_map(X: np.ndarray, shape: str) -> SelfOrganizingMap:
    """Return the map that is compared with the peers', to be fitted."""
    side = SHAPES[shape][2]
    start, radius = chosen_start(X, side)
    return SelfOrganizingMap(side, side, init=start, max_iter=N_EPOCHS[shape], radius=radius)


def batch_fits(X: np.ndarray, shape: str) -> dict[str, Fit]:
    """Return each library's batch training, from the same units and radii, one thread."""
    side, n_epochs = SHAPES[shape][2], N_EPOCHS[shape]
    start, radius = chosen_start(X, side)

    def ours() -> np.ndarray:
        return our_map(X, shape).fit(X).codebook_

    def xpy() -> np.ndarray:
        som = xpysom.XPySom(
            side, side, X.shape[1], sigma=radius[0], sigmaN=radius[1], decay_function="linear",
            std_coeff=1.0,
        )  # fmt: skip
        som._weights = start.reshape(side, side, -1).copy()
        som.train(X, n_epochs)
        return np.asarray(som._weights).reshape(side * side, -1)

    def faster() -> np.ndarray:
        som = fastersom.SOM(
            side, side, n_epochs, sigma_initial=radius[0], sigma_final=radius[1], init=start,
            device="cpu",
        )  # fmt: skip
        return np.asarray(som.fit(X).weights_).reshape(side * side, -1)

    def python() -> np.ndarray:
        som = python_som.SOM(side, side, X.shape[1], neighborhood_radius=radius[0])
        som._weights = start.reshape(side, side, -1).astype(np.float64)
        som.train(X, n_epochs, mode="batch")
        return np.asarray(som.get_weights()).reshape(side * side, -1)

    def intra() -> np.ndarray:
        som = intrasom.SOMFactory.build(
            X, mapsize=(side, side), mapshape="planar", lattice="rect", normalization=None,
            initialization="random",
        )  # fmt: skip
        som.codebook.matrix = start.copy()
        som.actual_train = "Fine"
        som.bootstrap = False
        som.finetune_train(
            njob=1, shared_memory=False, trainlen=n_epochs, radiusin=radius[0], radiusfin=radius[1]
        )
        return np.asarray(som.codebook.matrix)

    peers = {"XPySom": xpy, "fastersom": faster, "IntraSOM": intra, "python-som": python}
    return {"modemap": ours, **peers}


def batch(shape: str) -> dict[str, object]:
    """Measure batch epochs; return seconds for each epoch and the quality of each map."""
    X, side = samples(shape), SHAPES[shape][2]
    fits = batch_fits(X, shape)
    seconds: dict[str, list[float]] = {name: [] for name in fits}
    quality = {}
    for turn in range(1 if shape == "C" else N_ROUNDS):
        for name, fit in fits.items():
            if turn and name in ONCE:
                continue
            found: list[np.ndarray] = []
            if turn == 0 and name == "modemap":
                fit()  # compiles
            seconds[name].append(cpu_seconds(lambda: found.append(fit())) / N_EPOCHS[shape])  # noqa: B023
            if turn == 0:
                codebook, some = found[0].astype(np.float64), X[:20_000].astype(np.float64)
                quality[name] = {
                    "quantization_error": quantization_error(some, codebook),
                    "topographic_error": topographic_error(some, codebook, side, side),
                }
    return {"seconds": seconds, "quality": quality}


def product() -> list[float]:
    """Measure the matrix product of shape B, float32, one thread."""
    n, d, side = SHAPES["B"]
    X, units = np.ones((n, d), np.float32), np.ones((d, side * side), np.float32)
    return [cpu_seconds(lambda: X @ units) for _ in range(N_ROUNDS)]


def online() -> dict[str, object]:
    """Measure 100,000 updates of a 20 x 20 map against MiniSom, from the same units."""
    X, side = samples("A"), 20
    start = X[:400].astype(np.float64)
    minis, ours, errors = [], [], {}
    som = SelfOrganizingMap(
        side, side, training="online", init=start, max_iter=1, radius=(5.0, 1.0),
        learning_rate=(0.5, 0.01), random_state=0,
    )  # fmt: skip
    som.fit(X[:500])
    for _ in range(N_ROUNDS):
        mini = minisom.MiniSom(
            side, side, 20, sigma=5.0, learning_rate=0.5, random_seed=0,
            decay_function="linear_decay_to_zero", sigma_decay_function="linear_decay_to_one",
        )  # fmt: skip
        mini._weights = start.reshape(side, side, 20).copy()
        minis.append(cpu_seconds(lambda: mini.train(X, len(X), random_order=True)))  # noqa: B023
        ours.append(cpu_seconds(lambda: som.fit(X)))
    rows = X.astype(np.float64)
    errors["MiniSom"] = quantization_error(rows, mini.get_weights().reshape(400, 20))
    errors["modemap"] = quantization_error(rows, som.codebook_)
    return {"MiniSom": minis, "modemap": ours, "quantization_error": errors}


def challenge() -> dict[str, object]:
    """Measure a map of 100 x 100 for 20 colours against the naive formula."""
    sys.path.insert(0, "examples")
    from colours import fitted, naive  # noqa: PLC0415

    rng = np.random.default_rng(0)
    colours, start = rng.random((20, 3)), rng.random((100, 100, 3))
    fitted(colours, start, 5)
    seconds = [cpu_seconds(lambda: fitted(colours, start, 1000)) for _ in range(N_ROUNDS)]
    difference = np.abs(fitted(colours, start, 1000) - naive(colours, start, 1000)).max()
    return {"seconds": seconds, "difference": float(difference)}


def predict() -> dict[str, list[float]]:
    """Measure the training pass and predict on 10,000,000 x 8 samples of a 50 x 50 map."""
    rng = np.random.default_rng(0)
    X = rng.random((10_000_000, 8), dtype=np.float32)
    som = SelfOrganizingMap(50, 50, max_iter=2).fit(X[:100_000])
    weights = np.ones(len(X))
    som.predict(X[:1000])
    turns = [
        (
            cpu_seconds(lambda: sums_by_unit(X, weights, Prepared(som.codebook_))),
            cpu_seconds(lambda: som.predict(X)),
        )
        for _ in range(2)
    ]
    return {"pass": [one for one, _ in turns], "predict": [other for _, other in turns]}


def missing() -> dict[str, list[float]]:
    """Measure training with a tenth of the values missing against the complete samples."""
    X = samples("A")
    holes = X.copy()
    holes[np.random.default_rng(2).random(X.shape) < MISSING_SHARE] = np.nan
    holes[:, 0] = X[:, 0]
    som = SelfOrganizingMap(20, 20, init=X[:400], max_iter=5)
    for rows in (X, holes):
        som.fit(rows[:1000])
    turns = [
        (cpu_seconds(lambda: som.fit(X)), cpu_seconds(lambda: som.fit(holes)))
        for _ in range(N_ROUNDS)
    ]
    return {"complete": [one for one, _ in turns], "missing": [other for _, other in turns]}


def memory() -> dict[str, float]:
    """Return how many MB the process grows by at most while it fits, beyond the samples."""
    grown = {}
    for (
        shape
    ) in SHAPES:  # each in a fresh process: what one has freed would hide what another takes
        with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
            grown[shape] = pool.submit(grown_by, shape).result()
    return grown


def grown_by(shape: str) -> float:
    """Return how many MB this process grows by at most while it fits one shape."""
    X, side = samples(shape), SHAPES[shape][2]
    start = X[: side * side]
    SelfOrganizingMap(side, side, init=start, max_iter=1).fit(X[:600])  # loads the compiled code
    Path("/proc/self/clear_refs").write_text("5")
    before = _status("VmRSS")
    SelfOrganizingMap(side, side, init=start, max_iter=1).fit(X)
    return (_status("VmHWM") - before) / 1024


def _status(name: str) -> int:
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(name))


def threads() -> dict[str, object]:
    """Return what two threads gain, for the maps above and for two matrix products alone."""
    square = np.ones((2500, 2500), np.float32)

    def twice(n_threads: int) -> None:
        with ThreadPoolExecutor(n_threads) as pool:
            list(pool.map(lambda _: square @ square, range(2)))

    gains: dict[str, list[float]] = {name: [] for name in (*SHAPES, "product")}
    for shape in SHAPES:
        X = samples(shape)
        som = our_map(X, shape)
        for _ in range(N_ROUNDS):
            one, two = (
                wall_seconds(lambda n=n: som.set_params(n_jobs=n).fit(X))  # noqa: B023
                for n in (1, 2)
            )
            gains[shape].append(one / two)
            one, two = (wall_seconds(lambda n=n: twice(n)) for n in (1, 2))
            gains["product"].append(one / two)
    return {"gains": gains}


def main() -> None:
    """Measure everything that is named, all by default."""
    warnings.simplefilter("ignore")
    torch.set_num_threads(1)
    parts: dict[str, Callable[[], object]] = {
        **{f"batch {shape}": (lambda shape=shape: batch(shape)) for shape in SHAPES},
        "product": product,
        "online": online,
        "challenge": challenge,
        "predict": predict,
        "missing": missing,
        "memory": memory,
        "threads": threads,
    }
    found = {}
    for name in sys.argv[1:] or parts:
        found[name] = parts[name]()
        sys.stderr.write(f"  {name}: {json.dumps(found[name])}\n")
    sys.stdout.write(json.dumps(found))


if __name__ == "__main__":
    main()
