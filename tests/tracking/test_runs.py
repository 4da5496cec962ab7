"""A training run tells what was trained, on what, and how good it is."""

import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest
from mlflow.exceptions import MlflowException

from modemap.errors import RegistryError
from modemap.tracking import (
    TrainingRun,
    ensure_run,
    find_run,
    log_training_run,
    model_digest,
    open_store,
)
from modemap.tracking._opened import PROCESS, opened_run
from modemap.tracking.costs import recent_costs
from modemap.tracking.runs import _log_data, numbers

pytestmark = pytest.mark.workflow

PREPARED = "0123456789abcdef0123456789abcdef.dir"
LOCK = f"stages:\n  prepare:\n    outs:\n    - path: data/prepared\n      md5: {PREPARED}\n"


@pytest.fixture
def training(root):
    """Return a maker of training runs of a tiny map."""
    (root / "dvc.lock").write_text(LOCK)

    def make(error=0.5, content=b"map", **changes):
        model = root / "models" / "som"
        model.mkdir(parents=True, exist_ok=True)
        (model / "som.npz").write_bytes(content)
        plot = root / "map.png"
        plot.write_bytes(b"\x89PNG")
        given = {
            "stage": "train_som",
            "model": model,
            "params": {"n_rows": 2, "n_columns": 2, "radius": [2.0, 1.0], "nested": {"a": 1}},
            "metrics": {"quantization_error": error, "n_units": 4, "stability": None},
            "history": {"quantization_error": [3.0, 2.0, 1.0]},
            "plots": [plot],
            "columns": ["distance", "speed"],
            "outputs": {"unit": "long"},
            "example": np.array([[1.0, 2.0], [3.0, 4.0]]),
            "started": time.time() - 5,
        }
        return TrainingRun(**(given | changes))

    return make


def _get(store, run_id):
    with store.asked() as client:
        return client.get_run(run_id)


def test_a_run_holds_params_metrics_plots_data_and_tags(store, training):
    """Everything that is known of a training is on its run."""
    run_id = log_training_run(store, training())

    run = _get(store, run_id)
    assert run.info.status == "FINISHED"
    assert run.data.params["n_rows"] == "2"
    assert run.data.params["nested.a"] == "1"
    assert run.data.metrics["train_som.quantization_error"] == 0.5
    assert run.info.end_time - run.info.start_time >= 5000
    assert "train_som.stability" not in run.data.metrics
    assert run.data.tags["modemap.digest"] == model_digest(training().model)
    assert run.data.tags["modemap.commit"]
    (data,) = run.inputs.dataset_inputs
    assert (data.dataset.name, data.dataset.digest) == ("data/prepared", PREPARED)
    with store.asked() as client:
        history = client.get_metric_history(run_id, "training.quantization_error")
        assert [(entry.step, entry.value) for entry in history] == [(0, 3.0), (1, 2.0), (2, 1.0)]
        assert [file.path for file in client.list_artifacts(run_id, "plots")] == ["plots/map.png"]


def test_a_model_has_signature_example_and_requirements(store, training, monkeypatch):
    """MLflow shows what the model takes and answers without loading it."""
    from mlflow.models import Model

    run_id = log_training_run(store, training())

    monkeypatch.setenv("MLFLOW_TRACKING_URI", store.uri)
    (output,) = _get(store, run_id).outputs.model_outputs
    model = Model.load(f"models:/{output.model_id}")
    logged = store.client.get_logged_model(output.model_id)
    assert model.signature.inputs.input_names() == ["distance", "speed"]
    assert model.signature.outputs.input_names() == ["unit"]
    assert logged.source_run_id == run_id
    assert logged.status == "READY"
    example = model.load_input_example(f"models:/{output.model_id}")
    assert example.to_numpy().tolist() == [[1.0, 2.0], [3.0, 4.0]]
    names = {file.path for file in store.client.list_logged_model_artifacts(output.model_id)}
    assert names == {"MLmodel", "input_example.json", "model", "requirements.txt"}


def test_the_note_tells_which_of_two_runs_is_better_and_why(store, training):
    """A person who reads two runs side by side sees the better one named as such."""
    log_training_run(store, training(0.5, b"one"))
    worse = log_training_run(store, training(0.6, b"two"))
    better = log_training_run(store, training(0.4, b"three"))

    notes = [_get(store, run_id).data.tags["mlflow.note.content"] for run_id in (worse, better)]
    assert "**Worse** than the best comparable run before it" in notes[0]
    assert "Quantization error **0.4**" in notes[1]
    assert "**Better** than the best comparable run before it" in notes[1]
    assert "by 0.1." in notes[1]
    assert "equal unit count only" in notes[1]
    keys = {_get(store, run_id).data.tags["modemap.comparable"] for run_id in (worse, better)}
    assert len(keys) == 1


@pytest.mark.parametrize(
    "change",
    [
        {"metrics": {"quantization_error": 0.3, "n_units": 9}},
        {"columns": ["distance", "delay"]},
    ],
)
def test_runs_of_other_size_or_columns_are_not_compared(store, training, change):
    """The error falls with the number of units alone, so it proves nothing there."""
    log_training_run(store, training(0.5, b"one"))

    run_id = log_training_run(store, training(0.4, b"two", **change))

    assert "The first run of its kind" in _get(store, run_id).data.tags["mlflow.note.content"]


def test_runs_on_other_data_are_not_compared(store, training, root):
    """Other held-out rows make another error."""
    log_training_run(store, training(0.5, b"one"))
    (root / "dvc.lock").write_text(LOCK.replace("0123", "9999"))

    run_id = log_training_run(store, training(0.4, b"two"))

    assert "The first run of its kind" in _get(store, run_id).data.tags["mlflow.note.content"]


def test_higher_is_better_for_the_mixture(store, training):
    """Each stage is compared by its own primary metric in its own direction."""
    for value, content in ((-3.0, b"one"), (-2.0, b"two")):
        metrics = {"log_likelihood": value}
        run_id = log_training_run(
            store, training(content=content, stage="train_mixture", metrics=metrics)
        )

    assert "**Better**" in _get(store, run_id).data.tags["mlflow.note.content"]


@pytest.mark.parametrize(
    ("raised", "status"), [(ValueError, "FAILED"), (KeyboardInterrupt, "KILLED")]
)
def test_an_interrupted_run_does_not_stay_open(store, raised, status):
    """However its block ends, a run is closed."""
    with pytest.raises(raised), opened_run(store, "broken", {}) as run_id:
        raise raised

    assert _get(store, run_id).info.status == status


def test_two_trainings_at_once_name_the_same_new_data(store):
    """The stages run side by side, and MLflow writes a data set down once."""
    turns, failures = 10, []
    meeting = threading.Barrier(2)

    def log():
        for turn in range(turns):
            with store.asked() as client, opened_run(store, "side by side", {}) as run_id:
                meeting.wait()
                try:
                    _log_data(client, run_id, f"{turn:032x}.dir")
                except MlflowException as error:
                    failures.append(error)

    threads = [threading.Thread(target=log) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert not failures
    found = store.client.search_runs([store.experiment_id])
    assert len(found) == 2 * turns
    assert all(len(run.inputs.dataset_inputs) == 1 for run in found)


def test_a_failure_half_way_ends_the_run_as_failed(store, training, root):
    """A plot that cannot be read leaves a failed run that is never found as the model's."""
    run = training(plots=[root / "missing.png"])

    with pytest.raises(RegistryError, match=r"missing\.png"):
        log_training_run(store, run)

    (found,) = store.client.search_runs([store.experiment_id])
    assert found.info.status == "FAILED"
    assert find_run(store, "train_som", model_digest(run.model)) is None


def test_a_run_left_open_by_a_killed_process_is_closed_by_the_next(store, training):
    """No run stays running for ever because its process was killed."""
    dead = subprocess.Popen([sys.executable, "-c", ""])
    dead.wait()
    with opened_run(store, "alive", {}) as alive, opened_run(store, "killed", {}) as killed:
        store.client.set_tag(killed, PROCESS, str(dead.pid))

        log_training_run(store, training())

        assert _get(store, killed).info.status == "KILLED"
        assert _get(store, alive).info.status == "RUNNING"


def test_a_model_from_the_cache_finds_its_run_by_digest(store, training):
    """The same model has one run, however often it is restored."""
    run_id = log_training_run(store, training())

    assert ensure_run(store, training(started=None)) == run_id
    assert find_run(store, "train_mixture", model_digest(training().model)) is None


def test_a_model_without_a_run_gets_one(store, training):
    """A store that never saw the training is told about the model."""
    run_id = ensure_run(store, training(started=None))

    run = _get(store, run_id)
    assert run.data.tags["modemap.restored"] == "true"


def test_more_metrics_than_a_batch_holds_are_logged(store, training):
    """A long training is logged whole."""
    history = {"quantization_error": [float(step) for step in range(2500)]}

    run_id = log_training_run(store, training(history=history))

    name = "training.quantization_error"
    assert len(store.client.get_metric_history(run_id, name)) == 2500


def test_a_moved_checkout_still_finds_its_models(store, training, root, tmp_path):
    """The catalogue's models follow the folder too."""
    run_id = log_training_run(store, training())
    moved = root.rename(tmp_path / "moved")

    store = open_store(moved, "flights")

    (output,) = _get(store, run_id).outputs.model_outputs
    location = Path(store.client.get_logged_model(output.model_id).artifact_location)
    assert location.is_relative_to(moved)
    assert (location / "MLmodel").is_file()


ODD = [
    "plain",
    "a.b c",
    "<script>",
    "=cmd()",
    "$x",
    "Größe 🚀",
    "a/../b",
    "//",
    "..",
    "x" * 300,
    "",
]


@pytest.mark.parametrize("odd", ODD, ids=range(len(ODD)))
def test_a_metric_of_any_column_is_stored(store, odd):
    """MLflow takes few signs in a name; columns have others."""
    from mlflow.entities import Metric

    run = store.client.create_run(store.experiment_id).info.run_id
    (name,) = numbers({"calibration": {odd: 0.5}})

    store.client.log_batch(run, metrics=[Metric(name, 0.5, 0, 0)])

    assert store.client.get_run(run).data.metrics == {name: 0.5}


def test_metrics_of_like_names_stay_apart():
    """What MLflow would refuse is replaced, and two columns never share a metric."""
    found = numbers({"<a>": 1.0, "=a>": 2.0, "a": 3.0})

    assert len(found) == 3
    assert found["a"] == 3.0


def test_what_trainings_cost_is_read_oldest_first(store, training):
    """The newest, of finished trainings alone: what came from a cache cost nothing."""
    for seconds in (1.0, 2.0, 3.0):
        content = f"map {seconds}".encode()
        log_training_run(store, training(content=content, usage={"fit_seconds": seconds}))
    ensure_run(store, training(content=b"another", started=None, usage={}))

    costs = recent_costs(store, 2)

    assert [cost.usage for cost in costs] == [{"fit_seconds": 2.0}, {"fit_seconds": 3.0}]
    assert {cost.stage for cost in costs} == {"train_som"}
    assert costs[0].started <= costs[1].started
