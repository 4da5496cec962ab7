"""The page of a comparison: two maps side by side, turned alike, and every difference."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import numpy as np
from numpy.typing import NDArray

from modemap.reporting import maps, words
from modemap.reporting.alignment import AlignedMaps, Turn
from modemap.reporting.page import rendered_page
from modemap.reporting.story import MapPicture

__all__ = ["render_comparison"]

MOST_PLANES = 40  # columns that are drawn
MEASURED = (
    ("quantization_error", "error_change"),
    ("log_likelihood", "likelihood_change"),
)


@dataclass(frozen=True)
class _Page:
    rendered: str


@dataclass(frozen=True)
class _Frame:
    """How a turned map is drawn."""

    view: str
    transform: str
    lattice: str
    borders: str
    ground: str
    seam: str
    n_sides: int
    hits: list[tuple[int, str]]
    labels: list[maps.Label]
    letters: float
    most: int
    shape: tuple[int, int]


def render_comparison(found: Mapping[str, Any], drawn: AlignedMaps) -> str:
    """Return the page of a comparison.

    Parameters
    ----------
    found : mapping
        :attr:`modemap.lifecycle.compare.Compared.facts`.
    drawn : AlignedMaps
        Both maps.
    """
    pictures = [maps.coarsened(picture)[0] for picture in (drawn.first, drawn.second)]
    turns = [Turn(1.0), drawn.turn]
    columns = [name for name in pictures[0].planes if name in pictures[1].planes]
    return rendered_page(
        "comparison.html",
        _Page(datetime.now(UTC).isoformat(timespec="seconds")),
        found=found,
        headline=_headline(found["names"]),
        metrics=[_metric(found, name, change) for name, change in MEASURED],
        sides=list(zip(found["names"], map(_frame, pictures, turns), strict=True)),
        distances=_planes([picture.distances for picture in pictures], pictures, maps.ridges),
        planes=[
            (name, _planes([picture.planes[name] for picture in pictures], pictures, maps.plane))
            for name in columns[:MOST_PLANES]
        ],
        turned_text=_turned(drawn.turn),
        renumbered=[(old, new) for old, new in found["matches"].items() if int(old) != new],
    )


def _headline(names: tuple[str, str]) -> str:
    text = f"{names[1]} beside {names[0]}"
    return text[0].upper() + text[1:]


def _metric(found: Mapping[str, Any], name: str, change: str) -> dict[str, Any]:
    """Return a row of the table; a difference counts where its whole interval is on one side."""
    called, meaning, better = words.METRICS[name]
    first, second = found[name]
    interval = found[change]
    low, high = interval["low"], interval["high"]
    is_told = interval["mean"] is not None and (low > 0 or high < 0)
    side = words.change(second, first, better)[1] if is_told else ""
    return {
        "name": called,
        "meaning": f"{meaning}; {better} is better",
        "values": (first, second),
        "interval": interval,
        "side": side,
    }


def _frame(picture: MapPicture, turn: Turn) -> _Frame:
    cells = maps.cells_of(picture)
    left, top, width, height = (float(part) for part in maps.view(picture).split())
    matrix = turn.matrix(*cells.size)
    shown = (top, left, height, width) if turn.is_transposed else (left, top, width, height)
    seam = maps.seam(picture) if picture.is_toroidal else []
    a, b, c, d, e, f = matrix
    return _Frame(
        view=" ".join(f"{part:g}" for part in shown),
        transform=f"matrix({' '.join(f'{part:g}' for part in matrix)})",
        lattice=maps.LATTICE if picture.is_hexagonal else "",
        borders=maps.borders(picture),
        ground=maps.ground(cells),
        seam="".join(seam),
        n_sides=len(seam),
        hits=maps.hits(picture),
        labels=[
            maps.Label(label.segment, a * label.x + c * label.y + e, b * label.x + d * label.y + f)
            for label in maps.labels(picture)
        ],
        letters=max(picture.hits.shape) / 16,
        most=int(picture.hits.max()),
        shape=picture.hits.shape[::-1] if turn.is_transposed else picture.hits.shape,
    )


def _planes(
    values: list[NDArray[np.float64]],
    pictures: list[MapPicture],
    draw: Callable[..., maps.Plane],
) -> list[maps.Plane]:
    """Return the cells of both maps by levels that mean the same on both."""
    pool = np.concatenate([part.ravel() for part in values])
    return [
        draw(part, is_hexagonal=picture.is_hexagonal, among=pool)
        for part, picture in zip(values, pictures, strict=True)
    ]


def _turned(turn: Turn) -> str:
    """Return in words what was done to the second map."""
    done = []
    if any(turn.moved):
        rows, columns = (abs(step) for step in turn.moved)
        steps = f"{words.count(rows, 'row')} and {words.count(columns, 'column')}"
        done.append(f"moved by {steps} across its seams")
    sides = ("top with bottom", "left with right")
    mirrored = [side for side, is_so in zip(sides, turn.mirrored, strict=True) if is_so]
    if mirrored:
        done.append(f"mirrored {' and '.join(mirrored)}")
    if turn.is_transposed:
        done.append("drawn with its rows for columns")
    return ", ".join(done)
