"""The files of a project from one set of facts: somebody's own project, or this repository."""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import cache
from importlib import resources
from typing import Any

from jinja2 import Environment, StrictUndefined, Template

__all__ = ["FOR_OWN_TABLES", "SHARED", "Facts", "render", "said"]

SHARED = (  # this repository's own files too
    ".dvc/.gitignore",
    ".dvc/config",
    ".dvcignore",
    ".github/workflows/comment.yml",
    ".github/workflows/retrain.yml",
    ".gitignore",
    "dvc.yaml",
    "flows/monitor.py",
    "flows/retrain.py",
    "flows/score.py",
    "flows/search.py",
    "params.yaml",
    "prefect.yaml",
)
FOR_OWN_TABLES = (*SHARED, "Makefile", "README.md", "requirements.txt")


@dataclass(frozen=True)
class Facts:
    """All that the files of a project are made from."""

    project: str
    source: str
    key: Sequence[str]
    columns: Mapping[str, str]  # of numbers -> policy for missing values
    suite: str  # the contract's file
    months: Sequence[int] = ()  # of the packaged flights
    categories: Mapping[str, Sequence[str]] = field(default_factory=dict)
    times: Mapping[str, Sequence[str]] = field(default_factory=dict)
    label: str | None = None
    side: int = 16  # of the map
    is_line: bool = False  # a map of one row: one column has no plane
    n_segments: int = 6
    n_components: int = 8
    n_rows_min: int = 100  # test rows that the gate asks for
    dead_unit_share_max: float = 0.5
    calibration_max: float = 0.1
    version: str | None = None  # of this package; None: the stages watch its sources instead
    watched: str | None = None  # the source, as a dep
    unwatched: bool = False  # DVC cannot see the source change: ingest always runs
    ignored: str | None = None  # the source, where it lies within the project
    sources: Mapping[str, Sequence[str]] = field(default_factory=dict)  # stage -> files it runs
    rules: Sequence[tuple[str, Sequence[Mapping[str, Any]]]] = ()
    rows: int = 0
    described: Sequence[Mapping[str, str]] = ()  # column, kind, use, why

    def document(self) -> dict[str, Any]:
        """Return the facts as plain values."""
        return asdict(self)


def render(facts: Facts) -> dict[str, str]:
    """Return path and text of each file, those of an own table if it has a version."""
    files = {path: _render(path, facts) for path in (FOR_OWN_TABLES if facts.version else SHARED)}
    if facts.rules:
        files[facts.suite] = _render("expectations.yaml", facts)
    return dict(sorted(files.items()))


def said(value: object) -> str:
    """Return ``value`` as YAML that stands on one line; plain words stay as they are."""
    if isinstance(value, str):
        is_plain = _PLAIN.fullmatch(value) and value.lower() not in _NOT_TEXT
        return value if is_plain else _quoted(value)
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{said(k)}: {said(v)}" for k, v in value.items()) + "}"
    if isinstance(value, Sequence):
        return "[" + ", ".join(map(said, value)) + "]"
    return _quoted(value)


_PLAIN = re.compile(r"[A-Za-z_][A-Za-z0-9_./-]*")
_NOT_TEXT = ("null", "true", "false", "yes", "no", "on", "off", "y", "n", "nan", "inf")


def _quoted(value: object) -> str:
    text = json.dumps(value, ensure_ascii=False)
    # YAML takes these for line breaks or refuses them, where JSON does not.
    odd = [c for c in set(text) if not c.isprintable()]
    return text.translate({ord(c): json.dumps(c)[1:-1] for c in odd})


def _render(path: str, facts: Facts) -> str:
    return _template(path).render(**facts.document())


@cache
def _template(path: str) -> Template:
    environment = Environment(
        block_start_string="<%",
        block_end_string="%>",
        variable_start_string="<<",
        variable_end_string=">>",
        comment_start_string="<#",
        comment_end_string="#>",
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        undefined=StrictUndefined,
        autoescape=False,  # noqa: S701  # these are no pages
    )
    environment.filters |= {"said": said, "cell": _cell}
    folder = resources.files("modemap.scaffold") / "templates"
    return environment.from_string(
        (folder / f"{_template_name(path)}.jinja").read_text(encoding="utf-8")
    )


def _template_name(path: str) -> str:
    """Return the path without dots in front: DVC would take such folders for its own."""
    return path.replace("/.", "/").removeprefix(".")


def _cell(text: str) -> str:
    """Return ``text`` as the cell of a Markdown table shows it, word for word."""
    plain = " ".join(text.split())
    return "".join(f"\\{c}" if c in "\\`*[]<>#|~" else c for c in plain)
