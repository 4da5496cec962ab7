"""`modemap init`: from a table to a project that runs."""

import subprocess
import sys

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pyarrow import csv
from ruamel.yaml import YAML

from modemap.cli import app
from modemap.data.contract import check_contract
from modemap.data.suite import read_suite
from modemap.errors import DataError, ParamsError
from modemap.estimators import Preparation
from modemap.params import load_params
from modemap.scaffold.project import make_project, plan_project
from tests.projects import Project

N = 600
NUMBERS = np.random.default_rng(0).normal(size=N)
ODD = ("a b", "ä", "<script>", "=cmd()", "../x", "$5", "yes", '"', "#", "a: b", "a|b\nc", "{{ x }}")


def every_kind() -> pa.Table:
    """Return a table with a column of every kind, some values missing."""
    rng = np.random.default_rng(0)
    group = rng.integers(0, 3, N)
    start = np.datetime64("2023-01-01T00:00:00")
    return pa.table(
        {
            "id": [f"n{i}" for i in rng.permutation(N)],
            "at": start + rng.integers(0, 500 * 86400, N).astype("timedelta64[s]"),
            "width": pa.array(rng.normal(group * 4, 1), mask=rng.random(N) < 0.01),
            "count": rng.poisson(2 + group * 5),
            "flag": rng.random(N) < 0.2 + group * 0.3,
            "colour": pa.array(np.array(["red", "green", "blue"])[rng.integers(0, 3, N)]),
            "note": [f"it was like this on day {i}" for i in range(N)],
            "same": ["north"] * N,
            "group": np.array(["a", "b", "c"])[group],
        }
    )


@pytest.fixture
def source(tmp_path):
    """Write the table as Parquet."""
    pq.write_table(every_kind(), tmp_path / "rows.parquet")
    return tmp_path / "rows.parquet"


def test_the_params_are_valid_and_say_what_was_decided(source, tmp_path):
    """They load, and name the columns by their uses."""
    made = plan_project(str(source), tmp_path / "new", label="group")
    (tmp_path / "params.yaml").write_text(made.files["params.yaml"])

    params = load_params(tmp_path / "params.yaml")

    assert params.ingest.source == str(source)
    assert params.prepare.key == ("id",)
    assert params.prepare.columns == {"width": "drop", "count": "error"}
    assert set(params.prepare.categories) == {"flag", "colour"}
    assert params.prepare.times == {"at": ("hour", "weekday", "season")}
    assert params.prepare.label == "group"


def test_a_source_within_the_project_is_named_from_there_and_ignored_by_git(tmp_path):
    """The project can be moved with its table."""
    (tmp_path / "in #1").mkdir()
    pq.write_table(every_kind(), tmp_path / "in #1" / "rows.parquet")

    made = plan_project(str(tmp_path / "in #1"), tmp_path)

    stages = YAML(typ="safe").load(made.files["dvc.yaml"])["stages"]
    assert YAML(typ="safe").load(made.files["params.yaml"])["ingest"]["source"] == (
        "in #1/**/*.parquet"
    )
    assert stages["ingest"]["deps"] == ["in #1"]
    assert made.files[".gitignore"].endswith("/in\\ \\#1\n")


def test_a_query_belongs_to_the_project_and_its_stage_always_runs(tmp_path, monkeypatch):
    """DVC sees no database, git does not ignore the query, and the address is nowhere."""
    import sqlite3

    monkeypatch.setenv("MODEMAP_SQL_URL", f"sqlite:///{tmp_path / 'hidden.db'}")
    with sqlite3.connect(tmp_path / "hidden.db") as database:
        every_kind().to_pandas().to_sql("flights", database, index=False)
    (tmp_path / "flights.sql").write_text("select * from flights order by id")

    made = plan_project(str(tmp_path / "flights.sql"), tmp_path)

    ingest = YAML(typ="safe").load(made.files["dvc.yaml"])["stages"]["ingest"]
    assert ingest["always_changed"] is True
    assert ingest["deps"] == ["flights.sql"]
    assert "flights.sql" not in made.files[".gitignore"]
    assert not [name for name, text in made.files.items() if "hidden.db" in text]
    assert "width" in made.files["params.yaml"]


def test_stages_watch_the_version_and_no_source_of_this_package(source, tmp_path):
    """Somebody else's folder has no src."""
    made = plan_project(str(source), tmp_path / "new")

    stages = YAML(typ="safe").load(made.files["dvc.yaml"])["stages"]
    assert len(stages) == 6
    for stage in stages.values():
        assert stage["params"][0] == "modemap.version"
        assert not [dep for dep in stage["deps"] if dep.startswith("src/")]


@pytest.mark.parametrize(
    ("copies", "n_rows", "dead", "calibration"), [(1, 45, 0.76, 0.24), (50, 100, 0.5, 0.1)]
)
def test_the_gate_of_a_small_table_knows_how_few_rows_judge(
    tmp_path, copies, n_rows, dead, calibration
):
    """Few test rows leave units empty and miss a distribution by chance; many do not."""
    pq.write_table(pa.concat_tables([every_kind()] * copies), tmp_path / "rows.parquet")

    made = plan_project(str(tmp_path / "rows.parquet"), tmp_path / "new")
    (tmp_path / "params.yaml").write_text(made.files["params.yaml"])

    gate = load_params(tmp_path / "params.yaml").gate
    assert gate.n_rows_min == n_rows
    assert gate.dead_unit_share_max == dead
    assert gate.calibration_max == calibration


def test_the_gate_of_the_smallest_table_stops_a_map_of_one_unit(tmp_path):
    """However few rows judge, a map that puts them all on one unit is stopped."""
    pq.write_table(every_kind().slice(0, 50), tmp_path / "rows.parquet")

    made = plan_project(str(tmp_path / "rows.parquet"), tmp_path / "new")
    (tmp_path / "params.yaml").write_text(made.files["params.yaml"])

    params = load_params(tmp_path / "params.yaml")
    n_units = params.train_som.n_rows * params.train_som.n_columns
    assert params.gate.dead_unit_share_max < (n_units - 1) / n_units
    assert params.gate.calibration_max < 1


@pytest.mark.parametrize("suffix", ["csv", "parquet"])
def test_the_rows_keep_the_contract_that_was_made_of_them(tmp_path, suffix):
    """Every rule is met by the very rows, and evaluated some of them."""
    from modemap.data.batches import write_batches
    from modemap.data.sources import source_pieces

    path = tmp_path / f"rows.{suffix}"
    (csv.write_csv if suffix == "csv" else pq.write_table)(every_kind(), path)
    made = plan_project(str(path), tmp_path / "new", label="group")
    (tmp_path / "rows.yaml").write_text(made.files["expectations/rows.yaml"])
    write_batches(tmp_path / "raw", source_pieces(str(path)))

    suite = read_suite(tmp_path / "rows.yaml")
    judgements = list(check_contract(tmp_path / "raw", suite))

    assert len(suite.rules) >= 20
    assert all(rule.why for rule in suite.rules)
    assert [o.rule for judgement in judgements for o in judgement.broken] == []


def test_a_wrong_unit_breaks_the_contract(source, tmp_path):
    """The bounds are wide, but not a thousand times too wide."""
    from modemap.data.batches import write_batches

    made = plan_project(str(source), tmp_path / "new")
    (tmp_path / "rows.yaml").write_text(made.files["expectations/rows.yaml"])
    table = every_kind()
    width = pa.array(table["width"].to_numpy() * 1000, from_pandas=True)
    wrong = table.set_column(table.column_names.index("width"), "width", width)
    write_batches(tmp_path / "raw", [("rows", wrong)])

    judgements = list(check_contract(tmp_path / "raw", read_suite(tmp_path / "rows.yaml")))

    broken = [outcome.rule for judgement in judgements for outcome in judgement.broken]
    assert [(rule.type, rule.columns) for rule in broken] == [
        ("expect_column_values_to_be_between", ["width"])
    ]


def test_odd_names_stay_what_they_are(tmp_path):
    """No name leaves its place in YAML, and levels neither."""
    rng = np.random.default_rng(0)
    numbers = {name: rng.normal(size=N) for name in ODD}
    pq.write_table(pa.table({**numbers, "level": rng.choice(ODD, N)}), tmp_path / "odd.parquet")

    made = plan_project(str(tmp_path / "odd.parquet"), tmp_path / "new")
    for name in ("params.yaml", "expectations/odd.yaml"):
        (tmp_path / name.rpartition("/")[2]).write_text(made.files[name], encoding="utf-8")

    params = load_params(tmp_path / "params.yaml")
    assert tuple(params.prepare.columns) == ODD
    assert set(params.prepare.categories["level"]) == set(ODD)
    rules = read_suite(tmp_path / "odd.yaml").rules
    assert [r.columns[0] for r in rules if r.type.endswith("values_to_be_between")] == list(ODD)
    table = made.files["README.md"].split("| why |\n")[1].split("\n\n")[0]
    assert len(table.splitlines()) == len(ODD) + 2


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("absent.csv", None, "absent.csv: must exist"),
        ("rows.txt", b"a\n1\n", "rows.txt: must be a Parquet, CSV or Arrow file"),
        ("rows.csv", b"", "rows.csv: must hold rows\n  found: an empty file"),
        ("rows.csv", b"a,b\n", "rows.csv: must hold rows\n  found: no rows under 2 columns"),
        ("rows.csv", b"a,a\n1,2\n", "each column must have a name of its own\n  found: 'a'"),
        ("rows.parquet", b"PAR1 cut", "rows.parquet: must be readable"),
        ("rows.csv", b",".join([b"x"] * 1_000_000) + b"\n1\n", "must have at most 10,000 columns"),
        ("folder/", None, "must hold tables"),
    ],
)
def test_a_source_that_cannot_be_read_is_told(tmp_path, name, content, message):
    """Place, rule and finding stand in the message, and nothing is written."""
    source = tmp_path / name
    if content is not None:
        source.write_bytes(content)
    elif name.endswith("/"):
        source.mkdir()

    with pytest.raises(DataError, match=message):
        plan_project(str(source), tmp_path / "new")

    assert not (tmp_path / "new").exists()


def test_a_parquet_file_that_was_cut_is_told(source, tmp_path):
    """A footer that is gone makes the file no Parquet file."""
    source.write_bytes(source.read_bytes()[:-100])

    with pytest.raises(DataError, match=r"rows\.parquet: must be readable"):
        plan_project(str(source), tmp_path / "new")


@pytest.fixture
def without_identity(tmp_path, monkeypatch):
    """Have git know nobody."""
    for name in ("AUTHOR", "COMMITTER"):
        monkeypatch.delenv(f"GIT_{name}_EMAIL", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", "/dev/null")
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))


def git(folder, *arguments):
    """Return what git prints."""
    return subprocess.run(
        ["git", *arguments], cwd=folder, check=True, capture_output=True, text=True
    ).stdout


@pytest.mark.usefixtures("without_identity")
def test_git_and_dvc_are_set_up_and_the_files_committed(source, tmp_path):
    """A new folder becomes a clean repository of one commit, though git knows nobody."""
    folder = tmp_path / "new"

    made = make_project(plan_project(str(source), folder), folder, force=False)

    assert git(folder, "log", "--format=%s%n%ae").splitlines() == [
        "Start a project with modemap init",
        "modemap@localhost",
    ]
    assert git(folder, "status", "--porcelain") == ""
    assert set(git(folder, "ls-files").split()) == set(made.files)
    assert (folder / ".dvc" / "tmp").is_dir()
    assert "no author" in made.notes[0]


@pytest.mark.usefixtures("without_identity")
def test_a_repository_that_is_there_is_left_to_its_owner(source, tmp_path):
    """Nothing is committed beside commits of others; DVC works in the folder below the top."""
    git(tmp_path, "init", "-q")
    git(
        tmp_path,
        "-c",
        "user.name=a",
        "-c",
        "user.email=a@b",
        "commit",
        "-q",
        "--allow-empty",
        "-m1",
    )
    folder = tmp_path / "below"

    made = make_project(plan_project(str(source), folder), folder, force=False)

    assert git(tmp_path, "log", "--format=%s").split() == ["1"]
    assert any("commit the files" in note for note in made.notes)
    assert (folder / ".dvc" / "config").is_file()


@pytest.mark.usefixtures("without_identity")
def test_no_file_is_lost_without_force(source, tmp_path):
    """All files that stand in the way are named, and nothing is written."""
    folder = tmp_path / "new"
    (folder / "flows").mkdir(parents=True)
    (folder / "params.yaml").write_text("mine\n")
    (folder / "flows" / "retrain.py").write_text("mine\n")
    made = plan_project(str(source), folder)

    with pytest.raises(ParamsError, match=r"found: flows/retrain\.py, params\.yaml"):
        make_project(made, folder, force=False)

    assert sorted(path.name for path in folder.iterdir()) == ["flows", "params.yaml"]
    make_project(made, folder, force=True)
    assert (folder / "params.yaml").read_text() == made.files["params.yaml"]


def test_a_dry_run_shows_and_writes_nothing(source, tmp_path):
    """Decisions and file names are printed."""
    from typer.testing import CliRunner

    folder = tmp_path / "new"

    done = CliRunner().invoke(app, ["init", str(source), "--into", str(folder), "--dry-run"])

    assert done.exit_code == 0, done.output
    assert "600 rows, 9 columns" in done.output
    assert "width   continuous  map and mixture" in done.output
    assert f"would write into {folder}: .dvc/.gitignore, " in done.output
    assert not folder.exists()


def test_the_last_line_can_be_pasted_and_each_column_has_a_line(tmp_path, monkeypatch):
    """A folder's name is quoted for the shell; a line break in a header is shown escaped."""
    from typer.testing import CliRunner

    monkeypatch.chdir(tmp_path)
    odd = {"a\nb": np.arange(N) % 17 / 2, "ä": np.arange(N) % 5}
    pq.write_table(pa.table(odd), "rows.parquet")

    done = CliRunner().invoke(app, ["init", "rows.parquet", "--into", "pro jekt é"])

    assert done.exit_code == 0, done.output
    assert done.output.endswith("next: cd 'pro jekt é' && dvc repro && modemap run\n")
    assert done.output.splitlines()[1].startswith("  a\\nb  continuous  map and mixture  17 values")
    assert done.output.splitlines()[2].startswith("  ä     integer     map and mixture")


@pytest.mark.parametrize(
    ("values", "shape"),
    [
        (NUMBERS, (1, 16, 6)),
        (np.arange(N) % 5 / 2, (1, 5, 5)),
        (np.arange(N) % 2 / 2, (1, 2, 2)),
    ],
)
def test_one_column_gets_a_line_of_no_more_units_than_values(tmp_path, values, shape):
    """On a plane units would lie dead beside the line; between few values as well."""
    pq.write_table(pa.table({"x": values}), tmp_path / "rows.parquet")

    made = plan_project(str(tmp_path / "rows.parquet"), tmp_path / "new")

    (tmp_path / "params.yaml").write_text(made.files["params.yaml"])
    params = load_params(tmp_path / "params.yaml").train_som
    assert (params.n_rows, params.n_columns, params.n_segments) == shape


@pytest.mark.parametrize("beside", [{"y": NUMBERS}, {"g": ["a", "b", "c"] * (N // 3)}])
def test_two_columns_get_a_plane(tmp_path, beside):
    """A category beside a number is a second column of the map."""
    pq.write_table(pa.table({"x": NUMBERS, **beside}), tmp_path / "rows.parquet")

    made = plan_project(str(tmp_path / "rows.parquet"), tmp_path / "new")

    assert "  n_rows: 10\n  n_columns: 10\n" in made.files["params.yaml"]


@pytest.mark.slow
@pytest.mark.workflow
@pytest.mark.parametrize("n", [150, 600])
def test_a_table_of_one_column_ends_in_a_promoted_release(tmp_path, n):
    """What `modemap init` chose passes the gate without an edit."""
    (tmp_path / "home").mkdir()
    above = Project(tmp_path, tmp_path / "home")
    pq.write_table(pa.table({"x": NUMBERS[:n]}), tmp_path / "rows.parquet")
    above.succeed("modemap", "init", "rows.parquet", "--into", "new")
    project = Project(tmp_path / "new", above.home)

    project.succeed("modemap", "run")

    assert project.champion()["version"] == 1


@pytest.mark.slow
@pytest.mark.workflow
@pytest.mark.usefixtures("source")
def test_a_project_of_every_kind_runs_from_the_built_wheel(tmp_path):
    """`modemap init`, `dvc repro` and `modemap run` succeed without an edit, by the wheel alone."""
    tools = tmp_path / "tools"
    uv = (sys.executable, "-m", "uv")
    subprocess.run([*uv, "build", "--wheel", "--no-build-isolation", "-q", "-o", tools], check=True)
    (wheel,) = tools.glob("*.whl")
    into = ("--no-deps", "--python", sys.executable, "--target", tools)
    subprocess.run([*uv, "pip", "install", "-q", *into, wheel], check=True)
    (tmp_path / "home").mkdir()
    above = Project(tmp_path, tmp_path / "home")
    modemap = (sys.executable, "-m", "modemap.cli")
    by_wheel = {"PYTHONPATH": str(tools)}

    above.succeed(*modemap, "init", "rows.parquet", "--into", "new", "--label", "group", **by_wheel)
    project = Project(tmp_path / "new", above.home)
    project.succeed("dvc", "repro", **by_wheel)
    said = project.succeed(*modemap, "run", **by_wheel)

    assert "\nchampion  rows version 1, digest " in said
    assert str(tools) in project.succeed(
        sys.executable, "-c", "import modemap; print(modemap.__file__)", **by_wheel
    )
    scores = pq.read_table(project.root / "reports" / "scores.parquet")
    assert "width_mode" in scores.column_names
    assert "flag = true_mode" not in scores.column_names
    report = project.read("reports/index.html")
    assert "colour = red" in report
    agreement = YAML(typ="safe").load(project.read("reports/evaluate.json"))["agreement"]
    assert agreement["n_labels"] == 3
    assert agreement["mixture_adjusted_rand"] > 0.3
    project.succeed(*modemap, "score", "../rows.parquet", "again.parquet", **by_wheel)
    again = pq.read_table(project.root / "again.parquet").to_pylist()
    units = {row["id"]: row["unit"] for row in again}
    assert len(units) == N
    assert all(units[row["id"]] == row["unit"] for row in scores.to_pylist())
    assert "drift: no" in project.succeed(
        *modemap, "drift", "champion", "../rows.parquet", **by_wheel
    )


@pytest.mark.slow
@pytest.mark.workflow
@pytest.mark.usefixtures("source")
def test_a_whitened_project_runs_to_its_report(tmp_path):
    """With `decorrelate: whiten` stages, gate and report end well, and tell of columns."""
    (tmp_path / "home").mkdir()
    modemap = (sys.executable, "-m", "modemap.cli")
    above = Project(tmp_path, tmp_path / "home")
    above.succeed(*modemap, "init", "rows.parquet", "--into", "new", "--label", "group")
    project = Project(tmp_path / "new", above.home)
    params = project.root / "params.yaml"
    text = params.read_text()
    assert text.count("\n  # decorrelate: none") == 1
    params.write_text(text.replace("\n  # decorrelate: none", "\n  decorrelate: whiten # none"))

    project.succeed("dvc", "repro")
    said = project.succeed(*modemap, "run")

    assert "\nchampion  rows version 1, digest " in said
    preparation = Preparation.load(project.root / "models" / "release" / "preparation.npz")
    assert preparation.decorrelate == "whiten"
    assert preparation.directions_ is not None
    scores = pq.read_table(project.root / "reports" / "scores.parquet")
    assert "width_mode" in scores.column_names
    assert "width" in project.read("reports/index.html")


@pytest.mark.slow
@pytest.mark.workflow
def test_a_project_of_odd_names_runs_to_its_report(tmp_path):
    """No name of a column or level is taken for a path, markup or a formula by any stage."""
    rng = np.random.default_rng(0)
    names = ODD[:6]
    numbers = {name: rng.normal(size=2 * N).round(3) for name in names}
    levels = np.array(ODD)[rng.integers(0, len(ODD), 2 * N)]
    pq.write_table(pa.table({**numbers, "level <b>": levels}), tmp_path / "odd.parquet")
    (tmp_path / "home").mkdir()
    above = Project(tmp_path, tmp_path / "home")
    modemap = (sys.executable, "-m", "modemap.cli")

    above.succeed(*modemap, "init", "odd.parquet", "--into", "new")
    project = Project(tmp_path / "new", above.home)
    said = project.succeed(*modemap, "run")

    assert "\nchampion  odd version 1, digest " in said
    scores = pq.read_table(project.root / "reports" / "scores.parquet")
    assert {f"{name}_mode" for name in names} <= set(scores.column_names)
    assert not list(tmp_path.rglob("x"))
    for page in ("reports/index.html", "reports/data_docs/index.html"):
        content = project.read(page)
        assert "<script>" not in content.replace("<script>(() => {", "")  # the page's own
        assert "&lt;script&gt;" in content
        assert "../x" in content
        assert "=cmd()" in content
