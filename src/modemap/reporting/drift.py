"""The page of a drift check: the answer, what changed, and every number behind it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from modemap.reporting import words
from modemap.reporting.page import rendered_page

__all__ = ["render_drift"]

WIDTH, HEIGHT = 360.0, 120.0
ROOM = 1.06  # above the highest bar
N_LABELS = 4
MOST_PICTURES = 40  # columns that are drawn
N_REGIONS = 5
FAINTEST, STRONGEST = 0.08, 0.95
ANSWERS = {True: "Drift was found", False: "No drift", None: "Not checkable"}
JOINT = {
    "correlation": ("correlations", "the rank correlation of any two columns"),
    "map_hits": ("map", "the share of the rows in each region of the map"),
    "map_distance": ("distance to the map", "how far rows lie from their unit"),
    "log_likelihood": ("log-likelihood", "how likely the mixture finds the rows"),
}


@dataclass(frozen=True)
class _Page:
    rendered: str


@dataclass(frozen=True)
class _Picture:
    """Shares of a column's bins side by side, each bin as wide as any other."""

    bars: str  # the window
    line: str  # the reference
    labels: list[tuple[float, float]]  # x, value of an edge


@dataclass(frozen=True)
class _Block:
    """A region of the map, coloured by how its share changed."""

    x: int
    y: int
    width: int
    height: int
    grew: bool
    opacity: float


def render_drift(found: Mapping[str, Any], reference: str, current: str) -> str:
    """Return the page of a check.

    Parameters
    ----------
    found : mapping
        The check as plain data.
    reference, current : str
        What was compared, as its user named it.
    """
    columns = sorted(found["columns"], key=lambda column: -(column["psi"] or 0))
    drifted = [column for column in columns if column["verdict"] == "yes"]
    hits = next((joint for joint in found["joint"] if joint["regions"]), None)
    return rendered_page(
        "drift.html",
        _Page(datetime.now(UTC).isoformat(timespec="seconds")),
        found=found,
        headline=ANSWERS[found["drift"]],
        lead=_lead(found, drifted, reference, current),
        reference=reference,
        current=current,
        columns=columns,
        drifted=[
            (column, _picture(column["bins"]) if column["bins"] else None)
            for column in drifted[:MOST_PICTURES]
        ],
        joint=[(part, *JOINT[part["name"]]) for part in found["joint"]],
        blocks=(blocks := _blocks(hits["regions"]) if hits else []),
        extent=(
            max((block.x + block.width for block in blocks), default=0),
            max((block.y + block.height for block in blocks), default=0),
        ),
        regions=hits["regions"][:N_REGIONS] if hits else [],
    )


def _lead(found: Mapping[str, Any], drifted: Sequence[object], reference: str, current: str) -> str:
    rows = words.count(found["n"], "row")
    said = [f"{rows} of {current} beside {found['n_reference']:,} of {reference}."]
    if found["columns"]:
        of_all = words.count(len(found["columns"]), "column")
        said.append(f"{len(drifted) or 'None'} of {of_all} drifted.")
    joint = [JOINT[part["name"]][0] for part in found["joint"] if part["verdict"] == "yes"]
    if joint:
        said.append(f"Together, these changed: {', '.join(joint)}.")
    return " ".join(said)


def _picture(bins: Mapping[str, Sequence[float]]) -> _Picture:
    before, after, edges = bins["before"], bins["after"], bins["edges"]
    width = WIDTH / len(after)
    top = ROOM * max(*before, *after)
    bars = "".join(
        f"M{i * width + 1:.1f} {HEIGHT:g}V{HEIGHT * (1 - share / top):.1f}"
        f"H{(i + 1) * width - 1:.1f}V{HEIGHT:g}z"
        for i, share in enumerate(after)
        if share
    )
    steps = [
        f"{i * width:.1f} {HEIGHT * (1 - share / top):.1f}H{(i + 1) * width:.1f}"
        for i, share in enumerate(before)
    ]
    stride = max(1, -(-len(edges) // N_LABELS))
    labels = [(width * (i + 1), edges[i]) for i in range(stride // 2, len(edges), stride)]
    return _Picture(bars, f"M{'L'.join(steps)}", labels)


def _blocks(regions: Sequence[Mapping[str, Any]]) -> list[_Block]:
    largest = max(abs(region["after"] - region["before"]) for region in regions) or 1.0
    return [
        _Block(
            x=region["columns"][0],
            y=region["rows"][0],
            width=region["columns"][1] - region["columns"][0] + 1,
            height=region["rows"][1] - region["rows"][0] + 1,
            grew=region["after"] > region["before"],
            opacity=FAINTEST
            + (STRONGEST - FAINTEST) * abs(region["after"] - region["before"]) / largest,
        )
        for region in regions
    ]
