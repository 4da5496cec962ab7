"""Mermaid's diagrams become pictures and tables while the site is built: no script draws them.

GitHub draws the same fences by itself. Of Mermaid's language this knows what the pages use: a
flowchart of nodes, arrows and named groups, which becomes a picture, and a diagram of states,
which becomes a table of its transitions. Anything else stops the build.
"""

import re
from dataclasses import dataclass, field
from html import escape
from typing import Any

from mkdocs.config.defaults import MkDocsConfig
from pymdownx.superfences import SuperFencesException

__all__ = ["Chart", "on_config", "read_chart"]

NODE = re.compile(r"(\w+)(?:\[\(\"?(?P<store>[^)\"]+)\"?\)\]|\[\"?(?P<box>[^\]\"]+)\"?\])?")
TRANSITION = re.compile(r"(\[\*\]|\w+) --> (\[\*\]|\w+): (.+)")
LETTER, HEIGHT, GAP, ROOM, MARGIN = 8.5, 36.0, 24.0, 14.0, 22.0  # pixels
WIDE = 700.0  # than a phone by so much that its picture is to be scrolled


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """Let Markdown know the fence."""
    fences = config.mdx_configs.setdefault("pymdownx.superfences", {})
    fence = {"name": "mermaid", "class": "mermaid", "format": _drawn}
    fences.setdefault("custom_fences", []).append(fence)
    return config


@dataclass
class Chart:
    """What a flowchart says."""

    is_upright: bool
    labels: dict[str, str] = field(default_factory=dict)  # of nodes, in their order
    stores: set[str] = field(default_factory=set)
    arrows: list[tuple[str, str]] = field(default_factory=list)
    groups: dict[str, list[str]] = field(default_factory=dict)  # title -> nodes


def read_chart(source: str) -> Chart:
    """Read a flowchart.

    Raises
    ------
    ValueError
        If a line says what this module cannot draw.
    """
    first, *lines = [line.strip() for line in source.strip().splitlines()]
    chart, group = Chart(first.endswith(("TB", "TD"))), ""
    for line in lines:
        if line.startswith("subgraph "):
            group = line.removeprefix("subgraph ")
            chart.groups[group] = []
        elif line == "end":
            group = ""
        else:
            _read_arrows(line, chart, group)
    return chart


def _read_arrows(line: str, chart: Chart, group: str) -> None:
    before = ""
    for part in line.split(" --> "):
        found = NODE.fullmatch(part.strip())
        if found is None:
            raise ValueError(f"a diagram must be of nodes and arrows, got {line!r}")
        name, label = found[1], found["store"] or found["box"]
        if label or name not in chart.labels:
            chart.labels[name] = label or name
        if found["store"]:
            chart.stores.add(name)
        if group:
            chart.groups[group].append(name)
        if before:
            chart.arrows.append((before, name))
        before = name


def _drawn(source: str, *_: Any, **__: Any) -> str:
    kind = source.split(maxsplit=1)[0]
    try:
        if kind == "stateDiagram-v2":
            return _table(source)
        if kind == "flowchart":
            return _picture(read_chart(source))
    except ValueError as error:  # any other error would leave the fence as code
        raise SuperFencesException(str(error)) from error
    raise SuperFencesException(f"a diagram must be a flowchart or stateDiagram-v2, got {kind!r}")


def _table(source: str) -> str:
    rows = []
    for line in source.strip().splitlines()[1:]:
        found = TRANSITION.fullmatch(line.strip())
        if found is None:
            raise ValueError(f"a state's line must read `a --> b: why`, got {line!r}")
        cells = (escape(found[i]).replace("[*]", "nothing") for i in (1, 2, 3))
        rows.append("<tr>" + "".join(f"<td>{cell}</td>" for cell in cells) + "</tr>")
    head = "<tr><th>from</th><th>to</th><th>by</th></tr>"
    return f"<table><thead>{head}</thead><tbody>{''.join(rows)}</tbody></table>"


def _layers(chart: Chart) -> dict[str, int]:
    """Return how many arrows lead to each node, on the longest way."""
    layers = dict.fromkeys(chart.labels, 0)
    for _ in chart.labels:
        for start, end in chart.arrows:
            layers[end] = max(layers[end], layers[start] + 1)
    if any(layers[end] <= layers[start] for start, end in chart.arrows):
        raise ValueError("the arrows of a flowchart must not go round")
    return layers


@dataclass(frozen=True)
class _Box:
    x: float
    y: float
    width: float

    @property
    def middle(self) -> tuple[float, float]:
        return self.x + self.width / 2, self.y + HEIGHT / 2


def _placed(chart: Chart) -> dict[str, _Box]:
    """Return where each node lies: layers follow one another, nodes of a layer lie side by side."""
    layers = _layers(chart)
    columns: list[list[str]] = [[] for _ in range(max(layers.values()) + 1)]
    for name, layer in layers.items():
        columns[layer].append(name)
    widths = {name: LETTER * len(chart.labels[name]) + ROOM for name in chart.labels}
    boxes: dict[str, _Box] = {}
    if chart.is_upright:
        widest = max(sum(widths[name] + GAP for name in names) - GAP for names in columns)
        for layer, names in enumerate(columns):
            x = MARGIN + (widest - sum(widths[name] + GAP for name in names) + GAP) / 2
            for name in names:
                boxes[name] = _Box(x, MARGIN + layer * (HEIGHT + GAP), widths[name])
                x += widths[name] + GAP
        return boxes
    tallest = max(map(len, columns)) * (HEIGHT + GAP) - GAP
    x = MARGIN
    for names in columns:
        y = MARGIN + (tallest - len(names) * (HEIGHT + GAP) + GAP) / 2
        widest = max(widths[name] for name in names)
        for name in names:
            boxes[name] = _Box(x + (widest - widths[name]) / 2, y, widths[name])
            y += HEIGHT + GAP
        x += widest + GAP
    return boxes


def _picture(chart: Chart) -> str:
    boxes = _placed(chart)
    width = max(box.x + box.width for box in boxes.values()) + MARGIN
    height = max(box.y + HEIGHT for box in boxes.values()) + MARGIN
    parts = [
        _group(title, [boxes[name] for name in names]) for title, names in chart.groups.items()
    ]
    parts += [_arrow(boxes[a], boxes[b], is_upright=chart.is_upright) for a, b in chart.arrows]
    parts += [_node(boxes[name], chart.labels[name], name in chart.stores) for name in boxes]
    told = "; ".join(f"{chart.labels[a]} to {chart.labels[b]}" for a, b in chart.arrows)
    kind = "wide" if width > WIDE else "narrow"
    return (
        f'<div class="diagram" tabindex="0">'
        f'<svg class="{kind}" role="img" aria-label="{escape(told)}" '
        f'viewBox="0 0 {width:g} {height:g}" width="{width:g}" height="{height:g}">'
        f"{''.join(parts)}</svg></div>"
    )


def _group(title: str, boxes: list[_Box]) -> str:
    left, top = min(box.x for box in boxes) - 9, min(box.y for box in boxes) - 20
    right = max(box.x + box.width for box in boxes) + 9
    bottom = max(box.y for box in boxes) + HEIGHT + 9
    return (
        f'<rect class="group" x="{left:g}" y="{top:g}" width="{right - left:g}" '
        f'height="{bottom - top:g}" rx="6"/>'
        f'<text class="title" x="{left + 8:g}" y="{top + 14:g}">{escape(title)}</text>'
    )


def _node(box: _Box, label: str, is_store: bool) -> str:
    x, y = box.middle
    return (
        f'<rect class="node" x="{box.x:g}" y="{box.y:g}" width="{box.width:g}" '
        f'height="{HEIGHT:g}" rx="{HEIGHT / 2 if is_store else 4:g}"/>'
        f'<text x="{x:g}" y="{y + 5:g}">{escape(label)}</text>'
    )


def _arrow(start: _Box, end: _Box, *, is_upright: bool) -> str:
    (x, y), (to_x, to_y) = start.middle, end.middle
    if is_upright:
        y, to_y = y + HEIGHT / 2, to_y - HEIGHT / 2
        half = (y + to_y) / 2
        bend, head = f"{x:g} {half:g} {to_x:g} {half:g}", "l-4 -7h8z"
    else:
        x, to_x = start.x + start.width, end.x
        half = (x + to_x) / 2
        bend, head = f"{half:g} {y:g} {half:g} {to_y:g}", "l-7 -4v8z"
    return (
        f'<path class="arrow" d="M{x:g} {y:g}C{bend} {to_x:g} {to_y:g}"/>'
        f'<path class="head" d="M{to_x:g} {to_y:g}{head}"/>'
    )
