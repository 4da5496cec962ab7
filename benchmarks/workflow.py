"""How long the chain takes around the models: from a bare clone, again, and by DVC alone."""

import resource
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.bars import Bar
from modemap.orchestration.environment import tool_environment
from modemap.orchestration.plan import read_plan
from modemap.orchestration.servers import prefect_server

__all__ = ["measure"]

N_AGAIN = 3


def measure() -> list[Bar]:
    """Clone this checkout and measure the commands that people run in it."""
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder, "modemap")
        subprocess.run(["git", "clone", "-q", ".", str(root)], check=True)
        first = _seconds(["modemap", "run"], root)
        again = [_seconds(["modemap", "run"], root) for _ in range(N_AGAIN)]
        unchanged = [_seconds(["dvc", "repro"], root) for _ in range(N_AGAIN)]
        overhead, stages = _overhead(root)
        peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
    return [
        Bar("modemap run from a bare clone", first, 120, "s", [first]),
        Bar("modemap run with nothing changed, best of 3", min(again), 15, "s", again),
        Bar("dvc repro with nothing changed, best of 3", min(unchanged), 1, "s", unchanged),
        Bar(
            "flow against a running server, beyond the stages' own time",
            overhead,
            max(0.1 * sum(stages.values()), len(stages)),
            "s",
            list(stages.values()),
        ),
        Bar("peak memory of any process", peak, 1024, "MiB", [peak]),
    ]


def _overhead(root: Path) -> tuple[float, dict[str, float]]:
    """Seconds of a forced flow beyond those of its stages, and the stages' seconds one by one.

    The stages run twice: in the flow, and as plain processes in the same order.
    """
    plan = read_plan(root)
    with prefect_server(root) as server:
        server.wait()
        _seconds(["modemap", "run"], root, PREFECT_API_URL=f"{server.url}/api")  # warm
        for made in ("data", "models", ".dvc/cache", ".dvc/tmp"):
            shutil.rmtree(root / made)
        flow = _seconds(["modemap", "run"], root, PREFECT_API_URL=f"{server.url}/api")
    stages: dict[str, float] = {}
    rest = set(plan.upstream)
    total = 0.0
    while rest:
        ready = sorted(s for s in rest if not set(plan.upstream[s]) & rest)
        seconds = _side_by_side(ready, root)
        stages |= seconds
        total += max(seconds.values())
        rest -= set(ready)
    return flow - total, stages


def _side_by_side(stages: list[str], root: Path) -> dict[str, float]:
    started = time.perf_counter()
    running = {
        stage: subprocess.Popen(
            [sys.executable, "-m", f"modemap.stages.{stage}"],
            cwd=root,
            env=tool_environment(root),
            stderr=subprocess.DEVNULL,
        )
        for stage in stages
    }
    seconds = {}
    for stage, child in running.items():
        if child.wait():
            raise SystemExit(f"stage {stage} failed with {child.returncode}")
        seconds[stage] = time.perf_counter() - started
    return seconds


def _seconds(command: list[str], root: Path, **environment: str) -> float:
    started = time.perf_counter()
    done = subprocess.run(
        command,
        cwd=root,
        env=tool_environment(root) | environment,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise SystemExit(f"{' '.join(command)} failed:\n{done.stdout}\n{done.stderr}")
    return time.perf_counter() - started
