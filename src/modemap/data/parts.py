"""Finished tables of an output, kept beside it: a killed run goes on where it stopped."""

import glob
import hashlib
import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from typing import Protocol

import pyarrow as pa
from pyarrow import feather

from modemap.errors import ModemapError
from modemap.files import staged_file

__all__ = ["Parts", "keeping_parts"]

SUFFIX = ".resume"

Work = Callable[[pa.Table, int], pa.Table]


class Pieces(Protocol):
    """Tables that can be read again, from any number on."""

    def batches(self, first: int = 0) -> Iterator[pa.Table]:
        """Yield the tables from number ``first`` on."""


class Parts:
    """Tables of an output so far, numbered, each written whole or not at all."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def tables(self, source: Pieces, work: Work) -> Iterator[pa.Table]:
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
def keeping_parts(output: Path, identity: Sequence[object]) -> Iterator[Parts]:
    """Yield the parts of ``output`` that a run of the same ``identity`` left, if any.

    They are removed when the block succeeds or fails, and stay when the process is killed or
    interrupted. Another identity, which says what they were made from, begins anew, and so does
    another version of this package.
    """
    text = repr([*identity, version("modemap")])
    name = hashlib.sha256(text.encode()).hexdigest()[:16]
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
