"""The gate judges the registered version on verified copies and keeps its verdict."""

import shutil
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from modemap.errors import GateRefusedError, RegistryError, ReleaseError
from modemap.files import read_json, sha256_file
from modemap.lifecycle.gate import gate, gate_here
from modemap.lifecycle.promote import promote
from modemap.lifecycle.register import register
from modemap.lifecycle.status import status
from modemap.release import write_manifest
from modemap.tracking import Registry, open_store

pytestmark = pytest.mark.workflow


UNTRIED = [  # what is refused of a release that the clean process could not try
    "loads", "calibration", "row_order", "duplicated_rows", "rescaled_units",
    "latency", "memory", "size",
]  # fmt: skip


def _stopped_by(verdict):
    return [result.rule for result in verdict.refusals]


def _candidate(project, release, **metrics):
    project.install(release, **metrics)
    return register(project.root)


def test_a_first_good_release_passes(project):
    """Nothing stops a sound release where there is no champion yet."""
    version = register(project.root)

    verdict = gate(project.root)

    verdict.require()
    assert (verdict.version, verdict.digest, verdict.champion) == (1, version.digest, None)


@pytest.mark.usefixtures("in_process")
def test_the_verdict_is_kept_on_the_version(project):
    """Tag and artifact tell later what was found, rule by rule."""
    store = open_store(project.root, "flights")
    version = register(project.root)
    verdict = gate(project.root)

    kept = Registry(store).get(version.number).verdict
    assert (kept["passed"], kept["digest"], kept["head"]) == (True, version.digest, 0)
    path = store.client.download_artifacts(version.run_id, f"gate/{kept['sha256'][:16]}.json")
    record = read_json(Path(path))
    assert [result["rule"] for result in record["results"]] == [r.rule for r in verdict.results]
    metrics = Registry(store).metrics(version)
    assert metrics["release.load_seconds"] > 0
    assert metrics["gate.latency"] == metrics["release.latency_ms"] > 0


def test_an_interrupted_gate_gives_no_verdict(project, monkeypatch):
    """Nothing is kept with the version or in the checkout, and the next one judges anew."""
    register(project.root)

    def interrupted(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr("modemap.lifecycle.evidence.collect.load_cleanly", interrupted)
        with pytest.raises(KeyboardInterrupt):
            gate(project.root)

    assert project.registry.get(1).verdict is None
    assert not (project.root / "reports" / "verdict.json").exists()
    gate(project.root).require()


@pytest.mark.usefixtures("in_process")
def test_a_better_release_passes_against_the_champion(promoted, releases):
    """A longer trained map of equal size is let through."""
    _candidate(promoted, releases["longer trained"])

    verdict = gate(promoted.root)

    assert verdict.passed
    assert verdict.champion == 1


@pytest.mark.usefixtures("in_process")
@pytest.mark.parametrize(
    ("release", "rule"),
    [
        ("bad map", "quantization_error"),
        ("bad mixture", "log_likelihood"),
        ("larger map", "comparable"),
    ],
)
def test_a_release_worse_than_the_champion_is_stopped(promoted, releases, release, rule):
    """Whatever its own report claims, both are measured on the same rows."""
    _candidate(promoted, releases[release], quantization_error=0.0, log_likelihood=0.0)

    verdict = gate(promoted.root)

    assert _stopped_by(verdict) == [rule]
    with pytest.raises(GateRefusedError, match=rule) as caught:
        verdict.require()
    assert caught.value.exit_code == 6
    with pytest.raises(GateRefusedError, match="a refusal"):
        promote(promoted.root, 2)
    assert status(promoted.root).version == 1


@pytest.mark.usefixtures("in_process")
def test_an_accepted_change_passes_and_is_kept(promoted, releases):
    """The reason goes from the gate into the history."""
    _candidate(promoted, releases["larger map"])

    gate(promoted.root, accept_change="we need more units").require()
    promote(promoted.root)

    assert status(promoted.root).version == 2
    assert "we need more units" in status(promoted.root).why


@pytest.mark.usefixtures("in_process")
def test_other_columns_pass_if_accepted(promoted, make_release, tmp_path):
    """The champion's columns may be gone from the rows: then it is known, but not measured."""
    other = make_release(tmp_path / "other", columns=("delay", "speed"))
    table = pq.read_table(promoted.root / "data/prepared/test/rows.parquet")
    columns = ["speed" if name == "distance" else name for name in table.column_names]
    pq.write_table(table.rename_columns(columns), promoted.root / "data/prepared/test/rows.parquet")
    _candidate(promoted, other, calibration_by_column={"delay": 0.01, "speed": 0.02})

    assert _stopped_by(gate(promoted.root)) == ["comparable"]
    verdict = gate(promoted.root, accept_change="distance is no longer delivered")

    verdict.require()
    (comparable,) = [result for result in verdict.results if result.rule == "comparable"]
    assert (comparable.value, comparable.bound) == (
        "9 units, delay, speed", "9 units, delay, distance"
    )  # fmt: skip


@pytest.mark.usefixtures("in_process")
def test_broken_data_stop_a_release(project):
    """A contract that was broken, by the report itself, is told."""
    report = project.read("reports/validate.json")
    report["judgements"][0]["results"] = [{"type": "expect_x", "success": False}]
    project.write("reports/validate.json", report)
    register(project.root)

    assert _stopped_by(gate(project.root)) == ["contract"]


@pytest.mark.usefixtures("in_process")
@pytest.mark.parametrize("path", ["data/raw/manifest.json", "reports/evaluate.json"])
def test_evidence_that_is_missing_stops_a_release(project, path):
    """What the version does not hold cannot be checked, and so has failed."""
    version = register(project.root)
    folder = project.root / "mlruns" / "artifacts" / version.run_id / "artifacts" / "evidence"
    name = {"data/raw/manifest.json": "raw_manifest.json"}.get(path, "evaluate.json")
    (folder / name).write_text("{")

    assert not gate(project.root).passed


@pytest.mark.usefixtures("in_process")
def test_a_metric_that_is_null_stops_a_release(project, tiny_release):
    """Evaluate says null for what it could not compute."""
    _candidate(project, tiny_release, stability=None)

    assert _stopped_by(gate(project.root)) == ["metrics", "stability"]


def test_a_damaged_release_is_stopped(project):
    """A byte that changed in the store after registration is found."""
    version = register(project.root)
    artifacts = project.root / "mlruns" / "artifacts" / version.run_id / "artifacts"
    path = artifacts / "release" / "som.npz"
    path.write_bytes(path.read_bytes()[:-1] + b"!")

    assert _stopped_by(gate(project.root)) == UNTRIED


def test_a_release_that_was_removed_is_stopped(project):
    """A version without files does not load."""
    version = register(project.root)
    shutil.rmtree(project.root / "mlruns" / "artifacts" / version.run_id)

    assert "loads" in _stopped_by(gate(project.root))


def test_a_release_that_answers_otherwise_is_stopped(project, release, releases):
    """Files that are whole and load, but do not repeat their golden rows, are found."""
    shutil.copy(releases["bad map"] / "som.npz", release / "som.npz")
    (release / "manifest.json").unlink()
    write_manifest(release, columns=["delay", "distance"], params={})
    _candidate(project, release)

    verdict = gate(project.root)

    assert _stopped_by(verdict) == UNTRIED
    assert "units of row" in verdict.refusals[0].why


@pytest.mark.usefixtures("in_process")
def test_a_damaged_champion_stops_the_comparison(promoted, releases):
    """A champion that cannot be measured does not let the next one through."""
    champion = promoted.registry.get(1)
    artifacts = promoted.root / "mlruns" / "artifacts" / champion.run_id / "artifacts"
    (artifacts / "release" / "som.npz").unlink()
    _candidate(promoted, releases["longer trained"])

    assert _stopped_by(gate(promoted.root)) == ["comparable", "growth"]


@pytest.mark.usefixtures("in_process")
def test_missing_test_rows_stop_the_comparison(promoted, releases):
    """Without rows to compare on nothing is compared, and nothing passes."""
    _candidate(promoted, releases["longer trained"])
    (promoted.root / "data" / "prepared" / "test" / "rows.parquet").unlink()

    verdict = gate(promoted.root)

    assert _stopped_by(verdict) == ["comparable"]
    assert "prepared/test" in verdict.refusals[0].why


@pytest.mark.usefixtures("in_process")
def test_judging_the_champion_again_passes(promoted):
    """It is not worse than itself."""
    verdict = gate(promoted.root)

    assert verdict.passed
    assert verdict.champion == verdict.version == 1


def test_a_version_that_does_not_exist_is_told(project):
    """The message names the versions there are."""
    register(project.root)

    with pytest.raises(RegistryError, match="version 7 must be registered") as caught:
        gate(project.root, 7)

    assert caught.value.found == "versions: 1"


@pytest.mark.usefixtures("in_process")
def test_groups_of_a_sensitive_column_are_looked_at(project):
    """A column of the prepared rows that params declare is judged value by value."""
    rows = pq.read_table(project.root / "data/prepared/test/rows.parquet")
    side = ["far" if distance > 1200 else "near" for distance in rows["distance"].to_pylist()]
    pq.write_table(
        rows.append_column("side", [side]), project.root / "data/prepared/test/rows.parquet"
    )
    params = project.root / "params.yaml"
    asked = params.read_text().replace("sensitive_columns: []", "sensitive_columns: [side]")
    params.write_text(asked.replace("group_error_ratio_max: 2.0", "group_error_ratio_max: 1.0"))
    register(project.root)

    (refusal,) = gate(project.root).refusals

    assert refusal.rule == "group_errors"
    assert refusal.why in {"side near, 300 rows, times the mean distance",
                           "side far, 200 rows, times the mean distance"}  # fmt: skip


@pytest.mark.usefixtures("in_process")
def test_a_sensitive_column_that_is_not_there_stops_a_release(project):
    """Declared and not found is not checkable."""
    params = project.root / "params.yaml"
    params.write_text(params.read_text().replace("columns: []", "columns: [carrier]"))
    register(project.root)

    verdict = gate(project.root)

    assert _stopped_by(verdict) == ["group_anomalies", "group_errors"]
    assert "carrier" in verdict.refusals[0].why


@pytest.mark.usefixtures("in_process")
def test_a_tree_that_is_not_known_to_be_clean_is_stopped_where_asked_for(project):
    """In production params say stop; this folder has no commit at all."""
    params = project.root / "params.yaml"
    params.write_text(params.read_text().replace("clean_tree: warn", "clean_tree: stop"))
    register(project.root)

    assert _stopped_by(gate(project.root)) == ["clean_tree"]


@pytest.mark.usefixtures("in_process")
def test_a_release_is_judged_where_it_lies(promoted, releases):
    """An unregistered release meets the champion; the store keeps every byte, the verdict stays."""
    digest = promoted.install(releases["longer trained"])
    status(promoted.root)  # a copied store follows its folder when it is first opened
    before = sha256_file(promoted.root / "mlruns" / "mlflow.db")

    verdict = gate_here(promoted.root)

    verdict.require()
    assert (verdict.version, verdict.digest, verdict.champion) == (None, digest, 1)
    assert sha256_file(promoted.root / "mlruns" / "mlflow.db") == before
    assert promoted.read("reports/verdict.json") == verdict.record()


@pytest.mark.usefixtures("in_process")
def test_a_bad_release_is_refused_where_it_lies(promoted, releases):
    """The same rules stop it as if it were registered."""
    promoted.install(releases["bad map"])

    verdict = gate_here(promoted.root)

    assert _stopped_by(verdict) == ["quantization_error"]
    with pytest.raises(GateRefusedError, match=f"release {verdict.digest[:16]}: must pass"):
        verdict.require()


@pytest.mark.usefixtures("in_process")
def test_a_release_without_papers_is_refused_where_it_lies(project):
    """What is missing beside it could not be checked."""
    (project.root / "data" / "raw" / "manifest.json").unlink()
    project.lock()

    assert "contract" in _stopped_by(gate_here(project.root))


@pytest.mark.usefixtures("in_process")
def test_no_store_is_made_to_judge_where_a_release_lies(project):
    """Without a store there is no champion, and none comes into being."""
    shutil.rmtree(project.root / "mlruns")

    gate_here(project.root).require()

    assert not (project.root / "mlruns").exists()


def test_what_the_graph_did_not_leave_is_not_judged(project):
    """A release that was swapped after the run stops before the gate."""
    (project.root / "models" / "release" / "som.npz").write_bytes(b"another map")

    with pytest.raises(ReleaseError, match=r"som\.npz"):
        gate_here(project.root)
