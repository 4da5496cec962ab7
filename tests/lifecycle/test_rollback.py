"""A rollback puts back what served, once it has answered, and else leaves the champion alone."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from modemap import release
from modemap.errors import RegistryError, ReleaseError
from modemap.lifecycle.gate import gate, gate_here
from modemap.lifecycle.history import History, describe
from modemap.lifecycle.history import history as read_history
from modemap.lifecycle.register import register
from modemap.lifecycle.rollback import rollback
from modemap.lifecycle.status import status
from modemap.release import verify_release

pytestmark = pytest.mark.workflow


def _champion_stays(project):
    champion = status(project.root)
    return (champion.version, champion.alias, len(read_history(project.root))) == (2, 2, 2)


def test_the_replaced_version_comes_back(replaced, tmp_path):
    """By default it is the one that the champion replaced; whole, and the history says why."""
    rolled = rollback(replaced.root, why="complaints from the north")

    champion = status(replaced.root)
    assert (rolled.version, rolled.changed) == (1, True)
    assert (champion.version, champion.alias, champion.digest) == (1, 1, rolled.digest)
    assert champion.why == "complaints from the north"
    entry = read_history(replaced.root)[-1]
    assert (entry.kind, entry.tags["from"], entry.tags["to"]) == ("rollback", "2", "1")
    registry = replaced.registry
    verify_release(registry.download(registry.get(1), tmp_path), champion.digest)


@pytest.mark.usefixtures("in_process")
def test_what_was_rolled_back_from_is_no_default(replaced):
    """Rolling back twice does not bring the bad one again; by its number it does come back."""
    rollback(replaced.root, why="bad")

    with pytest.raises(RegistryError, match="must have been there before it"):
        rollback(replaced.root, why="worse")

    assert rollback(replaced.root, 2, why="it was not the release").version == 2
    assert status(replaced.root).version == 2


@pytest.mark.usefixtures("in_process")
def test_what_was_rolled_back_from_does_not_come_back_by_itself(replaced):
    """The gate stops the same release, registered or not; a person brings it back by number."""
    rollback(replaced.root, 1, why="complaints")

    refusals = [gate(replaced.root, 2).refusals, gate_here(replaced.root).refusals]

    assert [[result.rule for result in found] for found in refusals] == [["not_withdrawn"]] * 2
    assert "entry 3: complaints" in refusals[0][0].why
    rollback(replaced.root, 2, why="it was the network")
    rollback(replaced.root, 1, why="no, it was not")
    rollback(replaced.root, 2, why="yes, it was")
    assert gate(replaced.root, 2).passed


@pytest.mark.usefixtures("in_process")
def test_rolling_back_to_the_champion_changes_nothing(replaced):
    """It heals the alias and says so."""
    replaced.registry.set_alias(1)

    assert not rollback(replaced.root, 2, why="again").changed

    assert _champion_stays(replaced)


@pytest.mark.usefixtures("in_process")
def test_a_version_that_never_served_is_refused(replaced, releases):
    """A rollback is no way around the gate."""
    replaced.install(releases["bad map"])
    register(replaced.root)

    with pytest.raises(RegistryError, match="only a version that was champion") as caught:
        rollback(replaced.root, 3, why="I like it")

    assert caught.value.found == "versions that were: 1, 2"
    assert _champion_stays(replaced)


def test_without_a_champion_there_is_no_way_back(project):
    """Nothing served yet."""
    with pytest.raises(RegistryError, match="must have been there"):
        rollback(project.root, why="why not")


@pytest.mark.usefixtures("in_process")
def test_a_missing_target_is_refused(replaced):
    """A release whose files are gone cannot serve."""
    shutil.rmtree(replaced.artifacts(1))

    with pytest.raises(RegistryError, match="release"):
        rollback(replaced.root, why="bad")

    assert _champion_stays(replaced)


@pytest.mark.usefixtures("in_process")
@pytest.mark.parametrize("damage", ["flip", "add"])
def test_a_damaged_target_is_refused(replaced, damage):
    """One byte is enough, and so is one file more; the message names the file."""
    folder = replaced.artifacts(1) / "release"
    path = folder / ("som.npz" if damage == "flip" else "extra.pkl")
    path.write_bytes((path.read_bytes()[:-1] if path.exists() else b"") + b"!")

    with pytest.raises(ReleaseError, match=path.name):
        rollback(replaced.root, why="bad")

    assert _champion_stays(replaced)


@pytest.fixture
def cached(replaced, tiny_release):
    """Return the project with version 1 in DVC's cache, and the object of one of its files."""
    shutil.copytree(tiny_release, replaced.root / "old")
    return replaced, replaced.cache("old")


@pytest.mark.usefixtures("in_process")
def test_what_mlflow_lost_comes_from_dvcs_cache(cached, tmp_path):
    """By the digest in the history it is the same release, and MLflow has it again."""
    project, _ = cached
    (project.artifacts(1) / "release" / "som.npz").write_bytes(b"gone")

    rolled = rollback(project.root, why="bad")

    assert status(project.root).version == 1
    registry = project.registry
    verify_release(registry.download(registry.get(1), tmp_path), rolled.digest)


@pytest.fixture
def remote(cached, tmp_path):
    """Return the project with version 1 in a DVC remote alone: MLflow and the cache lost it."""
    project, _ = cached
    cache, folder = project.root / ".dvc/cache/files", tmp_path / "remote" / "files"
    shutil.copytree(cache, folder)
    shutil.rmtree(cache)
    shutil.rmtree(project.artifacts(1) / "release")
    dvc = [sys.executable, "-m", "dvc"]
    for command in (
        ["init", "-q", "--no-scm", "-f"],
        ["remote", "add", "-q", "-d", "team", folder.parent],
    ):
        subprocess.run([*dvc, *command], cwd=project.root, check=True)
    return project, folder


@pytest.mark.slow
@pytest.mark.usefixtures("in_process")
def test_what_this_machine_lost_comes_from_dvcs_remote(remote, tmp_path):
    """Found there by its md5 though no stage names it any more; MLflow has it again."""
    project, _ = remote

    rolled = rollback(project.root, why="bad")

    assert status(project.root).version == 1
    registry = project.registry
    verify_release(registry.download(registry.get(1), tmp_path), rolled.digest)


@pytest.mark.slow
@pytest.mark.usefixtures("in_process")
def test_what_the_remote_lost_too_is_refused(remote):
    """The error is that of MLflow, where it should have been."""
    project, folder = remote
    shutil.rmtree(folder)

    with pytest.raises(RegistryError, match="release"):
        rollback(project.root, why="bad")

    assert _champion_stays(project)


@pytest.mark.usefixtures("in_process")
def test_what_is_damaged_in_both_is_refused(cached):
    """The cache is verified like everything else."""
    project, damaged = cached
    (project.artifacts(1) / "release" / "som.npz").write_bytes(b"gone")
    damaged.write_bytes(b"damaged")

    with pytest.raises(ReleaseError, match=r"anomaly\.npz"):
        rollback(project.root, why="bad")

    assert _champion_stays(project)


@pytest.mark.usefixtures("in_process")
def test_a_release_of_a_newer_format_is_refused(replaced, make_release, monkeypatch, tmp_path):
    """A version that a later modemap promoted is not guessed at."""
    with monkeypatch.context() as later:
        later.setattr(release, "FORMAT", 2)
        replaced.install(make_release(tmp_path / "later", max_iter=40))
        version = register(replaced.root)
        history = History(replaced.registry)
        entry = describe(version, kind="promotion", verdict="0" * 64, why="of a later modemap")
        history.promote(history.head(), entry)
    rollback(replaced.root, 2, why="the service is of the old version")

    with pytest.raises(ReleaseError, match="format must be 1") as caught:
        rollback(replaced.root, 3, why="again")

    assert caught.value.found == "2"
    assert status(replaced.root).version == 2


def test_a_target_that_does_not_answer_is_refused(replaced, monkeypatch):
    """It has to load and answer in a clean process before the history is touched."""

    def crash(directory, digest):
        raise ReleaseError(directory, "must answer", found=f"{digest} crashed", hint="")

    monkeypatch.setattr("modemap.lifecycle.rollback.load_cleanly", crash)

    with pytest.raises(ReleaseError, match="must answer"):
        rollback(replaced.root, why="bad")

    assert _champion_stays(replaced)


@pytest.mark.usefixtures("in_process")
def test_a_target_whose_tag_was_changed_is_refused(replaced):
    """The digest that served stands in the history."""
    client = replaced.registry.store.client
    client.set_model_version_tag("flights", "1", "modemap.digest", "e" * 64)

    with pytest.raises(RegistryError, match="as it served"):
        rollback(replaced.root, why="bad")


def test_a_promotion_that_comes_first_wins(replaced, monkeypatch):
    """Who rolled back on a head that is no more is told."""

    def promote_meanwhile(_directory: Path, _digest: str):
        monkeypatch.setattr("modemap.lifecycle.rollback.load_cleanly", lambda *_: None)
        rollback(replaced.root, 1, why="somebody else")
        rollback(replaced.root, 2, why="and back")

    monkeypatch.setattr("modemap.lifecycle.rollback.load_cleanly", promote_meanwhile)

    with pytest.raises(RegistryError, match="head must still be entry 2"):
        rollback(replaced.root, 1, why="mine")

    assert status(replaced.root).why == "and back"
