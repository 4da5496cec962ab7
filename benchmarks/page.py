"""docs/benchmarks.md, made from the results and from nothing else."""

import json
from pathlib import Path

__all__ = ["write_page"]

HEAD = """# Benchmarks

Made by `make bench` from `benchmarks/results`; run it to get the figures of your own machine.
"""


def write_page(results: Path, page: Path) -> None:
    """Write ``page`` with one table for each file in ``results``."""
    parts = [HEAD]
    for path in sorted(results.glob("*.json")):
        document = json.loads(path.read_text())
        on = document["machine"]
        parts.append(
            f"\n## {document['suite']}\n\n{on['cpu']}, {on['cores']} cores, "
            f"{on['memory_gib']} GiB, Python {on['python']}, commit `{document['commit'][:12]}`.\n\n"
            "| work | measured | bar | holds | every repetition |\n|---|---|---|---|---|\n"
        )
        for bar in document["bars"]:
            repetitions = ", ".join(f"{value:.2f}" for value in bar["repetitions"])
            parts.append(
                f"| {bar['work']} | {bar['value']:.2f} {bar['unit']} "
                f"| ≤ {bar['limit']:g} {bar['unit']} | {'yes' if bar['holds'] else '**no**'} | {repetitions} |\n"
            )
    page.write_text("".join(parts))
