"""Pages made from the program: its commands, its params, its public names, and two lists of pages.

A command's help, a setting's comment or a docstring that changes is changed here by the next build.
"""

import importlib
import inspect
import re
from collections.abc import Iterator
from pathlib import Path
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

import typer
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from pydantic import BaseModel
from pydantic.fields import FieldInfo
from ruamel.yaml import YAML
from typer.cli import get_docs_for_click

from modemap.cli import app
from modemap.params import Params

__all__ = ["API", "on_files", "on_page_content", "param_rows"]

ROOT = Path(__file__).parents[2]
API = {  # page -> title, what it is about, modules whose public names it shows
    "estimators": ("Estimators", "The models, by scikit-learn's conventions.", ["estimators"]),
    "metrics": ("Metrics", "How good a map, a density or a grouping is.", ["metrics"]),
    "sketch": ("Sketch", "A column in a few megabytes.", ["sketch"]),
    "plot": ("Plot", "Pictures of fitted models (extra `plot`).", ["plot"]),
    "release": ("Release", "Preparation, map and mixture under one digest.", ["release"]),
    "explain": ("Explain", "A release, a unit or rows in words.", ["lifecycle.explain"]),
    "engine": ("Engine", "Where training runs: here, or on a Dask cluster.", ["engine"]),
    "errors": ("Errors", "What a person can act on.", ["errors"]),
}
ROLE = re.compile(r":(?:attr|class|data|func|meth|mod):<code>~?(?:[\w.]+\.)?(\w+)</code>")
COMMENT = re.compile(r"^    (\w+): .*  # (.*)$", re.MULTILINE)
STAGES = ("ingest", "validate", "prepare", "train_som", "train_mixture", "evaluate")
LISTS = {  # page -> title and what stands before the list
    "decisions": ("Decisions", "Why things are as they are: one page for each choice that binds."),
    "runbooks": ("Runbooks", "What to do when an alert comes. Its message names the page."),
}
PARAMS_HEAD = """\
# params.yaml

Every key, as the program reads it. An unknown key, another type or a value out of range stops a
command with code 2, the line and the nearest valid key. *Runs again* names the stages that
`dvc repro` repeats after a change; [Sensitivity](../sensitivity.md) says what a change does to the
models.
"""


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pages."""
    pages = {"reference/commands.md": _commands(), "reference/params.md": _params()}
    pages |= {f"reference/api/{name}.md": _api(*about) for name, about in API.items()}
    pages |= {f"{name}/index.md": _list(name, *words) for name, words in LISTS.items()}
    for page, text in pages.items():
        files.append(File.generated(config, page, content=text))
    return files


def on_page_content(html: str, **_: Any) -> str:
    """Show what docstrings name by Sphinx's roles as code, by its last word."""
    return ROLE.sub(r"<code>\1</code>", html)


def _commands() -> str:
    """Return the help of every command."""
    command = typer.main.get_command(app)
    context = typer.Context(command, info_name="modemap")
    text: str = get_docs_for_click(obj=command, ctx=context, name="modemap", title="Commands")
    for name, told in command.commands.items():  # `--help` has room for half a sentence alone
        first = str(told.help).splitlines()[0]
        text = re.sub(
            rf"^\* `{name}`: .*$", f"* `{name}`: {first}", text, count=1, flags=re.MULTILINE
        )
    text = re.sub(r"\{(\w+)\}", lambda name: name[1].upper(), text)  # as docstrings say it
    return re.sub(r"\n{3,}", "\n\n", text)


def _api(title: str, about: str, modules: list[str]) -> str:
    parts = [f"# {title}", about]
    for module in modules:
        names = importlib.import_module(f"modemap.{module}").__all__
        parts += [f"::: modemap.{module}.{name}" for name in names]
    return "\n\n".join(parts)


def _list(folder: str, title: str, about: str) -> str:
    pages = sorted((ROOT / "docs" / folder).glob("*.md"))
    lines = [f"- [{_title(page)}]({page.name})" for page in pages]
    return f"# {title}\n\n{about}\n\n" + "\n".join(lines) + "\n"


def _title(page: Path) -> str:
    return page.read_text(encoding="utf-8").splitlines()[0].removeprefix("# ")


def _params() -> str:
    """Return a table for each section of params.yaml."""
    parts, rows = [PARAMS_HEAD], list(param_rows())
    for section in dict.fromkeys(row[0] for row in rows):
        about = _section_help(section)
        again = _again(section)
        head = "| key | type | default | bounds | note |\n|---|---|---|---|---|"
        lines = [f"| {' | '.join(row[1:])} |" for row in rows if row[0] == section]
        title = f"## {section or 'On the first level'}"
        parts.append("\n\n".join([title, *filter(None, [about, again]), "\n".join([head, *lines])]))
    return "\n\n".join(parts) + "\n"


def param_rows() -> Iterator[tuple[str, str, str, str, str, str]]:
    """Yield section, key, type, default, bounds and note of every setting."""
    notes = _notes()
    for section, model in _sections(Params, ""):
        for name, found in model.model_fields.items():
            if _model_of(found):
                continue
            key = found.alias or name
            note = notes.get(f"{section}.{key}".lstrip("."), "")
            yield section, f"`{key}`", _kind(found), _default(found), _bounds(found), _cell(note)


def _sections(model: type[BaseModel], path: str) -> Iterator[tuple[str, type[BaseModel]]]:
    yield path, model
    for name, found in model.model_fields.items():
        inner = _model_of(found)
        if inner is not None:
            yield from _sections(inner, f"{path}.{found.alias or name}".lstrip("."))


def _model_of(found: FieldInfo) -> type[BaseModel] | None:
    kinds = [found.annotation, *getattr(found.annotation, "__args__", ())]
    models = [kind for kind in kinds if isinstance(kind, type) and issubclass(kind, BaseModel)]
    return models[0] if models else None


def _section_help(section: str) -> str:
    return str(dict(_sections(Params, ""))[section].__doc__ or "").strip() if section else ""


def _again(section: str) -> str:
    name = section.partition(".")[0]
    if name not in STAGES:
        return ""
    stages = YAML(typ="safe").load((ROOT / "dvc.yaml").read_text(encoding="utf-8"))["stages"]
    first = [stage for stage, told in stages.items() if name in told.get("params", [])]
    return f"*Runs again*: {', '.join(f'`{stage}`' for stage in first)}, and what depends on them."


def _kind(found: FieldInfo) -> str:
    return _cell(_words(found.annotation))


def _words(kind: Any) -> str:
    """Return what a person calls a type."""
    if get_origin(kind) is Annotated:
        return _words(get_args(kind)[0])
    if get_origin(kind) is Literal:
        return ", ".join(f"`{choice}`" for choice in get_args(kind))
    if get_origin(kind) in {Union, UnionType}:
        return " or ".join(_words(part) for part in get_args(kind))
    if get_origin(kind) is tuple:
        inner = [part for part in get_args(kind) if part is not Ellipsis]
        return f"list of {_words(inner[0])}" if len(inner) == 1 else f"{len(inner)} numbers"
    if get_origin(kind) is dict:
        return f"mapping of names to {_words(get_args(kind)[1])}"
    return {str: "text", int: "integer", float: "number", bool: "yes or no", NoneType: "none"}[kind]


def _default(found: FieldInfo) -> str:
    return "must be given" if found.is_required() else f"`{_cell(_told(found.default))}`"


def _told(value: object) -> str:
    if isinstance(value, tuple):
        return f"[{', '.join(map(str, value))}]"
    if value is None:
        return "none"
    return str(value).lower() if isinstance(value, bool) else str(value)


def _bounds(found: FieldInfo) -> str:
    signs = {"ge": "≥", "gt": ">", "le": "≤", "lt": "<"}
    inner = [part for part in get_args(found.annotation) if get_origin(part) is Annotated]
    fields = [rule for part in inner for rule in get_args(part)[1:] if isinstance(rule, FieldInfo)]
    rules = [rule for told in (found, *fields) for rule in told.metadata]
    if get_origin(found.annotation) in {tuple, dict}:  # bounds of what they hold, not of them
        rules = found.metadata
    told = [
        f"{sign} {getattr(rule, name)}"
        for rule in rules
        for name, sign in signs.items()
        if getattr(rule, name, None) is not None
    ]
    return ", ".join(told)


def _notes() -> dict[str, str]:
    """Return what is said behind a key: in params.yaml, or else in the program."""
    notes = {
        f"{section}.{key}".lstrip("."): said
        for section, model in _sections(Params, "")
        for key, said in COMMENT.findall(inspect.getsource(model))
    }
    above = [""]
    for line in (ROOT / "params.yaml").read_text(encoding="utf-8").splitlines():
        found = re.fullmatch(r"( *)(\w+):[^#]*?(?:# (.*))?", line)
        if found is None:
            continue
        above[len(found[1]) // 2 :] = [found[2]]
        if found[3]:
            notes[".".join(above)] = found[3]
    return notes


def _cell(text: str) -> str:
    return text.replace("|", "\\|")
