"""A version is exported as ONNX models that answer as it does, or not at all."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import onnx
import pytest

from modemap import cli
from modemap.data.derived import derived_names
from modemap.errors import ReleaseError
from modemap.export import (
    OPSET,
    Trial,
    map_disagreement,
    map_graph,
    mixture_disagreement,
    mixture_graph,
    run_graph,
    serialised,
)
from modemap.export.rows import category_input
from modemap.lifecycle import export as lifecycle
from modemap.lifecycle.export import export_release, trial_of
from modemap.lifecycle.register import register
from modemap.release import golden_rows, load_release
from tests.projects import CHECKOUT
from tests.releases import write_release

PAGE = (CHECKOUT / "docs" / "export.md").read_text()
MEDIAN = {"delay": "median", "distance": "median"}
LEVELS = {"carrier": ["AA", "B6", "ünï,=ö"], "day": ["1", "2"]}
KINDS = {
    "plain": {},
    "hexagonal": {"n_rows": 4, "n_columns": 5, "topology": "hexagonal"},
    "toroidal": {"n_rows": 4, "n_columns": 4, "topology": "hexagonal", "boundary": "toroidal"},
    "filled": {"missing": MEDIAN},
    "one filled": {"missing": {"delay": "median", "distance": "error"}},
    "components": {"decorrelate": "pca", "missing": MEDIAN},
    "whitened": {"decorrelate": "whiten"},
    "cosine": {"metric": "cosine"},
    "manhattan": {"metric": "manhattan"},
    "chebyshev": {"metric": "chebyshev"},
    "tied": {"mixture_arguments": {"covariance_type": "tied"}},
    "diagonal": {"mixture_arguments": {"covariance_type": "diag"}},
    "spherical": {"mixture_arguments": {"covariance_type": "spherical"}},
    "unused components": {"n_components": 12},
    "fixed number": {
        "mixture_arguments": {"weight_concentration_prior_type": "dirichlet_distribution"}
    },
    "one component": {"n_components": 1, "missing": MEDIAN},
}


def _exported(folder):
    return export_release(folder, project="flights", version=1)


def _categorised(folder, rows, **arguments):
    """Write a release whose map sees two categories beside the numbers."""
    names = derived_names(LEVELS, {})
    rng = np.random.default_rng(1)
    drawn = [rng.integers(len(listed) + 1, size=len(rows)) for listed in LEVELS.values()]
    indicators = [
        one == level
        for one, listed in zip(drawn, LEVELS.values(), strict=True)
        for level in range(len(listed))
    ]
    X = np.column_stack([rows, *indicators]).astype(float)
    columns, prepare = ["delay", "distance", *names], {"categories": LEVELS}
    return write_release(folder, X, columns, map_only=names, prepare=prepare, **arguments)


def _many(release, n=10_000):
    """Return a trial of rows near and far, with gaps, the infinite and the huge among them."""
    rng = np.random.default_rng(2)
    places = release.preparation.measured_
    base = _rows_about_the_means(release)[rng.integers(64, size=n)]
    factor = 10.0 ** rng.integers(0, 4, size=(n, 1))
    base[:, places] += rng.normal(0, 50, (n, len(places))) * factor
    with_levels = trial_of(release, base)
    X = with_levels.X[:n]
    texts = {name: values[:n] for name, values in with_levels.categories.items()}
    holes = rng.random((n, len(places))) < 0.1
    X[:, places] = np.where(holes, np.nan, X[:, places])
    X[:2, places[0]] = np.inf, -1e200
    X[2:6, places] = 1e120  # far, and still below what is refused
    return Trial(release, X, texts)


def _rows_about_the_means(release):
    """Return rows about the means of the mixture."""
    rng = np.random.default_rng(3)
    means = release.mixture.means_
    rows = np.zeros((64, len(release.columns)))
    rows[:, release.preparation.measured_] = means[np.arange(64) % len(means)]
    return release.preparation.inverse_transform(rows + rng.standard_normal(rows.shape))


@pytest.mark.parametrize("kind", KINDS)
def test_ten_thousand_rows_agree(make_release, tmp_path, kind):
    """Of every kind of release; what training would not have taken has no unit and no number."""
    folder = make_release(tmp_path / "release", **KINDS[kind])
    release = load_release(folder)
    trial = _many(release)

    models = _exported(folder)

    answers = {name: run_graph(model, trial.inputs) for name, model in models.items()}
    assert map_disagreement(trial, answers["map.onnx"]) is None
    assert mixture_disagreement(trial, answers["mixture.onnx"]) is None
    scores, taken = release.score(trial.X[trial.taken]), trial.taken
    same = scores.units == answers["map.onnx"]["unit"][taken]
    assert same.mean() > 0.99
    is_near = np.abs(scores.log_likelihood) < 1e6
    found = answers["mixture.onnx"]["anomaly_percentile"][taken]
    np.testing.assert_allclose(found[is_near], scores.anomaly_percentile[is_near], atol=1e-6)
    assert (answers["map.onnx"]["unit"][~taken] == -1).all()
    assert np.isnan(answers["mixture.onnx"]["log_likelihood"][~taken]).all()
    assert 0 < taken.mean() < 1


@pytest.mark.parametrize("decorrelate", ["none", "pca", "whiten"])
def test_rows_too_large_once_they_are_scaled_are_not_taken(rows, tmp_path, decorrelate):
    """We refuse such rows with an error; the models give no unit and no number."""
    folder = write_release(
        tmp_path / "release", rows * 1e-8, ["delay", "distance"], decorrelate=decorrelate
    )
    X = np.array([[1e149, 0.0], [-1e149, 1e149], rows[0] * 1e-8])
    trial = Trial(load_release(folder), X, {})

    models = _exported(folder)

    with pytest.raises(ValueError, match="X must lie between"):
        trial.release.score(X[:1])
    assert trial.taken.tolist() == [False, False, True]
    answers = run_graph(models["mixture.onnx"], trial.inputs)
    assert mixture_disagreement(trial, answers) is None
    assert map_disagreement(trial, run_graph(models["map.onnx"], trial.inputs)) is None


def test_what_is_infinitely_unlikely_has_the_highest_percentile(tiny_release):
    """Where squares overflow the log-likelihood is minus infinity, as ours, and never NaN."""
    release = load_release(tiny_release)
    release.mixture.precisions_cholesky_ *= 1e10
    trial = Trial(release, np.array([[1e149, 0.0], [0.0, -1e149]]), {})
    model = serialised(mixture_graph(release), release, project="flights", version=1)

    answers = run_graph(model, trial.inputs)

    with np.errstate(over="ignore"):
        assert np.isneginf(release.score(trial.X).log_likelihood).all()
        assert mixture_disagreement(trial, answers) is None
    assert np.isneginf(answers["log_likelihood"]).all()
    assert (answers["anomaly_percentile"] == 100).all()


@pytest.mark.parametrize("decorrelate", ["none", "whiten"])
def test_categories_are_texts(rows, tmp_path, decorrelate):
    """A text that is no level is as a missing one: no column of the map has it."""
    folder = _categorised(tmp_path / "release", rows, decorrelate=decorrelate)
    trial = _many(load_release(folder))

    models = _exported(folder)

    answers = run_graph(models["map.onnx"], trial.inputs)
    assert set(trial.inputs) == {"rows", "category/carrier", "category/day"}
    assert map_disagreement(trial, answers) is None
    other = trial.inputs | {category_input("carrier"): np.full(len(trial.X), "other", object)}
    assert map_disagreement(trial, run_graph(models["map.onnx"], other)) is not None
    answers = run_graph(models["mixture.onnx"], trial.inputs)
    assert mixture_disagreement(trial, answers) is None


def test_a_time_stamp_is_refused(rows, tmp_path):
    """ONNX has no operators for it: one message says so and what to do."""
    angle = np.linspace(0, 6, len(rows))
    X = np.column_stack([rows, np.sin(angle), np.cos(angle)])
    names = derived_names({}, {"when": ["hour"]})
    prepare = {"times": {"when": ["hour"]}}
    folder = write_release(
        tmp_path / "release", X, ["delay", "distance", *names], map_only=names, prepare=prepare
    )

    with pytest.raises(ReleaseError, match=r"(?s)`when hour sin`: .*time stamp.*`modemap serve`"):
        _exported(folder)


def test_a_model_says_what_it_is(tiny_release):
    """Of which version and release, of which columns, and in which opset, in float64."""
    release = load_release(tiny_release)

    for name, data in _exported(tiny_release).items():
        model = onnx.load_from_string(data)
        facts = {entry.key: entry.value for entry in model.metadata_props}
        assert facts["modemap.project"] == "flights"
        assert facts["modemap.version"] == "1"
        assert facts["modemap.release_digest"] == release.digest
        assert json.loads(facts["modemap.columns"]) == ["delay", "distance"]
        assert json.loads(facts["modemap.missing"]) == {"delay": "drop", "distance": "drop"}
        assert json.loads(facts["modemap.categories"]) == {}
        assert [(one.domain, one.version) for one in model.opset_import] == [("", OPSET)]
        assert model.producer_name == "modemap"
        assert model.graph.name == Path(name).stem
        (rows,) = model.graph.input
        assert rows.type.tensor_type.elem_type == onnx.TensorProto.DOUBLE
        assert rows.type.tensor_type.shape.dim[0].dim_param == "n_rows"
        assert onnx.TensorProto.FLOAT not in {one.data_type for one in model.graph.initializer}


@pytest.mark.parametrize("n", [0, 1, 7])
def test_a_batch_may_have_any_number_of_rows(tiny_release, n):
    """Also none."""
    release = load_release(tiny_release)
    trial = Trial(release, golden_rows(tiny_release)[:n], {})

    models = _exported(tiny_release)

    for name in models:
        assert {len(x) for x in run_graph(models[name], trial.inputs).values()} == {n}
    assert run_graph(models["map.onnx"], trial.inputs)["position"].shape == (n, 2)


def test_equal_versions_are_equal_bytes(tiny_release):
    """Also in another process, with another seed of hashes."""
    code = (
        "import hashlib, pathlib, sys\nfrom modemap.lifecycle.export import export_release\n"
        "found = export_release(pathlib.Path(sys.argv[1]), project='flights', version=1)\n"
        "print(hashlib.sha256(b''.join(found.values())).hexdigest())\n"
    )
    command = [sys.executable, "-c", code, str(tiny_release)]

    said = {
        subprocess.run(
            command, check=True, capture_output=True, text=True, env={"PYTHONHASHSEED": seed}
        ).stdout
        for seed in "12"
    }

    assert len(said) == 1
    assert _exported(tiny_release) == _exported(tiny_release)


@pytest.mark.parametrize("name", ["map.onnx", "mixture.onnx"])
def test_every_wrong_constant_is_noticed(tiny_release, name):
    """Whichever number of a model is not the release's, the trial finds it out."""
    release = load_release(tiny_release)
    trial = trial_of(release, golden_rows(tiny_release))
    model = onnx.load_from_string(_exported(tiny_release)[name])
    disagreement = lifecycle.MODELS[name][1]
    tried = 0

    for constant in model.graph.initializer:
        right = onnx.numpy_helper.to_array(constant)
        if right.dtype != np.float64 or not np.isfinite(right).all() or right.size < 2:
            continue
        wrong = right + np.where(right == 0, 0.0, 0.01 * (1 + np.abs(right)))
        kept = constant.SerializeToString()
        constant.CopyFrom(onnx.numpy_helper.from_array(wrong, constant.name))
        answers = run_graph(model.SerializeToString(), trial.inputs)
        assert disagreement(trial, answers) is not None, constant.name
        constant.ParseFromString(kept)
        tried += 1

    assert tried >= 4


def test_a_tie_may_go_to_another_unit(tiny_release):
    """As near is as right; a unit that is farther, or none at all, is wrong."""
    release = load_release(tiny_release)
    X = golden_rows(tiny_release)
    trial = Trial(release, X, {})
    answers = run_graph(_exported(tiny_release)["map.onnx"], trial.inputs)
    release.som.codebook_[8] = release.som.codebook_[0]
    moved = serialised(map_graph(release), release, project="flights", version=1)
    tied = run_graph(moved, trial.inputs)
    at_first = tied["unit"] == 0

    assert at_first.any()
    assert map_disagreement(trial, tied) is None
    tied["unit"][at_first] = 8
    tied["segment"][at_first] = release.segments[8]
    tied["position"][at_first] = [2, 2]
    assert map_disagreement(trial, tied) is None
    assert "unit of row" in map_disagreement(trial, answers | {"unit": (answers["unit"] + 1) % 9})
    assert "unit of row" in map_disagreement(trial, answers | {"unit": answers["unit"] + 9})


@pytest.fixture
def registered(project, monkeypatch):
    """Return a project with a version, in whose folder commands run."""
    register(project.root)
    monkeypatch.chdir(project.root)
    return project


@pytest.fixture
def modemap(monkeypatch, capsys):
    """Return what runs a command: exit code, output, errors."""

    def run(*arguments):
        monkeypatch.setattr(sys, "argv", ["modemap", *arguments])
        with pytest.raises(SystemExit) as caught:
            cli.main()
        said = capsys.readouterr()
        return caught.value.code or 0, said.out, said.err

    return run


EXPORT = ("export", "1", "--format", "onnx", "--into", "exported")


@pytest.mark.workflow
def test_the_command_writes_both_models(registered, modemap):
    """It prints where; again gives the same bytes; by default it is the newest version."""
    code, said, _ = modemap(*EXPORT)

    assert code == 0
    files = sorted(Path("exported").iterdir())
    assert said.split() == [str(path) for path in files]
    before = [path.read_bytes() for path in files]
    assert modemap("export", "--into", "exported")[0] == 0
    assert [path.read_bytes() for path in sorted(Path("exported").iterdir())] == before
    model = onnx.load_from_string(before[0])
    facts = {entry.key: entry.value for entry in model.metadata_props}
    assert (
        facts["modemap.release_digest"]
        == registered.read("reports/evaluate.json")["release_digest"]
    )


@pytest.mark.workflow
@pytest.mark.usefixtures("registered")
def test_a_model_that_answers_otherwise_is_not_written(modemap, monkeypatch):
    """Code 7, one message with place, rule, finding and next step; no folder is made."""

    def tampered(release):
        release.som.codebook_ = release.som.codebook_ + 0.5
        graph = map_graph(release)
        release.som.codebook_ = release.som.codebook_ - 0.5
        return graph

    monkeypatch.setitem(lifecycle.MODELS, "map.onnx", (tampered, map_disagreement))

    code, said, errors = modemap(*EXPORT)

    assert (code, said) == (7, "")
    assert errors.startswith("error: version 1: map.onnx must answer golden rows as the release")
    assert "  found: " in errors
    assert "  hint: " in errors
    assert not Path("exported").exists()


@pytest.mark.workflow
@pytest.mark.usefixtures("registered")
def test_the_second_file_fails_and_the_first_is_not_written(modemap, monkeypatch):
    """Models of two exports never lie side by side."""
    assert modemap(*EXPORT)[0] == 0
    before = {path.name: path.read_bytes() for path in Path("exported").iterdir()}
    monkeypatch.setattr(lifecycle, "export_release", lambda *_, **__: {"map.onnx": b"new"} | BROKEN)

    with pytest.raises(TypeError):
        modemap(*EXPORT)

    assert {path.name: path.read_bytes() for path in Path("exported").iterdir()} == before


BROKEN = {"mixture.onnx": "no bytes"}


@pytest.mark.workflow
def test_refusals_have_their_codes(registered, modemap):
    """8 for a version that is not there, 7 for a damaged one, 2 for another format."""
    assert modemap("export", "7", "--into", "exported")[0] == 8
    assert modemap("export", "1", "--format", "pmml", "--into", "exported")[0] == 2
    som = registered.artifacts(1) / "release" / "som.npz"
    som.write_bytes(som.read_bytes()[:-1] + b"?")
    code, _, errors = modemap(*EXPORT)
    assert code == 7
    assert "som.npz" in errors
    assert not Path("exported").exists()


@pytest.mark.parametrize("package", ["onnx", "onnxruntime"])
def test_without_the_extra_one_message_names_it(modemap, monkeypatch, package):
    """No traceback, code 2."""
    for name in [name for name in sys.modules if name.startswith("modemap.export")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.delitem(sys.modules, "modemap.lifecycle.export")
    monkeypatch.setitem(sys.modules, package, None)

    code, _, errors = modemap(*EXPORT)

    assert code == 2
    assert "pip install 'modemap[export]'" in errors
    assert len(errors.splitlines()) == 3


def test_help_has_an_example(modemap):
    """That of the page too."""
    code, said, _ = modemap("export", "--help")

    assert code == 0
    assert "Example: modemap export 3 --format onnx --into exported" in " ".join(said.split())
    assert "modemap export 3 --format onnx --into exported" in PAGE


@pytest.mark.workflow
@pytest.mark.usefixtures("registered")
def test_the_page_is_true(modemap, capsys):
    """Its block of Python scores a row with onnxruntime alone; its facts are the models'."""
    assert modemap(*EXPORT)[0] == 0
    (block,) = [part.split("```")[0] for part in PAGE.split("```python\n")[1:]]

    exec(compile(block, "docs/export.md", "exec"), {})  # noqa: S102  (our own page)

    said = capsys.readouterr().out
    assert "unit" in said
    assert "log_likelihood" in said
    assert "modemap" not in [line.split()[1] for line in block.splitlines() if "import" in line]
    assert f"opset {OPSET}" in PAGE
    for data in (path.read_bytes() for path in Path("exported").iterdir()):
        model = onnx.load_from_string(data)
        for value in (*model.graph.input, *model.graph.output):
            assert f"`{value.name}`" in PAGE
        for entry in model.metadata_props:
            assert f"`{entry.key}`" in PAGE
