"""A search from start to end, on a few rows."""

import json
import signal
import subprocess
import sys

import pytest

from modemap.cli import app
from modemap.errors import DataError, ParamsError, RegistryError
from modemap.orchestration.servers import free_port
from modemap.params import load_params
from modemap.search.applying import apply
from modemap.search.measuring import Job, measure
from modemap.search.run import PICTURE, search
from modemap.search.study import DATABASE, opened_study
from modemap.tracking import open_store
from tests.projects import CHECKOUT
from tests.search.conftest import PARAMS, PREPARED_MD5

pytestmark = pytest.mark.workflow

N_TRIALS = 8


def outline(found):
    """Return what a repeated search must find again: all but times."""
    return [
        (trial.state, trial.params, {k: v for k, v in trial.numbers.items() if not _is_time(k)})
        for trial in found.trials
        if trial.state != "killed"
    ]


def _is_time(name):
    return name in ("latency_ms", "fit_seconds")


def runs_of(root):
    """Return the search's run and its trials' by number."""
    store = open_store(root, "flights")
    with store.asked() as client:
        runs = client.search_runs([store.experiment_id])
    (parent,) = [run for run in runs if run.data.tags["modemap.kind"] == "search"]
    trials = [run for run in runs if run.data.tags.get("mlflow.parentRunId") == parent.info.run_id]
    return store, parent, sorted(trials, key=lambda run: int(run.data.tags["modemap.trial"]))


def test_the_best_beats_the_present_and_is_written_with_comments_kept(project):
    """Without a test row in the project; what is applied measures as the trial did."""
    found = search(project)

    of_map, of_mixture = found.best_map, found.best_mixture
    errors = ("quantization_error", "topographic_error")
    assert of_map.numbers["quantization_error"] < found.present.numbers["quantization_error"]
    assert of_map.numbers["topographic_error"] <= found.present.numbers["topographic_error"]
    assert of_mixture.numbers["log_likelihood"] > found.present.numbers["log_likelihood"] + 0.1
    assert not (project / "data/prepared/test").exists()

    diff = apply(project, found)

    params = load_params(project / "params.yaml")
    job = Job(project / "data/prepared", params.train_som, params.train_mixture, params.gate)
    again = measure(job).numbers
    assert {name: again[name] for name in errors} == {n: of_map.numbers[n] for n in errors}
    assert again["log_likelihood"] == of_mixture.numbers["log_likelihood"]
    removed = [line for line in diff.splitlines() if line.startswith("-") and "params" not in line]
    assert len(removed) <= len(found.changes()["train_som"]) + len(found.changes()["train_mixture"])
    text = (project / "params.yaml").read_text()
    for comment in ("# the map", "# of the grid", "# too wide to be good", "# too few"):
        assert comment in text


def test_each_trial_is_a_child_run_with_the_datas_hash(project):
    """The search's run holds the picture and what it came to."""
    found = search(project)

    store, parent, trials = runs_of(project)
    assert parent.info.status == "FINISHED"
    assert parent.data.metrics["trials"] == N_TRIALS
    assert [int(run.data.tags["modemap.trial"]) for run in trials] == list(range(N_TRIALS))
    for run, trial in zip(trials, found.trials, strict=True):
        assert run.data.tags["modemap.dvc.data/prepared"] == PREPARED_MD5
        assert run.data.params["train_som.n_rows"] == str(trial.params["train_som"]["n_rows"])
        assert run.data.metrics["quantization_error"] == trial.numbers["quantization_error"]
        assert run.info.status == "FINISHED"
    with store.asked() as client:
        (artifact,) = client.list_artifacts(parent.info.run_id)
    assert artifact.path == PICTURE.name
    assert (project / PICTURE).read_bytes().startswith(b"\x89PNG")


@pytest.mark.slow
def test_one_job_finds_the_same_again(project, twin):
    """Same seed, same trials, same best."""
    first, second = search(project), search(twin)

    assert outline(first) == outline(second)
    assert first.changes() == second.changes()


@pytest.mark.slow
def test_a_killed_search_goes_on_as_if_it_had_not_been(project, twin):
    """The trial that was open is not counted; the others are neither lost nor repeated."""
    child = subprocess.Popen(
        [sys.executable, "-m", "tests.search.killed", str(project), "3"],
        cwd=CHECKOUT,
        stdout=subprocess.PIPE,
        text=True,
    )
    with child:
        assert child.stdout.readline() == "began\n"
        child.send_signal(signal.SIGKILL)

    found = search(project)

    states = [trial.state for trial in found.trials]
    assert states[3] == "killed"
    assert states.count("killed") == 1
    assert len(states) == N_TRIALS + 1
    assert outline(found) == outline(search(twin))
    _, parent, trials = runs_of(project)
    assert parent.info.status == "FINISHED"
    numbers = [int(run.data.tags["modemap.trial"]) for run in trials]
    assert numbers == [n for n in range(N_TRIALS + 1) if n != 3]


@pytest.mark.slow
def test_a_search_that_has_ended_only_answers(project):
    """More trials are made only where more are asked for."""
    before = search(project, n_trials=3)

    assert outline(search(project, n_trials=3)) == outline(before)
    assert len(search(project, n_trials=4, n_jobs=2).trials) == 4


@pytest.mark.slow
def test_other_params_are_another_search(project):
    """What is compared with other present params would be compared with the wrong ones."""
    first = search(project, n_trials=2)
    (project / "params.yaml").write_text(PARAMS.replace("n_components: 1", "n_components: 2"))

    second = search(project, n_trials=1)

    assert second.name != first.name
    assert [trial.is_present for trial in second.trials] == [True]


def test_time_over_means_no_trial_but_the_present(project):
    """Without it nothing could be compared."""
    found = search(project, seconds=1e-9)

    assert [trial.is_present for trial in found.trials] == [True]
    assert found.changes() == {}


def test_what_cannot_be_trained_is_a_failed_trial(project):
    """Its reason is kept, and the search goes on."""
    text = PARAMS.replace("n_components: 1 ", "n_components: 300 ")
    (project / "params.yaml").write_text(text)  # growth: up to 1200 of 300 rows

    found = search(project, n_trials=6)

    failed = [trial for trial in found.trials if trial.state == "failed"]
    assert failed
    assert all("n_components" in trial.why for trial in failed)
    assert not {trial.number for trial in failed} & {trial.number for trial in found.front}


def test_a_number_that_is_none_fails_the_trial(project):
    """Not a number is neither told to the sampler nor ever best."""
    params = load_params(project / "params.yaml")
    good = search(project, n_trials=1).present.numbers
    with opened_study(project, "other", params.search) as study:
        trial, _ = study.ask(is_present=False)
        study.tell(trial, good | {"log_likelihood": float("nan")})

        (told,) = study.trials()

    assert told.state == "failed"
    assert told.why == "log_likelihood is nan"
    assert not told.is_usable


def test_a_map_beyond_the_gates_bounds_stops_its_trial(project):
    """Its mixture is not fitted; the present params are tried to the end all the same."""
    gate = "log_likelihood_tolerance: 0.01"
    text = PARAMS.replace(gate, f"{gate}, topographic_error_max: 0.0, dead_unit_share_max: 0.0")
    (project / "params.yaml").write_text(text)

    found = search(project, n_trials=6)

    assert found.present.state == "complete"
    pruned = [trial for trial in found.trials if trial.state == "pruned"]
    assert pruned
    assert all("beyond the gate's 0" in trial.why for trial in pruned)
    assert all("log_likelihood" not in trial.numbers for trial in pruned)
    assert found.best_map is None


def test_params_that_changed_meanwhile_are_not_overwritten(project):
    """What a person wrote while the search ran stays."""
    found = search(project)
    path = project / "params.yaml"
    path.write_text(PARAMS.replace("max_iter: 5\n", "max_iter: 6\n"))

    with pytest.raises(ParamsError, match="must be as it was when the search began"):
        apply(project, found)

    assert "max_iter: 6\n" in path.read_text()


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("n_trials: 8", "n_trials: -1", r"search\.n_trials: .*greater than or equal to 1"),
        ("n_trials: 8", "n_trails: 8", "did you mean `n_trials`"),
        ("n_trials: 8", "seconds: 0", r"search\.seconds: .*greater than 0"),
        ("n_trials: 8", "objectives: [latency]", "did you mean `latency_ms`"),
        ("n_trials: 8", "objectives: []", r"search\.objectives: "),
        ("n_trials: 8", "objectives: [size_mib, size_mib]", "an objective must be named once"),
    ],
)
def test_bad_settings_are_told(project, old, new, said):
    """Place, rule, found and hint, before anything is trained."""
    (project / "params.yaml").write_text(PARAMS.replace(old, new))

    with pytest.raises(ParamsError, match=said):
        search(project)

    assert not (project / DATABASE).exists()


@pytest.mark.parametrize("split", ["train", "validation"])
def test_rows_that_are_not_there_are_told(project, split):
    """The message says what makes them."""
    (project / f"data/prepared/{split}/rows.parquet").unlink()

    with pytest.raises(DataError, match=r"must hold Parquet files[^$]*dvc repro"):
        search(project)


def test_a_storage_that_does_not_answer_is_told_without_its_password(project):
    """An address may hold one."""
    with pytest.raises(RegistryError, match="the storage of the search must answer") as caught:
        search(
            project, storage=f"postgresql+psycopg2://reader:secret@127.0.0.1:{free_port()}/trials"
        )

    assert "secret" not in str(caught.value)


@pytest.mark.parametrize("url", ["nothing", "mongodb://localhost/x"])
def test_an_address_that_is_none_is_told(project, url):
    """With an example of one."""
    with pytest.raises(ParamsError, match=r"postgresql\+psycopg2://user@host/name"):
        search(project, storage=url)


@pytest.mark.slow
def test_another_storage_holds_the_trials(project):
    """The project's own stays unmade."""
    url = f"sqlite:///{project}/elsewhere.db"

    search(project, n_trials=1, storage=url)

    assert len(search(project, n_trials=2, storage=url).trials) == 2
    assert not (project / DATABASE).exists()


@pytest.mark.slow
def test_the_command_prints_data_or_words(project, monkeypatch, capsys):
    """Words end with the next step."""
    monkeypatch.chdir(project)

    app(["search", "--jobs", "1", "--json"], standalone_mode=False)
    document = json.loads(capsys.readouterr().out)
    app(["search", "--jobs", "1"], standalone_mode=False)
    words = capsys.readouterr().out
    app(["search", "--jobs", "1", "--apply"], standalone_mode=False)
    applied = capsys.readouterr().out

    assert len(document["trials"]) == N_TRIALS
    assert document["applied"] is False
    assert words.endswith("write the best into params.yaml: modemap search --apply\n")
    assert "+  n_components: " in applied
    assert applied.endswith("train it: dvc repro\n")


@pytest.mark.slow
def test_the_flow_finds_and_applies_the_same(project, twin, monkeypatch):
    """Its task gives back what the command would change."""
    from prefect.logging import disable_run_logger

    from modemap.orchestration.searching import search_params

    expected = search(twin, n_trials=4).changes()
    monkeypatch.chdir(project)

    with disable_run_logger():
        changes = search_params.fn(4, 1, apply=True)

    assert changes == expected
    written = load_params(project / "params.yaml").model_dump(mode="json")
    for section, values in expected.items():
        assert {key: written[section][key] for key in values} == values
