"""Split the rows, decide what becomes of missing values, learn the scale from training rows."""

import tempfile
from collections.abc import Iterable, Sequence
from pathlib import Path

import pyarrow.parquet as pq

from modemap.data.batches import Batch, batch_file, read_manifest
from modemap.data.derived import derived_names, zone_of
from modemap.data.kept import Kept, keeping
from modemap.data.matrix import prepared_batches
from modemap.data.memory import Memory, memory_of
from modemap.data.prepared import (
    PREPARATION,
    PreparedBefore,
    fill_file,
    part_table,
    prepared_name,
    writing_splits,
)
from modemap.data.selection import Selection
from modemap.data.split import SHARES, SPLITS, assign_splits
from modemap.data.summary import Summary
from modemap.errors import DataError, ParamsError
from modemap.estimators.alongside import alongside
from modemap.estimators.checks import SMALLEST
from modemap.estimators.preparation import Preparation
from modemap.files import staged_directory, write_json
from modemap.params import Params, PrepareParams
from modemap.refusals import bytes_in, telling_room
from modemap.stages.entry import run_stage
from modemap.stages.progress import track

__all__ = ["prepare"]

KEPT = Path(".modemap/kept/prepare")
MIN_TRAINING_ROWS = 10


def prepare(
    raw: Path,
    prepared: Path,
    report: Path,
    params: PrepareParams,
    *,
    kept: Kept | None = None,
    memory: Memory | None = None,
) -> dict[str, object]:
    """Write the three parts of the rows in ``raw`` and the fitted preparation to ``prepared``.

    Each part is a folder with a file for each batch. It holds the key columns as they came, then
    the model columns in their own units, without missing values, then the label. Nothing is learned
    from validation and test rows, nor from labels. A piece of each of a few batches is in memory
    at a time, and batches whose files stand in ``prepared`` already, by what is found in ``kept``,
    are not read.

    Raises
    ------
    DataError
        If a column cannot be used or a part would be empty.
    ParamsError
        If a column is both key and model column.
    """
    _check_names(params)
    memory = memory or memory_of()
    with keeping(kept) as store, staged_directory(prepared) as staged:
        settings = params.model_dump(mode="json", exclude={"decorrelate"})  # rows are as they are
        before = PreparedBefore(prepared, store, settings)
        preparation, total = _write(_Splitting(raw, params, memory), staged, before)
        if params.decorrelate != "none":
            train = prepared_batches(staged, "train", preparation.columns)
            preparation.fit_directions(train.batches())
        preparation.save(staged / PREPARATION)
        shares = total.shares(list(params.columns)) | _zones(raw, params.times)
        write_json(staged / SHARES, shares)
    n_rows = dict(zip(SPLITS, total.rows.tolist(), strict=True))
    write_json(report, {"rows": n_rows, **_losses(total, params)})
    return {**n_rows, "dropped": total.dropped}


def _write(
    splitting: "_Splitting", staged: Path, before: PreparedBefore
) -> tuple[Preparation, Summary]:
    """Write the files of all batches; return what was learned of them."""
    preparation, n_threads = splitting.preparation, splitting.n_threads
    batches = read_manifest(splitting.raw).batches

    def split(numbered: tuple[int, Batch]) -> tuple[str, Batch, bool] | None:
        """Bring the rows of a batch to their files; return it if it has values to fill."""
        number, batch = numbered
        name, has_missing = prepared_name(number, batch), before.has_missing(batch)
        is_new = has_missing is None
        if not is_new:  # what is known of it holds for its bytes alone
            batch_file(splitting.raw, batch, before.seen.sha256)
        if has_missing is False:
            is_new = not before.bring(batch, None, staged, name)
        if is_new:
            summary = splitting.write(batch, staged, name)
            before.keep_summary(batch, summary)
            has_missing = bool(summary.filled.any())
        if has_missing:
            return name, batch, is_new
        if is_new:
            before.keep_files(batch, None, staged, name)
        return None

    watched = track(enumerate(batches), "preparing batches", len(batches))
    missing = [found for found in alongside(split, watched, n_threads) if found is not None]
    total = before.total(batches) or splitting.summary(batches)
    _check_values(splitting.raw, total, splitting.params)
    _check_rows(splitting.raw, total)
    preparation.fit_sketches(total.sketches)
    values = preparation.fill_.tolist()

    def fill(found: tuple[str, Batch, bool]) -> None:
        """Put values in place of the missing ones of a batch."""
        name, batch, is_new = found
        if not is_new and before.bring(batch, values, staged, name):
            return
        if not is_new:
            splitting.write(batch, staged, name)
        for side in SPLITS:
            fill_file(staged / side / name, dict(zip(preparation.columns, values, strict=True)))
        before.keep_files(batch, values, staged, name)

    list(alongside(fill, missing, n_threads))
    return preparation, total


class _Splitting:
    """How the rows of any batch are told apart."""

    def __init__(self, raw: Path, params: PrepareParams, memory: Memory) -> None:
        self.raw, self.params, self.n_threads = raw, params, memory.n_threads
        self._selection = Selection(
            params.key,
            params.columns,
            params.categories,
            params.times,
            params.label,
            memory.shared(),
        )
        derived = self._selection.derived
        policies = {**params.columns, **dict.fromkeys(derived, "error")}
        self.preparation = Preparation(
            list(policies), policies, derived or None, params.decorrelate
        )

    def summary(self, batches: Sequence[Batch]) -> Summary:
        """Return what there is to learn of ``batches``, where nothing kept is to be trusted."""
        total = Summary.empty(len(self.preparation.columns))
        with (
            tempfile.TemporaryDirectory(prefix="modemap-prepare-") as folder,
            telling_room(Path(folder), lambda: bytes_in(Path(folder))),
        ):
            for batch in batches:
                total = total.merge(self.write(batch, Path(folder), batch.file_name))
        return total

    def write(self, batch: Batch, folder: Path, name: str) -> Summary:
        """Write the rows of ``batch`` to each split's file ``name``; what is missing is NaN."""
        columns, params = self.preparation.columns, self.params
        summary = Summary.empty(len(columns))
        with writing_splits(folder, name) as append:
            for rows in self._selection.rows(self.raw, batch):
                sides = assign_splits(rows.hashes, params.validation_share, params.test_share)
                kept = self.preparation.kept(rows.X)
                summary = summary.add(rows.X, kept, sides, rows.levels)
                table = part_table(rows, columns)
                for i, split in enumerate(SPLITS):
                    append(split, table.filter(kept & (sides == i)))
        return summary


def _zones(raw: Path, times: Iterable[str]) -> dict[str, object]:
    """Return the zones of the columns ``times`` that have one, nothing where none has."""
    batches = read_manifest(raw).batches
    schema = pq.read_schema(raw / batches[0].file_name)  # all have the same
    kinds = {name: schema.field(name).type for name in times}
    zones = {name: zone_of(kind) for name, kind in kinds.items() if zone_of(kind) is not None}
    return {"zones": zones} if zones else {}


def _losses(total: Summary, params: PrepareParams) -> dict[str, object]:
    """Count the rows that were dropped, for each column that drops, and the values filled."""
    named = list(zip(params.columns.items(), total.missing, total.filled, strict=False))
    return {
        "dropped_rows": total.dropped,
        "dropped": {name: int(n) for (name, policy), n, _ in named if policy == "drop"},
        "filled": {name: int(n) for (name, policy), _, n in named if policy == "median"},
    }


def _check_names(params: PrepareParams) -> None:
    both = [name for name in (*params.columns, *_labels(params)) if name in params.key]
    if both:
        raise ParamsError(
            "prepare.columns",
            "a column of prepare.key cannot be a model column or the label too",
            found=", ".join(both),
            hint="take it out of one of them",
        )
    derived = derived_names(params.categories, params.times)
    taken = [n for n in (*params.key, *params.columns, *_labels(params)) if n in derived]
    if taken:
        raise ParamsError(
            "prepare.categories",
            "what is derived must have names of its own",
            found=", ".join(taken),
            hint="rename the column in the source",
        )


def _labels(params: PrepareParams) -> list[str]:
    return [] if params.label is None else [params.label]


def _check_values(raw: Path, total: Summary, params: PrepareParams) -> None:
    for name, missing in zip(params.columns, total.missing, strict=False):
        if missing == total.n_rows:
            raise DataError(
                f"{raw}: column `{name}`",
                "must hold at least one value",
                found=f"missing in all of {total.n_rows} rows",
                hint="take it out of prepare.columns, or mend the source",
            )
    for name, sketch in zip(params.columns, total.sketches, strict=False):
        largest = max(-sketch.min, sketch.max)
        if 0 < largest < SMALLEST:
            raise DataError(
                f"{raw}: column `{name}`",
                f"must hold a value of {SMALLEST:g} or more in size, or zeros alone",
                found=f"{largest:g} at most",
                hint="give it in another unit, or take it out of prepare.columns",
            )


def _check_rows(raw: Path, total: Summary) -> None:
    n_rows = dict(zip(SPLITS, total.rows.tolist(), strict=True))
    if min(n_rows.values()) == 0 or n_rows["train"] < MIN_TRAINING_ROWS:
        raise DataError(
            raw,
            f"each part must get rows, and training at least {MIN_TRAINING_ROWS}",
            found=", ".join(f"{name} {count}" for name, count in n_rows.items()),
            hint="name more data in ingest.source, or change the shares and what drops rows",
        )


def _stage(params: Params) -> dict[str, object]:
    with Kept(KEPT).pruned() as kept:
        return prepare(
            raw=Path("data/raw"),
            prepared=Path("data/prepared"),
            report=Path("reports/prepare.json"),
            params=params.prepare,
            kept=kept,
            memory=memory_of(params.memory_limit),
        )


if __name__ == "__main__":
    run_stage("prepare", _stage)
