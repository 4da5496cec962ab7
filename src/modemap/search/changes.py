"""Other values in params.yaml: only they change, every comment and every other byte stays."""

import difflib
import io
from collections.abc import Mapping
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.nodes import CollectionNode, MappingNode, Node, ScalarNode, SequenceNode

__all__ = ["changed", "difference"]

Edit = tuple[int, int, str]  # from, to, and what comes in between


def changed(text: str, sections: Mapping[str, Mapping[str, Any]]) -> str:
    """Return ``text`` with the values of ``sections``; a key it lacks comes last in its section."""
    top = YAML().compose(io.StringIO(text))
    edits: list[Edit] = []
    named = _entries(top)
    for name, values in sections.items():
        section = named[name]
        for key, value in values.items():
            edits += _edits(text, section, key, value)
    edits.sort(key=lambda edit: edit[0])
    for start, stop, new in reversed(edits):  # those before keep their places
        text = text[:start] + new + text[stop:]
    return text


def difference(old: str, new: str, name: str) -> str:
    """Return what ``new`` changes in the file ``name``, as a unified diff."""
    lines = difflib.unified_diff(
        old.splitlines(keepends=True), new.splitlines(keepends=True), f"a/{name}", f"b/{name}", n=1
    )
    return "".join(line if line.endswith("\n") else f"{line}\n" for line in lines)


def _entries(section: Node) -> dict[str, Node]:
    return {key.value: node for key, node in section.value}


def _edits(text: str, section: Node, key: str, value: Any) -> list[Edit]:
    entries = _entries(section)
    if key not in entries:
        return [_added(text, section, f"{key}: {_said(value)}")]
    node = entries[key]
    is_listed = isinstance(node, SequenceNode) and isinstance(value, list | tuple)
    if is_listed and len(node.value) == len(value):
        return [_replaced(item, new) for item, new in zip(node.value, value, strict=True)]
    return [_replaced(node, value)]


def _replaced(node: Node, value: Any) -> Edit:
    return node.start_mark.index, node.end_mark.index, _said(value)


def _added(text: str, section: Node, entry: str) -> Edit:
    last_key, last = section.value[-1]
    end = _end(last)
    if _is_flow(section):
        return end, end, f", {entry}"
    after = text.find("\n", end)
    indent = " " * last_key.start_mark.column
    if after < 0:
        return len(text), len(text), f"\n{indent}{entry}"
    return after, after, f"\n{indent}{entry}"


def _is_flow(node: Node) -> bool:
    """Tell whether a section or list is written in braces or brackets."""
    return isinstance(node, CollectionNode) and bool(node.flow_style)


def _end(node: Node) -> int:
    """Return where the last character of a value stands: a block's own mark lies beyond it."""
    if isinstance(node, ScalarNode) or _is_flow(node) or not node.value:
        return int(node.end_mark.index)
    last = node.value[-1]
    return _end(last[1] if isinstance(node, MappingNode) else last)


def _said(value: Any) -> str:
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(_said, value))}]"
    return str(value)
