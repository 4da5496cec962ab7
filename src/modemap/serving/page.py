"""The page for trying a row: its place on the map, how unusual it is, and why."""

import json
from functools import cache
from importlib.resources import files
from typing import Any

import numpy as np
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from modemap.estimators.umatrix import neighbor_distances
from modemap.serving.served import Served

__all__ = ["page"]

DIGITS = 6  # of an example's values


def page(served: Served) -> str:
    """Return the page of what is served now, self-contained."""
    reader = served.reader
    text: str = _template().render(
        version=served.version,
        digest=served.digest,
        example={name: _short(served.example.get(name)) for name in reader.columns},
        numbers=reader.numbers,
        levels={name: listed for name, listed in reader.categories.items() if listed},
        times={name: reader.written_time(name) for name in reader.times},
        picture=_script(_picture(served)),
        script=Markup(files(__package__).joinpath("templates", "page.js").read_text("utf-8")),  # noqa: S704  # ours
    )
    return text


def _short(value: Any) -> Any:
    if value is None:
        return ""
    return float(f"{value:.{DIGITS}g}") if isinstance(value, float) else value


def _picture(served: Served) -> dict[str, Any]:
    som = served.release.som
    heights = neighbor_distances(
        som.codebook_, som.n_rows_, som.n_columns_, topology=som.topology, boundary=som.boundary
    ).ravel()
    ranks = np.searchsorted(np.sort(heights), heights) / len(heights)
    return {
        "positions": served.positions.round(6).tolist(),
        "shades": ranks.round(3).tolist(),
        "segments": served.release.segments.tolist(),
        "hexagonal": som.topology == "hexagonal",
    }


def _script(document: Any) -> Markup:
    """Return JSON that may stand inside a script element."""
    text = json.dumps(document, separators=(",", ":"))
    return Markup(text.replace("<", "\\u003c"))  # noqa: S704  # no `<` is left to end the element


@cache
def _template() -> Any:
    loader = PackageLoader("modemap.serving")
    environment = Environment(loader=loader, autoescape=True, undefined=StrictUndefined)
    return environment.get_template("page.html")
