"""What a person reads at the end of a run: the champion, its numbers, what to do next."""

import subprocess
from pathlib import Path

from modemap.lifecycle.status import Champion

__all__ = ["closing_lines", "metrics_table"]

MAIN_METRICS = ("quantization_error", "topographic_error", "stability", "log_likelihood")
NEXT = (
    ("make ui", "look at the runs in Prefect and MLflow"),
    ("modemap status", "the champion, now or later"),
    ("dvc plots show", "the pictures of the training"),
    ("dvc exp run -S train_som.n_rows=12", "try another map; nothing is promoted"),
    ("dvc metrics diff", "compare what changed with the last commit"),
)


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
    lines = [
        "",
        f"champion  {champion.model} version {champion.version}, digest {champion.digest[:16]}",
        f"metrics   {numbers}",
        "rows      reports/scores.parquet: unit, segment, anomaly percentile, modes by key",
        "release   models/release",
        "next      (after: source .venv/bin/activate)",
        *(f"  {command:<36} {what}" for command, what in NEXT),
    ]
    return lines + other_processor_lines(root)


def other_processor_lines(root: Path) -> list[str]:
    """Return one line if dvc.lock differs from the commit's though code and params do not."""
    changed = _changed(root)
    if changed and changed <= {"dvc.lock", *(f"reports/{p.name}" for p in root.glob("reports/*"))}:
        return [
            "note      dvc.lock and metrics differ from the commit's in their last digits: "
            "this processor rounds otherwise"
        ]
    return []


def _changed(root: Path) -> set[str]:
    """Return the files that git calls changed; empty where git cannot answer."""
    answer = subprocess.run(
        ["git", "status", "--porcelain", "--untracked-files=no"],
        cwd=root,
        capture_output=True,
        text=True,
        check=False,
    )
    return {line[3:] for line in answer.stdout.splitlines()}
