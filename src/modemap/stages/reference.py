"""What later rows are compared with: training rows, and answers to validation rows."""

from pathlib import Path
from typing import Any

from modemap.data.matrix import prepared_batches
from modemap.data.split import SHARES
from modemap.errors import DataError
from modemap.files import read_json
from modemap.monitoring.keeping import save_reference
from modemap.monitoring.levels import Levels
from modemap.monitoring.models import see
from modemap.monitoring.profile import MAX_SAMPLE, Observed, Reference
from modemap.release import REFERENCE, Release
from modemap.sketch import sketches_of
from modemap.stages.tallies import sampled

__all__ = ["keep_reference", "zones_of"]


def keep_reference(prepared: Path, release: Release, folder: Path) -> None:
    """Write the reference of ``release`` to ``folder``.

    Columns are those of the training rows. What models answer is kept of the validation rows, which
    they have not seen: to rows that a map was fitted to it lies nearer than to any others.
    """
    measured = release.measured_columns
    sketches = sketches_of(prepared_batches(prepared, "train", measured).batches())
    shares = _shares(prepared / SHARES)
    seen = Observed(
        n_rows=shares["rows"],
        numbers=dict(zip(measured, sketches, strict=True)),
        levels={name: Levels(counts) for name, counts in shares["levels"].items()},
        n_missing=shares["missing"],
        sampled=measured,
        sample=sampled(prepared, "train", measured, (), MAX_SAMPLE),
        models=see(release, sampled(prepared, "validation", release.columns, (), MAX_SAMPLE)),
    )
    save_reference(folder / REFERENCE, Reference.of(seen))


def zones_of(prepared: Path) -> dict[str, str]:
    """Return the zones of the times from which prepared columns are derived, where they have one.

    Raises
    ------
    DataError
        If what `prepare` counted cannot be read.
    """
    return dict(_shares(prepared / SHARES).get("zones", {}))


def _shares(path: Path) -> dict[str, Any]:
    try:
        return dict(read_json(path))
    except (OSError, ValueError) as error:
        rule, hint = "must be what `prepare` counted", "run `dvc repro --force prepare`"
        raise DataError(path, rule, found=error, hint=hint) from None
