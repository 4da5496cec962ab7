"""Bring the source's rows into data/raw: typed Parquet batches, named by their content."""

from pathlib import Path

from modemap.data.batches import write_batches
from modemap.data.sources import source_tables
from modemap.data.watch import check_watched
from modemap.files import write_json
from modemap.params import IngestParams, Params
from modemap.stages.entry import run_stage
from modemap.stages.progress import track

__all__ = ["ingest"]


def ingest(raw: Path, report: Path, params: IngestParams) -> dict[str, object]:
    """Write the batches of ``params.source`` to ``raw`` and their numbers to ``report``."""
    tables = track(source_tables(params.source, params.months), "reading the source")
    manifest = write_batches(raw, tables, params.exclude)
    numbers: dict[str, object] = {
        "rows": manifest.rows,
        "batches": len(manifest.batches),
        "excluded": len(manifest.excluded),
    }
    write_json(report, numbers)
    return numbers


def _stage(params: Params) -> dict[str, object]:
    check_watched(params.ingest.source, Path("dvc.yaml"))
    return ingest(raw=Path("data/raw"), report=Path("reports/ingest.json"), params=params.ingest)


if __name__ == "__main__":
    run_stage("ingest", _stage)
