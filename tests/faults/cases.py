"""The one table of bad input: what is done to the small project, and what it must answer.

A fault is a context manager: inside its block the project is ill-treated, after it the project is as
before. The variants of a case are tried one after another in the same copy of the project, and one
good run ends the case.
"""

import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.csv as pacsv
import pyarrow.parquet as pq

from tests.faults.project import N_ROWS, PARAMS, rows

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
class Variant:
    """One fault, the stages that run on it, and what must come of it."""

    fault: Fault
    stages: tuple[str, ...]
    outcome: Refused | Accepted


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

    @contextmanager
    def fault(root: Path) -> Iterator[None]:
        stages = (root / "dvc.yaml").read_text().replace("rows.parquet", name).encode()
        settings = PARAMS.replace("rows.parquet", name).encode()
        make(root / name)
        with (
            changed(root / "params.yaml", becomes(settings)),
            changed(root / "dvc.yaml", becomes(stages)),
        ):
            try:
                yield
            finally:
                remove(root / name)

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
    parts = [pq.read_table(path) for path in sorted((root / "data/prepared").glob("*.parquet"))]
    return pa.concat_tables(parts).sort_by("id")


def has_rows(count: int) -> Check:
    """Return the check that ``count`` rows were prepared."""

    def check(root: Path) -> None:
        assert prepared(root).num_rows == count

    return check


def is_filled_by_the_median(root: Path) -> None:
    """Check that missing distances are the median of the training rows' known ones."""
    train = pq.read_table(root / "data/prepared/train.parquet")
    raw = pq.read_table(next((root / "data/raw").glob("*.parquet")))
    known = dict(zip(raw["id"].to_pylist(), raw["distance"].to_pylist(), strict=True))
    values = [known[i] for i in train["id"].to_pylist()]
    median = np.median([value for value in values if value is not None])
    expected = [median if value is None else value for value in values]
    assert train["distance"].to_pylist() == expected


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
ALL = ("ingest", "validate", "prepare", "train_som", "train_mixture", "evaluate")


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
            "in/*.parquet", lambda _: None, "at least one file", "no such file", "the pattern"
        ),
        "empty": refused_source(
            "empty.parquet", lambda p: p.touch(), "must hold rows", "an empty file", EXPORT
        ),
        "truncated Parquet": Variant(
            file("rows.parquet", cut),
            INGEST,
            Refused(3, "rows.parquet", "must be readable", "magic bytes", EXPORT),
        ),
        "one bit turned around": Variant(
            file("rows.parquet", flipped),
            INGEST,
            Refused(3, "rows.parquet", "must be readable", "Corrupt", EXPORT),
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
            "rows.xlsx", text(b"PK\x03\x04"), "Parquet or CSV", "`.xlsx`", "use one of"
        ),
        "a directory": refused_source(
            "folder.parquet", lambda p: p.mkdir(), "must be a file", "a directory", "*.parquet"
        ),
        "no UTF-8": refused_source(
            "latin.csv",
            csv_with(b'"id"', b'"id\xe9"'),
            "must be readable",
            "UTF8",
            EXPORT,
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
            Refused(3, "`delay`", "numbers", "string", "prepare.columns"),
        ),
        "a column gone": Variant(
            table(lambda good: good.drop_columns(["distance"])),
            TO_PREPARE,
            Refused(3, "`distance`", "must be in the data", "no such column", "mend"),
        ),
        "a constant column": Variant(
            column("distance", lambda values: np.full(len(values), 500.0)),
            ALL,
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
        f"{kind}: `{name}`": Variant(
            named(name), (*TO_VALIDATE, "prepare"), Accepted(has_column(name))
        )
        for kind, name in NAMES.items()
    },
)


def refused_params(old: str, new: str, place: str, rule: str, found: str, hint: str) -> Variant:
    """Return the variant of a text in params.yaml that every stage refuses."""
    return Variant(params(old, new), INGEST, Refused(2, place, rule, found, hint))


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
            becomes(b"project: \x00\x01\n"), "YAML", "not allowed", "mend the line"
        ),
        "a list": refused_params_file(becomes(b"- 1\n"), "a mapping", "list", "README.md"),
        "a tab": refused_params(
            "  source:", "\tsource:", "params.yaml:4", "YAML", "'\\t'", "mend the line"
        ),
        "a key twice": refused_params(
            "  n_rows: 4", "  n_rows: 4\n  n_rows: 5", ":20", "YAML", "duplicate key", "mend"
        ),
        "a misspelt key": refused_params(
            "n_rows: 4", "n_row: 4", ":19: train_som.n_row", "unknown key", "n_row", "`n_rows`?"
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
            "n_segments: 2", "n_segments: 99", "train_som", "at most", "99", "change"
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
    name: str, stage: str, exit_code: int, hint: str, kinds: tuple[str, ...]
) -> dict[str, Variant]:
    """Return the variants of a damaged file that ``stage`` reads."""
    last = name.rsplit("/", maxsplit=1)[-1].removeprefix("*")
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
INPUTS = [
    Case(
        "What `ingest` made",
        damaged("data/raw/manifest.json", "validate", 3, "dvc repro", ("missing",))
        | damaged("data/raw/manifest.json", "prepare", 3, "dvc repro", WHOLE)
        | damaged("data/raw/*.parquet", "validate", 3, "dvc repro", ("truncated",))
        | damaged("data/raw/*.parquet", "prepare", 3, "dvc repro", WHOLE),
    ),
    Case(
        "What `prepare` made",
        damaged("data/prepared/train.parquet", "train_som", 3, "dvc repro", WHOLE)
        | damaged("data/prepared/preparation.npz", "train_mixture", 7, "dvc repro", WHOLE),
    ),
    Case(
        "What the training stages made",
        damaged("models/som", "evaluate", 7, "dvc repro", ("missing",))
        | damaged("models/som/som.npz", "evaluate", 7, "dvc repro", WHOLE)
        | damaged("models/mixture/anomaly.npz", "evaluate", 7, "dvc repro", WHOLE),
    ),
]

CASES = [SOURCES, ROWS, COLUMN_NAMES, SETTINGS, *INPUTS]
