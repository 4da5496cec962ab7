"""The map beside its peers: seconds of the processor, in one run from the same start and radii."""

import json
import os
import subprocess
from typing import Any

from benchmarks.bars import Bar
from benchmarks.peers import python_with

__all__ = ["measure"]

LEADS = {"A": 4.0, "B": 1.3, "C": 15.0}  # times the fastest peer's speed, at least
ONLINE_LEAD = 50.0
MB = 50.0


def measure() -> list[Bar]:
    """Run the worker beside the peers and judge what it found."""
    found = _run_worker()
    bars = [_batch(shape, found[f"batch {shape}"]) for shape in LEADS]
    bars += [_quality(shape, found[f"batch {shape}"]["quality"]) for shape in LEADS]
    seconds = found["batch B"]["seconds"]["modemap"]
    product = min(found["product"])  # the first one warms up
    turns = [product / epoch for epoch in seconds]
    bars.append(
        Bar("map B: rate, of the matrix product of its shape", max(turns), 0.9, "", turns, True)
    )
    bars.append(_online(found["online"]))
    challenge = found["challenge"]
    seconds, apart = challenge["seconds"], challenge["difference"]
    bars.append(Bar("map, colour challenge after compilation", min(seconds), 0.3, "s", seconds))
    bars.append(Bar("map, colour challenge, from the naive formula", apart, 1e-3, "", [apart]))
    bars.append(_ratio("map, predict 10M x 8, of the training pass", found["predict"], 1.5))
    bars.append(_ratio("map, a tenth missing, of complete samples", found["missing"], 3.0))
    grown = list(found["memory"].values())
    bars.append(
        Bar("map, memory beyond the samples, worst of A, B, C", max(grown), MB, "MB", grown)
    )
    gains = found["threads"]["gains"]
    products = max(gains.pop("product"))
    bars += [
        Bar(
            f"map {shape}: gain of two threads, of two products'",
            max(g) / products,
            0.9,
            "",
            g,
            True,
        )
        for shape, g in gains.items()
    ]
    return bars


def _batch(shape: str, found: dict[str, Any]) -> Bar:
    """Compare epochs with the fastest peer, best round against best round."""
    best = {name: min(values) for name, values in found["seconds"].items()}
    ours = best.pop("modemap")
    name = min(best, key=lambda peer: best[peer])
    work = f"map {shape}: epoch in {ours:.3f} s, {name} in {best[name]:.3f} s"
    turns = [
        other / one
        for one, other in zip(found["seconds"]["modemap"], found["seconds"][name], strict=False)
    ]
    return Bar(work, best[name] / ours, LEADS[shape], "times", turns, is_least=True)


def _quality(shape: str, quality: dict[str, dict[str, float]]) -> Bar:
    """Compare the quantization error with XPySom's, whose schedule is ours in every epoch."""
    ours, theirs = (quality[name]["quantization_error"] for name in ("modemap", "XPySom"))
    work = f"map {shape}: quantization error, of XPySom's on the same schedule"
    return Bar(work, ours / theirs, 1.01, "x", [ours, theirs])


def _online(found: dict[str, Any]) -> Bar:
    turns = [other / one for one, other in zip(found["modemap"], found["MiniSom"], strict=True)]
    errors = found["quantization_error"]
    work = f"map, online, MiniSom (errors {errors['modemap']:.4f}, {errors['MiniSom']:.4f})"
    ratio = min(found["MiniSom"]) / min(found["modemap"])
    return Bar(work, ratio, ONLINE_LEAD, "times", turns, is_least=True)


def _ratio(work: str, found: dict[str, list[float]], limit: float) -> Bar:
    base, other = found.values()
    turns = [b / a for a, b in zip(base, other, strict=True)]
    return Bar(work, min(other) / min(base), limit, "x", turns)


def _run_worker() -> dict[str, Any]:
    one_thread = {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1", "PYTHONPATH": "src"}
    one_thread["TQDM_DISABLE"] = "1"
    done = subprocess.run(
        [python_with("som"), "-m", "benchmarks.som_worker"],
        env=os.environ | one_thread,
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found
