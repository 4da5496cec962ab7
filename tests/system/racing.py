"""Promote from many processes at once, round after round, while one polls the champion.

``python -m tests.system.racing URI PROCESSES ROUNDS FOLDER`` prints JSON: the winner of each round,
how many were told that they lost, what the reader saw, the head, and the seconds a round took.
Processes are forked from this one, which has imported everything and opened nothing.
"""

import json
import multiprocessing
import os
import sys
import time
from pathlib import Path

from modemap.errors import RegistryError
from modemap.lifecycle.history import History
from modemap.tracking.registry import Registry
from modemap.tracking.store import open_store, prepare_to_open

PROJECT = "raced"
POLL = 0.02
PATIENCE = 120.0


def _history(root: Path) -> History:
    return History(Registry(open_store(root, PROJECT)))


def _entry(number: int) -> dict[str, str]:
    said = {
        "digest": f"{number:064x}",
        "verdict": "v",
        "who": "racer",
        "when": "now",
        "why": "race",
    }
    return said | {"to": str(number), "kind": "promotion"}


def _promote(root, worker, n_rounds, barrier, results):
    history = _history(root)
    for number in range(n_rounds):
        barrier.wait()
        seen = history.head()
        barrier.wait()
        try:
            history.promote(seen, _entry(worker + 1))
            results.put((number, worker, "won"))
        except RegistryError as error:
            if "head must still be" not in error.rule:
                raise
            results.put((number, worker, "told"))


def _read(root, stop, seen):
    n_polls, n_none, champions = 0, 0, set()
    registry = _history(root).registry
    while not stop.is_set():
        champion = History(registry).head().champion
        n_polls, n_none = n_polls + 1, n_none + (champion is None)
        champions.add(champion)
        time.sleep(POLL)
    seen.put((n_polls, n_none, len(champions)))


def main(n_processes: int, n_rounds: int, root: Path) -> None:
    """Race, and print what came of it."""
    prepare_to_open()
    context = multiprocessing.get_context("fork")
    barrier, stop = context.Barrier(n_processes, timeout=PATIENCE), context.Event()
    results, seen = context.Queue(), context.Queue()
    prepare = context.Process(target=_prepare, args=(root, n_processes))
    prepare.start()
    prepare.join()
    if prepare.exitcode:
        sys.exit("the versions to race for could not be registered")
    reader = context.Process(target=_read, args=(root, stop, seen), daemon=True)
    racers = [
        context.Process(
            target=_promote, args=(root, worker, n_rounds, barrier, results), daemon=True
        )
        for worker in range(n_processes)
    ]
    started = time.perf_counter()
    for process in (reader, *racers):
        process.start()
    outcomes = [results.get(timeout=PATIENCE) for _ in range(n_processes * n_rounds)]
    seconds = time.perf_counter() - started
    stop.set()
    polled = seen.get(timeout=60)
    for process in (reader, *racers):
        process.join(60)
    history = _history(root)
    report = {
        "codes": [process.exitcode for process in (reader, *racers)],
        "winners": sorted((r, w) for r, w, outcome in outcomes if outcome == "won"),
        "n_told": sum(outcome == "told" for *_, outcome in outcomes),
        "reader": dict(zip(("polls", "none", "champions"), polled, strict=True)),
        "entries": [[e.number, e.is_valid] for e in history.walk()],
        "champion": history.head().champion,
        "alias": history.registry.alias(),
        "seconds_a_round": seconds / n_rounds,
    }
    sys.stdout.write(json.dumps(report) + "\n")


def _prepare(root: Path, n_versions: int) -> None:
    """Register a version for each racer, and promote the first so that there is a champion."""
    history = _history(root)
    client = history.registry.store.client
    client.create_registered_model(PROJECT)
    for _ in range(n_versions):
        client.create_model_version(PROJECT, "race:/x")  # runs:/ needs a run, on a server
    history.promote(history.head(), _entry(1))


if __name__ == "__main__":
    os.environ["MLFLOW_TRACKING_URI"] = sys.argv[1]
    main(int(sys.argv[2]), int(sys.argv[3]), Path(sys.argv[4]))
