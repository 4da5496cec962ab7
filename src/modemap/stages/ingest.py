"""Bring the source's rows into data/raw: typed Parquet batches, named by their content."""

from pathlib import Path

from modemap.data.batches import write_batches
from modemap.data.ingested import Ingested
from modemap.data.kept import Kept
from modemap.data.sources import source_pieces
from modemap.data.watch import check_watched
from modemap.files import write_json
from modemap.params import IngestParams, Params
from modemap.stages.entry import run_stage
from modemap.stages.progress import track

__all__ = ["ingest"]

KEPT = Path(".modemap/kept/ingest")


def ingest(
    raw: Path, report: Path, params: IngestParams, kept: Kept | None = None
) -> dict[str, object]:
    """Write the batches of ``params.source`` to ``raw`` and their numbers to ``report``.

    Files whose batches stand in ``raw`` already, by what is found in ``kept``, are not read again.
    """
    exclude, rows = params.exclude, params.partition_rows
    known = None if kept is None else Ingested(raw, kept, exclude, rows)
    pieces = track(source_pieces(params.source, params.months, known), "reading the source")
    manifest = write_batches(raw, pieces, exclude, rows, known)
    numbers: dict[str, object] = {
        "rows": manifest.rows,
        "batches": len(manifest.batches),
        "excluded": len(manifest.excluded),
    }
    write_json(report, numbers)
    return numbers


def _stage(params: Params) -> dict[str, object]:
    check_watched(params.ingest.source, Path("dvc.yaml"))
    with Kept(KEPT).pruned() as kept:
        return ingest(Path("data/raw"), Path("reports/ingest.json"), params.ingest, kept)


if __name__ == "__main__":
    run_stage("ingest", _stage)
