"""Split the rows, decide what becomes of missing values, learn the scale from training rows."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from modemap.data.batches import write_parquet
from modemap.data.derived import derived_names
from modemap.data.selection import SelectedRows, select_rows
from modemap.data.split import SHARES, SPLITS, assign_splits
from modemap.errors import DataError, ParamsError
from modemap.estimators.preparation import Preparation
from modemap.files import staged_directory, write_json
from modemap.params import PrepareParams
from modemap.stages.entry import run_stage

__all__ = ["prepare"]

MIN_TRAINING_ROWS = 10


def prepare(raw: Path, prepared: Path, report: Path, params: PrepareParams) -> dict[str, object]:
    """Write the three parts of the rows in ``raw`` and the fitted preparation to ``prepared``.

    A part holds the key columns as they came, then the model columns in their own units, without
    missing values, then the label. Nothing is learned from validation and test rows, nor from
    labels.

    Raises
    ------
    DataError
        If a column cannot be used or a part would be empty.
    ParamsError
        If a column is both key and model column.
    """
    _check_names(params)
    rows = select_rows(
        raw,
        params.key,
        params.columns,
        categories=params.categories,
        times=params.times,
        label=params.label,
    )
    sides = assign_splits(rows.hashes, params.validation_share, params.test_share)
    preparation = _preparation(params)
    kept = preparation.kept(rows.X)
    n_rows = {name: int(np.sum(kept & (sides == i))) for i, name in enumerate(SPLITS)}
    _check_rows(raw, n_rows)
    preparation.fit(rows.X[kept & (sides == SPLITS.index("train"))])
    with staged_directory(prepared) as staged:
        for i, name in enumerate(SPLITS):
            part = _part(rows, kept & (sides == i), preparation)
            write_parquet(staged / f"{name}.parquet", part)
        preparation.save(staged / "preparation.npz")
        write_json(staged / SHARES, _shares(rows, sides == SPLITS.index("train"), params.columns))
    write_json(report, {"rows": n_rows, **_losses(rows.X, kept, params.columns)})
    return {**n_rows, "dropped": int(np.sum(~kept))}


def _preparation(params: PrepareParams) -> Preparation:
    derived = derived_names(params.categories, params.times)
    policies = {**params.columns, **dict.fromkeys(derived, "error")}
    return Preparation(list(policies), policies, derived or None)


def _part(rows: SelectedRows, mask: NDArray[np.bool_], preparation: Preparation) -> pa.Table:
    X = preparation.fill(rows.X[mask])
    keys = rows.keys.filter(pa.array(mask)) if rows.keys.num_columns else rows.keys
    columns = {name: keys[name] for name in keys.column_names}
    columns.update(zip(preparation.columns, np.ascontiguousarray(X.T), strict=True))
    for name in rows.labels.column_names:
        columns[name] = rows.labels[name].filter(pa.array(mask))
    return pa.table(columns)


def _shares(
    rows: SelectedRows, mask: NDArray[np.bool_], columns: Mapping[str, str]
) -> dict[str, object]:
    """Count rows, missing values and levels among all rows of ``mask``."""
    absent = np.isnan(rows.X[mask][:, : len(columns)]).sum(axis=0)
    missing = dict(zip(columns, absent.tolist(), strict=True))
    levels = {}
    for name in rows.levels.column_names:
        texts = rows.levels[name].filter(pa.array(mask))
        missing[name] = texts.null_count
        found = pc.value_counts(texts.drop_null())
        levels[name] = {pair["values"].as_py(): pair["counts"].as_py() for pair in found}
    return {"rows": int(mask.sum()), "missing": missing, "levels": levels}


def _losses(
    X: NDArray[np.float64], kept: NDArray[np.bool_], columns: Mapping[str, str]
) -> dict[str, object]:
    """Count the rows that were dropped, for each column that drops, and the values filled."""
    missing = dict(zip(columns, np.isnan(X[:, : len(columns)]).T, strict=True))
    return {
        "dropped_rows": int(np.sum(~kept)),
        "dropped": {n: int(missing[n].sum()) for n in columns if columns[n] == "drop"},
        "filled": {n: int(missing[n][kept].sum()) for n in columns if columns[n] == "median"},
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


def _check_rows(raw: Path, n_rows: Mapping[str, int]) -> None:
    if min(n_rows.values()) == 0 or n_rows["train"] < MIN_TRAINING_ROWS:
        raise DataError(
            raw,
            f"each part must get rows, and training at least {MIN_TRAINING_ROWS}",
            found=", ".join(f"{name} {count}" for name, count in n_rows.items()),
            hint="name more data in ingest.source, or change the shares and what drops rows",
        )


if __name__ == "__main__":
    run_stage(
        "prepare",
        lambda params: prepare(
            raw=Path("data/raw"),
            prepared=Path("data/prepared"),
            report=Path("reports/prepare.json"),
            params=params.prepare,
        ),
    )
