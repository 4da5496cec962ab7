"""Clusters that cannot be used are refused with the next step, and what a pass sends is little."""

import os
import signal
import socket
import subprocess
import sys
import time
from functools import partial

import numpy as np
import pytest
from dask import config

from modemap.engine import DaskEngine, cluster, dask, dask_engine, worker
from modemap.engine.worker import rows_of
from modemap.errors import ParamsError, StageError
from modemap.estimators import SelfOrganizingMap
from modemap.estimators.blocks import Blocks, cuts_of
from modemap.files import read_json, write_json
from tests.engine.test_bytes import N_ROWS, blocks_of, part_of


@pytest.fixture(name="X", scope="module")
def samples():
    """Return rows enough for some blocks."""
    return np.random.default_rng(0).normal(size=(N_ROWS, 3))


def test_without_dask_the_extra_is_named(monkeypatch):
    """And the exit code is that of params.yaml."""
    monkeypatch.setitem(sys.modules, "distributed", None)

    with pytest.raises(ParamsError, match=r"pip install 'modemap\[dask\]'") as error, dask_engine():
        pass

    assert error.value.exit_code == 2


@pytest.mark.parametrize("is_argument", [True, False])
def test_a_scheduler_that_does_not_answer_is_named(monkeypatch, is_argument):
    """With its address, whether params or the environment gave it, and the next step."""
    monkeypatch.setattr(cluster, "CONNECT_SECONDS", 0.3)
    with socket.socket() as taken:  # bound, and nobody listens
        taken.bind(("127.0.0.1", 0))
        address = f"tcp://127.0.0.1:{taken.getsockname()[1]}"

        with (
            config.set({"scheduler-address": "tcp://127.0.0.1:1" if is_argument else address}),
            pytest.raises(StageError, match="start it with `dask scheduler`") as error,
            dask_engine(address if is_argument else None),
        ):
            pass

    assert address in error.value.place
    assert error.value.exit_code == 9


@pytest.fixture
def _other_workers(engine):
    """Let the workers have another version of the package."""

    def change():
        from modemap.engine import worker

        worker.true = worker.identity
        worker.identity = lambda: worker.true() | {"modemap": "9.9", "numpy": "1.0"}

    def change_back():
        from modemap.engine import worker

        worker.identity = worker.true

    engine._client.run(change)
    yield
    engine._client.run(change_back)


@pytest.mark.usefixtures("_other_workers")
def test_workers_of_another_version_are_refused(engine):
    """At once, naming worker and packages."""
    with pytest.raises(StageError, match=r"modemap 9\.9 instead of .*, numpy 1\.0") as error:
        cluster.check_workers(engine._client)

    assert error.value.place.startswith("the Dask worker at tcp://127.0.0.1:")


def test_workers_without_the_package_are_refused(engine, monkeypatch):
    """What Python says there is told here."""

    def identity():
        raise ModuleNotFoundError("No module named 'modemap'")

    monkeypatch.setattr(cluster, "identity", identity)

    with pytest.raises(StageError, match="No module named 'modemap'"):
        cluster.check_workers(engine._client)


@pytest.mark.usefixtures("_other_workers")
def test_a_worker_of_another_version_that_comes_later_is_refused(X, engine):
    """It says so instead of working."""
    with pytest.raises(StageError, match=r"modemap 9\.9 instead of"):
        SelfOrganizingMap(2, 2).fit(engine.spread(blocks_of(X)))


def test_each_worker_sends_one_answer_a_pass(X, engine):
    """However many blocks there are."""
    spread = engine.spread(blocks_of(X))

    answers = list(spread.runs(lambda blocks: [X.sum() for _, X, _ in blocks], cuts_of(N_ROWS, 70)))

    assert [len(sums) for sums in answers] == [50, 50]
    assert np.isclose(sum(map(sum, answers)), X.sum())


def counted_part_of(X, marks, start, stop):
    """Read rows and leave a mark."""
    (marks / f"{start} {stop} {time.monotonic_ns()}").touch()
    return part_of(X, start, stop)


@pytest.mark.parametrize(("room", "n_reads"), [(1 << 20, 2), (40 * 24 * 70, 6), (0, 6)])
def test_workers_keep_blocks_within_their_room(X, engine, tmp_path, room, n_reads):
    """Three passes read once, or again what did not fit, or all of it."""
    engine = DaskEngine(engine._client, room)
    spread = engine.spread(Blocks(N_ROWS, partial(counted_part_of, X, tmp_path)))
    cuts = cuts_of(N_ROWS, 70)

    def held(rows):
        return sum(b.nbytes for key, b in worker._kept._blocks.items() if key[0] == rows)

    for _ in range(3):
        list(spread.runs(lambda blocks: sum(1 for _ in blocks), cuts))

    assert len([*tmp_path.iterdir()]) == n_reads
    held_bytes = engine._client.run(held, spread._name).values()
    assert max(held_bytes) <= room
    assert (max(held_bytes) > 0) is (room > 0)
    engine.close()
    assert not any(engine._client.run(held, spread._name).values())


def test_progress_is_told(X, engine, monkeypatch):
    """Pass, blocks done and their number."""
    told = []
    monkeypatch.setattr(engine, "_tell", lambda *numbers: told.append(numbers))
    engine._client.subscribe_topic(engine._topic, engine._hear)

    def slow(blocks):
        return sum(1 for _ in blocks if time.sleep(0.3) is None)

    list(engine.spread(blocks_of(X)).runs(slow, cuts_of(N_ROWS, 1000)))

    n_pass = engine._n_passes
    assert told
    assert all(numbers[0] == n_pass and 0 < numbers[1] <= numbers[2] == 7 for numbers in told)


def test_frames_become_floats():
    """Of single precision where all columns are, and NaN where a value is missing."""
    import pandas as pd

    mixed = pd.DataFrame({"a": pd.array([1, None], "Int64"), "b": [0.5, 1.5]})
    single = mixed[["b"]].astype(np.float32)

    assert rows_of(single).dtype == np.float32
    np.testing.assert_array_equal(rows_of(mixed), [[1.0, 0.5], [np.nan, 1.5]])


@pytest.fixture
def far_cluster(tmp_path):
    """Return the address and the scheduler's process of a cluster that is not ours."""
    place = tmp_path / "scheduler.json"
    env = os.environ | {"DASK_TEMPORARY_DIRECTORY": str(tmp_path)}
    common = [sys.executable, "-m", "distributed.cli.dask_scheduler", "--host", "127.0.0.1"]
    scheduler = [*common, "--port", "0", "--no-dashboard", "--scheduler-file", str(place)]
    started = [subprocess.Popen(scheduler, env=env, stderr=subprocess.DEVNULL)]
    while not place.exists() or not place.read_text():
        time.sleep(0.05)
    address = read_json(place)["address"]
    more = ["--nthreads", "1", "--no-dashboard", "--no-nanny", "--host", "127.0.0.1"]
    common = [sys.executable, "-m", "distributed.cli.dask_worker", address]
    started.append(subprocess.Popen([*common, *more], env=env, stderr=subprocess.DEVNULL))
    yield address, started[0]
    for process in reversed(started):
        process.kill()
        process.wait()


def killing_part_of(X, marks, processes, start, stop):
    """Read rows; at the fifth time the first process, the scheduler, is killed by a worker."""
    pid, spared = processes
    if os.getpid() != spared:
        count = len([*marks.iterdir()])
        (marks / f"{count}").touch()
        if count == 4:
            os.kill(pid, signal.SIGKILL)
    return part_of(X, start, stop)


@pytest.mark.slow
def test_a_scheduler_that_dies_in_the_middle_is_told(X, far_cluster, tmp_path):
    """What was there before stays, and nothing hangs."""
    address, scheduler = far_cluster
    marks, kept = tmp_path / "marks", tmp_path / "kept.json"
    marks.mkdir()
    write_json(kept, {"model": "before"})
    rows = Blocks(N_ROWS, partial(killing_part_of, X, marks, (scheduler.pid, os.getpid())))

    with (
        pytest.raises(StageError, match="must stay until the fit has ended") as error,
        dask_engine(address, memory=0) as engine,
    ):
        write_json(kept, SelfOrganizingMap(3, 3, max_iter=50).fit(engine.spread(rows)).history_)

    assert address in error.value.place
    assert read_json(kept) == {"model": "before"}


def dying_part_of(X, spared, start, stop):
    """Read rows once; a worker dies of it."""
    if os.getpid() != spared:
        os.kill(os.getpid(), signal.SIGKILL)
    return part_of(X, start, stop)


@pytest.mark.slow
def test_a_cluster_that_lost_its_workers_is_not_waited_for_for_ever(X, far_cluster, monkeypatch):
    """Neither in the middle of a pass, nor before one."""
    address, _ = far_cluster
    monkeypatch.setattr(dask, "IDLE_SECONDS", 1.0)
    monkeypatch.setattr(dask, "LOOK_SECONDS", 0.5)

    with dask_engine(address) as engine:
        for _ in range(2):
            rows = engine.spread(Blocks(N_ROWS, partial(dying_part_of, X, os.getpid())))
            with pytest.raises(StageError, match="must have a worker"):
                SelfOrganizingMap(2, 2).fit(rows)


@pytest.mark.slow
def test_rows_that_kill_every_worker_are_given_up(X):
    """After some deaths Dask says so, and the message names memory."""
    with config.set({"distributed.scheduler.allowed-failures": 1}), dask_engine(n_workers=1) as one:
        rows = one.spread(Blocks(N_ROWS, partial(dying_part_of, X, os.getpid())))

        with pytest.raises(StageError, match="must not die again and again") as error:
            SelfOrganizingMap(2, 2).fit(rows)

    assert error.value.found.startswith("2 died, the last at tcp://127.0.0.1:")
