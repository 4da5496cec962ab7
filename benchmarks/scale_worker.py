"""Run one stage of the benchmark `scale`: STAGE FOLDER; print its seconds and peak memory."""

import json
import sys
import time
from collections.abc import Callable
from pathlib import Path

import great_expectations.expectations  # noqa: F401  # its import is no part of a stage's seconds
import pandas  # noqa: F401

from benchmarks.scale import COLUMNS
from modemap.data.kept import Kept
from modemap.params import IngestParams, PrepareParams, ValidateParams
from modemap.stages.ingest import ingest
from modemap.stages.prepare import prepare
from modemap.stages.validate import validate
from modemap.usage import peak_memory_mib

CONTRACT = f"""\
key: [id]
expectations:
  - {{type: expect_table_row_count_to_be_between, kwargs: {{min_value: 1}}}}
  - type: expect_table_columns_to_match_set
    kwargs: {{column_set: [id, {", ".join(COLUMNS)}], exact_match: true}}
  - {{type: expect_column_values_to_be_unique, kwargs: {{column: id}}, over: all}}
"""
OF_COLUMN = """\
  - {{type: expect_column_values_to_not_be_null, kwargs: {{column: {name}}}}}
  - {{type: expect_column_values_to_be_of_type, kwargs: {{column: {name}, type_: float64}}}}
  - type: expect_column_values_to_be_between
    kwargs: {{column: {name}, min_value: -1.0e+9, max_value: 1.0e+9}}
"""


def main(stage: str, folder: Path) -> None:
    """Run ``stage`` as DVC would, with what was kept of earlier runs."""
    run = _stage(stage, folder)
    started = time.perf_counter()
    with Kept(folder / "kept" / stage).pruned() as kept:
        run(kept)
    seconds = time.perf_counter() - started
    print(json.dumps({"seconds": round(seconds, 3), "peak_mib": round(peak_memory_mib())}))


def _stage(stage: str, folder: Path) -> Callable[[Kept], object]:
    raw, report = folder / "raw", folder / f"{stage}.json"
    if stage == "ingest":
        source = IngestParams(source=f"{folder}/in/*.parquet")
        return lambda kept: ingest(raw, report, source, kept)
    if stage == "validate":
        suite = folder / "suite.yaml"
        suite.write_text(CONTRACT + "".join(OF_COLUMN.format(name=name) for name in COLUMNS))
        rules = ValidateParams(suite=str(suite))
        return lambda kept: validate(raw, report, folder / "rejected", rules, kept=kept)
    split = PrepareParams(
        key=("id",),
        columns=dict.fromkeys(COLUMNS, "error"),
        validation_share=0.15,
        test_share=0.15,
    )
    return lambda kept: prepare(raw, folder / "prepared", report, split, kept=kept)


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
