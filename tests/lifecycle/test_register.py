"""What is registered is what was evaluated, once, with all that stands behind it."""

import pytest

from modemap.errors import ReleaseError
from modemap.lifecycle.register import register
from modemap.release import release_digest, verify_release
from modemap.tracking import TrainingRun, log_training_run, open_store

pytestmark = pytest.mark.workflow


def test_a_version_holds_its_release_evidence_and_lineage(project, tmp_path, monkeypatch):
    """Digest, hashes, params, flow run, training runs and metrics are all on it."""
    monkeypatch.setenv("MODEMAP_FLOW_RUN", "brave-otter")

    version = register(project.root)

    registry = project.registry
    assert (version.number, version.digest) == (1, release_digest(project.root / "models/release"))
    tags = registry.get(1).tags
    assert tags["modemap.flow_run"] == "brave-otter"
    assert tags["modemap.dvc.models/release"].endswith(".dir")
    assert len(tags["modemap.params_digest"]) == 64
    assert {"modemap.commit", "modemap.dirty", "modemap.package_version"} <= set(tags)
    client = registry.store.client
    for stage in ("train_som", "train_mixture"):
        run = client.get_run(tags[f"modemap.run.{stage}"])
        assert run.data.tags["modemap.stage"] == stage
        assert run.data.tags["modemap.restored"] == "true"
    assert registry.metrics(version)["evaluate.stability"] == 0.9
    verify_release(registry.download(version, tmp_path), version.digest)
    files = {file.path for file in client.list_artifacts(version.run_id, "evidence")}
    assert files == {f"evidence/{n}.json" for n in ("evaluate", "validate", "raw_manifest")}
    files = {file.path for file in client.list_artifacts(version.run_id, "lineage")}
    assert files == {"lineage/params.yaml", "lineage/dvc.lock"}


def test_registering_twice_makes_one_version(project):
    """A digest that is known keeps its version."""
    first = register(project.root)

    assert register(project.root).number == first.number
    assert len(project.registry.versions()) == 1


def test_two_versions_of_one_digest_are_one(project):
    """Processes that register at once may make two; everybody names the first."""
    first = register(project.root)
    client = project.registry.store.client
    client.create_model_version("flights", "runs:/x/y", tags={"modemap.digest": first.digest})

    assert register(project.root).number == first.number == 1


def test_another_release_is_another_version(project, releases):
    """Versions are counted up."""
    register(project.root)
    project.install(releases["larger map"])

    assert register(project.root).number == 2
    assert [version.number for version in project.registry.versions()] == [1, 2]


def test_the_training_run_is_found_by_its_digest(project, tmp_path):
    """The run that the training stage logged is the one named, not a second one."""
    model = tmp_path / "som"
    model.mkdir()
    for name in ("som.npz", "segments.npz"):
        (model / name).write_bytes((project.root / "models/release" / name).read_bytes())
    store = open_store(project.root, "flights")
    logged = log_training_run(
        store, TrainingRun("train_som", model, {}, {}, ["delay"], {"unit": "long"})
    )

    version = register(project.root)

    assert version.tags["modemap.run.train_som"] == logged


def test_versions_are_read_page_by_page(project, monkeypatch):
    """More versions than a page holds are all found, in order."""
    monkeypatch.setattr("modemap.tracking.registry.PAGE", 2)
    register(project.root)
    client = project.registry.store.client
    for number in range(2, 8):
        client.create_model_version("flights", "runs:/x/y", tags={"modemap.digest": str(number)})

    registry = project.registry

    assert [version.number for version in registry.versions()] == list(range(1, 8))
    assert registry.get().number == 7
    assert registry.find("5").number == 5


def test_a_version_of_another_hand_is_not_ours(project):
    """What has no digest was not registered here and cannot be promoted."""
    register(project.root)
    project.registry.store.client.create_model_version("flights", "runs:/x/y")

    assert project.registry.get().number == 1


def test_a_damaged_release_is_refused(project):
    """A file that is not the manifest's is named, and nothing is registered."""
    path = project.root / "models" / "release" / "som.npz"
    path.write_bytes(path.read_bytes() + b"!")

    with pytest.raises(ReleaseError, match=r"som\.npz"):
        register(project.root)

    assert project.registry.versions() == []


def test_the_evaluation_of_another_release_is_refused(project, tiny_release):
    """Numbers of another release say nothing about this one."""
    project.install(tiny_release, release_digest="e" * 64)

    with pytest.raises(ReleaseError, match="must be the evaluation of release") as caught:
        register(project.root)

    assert caught.value.found == "e" * 64
    assert "dvc repro" in caught.value.hint


@pytest.mark.parametrize("content", [None, "{", "[]", "{}", "3"])
def test_a_release_without_evaluation_is_refused(project, content):
    """No file, or no evaluation in it: nothing is registered."""
    path = project.root / "reports" / "evaluate.json"
    if content is None:
        path.unlink()
    else:
        path.write_text(content)

    with pytest.raises(ReleaseError, match=r"evaluate\.json"):
        register(project.root)


@pytest.mark.parametrize("path", ["reports/evaluate.json", "reports/validate.json"])
def test_a_file_that_the_lock_does_not_know_is_refused(project, path):
    """A report edited after the run is not the run's."""
    text = (project.root / path).read_text()
    (project.root / path).write_text(text + " ")

    with pytest.raises(ReleaseError, match=r"must be what dvc\.lock says") as caught:
        register(project.root)

    assert caught.value.place.endswith(path)
