"""Score every row of a source by a registered version, piece by piece, into a Parquet file."""

import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain, islice
from pathlib import Path

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from modemap.data.outputs import check_spares
from modemap.data.parts import keeping_parts
from modemap.data.sources import source_files, source_identity, source_of, source_pieces
from modemap.data.streams import Watch, unwatched, writing
from modemap.errors import DataError, RegistryError
from modemap.lifecycle.candidate import Promoted
from modemap.lifecycle.given import given_by_hand
from modemap.lifecycle.history import History
from modemap.lifecycle.taking import Taking, refuse_column
from modemap.params import load_params
from modemap.release import Release, load_release, unit_positions
from modemap.tracking.registry import Registry
from modemap.tracking.store import open_store

__all__ = ["Scored", "score"]

REASON = "not_scored"  # column of the rule that a row without scores breaks


@dataclass(frozen=True)
class Scored:
    """What was written."""

    n_rows: int
    n_without: int  # rows that could not be scored
    version: int
    digest: str


@given_by_hand()
def score(
    root: Path,
    source: str,
    output: Path,
    *,
    number: int | None = None,
    key: Sequence[str] = (),
    watch: Watch = unwatched,
) -> Scored:
    """Write what version ``number``, by default the champion, says of each row of ``source``.

    Rows keep their order. Each has its key columns, then unit, segment, place on the map, distance,
    anomaly percentile, log-likelihood and the mode of every measured value. A row that training
    would not have taken has none of these, and says why in ``not_scored``. The file appears whole;
    a run that was killed is gone on with.

    Parameters
    ----------
    root : Path
        The project.
    source : str
        A file, a folder, a glob, or whatever else ``ingest.source`` may name; of the packaged
        flights the months that params.yaml names.
    output : Path
        The Parquet file to write; its schema names model, version and digest. No file of the
        source; its folder is made.
    number : int, optional
        A version.
    key : sequence of str, optional
        Columns to carry along; by default the project's key, or all columns where the source lacks
        it.
    watch : callable, optional
        Sees pieces go by.

    Raises
    ------
    DataError
        If the source cannot be read, or lacks a column or a kind of value that training took. If
        no row can be scored; then the file is written, and says why of each.
    ParamsError
        If ``output`` is a file of the source, or months are wanted and params.yaml names none.
    RegistryError, ReleaseError
        If there is no such version, or it is damaged.
    """
    _check_suffix(output)
    source = source_of(source)
    check_spares(output, source_files(source), "modemap score")
    params = load_params(root / "params.yaml")
    months = params.ingest.months
    registry = Registry(open_store(root, params.project))
    version = _version(registry, number)
    with tempfile.TemporaryDirectory(prefix="modemap-score-") as folder:
        release = load_release(version.release(Path(folder)), version.digest)
    scorer = _Scorer(release, source, key)
    remarks = {"model": registry.model, "version": str(version.number), "digest": version.digest}
    identity = [version.digest, list(key), list(months), *source_identity(source)]
    n_rows = n_without = 0
    with keeping_parts(output, identity) as parts:
        pieces = _Pieces(source, months, watch)
        tables = parts.tables(pieces, lambda table, _: scorer.scored(table))
        first = next(tables)
        schema = first.schema.with_metadata({f"modemap.{k}": v for k, v in remarks.items()})
        with writing(output, schema, None) as write:
            for table in chain([first], tables):
                write(table.cast(schema))
                n_rows += len(table)
                n_without += len(table) - table[REASON].null_count
    if n_without == n_rows:
        rule, found = "must hold a row that training would have taken", f"none of {n_rows}"
        raise DataError(source, rule, found=found, hint=f"{output} says why, in `{REASON}`")
    return Scored(n_rows, n_without, version.number, version.digest)


class _Scorer:
    """Scores of a table as a table."""

    def __init__(self, release: Release, source: str, key: Sequence[str]) -> None:
        self.release, self.source = release, source
        self.taking = Taking(release, source, key)
        self.positions = unit_positions(release.som)

    def scored(self, table: pa.Table) -> pa.Table:
        """Return the key columns of ``table`` and its scores."""
        keys, X, reasons = self.taking.taken(table)
        is_fine = np.array([reason is None for reason in reasons])
        answers = self._answers(X[is_fine])
        columns = {name: _spread(values, is_fine) for name, values in answers.items()}
        columns[REASON] = pa.array(reasons, pa.string())
        both = sorted(set(keys.column_names) & set(columns))
        if both:
            rule = "no key column may have the name of an answer"
            refuse_column(
                self.source, rule, both[0], found="it has", hint="rename it, or name other keys"
            )
        return pa.table({**dict(zip(keys.column_names, keys.columns, strict=True)), **columns})

    def _answers(self, X: NDArray[np.float64]) -> dict[str, NDArray[np.generic]]:
        if not len(X):  # no row, but columns of the right types
            center = self.release.preparation.center_[np.newaxis]
            return {name: values[:0] for name, values in self._answers(center).items()}
        scores = self.release.score(X)
        row, column = self.positions[scores.units].T
        modes = zip(self.release.measured_columns, self.release.modes(X).T, strict=True)
        return {
            "unit": scores.units,
            "segment": scores.segments,
            "map_row": row,
            "map_column": column,
            "map_distance": scores.distances,
            "anomaly_percentile": scores.anomaly_percentile,
            "log_likelihood": scores.log_likelihood,
            **{f"{name}_mode": values for name, values in modes},
        }


class _Pieces:
    """The pieces of a source, from any number on."""

    def __init__(self, source: str, months: Sequence[int], watch: Watch) -> None:
        self.source, self.months, self.watch = source, months, watch

    def batches(self, first: int = 0) -> Iterator[pa.Table]:
        """Yield the pieces from number ``first`` on."""
        pieces = source_pieces(self.source, self.months)
        tables = (table for _, table in islice(pieces, first, None))
        yield from self.watch(tables, "scoring", None)


def _version(registry: Registry, number: int | None) -> Promoted:
    if number is not None:
        version = registry.get(number)
        return Promoted(registry, version.number, version.digest)
    promoted = Promoted.of(registry, History(registry).head())
    if promoted is None:
        raise RegistryError(
            f"registered model {registry.model}",
            "a champion must be there to score by",
            found="none was promoted yet",
            hint="run `modemap run`, or name a version: --version",
        )
    return promoted


def _spread(values: NDArray[np.generic], is_fine: NDArray[np.bool_]) -> pa.Array:
    """Return ``values`` at the rows that are fine, null elsewhere."""
    if is_fine.all():
        return pa.array(np.ascontiguousarray(values))
    spread = np.zeros(len(is_fine), values.dtype)
    spread[is_fine] = values
    return pa.array(spread, mask=~is_fine)


def _check_suffix(output: Path) -> None:
    if output.suffix != ".parquet":
        found, hint = output.suffix or "no suffix", "scores are Parquet"
        raise DataError(output, "must end in .parquet", found=found, hint=hint)
