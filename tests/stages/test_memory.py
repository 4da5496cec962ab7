"""Memory is that of blocks, not of tables."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from modemap.estimators import Preparation

COLUMNS = [f"x{j}" for j in range(8)]
N_TIMES = 10


@pytest.mark.slow
def test_a_map_is_trained_on_a_table_several_times_the_memory(tmp_path):
    """320 MiB of rows under a limit of 144 MiB more than the start takes."""
    X = np.random.default_rng(0).normal(size=(1 << 19, len(COLUMNS)))
    few = pa.table(dict(zip(COLUMNS, X[: 1 << 12].T.copy(), strict=True)))
    many = pa.table(dict(zip(COLUMNS, X.T.copy(), strict=True)))
    preparation = Preparation(COLUMNS, dict.fromkeys(COLUMNS, "drop")).fit(X[: 1 << 12])
    for name, table, n_times in (("small", few, 1), ("large", many, N_TIMES)):
        folder = tmp_path / name
        folder.mkdir()
        preparation.save(folder / "preparation.npz")
        for split in ("train", "validation"):
            (folder / split).mkdir()
        pq.write_table(few, folder / "validation" / "rows.parquet")
        with pq.ParquetWriter(folder / "train" / "rows.parquet", table.schema) as writer:
            for _ in range(n_times):
                writer.write_table(table, row_group_size=1 << 17)

    command = [sys.executable, "-m", "tests.stages.limited", tmp_path / "small", tmp_path / "large"]
    done = subprocess.run(
        command, cwd=Path(__file__).parents[2], capture_output=True, text=True, check=False
    )

    assert done.returncode == 0, done.stderr
    assert done.stdout == "trained; a whole table does not fit\n"
