"""What a person reads at the end of a run: the champion, its numbers, what to do next."""

import subprocess
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from modemap.lifecycle.status import Champion
from modemap.reporting.next_steps import NEXT_STEPS

__all__ = ["closing_lines", "metrics_table"]

MAIN_METRICS = ("quantization_error", "topographic_error", "stability", "log_likelihood")


def metrics_table(champion: Champion) -> str:
    """Return the champion's metrics as Markdown, with where to find the rest."""
    rows = [f"| {name} | {value:.6g} |" for name, value in champion.metrics.items()]
    head = f"**{champion.model} version {champion.version}**, digest `{champion.digest}`"
    where = (
        "Rows with scores: `reports/scores.parquet`. Release: `models/release`. Runs: `make ui`."
    )
    return "\n".join([head, "", "| metric on test rows | value |", "|---|---|", *rows, "", where])


def closing_lines(root: Path, champion: Champion) -> list[str]:
    """Return the lines that end a run on a terminal."""
    numbers = ", ".join(
        f"{name} {champion.metrics[name]:.4g}" for name in MAIN_METRICS if name in champion.metrics
    )
    after = " (after: source .venv/bin/activate)" if (root / ".venv").is_dir() else ""
    lines = [
        "",
        f"champion  {champion.model} version {champion.version}, digest {champion.digest[:16]}",
        f"metrics   {numbers}",
        "report    reports/index.html",
        "rows      reports/scores.parquet: unit, segment, anomaly percentile, modes by key",
        "release   models/release",
        f"next     {after}".rstrip(),
        *(f"  {command:<36} {what}" for command, what in NEXT_STEPS),
    ]
    return lines + other_processor_lines(root)


def other_processor_lines(root: Path) -> list[str]:
    """Return one line if the committed code, params and data gave other bytes on this processor."""
    committed = _committed_lock(root)
    lock = root / "dvc.lock"
    if not committed or not lock.is_file() or lock.read_bytes() == committed:
        return []
    if _inputs(lock.read_bytes()) != _inputs(committed):
        return []
    said = "this processor rounds otherwise than the one that made the commit's dvc.lock"
    return [f"note      {said}: it and the metrics differ in their last digits"]


def _committed_lock(root: Path) -> bytes:
    command = ["git", "show", "HEAD:./dvc.lock"]
    try:
        return subprocess.run(command, cwd=root, capture_output=True, check=False).stdout
    except FileNotFoundError:  # a container has no git
        return b""


def _inputs(lock: bytes) -> dict[str, Any]:
    """Return what the stages of a lock ran on, without what stages made."""
    stages = YAML(typ="safe").load(lock)["stages"]
    made = {output["path"] for stage in stages.values() for output in stage.get("outs", ())}
    return {
        name: (
            stage["cmd"],
            stage.get("params"),
            [dep for dep in stage.get("deps", ()) if dep["path"] not in made],
        )
        for name, stage in stages.items()
    }
