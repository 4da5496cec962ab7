"""The one table of bad input: what is done to the small project, and what it must answer.

A fault is a context manager: inside its block the project is ill-treated, after it the project is
as before. The variants of a case are tried one after another in the same copy of the project, and
one good run ends the case.
"""

import hashlib
import html
import json
import shutil
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from subprocess import PIPE, CompletedProcess, Popen

import numpy as np
import psutil
import pyarrow as pa
import pyarrow.csv as pacsv
import pyarrow.parquet as pq

from modemap.orchestration.environment import tool_environment
from tests.faults.machine import (
    IN_A_READ_ONLY_FOLDER,
    MOMENTS,
    ON_A_FULL_DISK,
    killed,
    mounted,
    stage_command,
)
from tests.faults.project import N_ROWS, OUTPUTS, PARAMS, STAGES, rows, run_stage
from tests.projects import Project

Fault = Callable[[Path], AbstractContextManager[None]]
Check = Callable[[Path], None]


@dataclass(frozen=True)
class Refused:
    """The last stage that runs stops with this code; each part of its message holds a text."""

    exit_code: int
    place: str
    rule: str
    found: str
    hint: str


@dataclass(frozen=True)
class Accepted:
    """Every stage succeeds, and ``right`` finds a correct result."""

    right: Check


@dataclass(frozen=True)
class Killed:
    """The last stage dies without a word; its outputs are as before, or one of them is absent."""


@dataclass(frozen=True)
class Variant:
    """One fault, the stages that run on it, what must come of it, and how the last one runs."""

    fault: Fault
    stages: tuple[str, ...]
    outcome: Refused | Accepted | Killed
    run: Callable[[Project, str], CompletedProcess[str]] = run_stage


@dataclass(frozen=True)
class Case:
    """Variants that share a heading of docs/bad-input.md."""

    title: str
    variants: Mapping[str, Variant]


# What can be done to a file


@contextmanager
def changed(path: Path, change: Callable[[Path], None]) -> Iterator[None]:
    """Put ``path`` aside, let ``change`` make another in its place, and put it back."""
    aside = path.with_name(f"{path.name}.aside")
    if path.is_dir():
        shutil.copytree(path, aside, symlinks=True)
    else:
        shutil.copy2(path, aside)
    try:
        change(path)
        yield
    finally:
        remove(path)
        aside.rename(path)


def remove(path: Path) -> None:
    """Remove whatever stands at ``path``."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def file(name: str, change: Callable[[Path], None]) -> Fault:
    """Return the fault that ``change`` makes to the file ``name``, the first that matches."""
    return lambda root: changed(next(root.glob(name), root / name), change)


def becomes(content: bytes) -> Callable[[Path], None]:
    """Return the change of a file's whole content."""

    def change(path: Path) -> None:
        path.unlink()  # it may be a hard link into DVC's cache
        path.write_bytes(content)

    return change


def cut(path: Path) -> None:
    """Leave the first half of the bytes."""
    becomes(path.read_bytes()[: path.stat().st_size // 2])(path)


def flipped(path: Path) -> None:
    """Turn one bit in the middle around."""
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    becomes(bytes(content))(path)


def directory(path: Path) -> None:
    """Put an empty directory there."""
    path.unlink()
    path.mkdir()


def params(old: str, new: str) -> Fault:
    """Return the fault of another text in params.yaml."""
    assert old in PARAMS
    return file("params.yaml", becomes(PARAMS.replace(old, new, 1).encode()))


# What can be done to the rows


def table(make: Callable[[pa.Table], pa.Table]) -> Fault:
    """Return the fault that replaces the rows by what ``make`` makes of them."""

    def change(path: Path) -> None:
        pq.write_table(make(rows()), path)

    return file("rows.parquet", change)


def source(name: str, make: Callable[[Path], None]) -> Fault:
    """Return the fault that names another source, made by ``make``, and watches it."""
    watched = name.split("/", maxsplit=1)[0]

    @contextmanager
    def fault(root: Path) -> Iterator[None]:
        stages = (root / "dvc.yaml").read_text().replace("rows.parquet", watched).encode()
        settings = PARAMS.replace("rows.parquet", name).encode()
        make(root / watched)
        with (
            changed(root / "params.yaml", becomes(settings)),
            changed(root / "dvc.yaml", becomes(stages)),
        ):
            try:
                yield
            finally:
                remove(root / watched)

    return fault


def text(content: bytes) -> Callable[[Path], None]:
    """Return the maker of a file with ``content``."""
    return lambda path: path.write_bytes(content) and None


def column(name: str, values: Callable[[np.ndarray], object]) -> Fault:
    """Return the fault of other values in the column ``name``."""

    def make(good: pa.Table) -> pa.Table:
        place = good.column_names.index(name)
        return good.set_column(place, name, [values(good[name].to_numpy())])

    return table(make)


def missing(share: float) -> Callable[[np.ndarray], pa.Array]:
    """Return the change that makes a share of the values NaN, evenly spread."""

    def change(values: np.ndarray) -> pa.Array:
        values = values.astype(float)
        values[: int(share * N_ROWS)] = np.nan
        return pa.array(np.random.default_rng(1).permutation(values))

    return change


def one(value: object) -> Callable[[np.ndarray], pa.Array]:
    """Return the change of the eighteenth value."""
    return lambda values: pa.array([*values[:17].tolist(), value, *values[18:].tolist()])


def prepared(root: Path) -> pa.Table:
    """Return the rows of all three parts in the order of their ids."""
    parts = [pq.read_table(path) for path in sorted((root / "data/prepared").glob("*/*.parquet"))]
    return pa.concat_tables(parts).sort_by("id")


def has_rows(count: int) -> Check:
    """Return the check that ``count`` rows were prepared."""

    def check(root: Path) -> None:
        assert prepared(root).num_rows == count

    return check


def is_filled_by_the_median(root: Path) -> None:
    """Check that missing distances are the median of the training rows' known ones."""
    train = pq.read_table(root / "data/prepared/train")
    raw = pq.read_table(next((root / "data/raw").glob("*.parquet")))
    known = dict(zip(raw["id"].to_pylist(), raw["distance"].to_pylist(), strict=True))
    values = [known[i] for i in train["id"].to_pylist()]
    median = np.median([value for value in values if value is not None])
    expected = [median if value is None else value for value in values]
    assert train["distance"].to_pylist() == expected


def flag(values: Sequence[str]) -> Fault:
    """Return the fault of a boolean `late` that holds ``values`` in turn, listed as true."""

    @contextmanager
    def fault(root: Path) -> Iterator[None]:
        listed = PARAMS.replace("prepare:\n", 'prepare:\n  categories: {late: ["true"]}\n', 1)
        late = pa.array([values[i % len(values)] for i in range(N_ROWS)])
        with (
            changed(root / "params.yaml", becomes(listed.encode())),
            table(lambda good: good.append_column("late", late))(root),
        ):
            yield

    return fault


def named(name: str) -> Fault:
    """Return the fault that the column `delay` has the name ``name``, in the params too."""

    @contextmanager
    def fault(root: Path) -> Iterator[None]:
        quoted = name.replace("'", "''")
        settings = PARAMS.replace("    delay: drop", f"    '{quoted}': drop").encode()
        contract = (root / "expectations/rows.yaml").read_text()
        contract = contract.replace("column: delay", f"column: '{quoted}'").encode()
        with (
            changed(root / "params.yaml", becomes(settings)),
            changed(root / "expectations/rows.yaml", becomes(contract)),
            table(lambda good: good.rename_columns(["id", name, "distance"]))(root),
        ):
            yield

    return fault


def has_column(name: str) -> Check:
    """Return the check that the prepared rows hold the delays under ``name``."""

    def check(root: Path) -> None:
        assert prepared(root)[name].to_pylist() == rows()["delay"].to_pylist()

    return check


def has_answers_for(name: str) -> Check:
    """Return the check that every row has its mode of the column ``name``."""

    def check(root: Path) -> None:
        scores = pq.read_table(root / "reports/scores.parquet")
        assert scores[f"{name}_mode"].null_count == 0
        assert scores.num_rows == N_ROWS

    return check


EXPORT = "export the file again"
INGEST = ("ingest",)
TO_VALIDATE = ("ingest", "validate")
TO_PREPARE = ("ingest", "prepare")
TO_ANSWERS = ("ingest", "prepare", "train_som", "train_mixture", "evaluate")


def refused_source(name: str, make: Callable[[Path], None], rule: str, found: str, hint: str):
    """Return the variant of a source that `ingest` refuses."""
    return Variant(source(name, make), INGEST, Refused(3, name, rule, found, hint))


def csv(path: Path) -> None:
    """Write the good rows as CSV."""
    pacsv.write_csv(rows(), path)


def csv_with(old: bytes, new: bytes) -> Callable[[Path], None]:
    """Return the maker of a CSV of the good rows with one text replaced."""

    def make(path: Path) -> None:
        csv(path)
        content = path.read_bytes()
        assert old in content
        path.write_bytes(content.replace(old, new, 1))

    return make


SOURCES = Case(
    "The source's file",
    {
        "missing": refused_source(
            "gone.parquet", lambda _: None, "must exist", "no such file", "ingest.source"
        ),
        "a pattern that matches nothing": refused_source(
            "in/*.parquet", lambda p: p.mkdir(), "at least one file", "no such file", "the pattern"
        ),
        "empty": refused_source(
            "empty.parquet", lambda p: p.touch(), "must hold rows", "an empty file", EXPORT
        ),
        "truncated Parquet": Variant(
            file("rows.parquet", cut),
            INGEST,
            Refused(3, "rows.parquet", "must be readable", "magic bytes", EXPORT),
        ),
        "CSV cut in the middle of a row": refused_source(
            "cut.csv", csv_with(b"\n20,", b"\n20\n20,"), "must be readable", "columns", EXPORT
        ),
        "wrong type: a page of HTML named as CSV": refused_source(
            "page.csv",
            text(b"<html>\n<p>Sign in, please, and try again</p>\n</html>\n"),
            "must be readable",
            "columns",
            EXPORT,
        ),
        "wrong type: a picture named as Parquet": refused_source(
            "picture.parquet",
            text(b"\x89PNG\r\n\x1a\n" + bytes(100)),
            "must be readable",
            "magic bytes",
            EXPORT,
        ),
        "wrong type: a spreadsheet": refused_source(
            "rows.xlsx", text(b"PK\x03\x04"), "CSV or Arrow", "`.xlsx`", "use one of"
        ),
        "a directory": refused_source(
            "folder.parquet", lambda p: p.mkdir(), "must be a file", "a directory", "*.parquet"
        ),
        "no UTF-8": refused_source(
            "latin.csv",
            csv_with(b'"id"', b'"id\xe9"'),
            "must be UTF-8",
            "it looks like Latin-1",
            "write it as UTF-8",
        ),
        "UTF-16": refused_source(
            "wide.csv",
            text("id,delay\n1,2\n".encode("utf-16")),
            "must be UTF-8",
            "it looks like UTF-16",
            "write it as UTF-8",
        ),
        "columns separated by semicolons": refused_source(
            "semicolons.csv",
            text(b"id;delay\n1;2,5\n"),
            "separated by commas",
            "separated by ';'",
            "write it so",
        ),
        "no rows": Variant(
            table(lambda good: good.slice(0, 0)),
            INGEST,
            Refused(3, "rows.parquet", "must hold rows", "no rows", EXPORT),
        ),
        "one column twice": Variant(
            table(lambda good: good.append_column("delay", good["delay"])),
            INGEST,
            Refused(3, "rows.parquet", "name of its own", "'delay'", "rename or remove"),
        ),
    },
)

ROWS = Case(
    "The rows",
    {
        "one row": Variant(
            table(lambda good: good.slice(0, 1)),
            TO_PREPARE,
            Refused(3, "data/raw", "each part must get rows", "train 1", "name more data"),
        ),
        "a key twice": Variant(
            column("id", one(16)),
            TO_VALIDATE,
            Refused(3, "rows.yaml", "keep the contract", "2 of 600", "data/quarantine"),
        ),
        "text among numbers": Variant(
            source("text.csv", csv_with(b"\n17,", b"\n17,late")),
            TO_PREPARE,
            Refused(3, "`delay`", "must be numeric", "string", "prepare.columns"),
        ),
        "other texts for true and false": Variant(
            flag(["ja", "nein"]),
            TO_PREPARE,
            Refused(3, "`late`", "must hold true or false", "'ja'", "prepare.categories"),
        ),
        "a column gone": Variant(
            table(lambda good: good.drop_columns(["distance"])),
            TO_PREPARE,
            Refused(3, "`distance`", "must be in the data", "no such column", "take it out"),
        ),
        "a constant column": Variant(
            column("distance", lambda values: np.full(len(values), 500.0)),
            TO_ANSWERS,
            Accepted(has_answers_for("distance")),
        ),
        "1 % NaN, dropped": Variant(
            column("delay", missing(0.01)), (*TO_VALIDATE, "prepare"), Accepted(has_rows(594))
        ),
        "50 % NaN where the contract allows 10 %": Variant(
            column("delay", missing(0.5)),
            TO_VALIDATE,
            Refused(3, "rows.yaml", "keep the contract", "300 of 600", "data/quarantine"),
        ),
        "50 % NaN, filled by the median": Variant(
            column("distance", missing(0.5)), TO_PREPARE, Accepted(is_filled_by_the_median)
        ),
        "100 % NaN": Variant(
            column("distance", missing(1)),
            TO_PREPARE,
            Refused(3, "`distance`", "at least one value", "all of 600 rows", "take it out"),
        ),
        "100 % NaN in a column of the contract": Variant(
            column("delay", missing(1)),
            TO_VALIDATE,
            Refused(3, "rows.yaml", "keep the contract", "600 of 600", "data/quarantine"),
        ),
        "infinity": Variant(
            column("delay", one(np.inf)),
            TO_PREPARE,
            Refused(3, "`delay`", "1e+150", "1 of 600", "mend"),
        ),
        "1e300": Variant(
            column("delay", one(1e300)),
            TO_PREPARE,
            Refused(3, "`delay`", "1e+150", "1 of 600", "mend"),
        ),
        "1e-200 at most": Variant(
            column("distance", lambda values: np.arange(len(values)) % 2 * 1e-200),
            TO_PREPARE,
            Refused(3, "`distance`", "1e-150", "at most", "another unit"),
        ),
    },
)

NAMES = {
    "spaces": "delay at  departure",
    "quotes": "the \"delay\", it's 'real'",
    "Unicode": "Verspätung 🚀 遅れ",
    "markup": "<script>alert(1)</script>",
    "a formula": "=cmd('calc')",
    "a dollar": "$\\alpha_ $",
}
COLUMN_NAMES = Case(
    "Names of columns",
    {
        f"{kind}: `{name}`": Variant(named(name), TO_PREPARE, Accepted(has_column(name)))
        for kind, name in NAMES.items()
    },
)


def refused_params(old: str, new: str, *parts: str) -> Variant:
    """Return the variant of a text in params.yaml that every stage refuses."""
    return Variant(params(old, new), INGEST, Refused(2, *parts))


def refused_params_file(
    change: Callable[[Path], None], rule: str, found: str, hint: str
) -> Variant:
    """Return the variant of a params.yaml that is no such file at all."""
    return Variant(
        file("params.yaml", change), INGEST, Refused(2, "params.yaml", rule, found, hint)
    )


SETTINGS = Case(
    "params.yaml",
    {
        "missing": refused_params_file(
            lambda path: path.unlink(), "must exist", "no such file", "the project's folder"
        ),
        "empty": refused_params_file(becomes(b""), "a mapping", "an empty file", "README.md"),
        "truncated in a list": refused_params_file(
            becomes(PARAMS[: PARAMS.index("2.0") + 3].encode()), "YAML", "expected", "mend the line"
        ),
        "a directory": refused_params_file(
            directory, "a readable file", "Is a directory", "put the file back"
        ),
        "no UTF-8": refused_params_file(
            becomes(b"project: caf\xe9\n"), "UTF-8", "invalid", "save the file as UTF-8"
        ),
        "control characters": refused_params_file(
            becomes(b"project: \x00\x01\n"), "YAML", "not allowed", "take it out"
        ),
        "a list": refused_params_file(becomes(b"- 1\n"), "a mapping", "[1]", "README.md"),
        "a tab": refused_params(
            "  source:", "\tsource:", "params.yaml:4", "YAML", "'\\t'", "mend the line"
        ),
        "a key twice": refused_params(
            "  n_rows: 4", "  n_rows: 4\n  n_rows: 5", ":19", "YAML", "duplicate key", "mend"
        ),
        "a misspelt key": refused_params(
            "n_rows: 4", "n_row: 4", ":18: train_som.n_row", "unknown key", "n_row", "`n_rows`?"
        ),
        "a key too few": refused_params(
            "  n_segments: 2\n", "", "train_som.n_segments", "required", "no such key", "add"
        ),
        "text for a number": refused_params(
            "n_rows: 4", "n_rows: four", "train_som.n_rows", "integer", "'four'", "change"
        ),
        "a number out of range": refused_params(
            "n_rows: 4", "n_rows: 0", "train_som.n_rows", "greater", "0", "change"
        ),
        "not a number": refused_params(
            "tol: 0.001", "tol: .nan", "train_mixture.tol", "finite", "nan", "change"
        ),
        "settings that contradict": refused_params(
            "n_segments: 2", "n_segments: 99", "train_som.n_segments", "at most", "99", "change"
        ),
        "a torus whose rows do not fit": refused_params(
            "n_rows: 4\n",
            "n_rows: 3\n  topology: hexagonal\n  boundary: toroidal\n",
            ":20: train_som.boundary",
            "n_rows must be even: 2 or 4",
            "'toroidal'",
            "change",
        ),
        "an unknown topology": refused_params(
            "n_rows: 4\n",
            "n_rows: 4\n  topology: hexagon\n",
            ":19: train_som.topology",
            "'rectangular' or 'hexagonal'",
            "'hexagon'",
            "`hexagonal`?",
        ),
        "an unknown choice": refused_params(
            "delay: drop", "delay: mean", "prepare.columns.delay", "'drop'", "'mean'", "change"
        ),
        "a column that is key and model column": Variant(
            params("key: [id]", "key: [delay]"),
            ("prepare",),
            Refused(2, "prepare.columns", "prepare.key", "delay", "take it out"),
        ),
        "a source that DVC does not watch": Variant(
            params("rows.parquet", "other.parquet"),
            INGEST,
            Refused(2, "stages.ingest.deps", "must list", "no other.parquet", "add the line"),
        ),
        "a contract that is not there": Variant(
            params("rows.yaml", "gone.yaml"),
            ("validate",),
            Refused(2, "gone.yaml", "readable file", "No such file", "validate.suite"),
        ),
        "a contract with an unknown rule": Variant(
            file(
                "expectations/rows.yaml",
                becomes(b"expectations:\n  - type: expect_nothing\n"),
            ),
            ("validate",),
            Refused(2, "rows.yaml:2", "unknown expectation", "expect_nothing", "did you mean"),
        ),
    },
)


def damaged(
    name: str, stage: str, exit_code: int, hint: str, kinds: tuple[str, ...], *, place: str = ""
) -> dict[str, Variant]:
    """Return the variants of a damaged file that ``stage`` reads, and names unless it is gone."""
    last = place or name.rsplit("/", maxsplit=1)[-1].removeprefix("*")
    return {
        f"`{name}` {kind} before `{stage}`": Variant(
            file(name, DAMAGES[kind]), (stage,), Refused(exit_code, last, "must", "", hint)
        )
        for kind in kinds
    }


DAMAGES: dict[str, Callable[[Path], None]] = {
    "missing": remove,
    "empty": becomes(b""),
    "truncated": cut,
    "one bit turned around": flipped,
    "a directory": directory,
}
WHOLE = tuple(DAMAGES)
PREPARED_ROWS = ("data/prepared/train/*.parquet", "train_som", 3, "dvc repro")
MODEL_FILE = ("missing", "empty", "truncated", "a directory")
INPUTS = [
    Case(
        "What `ingest` made",
        damaged("data/raw/manifest.json", "validate", 3, "dvc repro", ("missing",))
        | damaged("data/raw/manifest.json", "prepare", 3, "dvc repro", MODEL_FILE)
        | damaged("data/raw/*.parquet", "validate", 3, "dvc repro", ("truncated",))
        | damaged("data/raw/*.parquet", "prepare", 3, "dvc repro", WHOLE),
    ),
    Case(
        "What `prepare` made",
        damaged(*PREPARED_ROWS, ("missing",), place="data/prepared/train: ")
        | damaged(*PREPARED_ROWS, WHOLE[1:])
        | damaged("data/prepared/preparation.npz", "train_mixture", 7, "again", MODEL_FILE),
    ),
    Case(
        "What the training stages made",
        damaged("models/som", "evaluate", 7, "again", ("missing",))
        | damaged("models/som/som.npz", "evaluate", 7, "again", WHOLE)
        | damaged("models/mixture/anomaly.npz", "evaluate", 7, "again", ("missing", "truncated")),
    ),
]


# What the machine does


@contextmanager
def nothing(_root: Path) -> Iterator[None]:
    """Leave the project as it is: the fault lies in how the stage runs."""
    yield


def on_a_full_disk(project: Project, stage: str) -> CompletedProcess[str]:
    """Run ``stage`` where not one byte is free."""
    return mounted(project, ON_A_FULL_DISK, *stage_command(stage))


def in_a_read_only_folder(project: Project, stage: str) -> CompletedProcess[str]:
    """Run ``stage`` where nothing can be written."""
    return mounted(project, IN_A_READ_ONLY_FOLDER, *stage_command(stage))


def by_signal(signal: str, moment: tuple[str, str]) -> Callable[..., CompletedProcess[str]]:
    """Return how to run a stage that gets ``signal`` at the ``moment``."""
    return lambda project, stage: killed(project, stage, signal, moment)


def signals(stage: str) -> dict[str, Variant]:
    """Return the variants of both signals at all moments of ``stage``."""
    stopped = Refused(9, stage, "run to its end", "SIGTERM", f"run `dvc repro {stage}` again")
    return {
        f"{signal} {when}": Variant(nothing, (stage,), outcome, by_signal(signal, moment))
        for signal, outcome in (("SIGTERM", stopped), ("SIGKILL", Killed()))
        for when, moment in zip(
            ("at the start", "in the middle", "at the end"), MOMENTS[stage], strict=True
        )
    }


def planted(name: str) -> Fault:
    """Return the fault that a link to another file or folder stands at the output ``name``."""

    @contextmanager
    def fault(root: Path) -> Iterator[None]:
        victim = root.with_name("victim")
        if (root / name).is_dir():
            shutil.copytree(root / name, victim)
            (victim / "mine").write_text("mine")
        else:
            victim.write_text("mine")
        remove(root / name)
        (root / name).symlink_to(victim)
        try:
            yield
        finally:
            remove(victim)

    return fault


def is_replaced(name: str) -> Check:
    """Return the check that the output took the link's place and the other file is untouched."""

    def check(root: Path) -> None:
        victim = root.with_name("victim")
        mine = victim / "mine" if victim.is_dir() else victim
        assert mine.read_text() == "mine"
        assert not (root / name).is_symlink()

    return check


HOLD = """
import sqlite3, sys, time
database = sqlite3.connect("mlruns/mlflow.db", isolation_level=None)
database.execute("BEGIN EXCLUSIVE")
print("held", flush=True)
time.sleep(float(sys.argv[1]))
"""


def locked_database(seconds: float) -> Fault:
    """Return the fault that another process holds MLflow's database for some time."""

    @contextmanager
    def fault(root: Path) -> Iterator[None]:
        command = [sys.executable, "-c", HOLD, str(seconds)]
        with Popen(command, cwd=root, stdout=PIPE, text=True) as holder:
            assert holder.stdout is not None
            assert holder.stdout.readline() == "held\n"
            try:
                yield
            finally:
                holder.kill()

    return fault


def is_recorded(root: Path) -> None:
    """Check that the newest training has a finished run."""
    with sqlite3.connect(root / "mlruns/mlflow.db") as database:
        query = "select status from runs order by start_time desc limit 1"
        assert database.execute(query).fetchone() == ("FINISHED",)


HINTS = {"full": "make room on the disk", "read-only": "let the folder be written"}
MACHINE = [
    Case(
        "A full disk",
        {
            f"before `{stage}`": Variant(
                nothing,
                (stage,),
                Refused(9, OUTPUTS[stage][0], "must let", "0 bytes are free", HINTS["full"]),
                on_a_full_disk,
            )
            for stage in STAGES
        },
    ),
    Case(
        "A read-only folder",
        {
            f"before `{stage}`": Variant(
                nothing,
                (stage,),
                Refused(9, OUTPUTS[stage][0], "must let", "Read-only", HINTS["read-only"]),
                in_a_read_only_folder,
            )
            for stage in STAGES
        },
    ),
    Case(
        "A symbolic link planted at an output",
        {
            f"`{name}` of `{stage}`": Variant(planted(name), (stage,), Accepted(is_replaced(name)))
            for stage, name in (
                ("ingest", "data/raw"),
                ("ingest", "reports/ingest.json"),
                ("prepare", "data/prepared"),
                ("evaluate", "models/release"),
                ("evaluate", "reports/scores.parquet"),
            )
        },
    ),
    Case(
        "MLflow's database locked by another process",
        {
            "for five seconds": Variant(
                locked_database(5), ("train_mixture",), Accepted(is_recorded)
            ),
            "for good": Variant(
                locked_database(600),
                ("train_mixture",),
                Refused(8, "mlflow.db", "must answer", "locked", "wait for it or stop it"),
            ),
        },
    ),
    *(Case(f"Signals to `{stage}`", signals(stage)) for stage in STAGES),
]


# What the flow and DVC meet

FLOW = "flow"  # among stages: the whole of `modemap run`


def by_the_flow(project: Project, _stage: str) -> CompletedProcess[str]:
    """Run `modemap run`; a release of other columns may pass."""
    return project.run("modemap", "run", "--accept-change", "other columns")


def by_the_flow_on_a_full_disk(project: Project, _stage: str) -> CompletedProcess[str]:
    """Run `modemap run` where not one byte is free."""
    return mounted(project, ON_A_FULL_DISK, "modemap", "run")


def by_dvc(project: Project, _stage: str) -> CompletedProcess[str]:
    """Run `prepare` again by DVC."""
    return project.run("dvc", "repro", "--force", "--single-item", "prepare")


def by_a_flow_whose_stage_is_killed(project: Project, _stage: str) -> CompletedProcess[str]:
    """Run `modemap run` and send SIGKILL to `train_som` as soon as it is there."""
    with ThreadPoolExecutor(1) as beside:
        running = beside.submit(by_the_flow, project, FLOW)
        while not running.done():
            for process in psutil.process_iter(["cmdline", "cwd"]):
                command = process.info["cmdline"] or []
                if process.info["cwd"] == str(project.root) and TRAIN_SOM in command[:3]:
                    process.kill()
            time.sleep(0.05)
        return running.result()


TRAIN_SOM = "modemap.stages.train_som"
OTHER_MAP = params("  n_segments: 2\n  random_state: 0", "  n_segments: 2\n  random_state: 1")


@contextmanager
def stale_lock(root: Path) -> Iterator[None]:
    """Leave a lock of a process that is dead, as a killed DVC does."""
    with Popen([sys.executable, "-c", ""]) as dead:
        dead.wait()
    info = {"pid": dead.pid, "cmd": "dvc repro prepare"}
    lock = {"read": {str(root / "data/raw"): [info]}, "write": {str(root / "data/prepared"): info}}
    (root / ".dvc/tmp/rwlock").write_text(json.dumps(lock))
    yield


def nothing_to_check(_root: Path) -> None:
    """Leave it to the comparison of all outputs at the end."""


@contextmanager
def damaged_cache(root: Path) -> Iterator[None]:
    """Damage training rows in DVC's cache, have DVC restore them, and ask for another map.

    After the block the hint has been followed.
    """
    [rows_file] = (root / "data/prepared/train").iterdir()
    rows_md5 = hashlib.md5(rows_file.read_bytes()).hexdigest()  # noqa: S324
    cached = root / ".dvc/cache/files/md5" / rows_md5[:2] / rows_md5[2:]
    flipped(cached)
    cached.chmod(0o444)
    remove(root / "data/prepared")
    dvc = [sys.executable, "-m", "dvc"]
    here = {"cwd": root, "env": tool_environment(root)}
    subprocess.run([*dvc, "checkout", "-q"], check=True, **here)
    assert b"up to date" in subprocess.run([*dvc, "status"], check=True, stdout=PIPE, **here).stdout
    with OTHER_MAP(root):
        yield
    cached.unlink()
    again = ["repro", "-q", "--force", "--single-item", "prepare"]
    subprocess.run([*dvc, *again], check=True, **here)


@contextmanager
def all_names(root: Path) -> Iterator[None]:
    """Give the rows a column of every odd name."""
    rng = np.random.default_rng(2)
    odd = {name: np.round(rng.normal(size=N_ROWS), 3) for name in NAMES.values()}
    quoted = ["'" + name.replace("'", "''") + "'" for name in NAMES.values()]
    columns = "".join(f"    {name}: drop\n" for name in quoted)
    settings = PARAMS.replace("    distance: median\n", f"    distance: median\n{columns}").encode()
    contract = (root / "expectations/rows.yaml").read_text().rstrip("\n") + "".join(
        f"\n  - type: expect_column_values_to_be_between\n"
        f"    kwargs: {{column: {name}, min_value: -9, max_value: 9}}"
        for name in quoted
    )
    with (
        changed(root / "params.yaml", becomes(settings)),
        changed(root / "expectations/rows.yaml", becomes(contract.encode())),
        table(lambda good: pa.table({**dict(zip(good.column_names, good, strict=True)), **odd}))(
            root
        ),
    ):
        yield


def are_escaped(root: Path) -> None:
    """Check that the pages show every name, and that no name is more than text."""
    for page in ("reports/index.html", "reports/data_docs/index.html"):
        content = (root / page).read_text()
        assert "<script>alert" not in content
        for name in NAMES.values():
            assert " ".join(name.split()) in " ".join(html.unescape(content).split())


ODD_NAMES = Case(
    "The flow on odd names of columns",
    {"all of them at once": Variant(all_names, (FLOW,), Accepted(are_escaped), by_the_flow)},
)
FLOW_FAULTS = Case(
    "The flow",
    {
        "no rows": Variant(
            SOURCES.variants["no rows"].fault,
            (FLOW,),
            Refused(3, "rows.parquet", "must hold rows", "no rows", EXPORT),
            by_the_flow,
        ),
        "a tab in params.yaml": Variant(
            SETTINGS.variants["a tab"].fault,
            (FLOW,),
            Refused(2, "params.yaml:4", "YAML", "'\\t'", "mend the line"),
            by_the_flow,
        ),
        "a full disk": Variant(
            nothing,
            (FLOW,),
            Refused(9, ".dvc", "must let DVC", "; 0 bytes are free", HINTS["full"]),
            by_the_flow_on_a_full_disk,
        ),
        "SIGKILL to `train_som`": Variant(
            OTHER_MAP,
            (FLOW,),
            Refused(9, "train_som", "end by itself", "SIGKILL", "dvc repro train_som"),
            by_a_flow_whose_stage_is_killed,
        ),
        "a damaged object in DVC's cache": Variant(
            damaged_cache,
            (FLOW,),
            Refused(3, "data/prepared/train/", "what prepare made", "", "remove .dvc/cache"),
            by_the_flow,
        ),
        "a lock of DVC whose process is dead": Variant(
            stale_lock, (FLOW,), Accepted(nothing_to_check), by_dvc
        ),
        "MLflow's database locked for good": Variant(
            locked_database(600),
            (FLOW,),
            Refused(8, "mlflow.db", "must answer", "locked", "wait for it or stop it"),
            by_the_flow,
        ),
    },
)
FLOW_CASES = [FLOW_FAULTS, ODD_NAMES]

STAGE_CASES = [SOURCES, ROWS, COLUMN_NAMES, SETTINGS, *INPUTS]
CASES = [*STAGE_CASES, *MACHINE, *FLOW_CASES]
