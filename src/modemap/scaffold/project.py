"""Make a project of a table: look at it, decide, write the files, set up git and DVC."""

import math
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pyarrow as pa

from modemap.data.objects import is_stored
from modemap.data.profile import Profile, profile
from modemap.data.queries import is_query
from modemap.data.sources import is_watchable, source_of, source_pieces, source_root
from modemap.errors import ParamsError, StageError
from modemap.files import write_bytes
from modemap.refusals import free_bytes
from modemap.scaffold.bounds import rules
from modemap.scaffold.decisions import BOTH, Decisions, decide
from modemap.scaffold.record import RECORD, new_record
from modemap.scaffold.render import Facts, render

__all__ = ["Made", "make_project", "plan_project"]

Watch = Callable[[Iterable[tuple[str, pa.Table]]], Iterable[tuple[str, pa.Table]]]

TRAIN_SHARE = 0.7
SIDES = (4, 16)  # of the map, least and greatest
COMPONENTS = 8
TEST_SHARE = 0.15
ROWS_TO_JUDGE_ON = (10, 100)  # test rows that the gate asks for, least and most
SLACK = (
    0.35  # share of dead units beyond that of rows that are spread evenly: some lie between clumps
)
MOST_DEAD = 0.9  # less than that of the smallest map with all rows on one unit
CHANCE = 0.001  # that rows drawn alike break the bound of calibration in any column
ROWS_PER_NUMBER = 10  # training rows for each column of each component, at least
REPOSITORY_BYTES = 1 << 20  # of git and DVC, at most
AUTHOR = ("modemap", "modemap@localhost")


@dataclass(frozen=True)
class Made:
    """What `modemap init` decided and wrote."""

    decisions: Decisions
    rows: int
    files: Mapping[str, str]  # path -> text
    notes: Sequence[str] = ()


def plan_project(
    source: str,
    folder: Path,
    *,
    key: Sequence[str] = (),
    time: str | None = None,
    label: str | None = None,
    watch: Watch = lambda pieces: pieces,
) -> Made:
    """Look at ``source`` once and return the files of its project in ``folder``.

    Raises
    ------
    DataError
        If the source cannot be read or is of no use to a map and a mixture.
    ParamsError
        If an argument names no column of it.
    """
    source = source_of(source)
    found = profile(watch(source_pieces(source)))
    decisions = decide(source, found, key, time, label)
    facts = _facts(source, folder, found, decisions)
    files = render(facts)
    return Made(decisions, found.rows, files | {RECORD: new_record(facts, files)})


def make_project(made: Made, folder: Path, *, force: bool) -> Made:
    """Write the files of ``made`` into ``folder``; set up git and DVC where they are missing.

    Raises
    ------
    ParamsError
        If a file exists and ``force`` is not set. Nothing is written then.
    StageError
        If there is no room for the project, and nothing is written then; or git or DVC fails.
    """
    there = [
        name for name in made.files if (folder / name).exists() or (folder / name).is_symlink()
    ]
    if there and not force:
        raise ParamsError(
            folder,
            "a file that is there must not be lost",
            found=", ".join(there),
            hint="choose another folder by --into, or replace the files by --force",
        )
    _check_room(folder, made.files)
    folder.mkdir(parents=True, exist_ok=True)
    notes = []
    top = _git_top(folder)
    if top is None:
        _run(folder, "git", "init", "-q")
    if not (folder / ".dvc").is_dir():
        below = ["--subdir"] if top is not None and top != folder.resolve() else []
        _run(folder, sys.executable, "-m", "dvc", "init", "-q", *below)
    for name, text in made.files.items():
        write_bytes(folder / name, text.encode())
    notes += _author(folder)
    if _asks(folder, "git", "rev-parse", "-q", "--verify", "HEAD") is None:
        _run(folder, "git", "add", "-f", "--", *made.files)
        message = "Start a project with modemap init"
        _run(folder, "git", "commit", "-q", "--no-verify", "-m", message, "--", *made.files)
    else:
        notes.append("commit the files when you have looked at them: `git add` and `git commit`")
    return Made(made.decisions, made.rows, made.files, notes)


def _check_room(folder: Path, files: Mapping[str, str]) -> None:
    """Refuse a disk too full for the files, git and DVC before anything is written."""
    needed = REPOSITORY_BYTES + 2 * sum(len(text.encode()) for text in files.values())
    free = free_bytes(folder)
    if free < needed:
        raise StageError(
            folder,
            "the disk must have room for the project",
            found=f"{free:,} bytes are free, {needed:,} are needed",
            hint="make room on the disk, or choose another folder by --into",
        )


def _facts(source: str, folder: Path, found: Profile, decisions: Decisions) -> Facts:
    is_here = not is_stored(source)
    seen = _seen_from(source, folder) if is_here else source
    root = _seen_from(str(source_root(source)), folder) if is_here else None
    project = _name(source_root(source))
    n_train = int(TRAIN_SHARE * found.rows)
    is_line = len(decisions.numbers) == 1 and not decisions.categories and not decisions.times
    side = _side(n_train, decisions, is_line=is_line)
    n_units = side if is_line else side * side
    components = n_train // (ROWS_PER_NUMBER * len(decisions.numbers))
    return Facts(
        project=project,
        source=seen,
        key=decisions.key,
        columns=decisions.numbers,
        categories=decisions.categories,
        times=decisions.times,
        label=decisions.label,
        suite=f"expectations/{project}.yaml",
        side=side,
        is_line=is_line,
        n_segments=min(Facts.n_segments, n_units),
        n_components=min(max(components, 1), COMPONENTS),
        **_bounds(n_train, int(TEST_SHARE * found.rows), n_units, len(decisions.numbers)),
        version=version("modemap"),
        watched=root,
        unwatched=not is_watchable(source),
        ignored=_ignoring(root) if root and _is_table_within(source, root) else None,
        rules=rules(found, decisions),
        rows=found.rows,
        described=[
            {"name": d.name, "kind": d.kind, "use": d.use, "why": d.why} for d in decisions.all
        ],
    )


def _side(n_train: int, decisions: Decisions, *, is_line: bool) -> int:
    """Return the units on a side of the map, 5 of them in all for the root of a row.

    A line has no more units than its column has values, which would else lie dead between them.
    """
    n_units = 5 * n_train**0.5
    side = int(min(max(round(n_units if is_line else n_units**0.5), SIDES[0]), SIDES[1]))
    distinct = [d.column.distinct or side for d in decisions.all if d.use == BOTH]
    return min(side, *distinct) if is_line else side


def _bounds(n_train: int, n_test: int, n_units: int, n_columns: int) -> dict[str, Any]:
    """Return the gate's bounds that must be wider where few test rows judge.

    That of calibration is Kolmogorov's and Smirnov's for two samples, of each of the columns.
    """
    few, many = ROWS_TO_JUDGE_ON
    dead = math.exp(-n_test / n_units) + SLACK
    rows = 1 / max(n_train, 1) + 1 / max(n_test, 1)
    calibration = math.sqrt(math.log(2 * n_columns / CHANCE) / 2 * rows)
    return {
        "n_rows_min": min(max(n_test // 2, few), many),
        "dead_unit_share_max": round(min(max(dead, Facts.dead_unit_share_max), MOST_DEAD), 2),
        "calibration_max": round(min(max(calibration, Facts.calibration_max), 1.0), 2),
    }


def _seen_from(path: str, folder: Path) -> str:
    """Return ``path`` relative to the project where it lies within, else absolute."""
    absolute = os.path.abspath(path)  # noqa: PTH100  # a glob is no file that could be resolved
    inside = Path(os.path.relpath(absolute, folder.absolute()))
    return absolute if inside.parts[0] == os.pardir else inside.as_posix()


def _is_table_within(source: str, root: str) -> bool:
    """Tell whether the project holds the table itself; a query is a file like others."""
    return not is_query(source) and not Path(root).is_absolute()


def _ignoring(path: str) -> str:
    """Return the line of .gitignore that means ``path`` and nothing else."""
    return "/" + re.sub(r"([\\*?\[\]!# ])", r"\\\1", path)


def _name(root: Path) -> str:
    stem = root.name.split(".")[0] or root.absolute().name
    name = re.sub(r"[^A-Za-z0-9_-]+", "-", stem).strip("-_")
    return name if name[:1].isalpha() else f"table-{name}".rstrip("-")


def _author(folder: Path) -> list[str]:
    """Give the project an author where git knows none: DVC keeps experiments as commits."""
    if _asks(folder, "git", "config", "user.email"):
        return []
    for key, value in zip(("user.name", "user.email"), AUTHOR, strict=True):
        _run(folder, "git", "config", "--local", key, value)
    return [
        "git knows no author: commits here are modemap's until you set user.name and user.email"
    ]


def _git_top(folder: Path) -> Path | None:
    top = _asks(folder, "git", "rev-parse", "--show-toplevel")
    return Path(top).resolve() if top else None


def _asks(folder: Path, *command: str) -> str | None:
    """Return what a command prints, None if it fails."""
    try:
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        rule, hint = "must be installed", "install it with your system's package manager"
        raise StageError(command[0], rule, found="no such command", hint=hint) from None
    return done.stdout.strip() if done.returncode == 0 else None


def _run(folder: Path, *command: str) -> None:
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    if done.returncode:
        raise StageError(
            " ".join(command[:4]),
            "must succeed",
            found=" ".join((done.stderr or done.stdout).split()) or f"code {done.returncode}",
            hint="mend that and run `modemap init --force` again",
        )
