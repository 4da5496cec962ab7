"""The service on one process beside other services, under load, overload, swaps, and for minutes.

The release has a map of 20 x 20 units, 8 columns and 10 components. The client is this process, on
loopback: it takes a core of its own, where there are two.
"""

import json
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import joblib
import numpy as np
import pyarrow as pa
from sklearn.mixture import BayesianGaussianMixture
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from benchmarks.bars import Bar
from benchmarks.load import Load, as_many, at_rate, request
from benchmarks.serve_worker import CURRENT, PLAIN
from modemap.orchestration.environment import tool_environment
from modemap.orchestration.processes import stop_group
from modemap.orchestration.servers import free_port, wait_until_healthy
from modemap.release import load_release
from modemap.serving.bodies import ARROW
from tests.releases import write_release

__all__ = ["measure"]

N_ROWS, N_COLUMNS = 20_000, 8
COLUMNS = [f"x{j}" for j in range(N_COLUMNS)]
ROUNDS = 5
SECONDS = 5.0
STEADY = 500.0  # requests a second
N_CONNECTIONS = 16
BATCH = 10_000
N_MANY = 24  # connections that keep the service busy
IN_TIME, AT_ONCE = 1.0, 0.05  # seconds
SOAK_SECONDS, SOAK_RATE = 300.0, 200.0


def measure() -> list[Bar]:
    """Measure the service beside the others, one after the other, in turns."""
    with tempfile.TemporaryDirectory() as name, ExitStack() as stack:
        folder = Path(name)
        _write_models(folder)
        ports = {
            "modemap": stack.enter_context(_served("modemap", folder, "/readyz"))[0],
            "echo": stack.enter_context(_served("echo", folder, "/docs"))[0],
            "plain": stack.enter_context(_served("plain", folder, "/docs"))[0],
            "MLflow": stack.enter_context(_by_mlflow(folder)),
        }
        return [
            _steady(ports),
            *_saturated(ports),
            _batches(ports["modemap"], folder),
            *_too_many(folder),
            *_swapped(folder),
            _soaked(folder),
        ]


def _rows(n: int, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    clumps = rng.normal(0, 4, (10, N_COLUMNS))
    return np.round(clumps[rng.integers(0, 10, n)] + rng.normal(0, 1, (n, N_COLUMNS)), 2)


def _write_models(folder: Path) -> None:
    X = _rows(N_ROWS)
    for version in (1, 2):
        sizes = {"n_rows": 20, "n_columns": 20, "random_state": version}
        write_release(folder / str(version), X, COLUMNS, n_components=10, **sizes)
    (folder / CURRENT).write_text("1")
    mixture = BayesianGaussianMixture(n_components=10, max_iter=200, random_state=0)
    pipeline = make_pipeline(StandardScaler(), mixture).fit(X)
    joblib.dump(pipeline, folder / PLAIN)
    import mlflow.sklearn  # noqa: PLC0415  (seconds)

    mlflow.sklearn.save_model(pipeline, folder / "mlflow", serialization_format="cloudpickle")


@contextmanager
def _running(words: list[str], url: str) -> Iterator[int]:
    child = subprocess.Popen(
        [sys.executable, "-m", *words],
        text=True,
        start_new_session=True,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env=tool_environment(Path.cwd()),
    )
    try:
        if not wait_until_healthy(url, alive=lambda: child.poll() is None):
            raise SystemExit(f"{' '.join(words)} did not start")
        yield child.pid
    finally:
        stop_group(child)


@contextmanager
def _served(name: str, folder: Path, health: str) -> Iterator[tuple[int, int]]:
    """Yield port and process id of a server of the worker."""
    port = free_port()
    words = ["benchmarks.serve_worker", name, str(port), str(folder)]
    with _running(words, f"http://127.0.0.1:{port}{health}") as pid:
        yield port, pid


@contextmanager
def _by_mlflow(folder: Path) -> Iterator[int]:
    port = free_port()
    words = ["mlflow", "models", "serve", "-m", str(folder / "mlflow"), "-p", str(port)]
    words += ["--env-manager", "local", "--workers", "1"]
    with _running(words, f"http://127.0.0.1:{port}/ping"):
        yield port


def _records(n: int) -> list[dict[str, float]]:
    return [dict(zip(COLUMNS, row, strict=True)) for row in _rows(n, seed=1).tolist()]


def _asking(name: str, n: int = 1) -> bytes:
    """Return a request of ``n`` rows in the words of a server."""
    path = {"modemap": "/v1/score", "MLflow": "/invocations"}.get(name, "/")
    rows = _records(n)
    said = {"dataframe_records": rows} if name == "MLflow" else {"rows": rows}
    return request(path, json.dumps(said).encode())


def _steady(ports: dict[str, int]) -> Bar:
    ratios = []
    for _ in range(ROUNDS):
        slow = {
            name: at_rate(ports[name], _asking(name), STEADY, SECONDS).percentile(0.99)
            for name in ("echo", "modemap")
        }
        ratios.append(slow["modemap"] / slow["echo"])
    work = f"{STEADY:g} requests of a row a second: 99 of 100 within, beside an echo"
    return Bar(work, statistics.median(ratios), 2, "x", ratios)


def _saturated(ports: dict[str, int]) -> list[Bar]:
    rates: dict[str, list[float]] = {"modemap": [], "plain": [], "MLflow": []}
    for _ in range(ROUNDS):
        for name, found in rates.items():
            load = as_many(ports[name], _asking(name), N_CONNECTIONS, SECONDS)
            _all_well(name, load)
            found.append(len(load.statuses) / SECONDS)
    ours = rates.pop("modemap")
    limits = {"MLflow": 3.0, "plain": 1.0}
    words = {"MLflow": "MLflow's server", "plain": "FastAPI and scikit-learn"}
    bars = []
    for name, found in rates.items():
        ratios = [a / b for a, b in zip(ours, found, strict=True)]
        work = f"requests of a row a second, as many as may be, beside {words[name]}"
        bars.append(Bar(work, statistics.median(ratios), limits[name], "x", ratios, True))
    return bars


def _all_well(name: str, load: Load) -> None:
    wrong = set(load.statuses) - {200}
    if wrong or not load.statuses:
        raise SystemExit(f"{name} answered {wrong or 'nothing'}")


def _batches(port: int, folder: Path) -> Bar:
    X = _rows(BATCH, seed=2)
    sink = pa.BufferOutputStream()
    table = pa.table(dict(zip(COLUMNS, X.T, strict=True)))
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    what = request("/v1/score", sink.getvalue().to_pybytes(), ARROW)
    release = load_release(folder / "1")
    release.score(X)
    ratios = []
    for _ in range(ROUNDS):
        began = time.perf_counter()
        n = 0
        while time.perf_counter() - began < SECONDS:
            release.score(X)
            n += 1
        alone = (time.perf_counter() - began) / n
        load = as_many(port, what, 1, SECONDS)
        _all_well("modemap", load)
        ratios.append(alone / statistics.mean(load.seconds))
    work = f"{BATCH:,} rows as Arrow, beside the estimators in process"
    return Bar(work, statistics.median(ratios), 0.7, "of", ratios, True)


def _too_many(folder: Path) -> list[Bar]:
    """Offer twice what the service can do."""
    with _served("modemap", folder, "/readyz") as (port, pid):
        what = _asking("modemap")
        able = len(as_many(port, what, N_MANY, SECONDS).statuses) / SECONDS
        at_rate(port, what, 2 * able, SECONDS)  # what it keeps of a first time
        before = _megabytes(pid)
        load = at_rate(port, what, 2 * able, 2 * SECONDS)
        grown = _megabytes(pid) - before
    taken, refused = load.of(200), load.of(503)
    n_lost = len(load.late) - len(taken) - len(refused)
    in_time = sum(seconds <= IN_TIME for seconds in taken) / max(len(taken), 1)
    at_once = sum(seconds <= AT_ONCE for seconds in refused) / max(len(refused), 1)
    work = f"twice what it can do ({able:.0f} a second)"
    least = {"is_least": True}
    return [
        Bar(
            f"{work}: sent late by, 99 of 100",
            sorted(load.late)[int(0.99 * len(load.late))],
            AT_ONCE,
            "s",
        ),
        Bar(f"{work}: neither 200 nor 503", n_lost, 0, ""),
        Bar(f"{work}: {len(taken):,} accepted, within {IN_TIME:g} s", in_time, 0.999, "", **least),
        Bar(f"{work}: {len(refused):,} refused, within {AT_ONCE:g} s", at_once, 0.999, "", **least),
        Bar(f"{work}: memory grows by", grown, 20, "MB"),
    ]


def _swapped(folder: Path) -> list[Bar]:
    """Have the service follow another release in the middle of a load, round after round."""
    ratios, n_failed = [], 0
    with _served("modemap", folder, "/readyz") as (port, _):
        what = _asking("modemap")
        at_rate(port, what, SOAK_RATE, SECONDS)
        for i in range(ROUNDS):
            normal = at_rate(port, what, SOAK_RATE, 2 * SECONDS)
            swap = threading.Timer(SECONDS, (folder / CURRENT).write_text, [str(2 - i % 2)])
            swap.start()
            swapped = at_rate(port, what, SOAK_RATE, 2 * SECONDS)
            swap.join()
            n_failed += len(swapped.statuses) - len(swapped.of(200))
            ratios.append(swapped.percentile(0.99) / normal.percentile(0.99))
    work = f"another champion within {2 * SECONDS:g} s of load"
    return [
        Bar(f"{work}: requests failed", n_failed, 0, ""),
        Bar(f"{work}: 99 of 100 within, beside none", statistics.median(ratios), 2, "x", ratios),
    ]


def _soaked(folder: Path) -> Bar:
    """Return how much memory grows in the last four of five minutes, by a line through it."""
    found: list[tuple[float, float]] = []
    with _served("modemap", folder, "/readyz") as (port, pid):
        began = time.monotonic()
        over = threading.Event()

        def look() -> None:
            while not over.wait(2.0):
                found.append((time.monotonic() - began, _megabytes(pid)))

        looking = threading.Thread(target=look)
        looking.start()
        load = at_rate(port, _asking("modemap"), SOAK_RATE, SOAK_SECONDS)
        over.set()
        looking.join()
    _all_well("modemap", load)
    late = [(at, size) for at, size in found if at > SOAK_SECONDS / 5]
    slope = float(np.polyfit(*map(np.array, zip(*late, strict=True)), 1)[0]) * 60
    work = f"{SOAK_RATE:g} requests a second for {SOAK_SECONDS / 60:g} minutes: memory grows by"
    return Bar(work, slope, 0.5, "MB/min", [size for _, size in late][::10])


def _megabytes(pid: int) -> float:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    kib = next(line for line in lines if line.startswith("VmRSS")).split()[1]
    return int(kib) / 1000
