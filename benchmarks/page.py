"""docs/benchmarks.md, made from the results and from the notes on bars that do not hold."""

import json
from pathlib import Path
from typing import Any

__all__ = ["write_page"]

NOTES = Path(__file__).parent / "notes"
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
        note = NOTES / f"{document['suite']}.md"
        if note.exists():
            parts.append("\n" + note.read_text())
    page.write_text("".join(parts))


def _row(bar: dict[str, Any]) -> str:
    holds = "yes" if bar["holds"] else "**no**"
    repetitions = ", ".join(f"{value:.3g}" for value in bar["repetitions"])
    limit = f"{bar.get('sign', '≤')} {bar['limit']:.4g} {bar['unit']}"
    measured = f"{bar['value']:.4g} {bar['unit']} | {limit}"
    return f"| {bar['work']} | {measured} | {holds} | {repetitions} |\n"
