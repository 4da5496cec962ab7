"""Train a map with little more memory than the process has taken when it starts to."""

import resource
import sys
from pathlib import Path

import numpy as np

from modemap.data.matrix import prepared_batches
from modemap.params import TrainSomParams
from modemap.stages.train_som import train_som

MORE = 144 << 20
COLUMNS = [f"x{j}" for j in range(8)]


def main(small: Path, large: Path) -> None:
    """Train on ``small`` to load all code; then on ``large`` with the limit, and read it whole."""
    params = TrainSomParams(
        n_rows=3, n_columns=3, max_iter=1, radius=(1.0, 1.0), n_segments=2, random_state=0
    )
    for prepared in small, large:
        if prepared is large:
            status = Path("/proc/self/status").read_text(encoding="ascii")
            taken = int(status.partition("VmData:")[2].split()[0]) << 10
            resource.setrlimit(resource.RLIMIT_DATA, (taken + MORE, taken + MORE))
        train_som(prepared, prepared / "som", prepared / "som.json", prepared / "plots", params)
    try:
        np.concatenate(
            list(prepared_batches(large, "train", [f"x{j}" for j in range(8)]).batches())
        )
    except MemoryError:
        sys.stdout.write("trained; a whole table does not fit\n")


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:]))
