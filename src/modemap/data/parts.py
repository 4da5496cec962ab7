"""Finished tables of an output, kept beside it: a killed run goes on where it stopped."""

import glob
import hashlib
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path

import pyarrow as pa
from pyarrow import feather

from modemap.data.streams import Tables
from modemap.errors import ModemapError
from modemap.files import sha256_file, staged_file

__all__ = ["Parts", "keeping_parts"]

SUFFIX = ".resume"

Work = Callable[[pa.Table, int], pa.Table]


class Parts:
    """Tables of an output so far, numbered, each written whole or not at all."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def tables(self, source: Tables, work: Work) -> Iterator[pa.Table]:
        """Yield ``work(table, first_row)`` of each table of ``source``: kept ones from the disk."""
        number = first_row = 0
        while (path := self._path(number)).exists():
            table = feather.read_table(path)
            yield table
            number, first_row = number + 1, first_row + len(table)
        for given in source.batches(number):
            table = work(given, first_row)
            with staged_file(self._path(number)) as temporary:
                feather.write_feather(table, temporary, compression="lz4")
            yield table
            number, first_row = number + 1, first_row + len(table)

    def _path(self, number: int) -> Path:
        return self._folder / f"{number:06}.arrow"


@contextmanager
def keeping_parts(output: Path, source: Path, model: Path) -> Iterator[Parts]:
    """Yield the parts of ``output`` that a run on the same source and model left, if any.

    They are removed when the block succeeds or fails, and stay when the process is killed or
    interrupted. A source that was written anew, another model or another version begin anew.
    """
    found = source.stat()
    identity = (
        str(source.resolve()), found.st_size, found.st_mtime_ns,
        sha256_file(model), version("modemap"),
    )  # fmt: skip
    name = hashlib.sha256(repr(identity).encode()).hexdigest()[:16]
    folder = output.parent / f".{output.name}.{name}{SUFFIX}"
    for other in output.parent.glob(f".{glob.escape(output.name)}.*{SUFFIX}"):
        if other != folder:
            shutil.rmtree(other, ignore_errors=True)
    try:
        yield Parts(folder)
    except (ModemapError, ValueError, OSError):
        shutil.rmtree(folder, ignore_errors=True)
        raise
    shutil.rmtree(folder, ignore_errors=True)
