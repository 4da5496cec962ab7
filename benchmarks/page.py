"""docs/benchmarks.md, made from the results and from nothing else."""

import json
from pathlib import Path
from typing import Any

__all__ = ["write_page"]

HEAD = """# Benchmarks

Made by `make bench` from `benchmarks/results`; run it to get the figures of your own machine.
"""


def write_page(results: Path, page: Path) -> None:
    """Write ``page`` with one table for each file in ``results``."""
    parts = [HEAD]
    for path in sorted(results.glob("*.json")):
        document = json.loads(path.read_text())
        on, commit = document["machine"], document["commit"][:12]
        memory = f"{on['cores']} cores, {on['memory_gib']} GiB"
        parts.append(f"\n## {document['suite']}\n\n{on['cpu']}, {memory}, ")
        parts.append(f"Python {on['python']}, commit `{commit}`.\n\n")
        parts.append(
            "| work | measured | bar | holds | every repetition |\n|---|---|---|---|---|\n"
        )
        parts.extend(map(_row, document["bars"]))
    page.write_text("".join(parts))


def _row(bar: dict[str, Any]) -> str:
    holds = "yes" if bar["holds"] else "**no**"
    repetitions = ", ".join(f"{value:.2f}" for value in bar["repetitions"])
    measured = f"{bar['value']:.2f} {bar['unit']} | ≤ {bar['limit']:g} {bar['unit']}"
    return f"| {bar['work']} | {measured} | {holds} | {repetitions} |\n"
