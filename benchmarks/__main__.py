"""`python -m benchmarks [SUITE …]`: measure, print, write; exit 1 when a bar does not hold.

The suites that are not in ``SUITES`` run only where named.
"""

import importlib
import sys
from pathlib import Path

from benchmarks.bars import RESULTS, print_bars, write_results
from benchmarks.page import write_page

SUITES = ("som", "mixture", "workflow")


def main(names: list[str]) -> int:
    """Run the suites of ``names``, all by default."""
    missed = 0
    for name in names or SUITES:
        print(f"{name}:")
        bars = importlib.import_module(f"benchmarks.{name}").measure()
        print_bars(bars)
        print(f"  written to {write_results(name, bars)}")
        missed += sum(not bar.holds for bar in bars)
    write_page(RESULTS, Path("docs/benchmarks.md"))
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
