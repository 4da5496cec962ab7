"""Tests of the report on disk, over tiny models in a real registry."""

import shutil

import pyarrow.parquet as pq
import pytest

from modemap.errors import ParamsError, StageError
from modemap.files import read_json, write_json
from modemap.lifecycle.gate import gate
from modemap.lifecycle.promote import promote
from modemap.lifecycle.register import register
from modemap.lifecycle.report.write import write_report
from modemap.lifecycle.rollout import roll_out
from modemap.release import load_release
from modemap.reporting.story import Stopped
from tests.pages import read_page

STOPPED = Stopped("prepare", "must hold rows", "none", "name more data", 3, in_stage=True)


@pytest.fixture
def project(promoted):
    """Return a promoted project that has all parts of the prepared rows."""
    prepared = promoted.root / "data" / "prepared"
    for split in ("train", "validation"):
        shutil.copytree(prepared / "test", prepared / split)
    losses = {"rows": {"train": 500, "validation": 500, "test": 500}, "dropped_rows": 7}
    losses |= {"dropped": {"delay": 7, "distance": 0}, "filled": {}}
    write_json(promoted.root / "reports" / "prepare.json", losses)
    manifest = promoted.read("data/raw/manifest.json")
    manifest["batches"][0] |= {"source": "flights", "bytes": 9}
    promoted.write("data/raw/manifest.json", manifest)
    return promoted


def report(project, stopped=None):
    """Write the report and read it."""
    return read_page(write_report(project.root, stopped).read_text(encoding="utf-8"))


def test_the_page_agrees_with_files_and_registry(project):
    """Counts, metrics, the verdict and the lineage are those that were recorded."""
    page = report(project)

    evaluation = project.read("reports/evaluate.json")
    assert "Version 1 is the champion" in page.text
    for name in ("quantization_error", "stability", "log_likelihood", "n_rows"):
        assert page.number(name) == evaluation[name]
    assert page.number("rows") == sum(map(float, page.facts["segment-rows"])) == 1500
    assert page.number("train") == 500
    rules = [a["data-rule"] for tag, a in page.elements if tag == "tr" and "data-rule" in a]
    assert rules[0] == "contract"
    assert page.text.count("✓ passed") == len(rules)
    assert evaluation["release_digest"] in page.text


def test_the_strangest_rows_are_the_least_likely(project):
    """In their order, named by key, with a share for each column."""
    page = report(project)

    release = load_release(project.root / "models" / "release")
    rows = pq.read_table(project.root / "data" / "prepared" / "test" / "rows.parquet")
    X = rows.select(release.columns).to_pandas().to_numpy()
    likelihood = sorted([*release.score(X).log_likelihood] * 3)[:20]
    shown = [float(value) for value in page.facts["log-likelihood"]]
    assert shown == pytest.approx(likelihood)
    worst = rows["key"][int(release.score(X).log_likelihood.argmin())].as_py()
    assert f"1 key {worst} " in page.text


@pytest.mark.usefixtures("in_process")
def test_a_candidate_stands_beside_the_champion(project, releases):
    """Its metrics and, once promoted, those of the version before it."""
    before = project.read("reports/evaluate.json")["quantization_error"]
    project.install(releases["longer trained"], quantization_error=0.125)
    version = register(project.root)

    as_candidate = report(project)
    gate(project.root).require()
    roll_out(project.root, share=0.2, why="a trial")
    as_canary = report(project)
    promote(project.root)
    as_champion = report(project)

    for page in (as_candidate, as_canary, as_champion):
        assert page.number("quantization_error") == 0.125
        assert page.number("other-quantization_error") == before
    assert f"Version {version.number} is a candidate" in as_candidate.text
    assert "Version 2 is a canary beside the champion" in as_canary.text
    assert "Version 1 stays the champion" in as_canary.text
    assert "was not judged yet: modemap gate 2" in as_candidate.text
    assert "champion, version 1" in as_candidate.text
    assert "version 1, before it" in as_champion.text


def test_a_stopped_run_leaves_the_champion_alone_on_the_page(project):
    """What lies in the project is of an earlier run: it is not shown as if it were new."""
    page = report(project, STOPPED)

    assert "The run stopped" in page.text
    assert "must hold rows" in page.text
    assert "rows" not in page.facts
    assert page.number("champion") == 1
    assert page.number("other-quantization_error") == 0.5


def test_files_of_two_runs_are_not_told_as_one(project):
    """A result that is not the lock's is left out with the reason, without this machine's paths."""
    evaluation = project.read("reports/evaluate.json")
    write_json(project.root / "reports" / "evaluate.json", evaluation | {"stability": 0.1})

    page = report(project)

    assert "rows" not in page.facts
    assert "reports/evaluate.json: must be what dvc.lock says" in page.text
    assert str(project.root) not in page.text


def test_a_damaged_registry_is_told(project):
    """A history that contradicts itself takes the metrics off the page, not the page."""
    (project.root / "mlruns" / "mlflow.db").write_bytes(b"not a database")

    page = report(project)

    assert page.number("rows") == 1500
    assert "quantization_error" not in page.facts
    assert "mlflow.db" in page.text


def test_the_contract_has_its_own_page(project):
    """Every rule of the suite with what was found, beside the report."""
    (project.root / "expectations").mkdir()
    (project.root / "expectations" / "flights.yaml").write_text(
        "expectations:\n"
        "  - {type: expect_column_to_exist, kwargs: {column: delay}, why: it is modelled}\n"
        "  - {type: expect_column_to_exist, kwargs: {column: key}, over: all}\n"
    )
    document = project.read("reports/validate.json")
    outcome = {"columns": [], "evaluated": 500, "unexpected": None, "first_unexpected": []}
    for judgement in document["judgements"]:
        judgement["results"][0] |= outcome | {"observed": None}
    project.write("reports/validate.json", document)

    page = report(project)
    docs = read_page((project.root / "reports/data_docs/index.html").read_text(encoding="utf-8"))

    assert "1 batch kept all 2 rules" in page.text
    assert docs.text.count("✓ kept") == 2
    assert "it is modelled" in docs.text
    assert docs.number("evaluated") == 1000


def test_an_empty_project_has_a_report(tmp_path, project):
    """Before the first run everything is absent, and nothing is created but the pages."""
    shutil.copyfile(project.root / "params.yaml", tmp_path / "params.yaml")

    write_report(tmp_path)

    assert "No models yet" in (tmp_path / "reports/index.html").read_text()
    assert sorted(path.name for path in tmp_path.iterdir() if path.name != "checkout") == [
        "params.yaml",
        "reports",
    ]


def test_params_that_cannot_be_read_stop_it(tmp_path):
    """Without them not even the project's name is known."""
    with pytest.raises(ParamsError, match="the file must exist"):
        write_report(tmp_path)


def test_a_page_that_cannot_be_written_is_an_error(project):
    """The message names the page, and nothing half written is left."""
    (project.root / "reports" / "index.html" / "in the way").mkdir(parents=True)

    with pytest.raises(StageError, match=r"index\.html: the report must be written"):
        write_report(project.root)

    assert not list((project.root / "reports").glob(".*"))


def test_the_pages_are_the_same_for_the_same_project(project):
    """Only the time of rendering differs."""
    first, second = (write_report(project.root).read_text().split("<footer")[0] for _ in range(2))

    assert first == second
    assert read_json(project.root / "reports" / "evaluate.json")
