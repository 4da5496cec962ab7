"""`modemap modes fit`, `modemap modes transform` and `modemap modes inverse`."""

from pathlib import Path
from typing import Annotated

import typer

__all__ = ["modes"]

modes = typer.Typer(
    no_args_is_help=True, help="Encode columns of a file by the modes of their mixtures, and back."
)

Data = Annotated[Path, typer.Argument(help="A .parquet, .csv, .npy or .f64 file, of any size.")]
Model = Annotated[Path, typer.Argument(help="The normaliser, an .npz file.")]
Encoded = Annotated[Path, typer.Argument(help="The encoded columns, a .parquet file.")]
Columns = Annotated[
    list[str] | None, typer.Option("--column", help="One of the columns; all numbers if none.")
]
Threads = Annotated[
    int | None,
    typer.Option(help="By default one for each core; they change no digit.", min=1),
]


@modes.command()
def fit(
    data: Data,
    model: Model,
    column: Columns = None,
    components: Annotated[int, typer.Option(help="Modes of a column, at most.")] = 10,
    seed: Annotated[int, typer.Option(help="Of the start and of sampled modes.")] = 0,
    *,
    sampled: Annotated[bool, typer.Option("--sampled", help="Draw the modes of values.")] = False,
    threads: Threads = None,
) -> None:
    """Fit the modes of each column of DATA and write them to MODEL.

    Tells each mode's mean ± standard deviation, the heaviest mode first.

    Example: modemap modes fit prices.f64 prices.npz
    """
    from modemap.data.modes import fit_modes  # noqa: PLC0415  # help stays fast
    from modemap.stages.progress import track  # noqa: PLC0415

    normalizer = fit_modes(
        data, model, column or (), components=components, seed=seed,
        encoding="sampled" if sampled else "argmax", n_jobs=threads or -1, watch=track,
    )  # fmt: skip
    for name, found in zip(normalizer.feature_names_in_, normalizer.modes(), strict=True):
        places = ", ".join(f"{mode['mean']:.6g} ± {mode['std']:.2g}" for mode in found)
        typer.echo(f"{name}: {len(found)} mode{'s'[: len(found) != 1]} at {places}")
    typer.echo(f"{model}: digest {normalizer.digest_}")


@modes.command()
def transform(model: Model, data: Data, encoded: Encoded, threads: Threads = None) -> None:
    """Encode the columns of DATA by MODEL into ENCODED, table by table.

    Example: modemap modes transform prices.npz prices.f64 prices.parquet
    """
    from modemap.data.modes import transform_modes  # noqa: PLC0415
    from modemap.stages.progress import track  # noqa: PLC0415

    n_rows = transform_modes(model, data, encoded, n_jobs=threads or -1, watch=track)
    typer.echo(f"{encoded}: {n_rows} rows")


@modes.command()
def inverse(
    model: Model,
    encoded: Encoded,
    data: Annotated[Path, typer.Argument(help="The file to write: .parquet, .csv, .npy or .f64.")],
    threads: Threads = None,
) -> None:
    """Write to DATA the values that ENCODED stands for.

    Those of a column that up to 15 decimals write come back exactly, others to 1e-12 of their size.

    Example: modemap modes inverse prices.npz prices.parquet again.f64
    """
    from modemap.data.modes import inverse_modes  # noqa: PLC0415
    from modemap.stages.progress import track  # noqa: PLC0415

    n_rows = inverse_modes(model, encoded, data, n_jobs=threads or -1, watch=track)
    typer.echo(f"{data}: {n_rows} rows")
