"""What a release says of the prepared rows: its map, segments, modes and strangest rows."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from modemap.estimators.umatrix import neighbor_distances
from modemap.lifecycle.insight.contrasts import contrast_segments
from modemap.lifecycle.insight.reasons import reasons_of
from modemap.lifecycle.insight.shapes import histograms
from modemap.lifecycle.insight.survey import Survey, survey
from modemap.release import Release
from modemap.reporting.story import MapPicture, Models, StrangeRow

__all__ = ["map_picture", "portray"]

IntArray = NDArray[np.int64]


def portray(prepared: Path, release: Release) -> Models:
    """Return what ``release`` says of all rows in ``prepared``.

    Counts, histograms and the strangest rows are exact; medians rest on an even sample where there
    are very many rows.
    """
    found = survey(prepared, release)
    return Models(
        rows=int(found.hits.sum()),
        map=map_picture(release, found.hits),
        segments=contrast_segments(release, found),
        histograms=histograms(found.sketches, release.measured_columns, release.normalizer),
        strangest=_strangest(release, found),
        found=found.found,
    )


def map_picture(release: Release, hits: IntArray) -> MapPicture:
    """Return the map of ``release`` with the rows of each unit, (n_units,)."""
    shape = (release.som.n_rows_, release.som.n_columns_)
    raw = release.preparation.inverse_transform(release.som.codebook_)
    return MapPicture(
        distances=neighbor_distances(
            release.som.codebook_,
            *shape,
            topology=release.som.topology,
            boundary=release.som.boundary,
        ),
        hits=hits.reshape(shape),
        segments=release.segments.reshape(shape),
        planes={
            name: plane.reshape(shape) for name, plane in zip(release.columns, raw.T, strict=True)
        },
        is_hexagonal=release.som.topology == "hexagonal",
        is_toroidal=release.som.boundary == "toroidal",
    )


def _strangest(release: Release, found: Survey) -> list[StrangeRow]:
    X = np.array([strange.x for strange in found.strangest])
    return [
        StrangeRow(
            strange.key,
            strange.split,
            strange.unit,
            int(release.segments[strange.unit]),
            strange.log_likelihood,
            reasons,
        )
        for strange, reasons in zip(
            found.strangest, reasons_of(release, X, found.train), strict=True
        )
    ]
