"""The report and the pages of the contract: one self-contained HTML file each.

Every text is escaped by the templates. Pictures are drawn in the page; nothing is fetched, and a
policy in the page itself forbids it.
"""

import base64
import hashlib
import re
from collections.abc import Mapping
from importlib.resources import files
from typing import Any, Protocol

import numpy as np
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup
from numpy.typing import NDArray

from modemap.reporting import maps, rules, words
from modemap.reporting.charts import chart
from modemap.reporting.costs import trends
from modemap.reporting.origin import draw_origin
from modemap.reporting.story import Contrast, FoundRows, Metric, Models, Standing, Story

__all__ = ["Rendered", "render_data_docs", "render_report", "rendered_page"]

N_CONTRASTS = 4  # columns that describe a segment, at most
N_REASONS = 3  # columns that explain a strange row; the others are summed up
DIGITS = 6  # of a unit's values, for whoever points at it
MAIN = ("quantization_error", "log_likelihood", "stability")
FOLDED = "reports/"
DIGEST = re.compile("[0-9a-f]{64}")
OF_MODELS = (
    ("map", "Map"),
    ("segments", "Segments"),
    ("columns", "Columns"),
    ("strangest", "Strangest rows"),
)
OF_ALL = (
    ("metrics", "Metrics"),
    ("gate", "Gate"),
    ("costs", "Cost"),
    ("history", "History"),
    ("lineage", "Lineage"),
    ("next", "Next"),
)
N_ENTRIES = 20  # of the history, the newest


class Rendered(Protocol):
    """What every page is about."""

    @property
    def rendered(self) -> str:
        """When the page was made, as an ISO date and time."""


def render_report(story: Story) -> str:
    """Return the report of ``story`` as one HTML page."""
    standing = story.standing
    shown = standing.metrics if standing and story.digest else []
    return rendered_page(
        "report.html",
        story,
        headline=_headline(story),
        lead=_lead(story),
        main_metrics=[metric for metric in shown if metric.name in MAIN],
        parts=[("data", "Data"), *(OF_MODELS if story.models else ()), *OF_ALL],
        n_reasons=N_REASONS,
        entries=list(reversed(story.history))[:N_ENTRIES],
        n_earlier=max(0, len(story.history) - N_ENTRIES),
        costs=trends(story.costs),
        lineage=_folded(story.lineage),
        origin=draw_origin(story.origin) if story.origin else None,
        charts=[(h, chart(h)) for h in story.models.histograms] if story.models else [],
        **(_drawn(story.models) if story.models else {"units": None, "found": None}),
    )


def render_data_docs(story: Story) -> str:
    """Return the contract of ``story`` with every rule and its result as one HTML page."""
    return rendered_page("data_docs.html", story, contract=story.contract)


def rendered_page(template: str, story: Rendered, **facts: Any) -> str:
    """Return ``template`` as one HTML page that fetches nothing and says when it was made."""
    assets = files("modemap.reporting") / "templates"
    script = (assets / "reader.js").read_text(encoding="utf-8").strip()
    sha256 = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    policy = "; ".join(
        (
            "default-src 'none'",
            "img-src data:",
            "style-src 'unsafe-inline'",
            f"script-src 'sha256-{sha256}'",
            "base-uri 'none'",
            "form-action 'none'",
        )
    )
    style = (assets / "style.css").read_text(encoding="utf-8")
    facts |= {"style": Markup(style), "script": Markup(script)}  # noqa: S704  # our own files
    return _environment().get_template(template).render(story=story, policy=policy, **facts)


def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("modemap.reporting"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "listed": rules.listed,
        "change": _change,
        "count": words.count,
        "extent": rules.extent,
        "meaning": _meaning,
        "moment": words.moment,
        "named": _named,
        "number": words.number,
        "percent": words.percent,
        "plain": rules.plain,
        "place_of": words.place_of,
        "sentence": rules.sentence,
        "short": words.short,
        "signed": words.signed,
        "strength": words.strength,
        "telling": _telling,
    }
    environment.tests |= {"digest": _is_digest, "joint": words.is_joint}
    return environment


def _headline(story: Story) -> str:
    if story.contract and story.contract.broken:
        return "The data broke its contract"
    if story.models is None:
        return "The run stopped" if story.stopped else "No models yet"
    if story.standing is None or story.standing.version is None:
        return _unregistered(story)
    version, verdict = story.standing.version, story.standing.verdict
    state = "is a candidate"
    if story.standing.is_champion:
        state = "is the champion"
    elif story.standing.rollout is not None:
        state = f"is a {story.standing.rollout} beside the champion"
    elif verdict is not None and not verdict.passed:
        state = "was stopped by the gate"
    return f"Version {version} {state}"


def _unregistered(story: Story) -> str:
    if story.standing is None or story.standing.verdict is None:
        return "The run stopped" if story.stopped else "A release that is not registered"
    if not story.standing.verdict.passed:
        return "A release that the gate stopped"
    return "A release that passed the gate and is not registered"


def _lead(story: Story) -> str:
    said = []
    if story.data and story.models:
        trained = words.count(story.data.parts.get("train", 0), "training row")
        columns = words.count(len(story.data.columns), "column")
        said.append(f"A map and a mixture of {trained} and {columns} from {story.data.source}.")
    elif story.stopped:
        said.append("No new models were made.")
    standing = story.standing
    if standing and standing.champion:
        said.append(_reign(standing))
    return " ".join(said)


def _reign(standing: Standing) -> str:
    since = f"since {words.moment(standing.since)}"
    if standing.is_champion:
        return f"Promoted {since.removeprefix('since ')} by {standing.who}: {standing.why}."
    return f"Version {standing.champion} stays the champion, {since}."


def _drawn(models: Models) -> dict[str, Any]:
    picture, side = maps.coarsened(models.map)
    n_rows, n_columns = picture.hits.shape
    is_hexagonal = picture.is_hexagonal
    cells = maps.cells_of(picture)
    seam = maps.seam(picture) if picture.is_toroidal else []
    return {
        "rows": n_rows,
        "columns": n_columns,
        "side": side,
        "frame": {
            "view": maps.view(picture),
            "outline": maps.outline(cells),
            "seam": "".join(seam),
            "n_sides": len(seam),  # the unit of its dashes
        },
        "is_hexagonal": is_hexagonal,
        "lattice": maps.LATTICE if is_hexagonal else "",
        "most": int(models.map.hits.max()),
        "distances": maps.ridges(picture.distances, is_hexagonal=is_hexagonal),
        "planes": [
            (name, maps.plane(values, is_hexagonal=is_hexagonal))
            for name, values in picture.planes.items()
        ],
        "borders": maps.borders(picture),
        "ground": maps.ground(cells),
        "hits": maps.hits(picture),
        "labels": maps.labels(picture),
        "letters": max(n_rows, n_columns) / 16,
        "units": _units(models) if side == 1 else None,
        "found": _found(models.found) if side == 1 and models.found else None,
    }


def _found(rows: FoundRows) -> dict[str, Any]:
    """Return the rows that can be looked for; of each column its texts, and which each row has."""
    keys = []
    for name, texts in rows.keys.items():
        values = {text: i for i, text in enumerate(dict.fromkeys(texts))}
        keys.append({"name": name, "texts": list(values), "of": [values[text] for text in texts]})
    return {"keys": keys, "units": rows.units.tolist()}


def _units(models: Models) -> dict[str, Any]:
    """Return the numbers of every unit for whoever points at it."""
    picture = models.map
    return {
        "rows": picture.hits.shape[0],
        "columns": picture.hits.shape[1],
        "isHexagonal": picture.is_hexagonal,
        "isToroidal": picture.is_toroidal,
        "names": list(picture.planes),
        "hits": picture.hits.ravel().tolist(),
        "segments": picture.segments.ravel().tolist(),
        "distances": _few_digits(picture.distances),
        "planes": [_few_digits(values) for values in picture.planes.values()],
    }


def _few_digits(values: NDArray[np.float64]) -> list[float]:
    return [float(f"{value:.{DIGITS}g}") for value in values.ravel()]


def _telling(contrasts: list[Contrast]) -> list[Contrast]:
    return [contrast for contrast in contrasts if words.strength(contrast)][:N_CONTRASTS]


def _known(name: str) -> tuple[str, str, str]:
    return words.METRICS.get(name, (name.replace("_", " "), "", ""))


def _named(name: str) -> str:
    return _known(name)[0]


def _meaning(metric: Metric) -> str:
    _, meaning, better = _known(metric.name)
    return f"{meaning}; {better} is better" if better else meaning


def _change(metric: Metric) -> tuple[str, str]:
    return words.change(metric.value, metric.other, _known(metric.name)[2])


def _folded(lineage: Mapping[str, str]) -> list[tuple[str, Mapping[str, str]]]:
    """Return what matters most of the lineage, then the results that nobody looks up often."""
    first = {name: text for name, text in lineage.items() if not name.startswith(FOLDED)}
    rest = {name: text for name, text in lineage.items() if name.startswith(FOLDED)}
    return [("", first), (words.count(len(rest), "result"), rest)]


def _is_digest(value: object) -> bool:
    return isinstance(value, str) and DIGEST.fullmatch(value) is not None
