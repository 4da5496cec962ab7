"""Bring the generated files of a project up to the installed version of this package."""

import difflib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

from modemap.errors import ParamsError
from modemap.files import write_bytes
from modemap.lockfile import read_lock
from modemap.scaffold.record import RECORD, VERSION_LINE, digest_of, new_record, read_record
from modemap.scaffold.render import Facts, render

__all__ = ["Change", "Upgrade", "plan_upgrade", "write_upgrade"]

PARAMS = "params.yaml"


@dataclass(frozen=True)
class Change:
    """What becomes of one file."""

    name: str
    how: str  # rewritten, added, beside (as NAME.new), or the version alone (in edited params)
    text: str
    diff: str

    @property
    def target(self) -> str:
        """The file that is written."""
        return f"{self.name}.new" if self.how == "beside" else self.name


@dataclass(frozen=True)
class Upgrade:
    """The changes from one version to another, and the models that will be made again."""

    before: str
    after: str
    changes: Sequence[Change]
    models: Mapping[str, str]  # path -> stage
    record: str


def plan_upgrade(folder: Path) -> Upgrade:
    """Return what the installed version would change in the project in ``folder``.

    Raises
    ------
    ParamsError
        If the folder holds no project that `modemap init` made.
    """
    facts, digests = read_record(folder)
    after = Facts(**facts.document() | {"version": version("modemap")})
    files = render(after)
    changes = [
        change
        for name, text in files.items()
        for change in _changes(folder, name, text, digests.get(name))
    ]
    models = _models(folder) if facts.version != after.version else {}
    record = new_record(after, files)
    return Upgrade(str(facts.version), str(after.version), changes, models, record)


def write_upgrade(folder: Path, upgrade: Upgrade) -> None:
    """Write the changed files and, last, the record of what they were made from."""
    for change in upgrade.changes:
        write_bytes(folder / change.target, change.text.encode())
    write_bytes(folder / RECORD, upgrade.record.encode())


def _changes(folder: Path, name: str, text: str, digest: str | None) -> Iterator[Change]:
    """Yield what is to be done about one file that once had ``digest``, None if it is new."""
    path = folder / name
    try:
        old = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        if digest is None:  # else it was removed on purpose
            yield Change(name, "added", text, _diff(name, "", text))
        return
    except (OSError, UnicodeDecodeError) as error:
        rule, hint = "must be a readable text", "restore the file, or remove it"
        raise ParamsError(path, rule, found=error, hint=hint) from None
    if digest_of(old) == digest:
        if old != text:
            yield Change(name, "rewritten", text, _diff(name, old, text))
        return
    line = VERSION_LINE.search(text)
    if name == PARAMS and line is not None:  # without it no stage would run
        new = VERSION_LINE.sub(line.group(), old, count=1)
        if new != old:
            yield Change(name, "version alone", new, _diff(name, old, new))
    if digest_of(text) != digest:
        yield Change(name, "beside", text, _diff(name, old, text))


def _models(folder: Path) -> dict[str, str]:
    """Return the models that dvc.lock knows, each with the stage that makes it."""
    return {
        str(output["path"]): stage
        for stage, locked in read_lock(folder)["stages"].items()
        for output in locked.get("outs", [])
        if str(output["path"]).startswith("models/")
    }


def _diff(name: str, old: str, new: str) -> str:
    lines = difflib.unified_diff(
        old.splitlines(keepends=True), new.splitlines(keepends=True), name, name
    )
    return "".join(lines)
