"""What a drift check of ten million rows costs beside reading them."""

import tempfile
import time
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from benchmarks.bars import Bar
from modemap.data.sources import source_pieces
from modemap.lifecycle.monitor.observe import Wanted, observe
from modemap.monitoring.check import check
from modemap.monitoring.keeping import load_reference, save_reference
from modemap.monitoring.profile import Reference

__all__ = ["measure"]

ROUNDS = 5
N_BATCH, N_WIDE, CHUNK = 10_000_000, 20, 1_000_000


def measure() -> list[Bar]:
    """Measure the bar."""
    return [_speed_bar()]


def _speed_bar() -> Bar:
    with tempfile.TemporaryDirectory() as folder:
        batch, kept = Path(folder, "batch.parquet"), Path(folder, "reference.npz")
        _write_batch(batch)
        names = [f"x{j}" for j in range(N_WIDE)]
        first = pa.Table.from_batches(pq.ParquetFile(batch).iter_batches(CHUNK))
        save_reference(kept, Reference.of(observe([first.slice(0, CHUNK)], Wanted(names))))
        del first
        ratios = []
        for _ in range(ROUNDS):
            started = time.perf_counter()
            for _, _table in source_pieces(str(batch)):
                pass
            read = time.perf_counter()
            seen = observe((table for _, table in source_pieces(str(batch))), Wanted(names))
            check(load_reference(kept), seen)
            ratios.append((time.perf_counter() - read) / (read - started))
    work = "drift of 10M rows of 20 columns beside a stored reference"
    return Bar(work, float(np.median(ratios)), 1.5, "x reading", ratios)


def _write_batch(path: Path) -> None:
    """Write ten columns of decimals, as prices and minutes are, and ten of many digits."""
    rng = np.random.default_rng(0)
    draws = (
        rng.standard_normal,
        lambda n: np.round(rng.gamma(2, 20, n), 2),
        lambda n: np.exp(rng.standard_normal(n)),
        lambda n: rng.integers(0, 1440, n).astype(float),
    )
    writer = None
    for _ in range(N_BATCH // CHUNK):
        table = pa.table({f"x{j}": draws[j % 4](CHUNK) for j in range(N_WIDE)})
        writer = writer or pq.ParquetWriter(path, table.schema)
        writer.write_table(table)
    if writer is not None:
        writer.close()
