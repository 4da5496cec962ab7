"""Where a release comes from, as boxes and arrows from the data down to the version.

The drawing is as wide as a phone, one row of boxes below the other, and takes its colours from the
page.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from modemap.reporting.story import Batch, Origin
from modemap.reporting.words import count, short

__all__ = ["Box", "Drawing", "draw_origin"]

WIDTH, MARGIN = 360.0, 4.0
HEIGHT, GAP, SIDE = 38.0, 22.0, 8.0  # of a box, below a row, between two boxes
WIDEST = 200.0
MOST_BATCHES, MOST_BEFORE = 3, 3
LETTER = 6.4  # width of a character of a title
DIGITS = 10  # of a digest


@dataclass(frozen=True)
class Box:
    """One step on the way, at its place in the drawing."""

    kind: str  # batch, contract, stage, release, gate, version or before
    title: str
    detail: str
    name: str = ""  # of a stage, by which arrows find it
    is_bad: bool = False
    x: float = 0.0
    y: float = 0.0
    width: float = WIDEST
    height: float = HEIGHT


@dataclass(frozen=True)
class Drawing:
    """The boxes, the arrows between them as one path, and the whole in words."""

    view: str
    boxes: list[Box]
    arrows: str
    label: str


def draw_origin(origin: Origin) -> Drawing:
    """Return the drawing of ``origin``."""
    levels = _levels(origin.stages)
    above = [_batches(origin.batches), _contract(origin)]
    stages = [[_stage(origin, name) for name in level] for level in levels]
    below = [[Box("release", "release", origin.digest[:DIGITS])], _gate(origin), _version(origin)]
    rows = [
        _placed(row, i)
        for i, row in enumerate(filter(None, [*above, *stages, *below, _before(origin)]))
    ]
    boxes = [box for row in rows for box in row]
    height = len(rows) * (HEIGHT + GAP) - GAP + 2 * MARGIN
    return Drawing(f"0 0 {WIDTH:g} {height:g}", boxes, _arrows(origin, rows), _label(boxes))


def _levels(stages: Mapping[str, Sequence[str]]) -> list[list[str]]:
    """Return the stages in rows, each below all that it waits for."""
    depth: dict[str, int] = {}
    while len(depth) < len(stages):
        for name, needs in stages.items():
            if name not in depth and all(need in depth for need in needs):
                depth[name] = 1 + max((depth[need] for need in needs), default=-1)
    return [
        [name for name in stages if depth[name] == level]
        for level in range(1 + max(depth.values(), default=-1))
    ]


def _batches(batches: Sequence[Batch]) -> list[Box]:
    shown = batches if len(batches) <= MOST_BATCHES else batches[: MOST_BATCHES - 1]
    boxes = [Box("batch", batch.source, batch.digest[:DIGITS]) for batch in shown]
    if len(shown) < len(batches):
        rest = batches[len(shown) :]
        rows = count(sum(batch.rows for batch in rest), "row")
        boxes.append(Box("batch", count(len(rest), "more batch", "more batches"), rows))
    return boxes


def _contract(origin: Origin) -> list[Box]:
    if origin.contract is None:
        return [Box("contract", "contract", "not told", is_bad=True)]
    suite, is_kept = origin.contract
    return [Box("contract", "contract kept" if is_kept else "contract broken", suite,
                is_bad=not is_kept)]  # fmt: skip


def _stage(origin: Origin, name: str) -> Box:
    return Box("stage", name, origin.outputs.get(name, "")[:DIGITS], name=name)


def _gate(origin: Origin) -> list[Box]:
    if origin.passed is None:
        return [Box("gate", "gate", "not judged yet", is_bad=True)]
    return [Box("gate", "gate", "passed" if origin.passed else "stopped", is_bad=not origin.passed)]


def _version(origin: Origin) -> list[Box]:
    if origin.version is None:
        return [Box("version", "no version", "not registered")]
    state = "champion" if origin.is_champion else "candidate"
    return [Box("version", f"version {origin.version}", state)]


def _before(origin: Origin) -> list[Box]:
    """Return the champions before it, the nearest first."""
    return [
        Box("before", f"version {number}", digest[:DIGITS])
        for number, digest in origin.before[:MOST_BEFORE]
    ]


def _placed(row: list[Box], number: int) -> list[Box]:
    room = WIDTH - 2 * MARGIN - SIDE * (len(row) - 1)
    width = min(WIDEST, room / len(row))
    left = (WIDTH - len(row) * width - SIDE * (len(row) - 1)) / 2
    letters = int((width - 2 * SIDE) / LETTER)
    return [
        Box(
            box.kind,
            short(box.title, letters),
            short(box.detail, letters),
            box.name,
            box.is_bad,
            round(left + i * (width + SIDE), 1),
            MARGIN + number * (HEIGHT + GAP),
            round(width, 1),
        )
        for i, box in enumerate(row)
    ]


def _arrows(origin: Origin, rows: list[list[Box]]) -> str:
    """Return the arrows: those of the graph between stages, else from each row to the next."""
    places = {box.name: box for row in rows for box in row if box.name}
    pairs = [
        (places[need], places[name]) for name, needs in origin.stages.items() for need in needs
    ]
    for upper, lower in pairwise(rows):
        if lower[0].kind == "before":
            pairs += pairwise([upper[0], *lower])  # each took the place of the next
        elif not (upper[0].name and lower[0].name):
            pairs += [(start, end) for start in upper for end in lower]
    return "".join(_arrow(start, end) for start, end in pairs)


def _arrow(start: Box, end: Box) -> str:
    """Return an arrow down to the next row, or to the right within one."""
    if start.y == end.y:
        x, y = start.x + start.width, start.y + start.height / 2
        tip = f"{end.x:.1f} {y:.1f}"
        head = f"{end.x - 4:.1f}"
        return f"M{x:.1f} {y:.1f}L{tip}M{head} {y - 3.5:.1f}L{tip}L{head} {y + 3.5:.1f}"
    x, y, to = start.x + start.width / 2, start.y + start.height, end.x + end.width / 2
    tip, head = f"{to:.1f} {end.y:.1f}", f"{end.y - 5:.1f}"
    return f"M{x:.1f} {y:.1f}L{tip}M{to - 3.5:.1f} {head}L{tip}L{to + 3.5:.1f} {head}"


def _label(boxes: list[Box]) -> str:
    n_batches = sum(box.kind == "batch" for box in boxes)
    stages = [box.name for box in boxes if box.kind == "stage"]
    said = {box.kind: f"{box.title} {box.detail}" for box in boxes}
    before = [box.title for box in boxes if box.kind == "before"]
    parts = [
        f"Lineage from {count(n_batches, 'partition')} of data",
        said["contract"],
        f"stages {', '.join(stages)}",
        said["release"],
        said["gate"],
        said["version"],
        *(f"before it {name}" for name in before),
    ]
    return "; ".join(parts)
