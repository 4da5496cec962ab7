"""What neither the history nor the checkout needs is freed, and nothing else."""

import os
import shutil
import sqlite3
import subprocess
import time
from contextlib import closing
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import pytest
from mlflow.entities import ViewType

from modemap.errors import ModemapError, ParamsError, RegistryError, StageError
from modemap.lifecycle.checkout import checkout
from modemap.lifecycle.gate import gate
from modemap.lifecycle.gc import read_kept
from modemap.lifecycle.gc.runs import old_runs
from modemap.lifecycle.history import history
from modemap.lifecycle.promote import promote
from modemap.lifecycle.register import register
from modemap.lifecycle.rollback import rollback
from modemap.lifecycle.rollout import roll_out
from modemap.lifecycle.status import status
from modemap.lifecycle.verify import verify
from modemap.lockfile import CACHE, DVCS_LOCK, held, objects_of
from modemap.orchestration.gc import collect_garbage
from modemap.tracking import Registry, open_store

pytestmark = [pytest.mark.workflow, pytest.mark.usefixtures("in_process")]

AGE = timedelta(days=40)


@pytest.fixture
def old(replaced, releases):
    """Return a project after two champions and two releases that nobody promoted.

    Its checkout holds version 2 again. DVC's cache has the releases of versions 2, 3 and 4. All is
    forty days old.
    """
    root = replaced.root
    (root / "dvc.yaml").write_text("stages: {}\n")
    for name in ("larger map", "bad mixture", "longer trained"):
        replaced.install(releases[name])
        replaced.cache("models/release")
        register(root)
    replaced.cache("data/raw")
    age(root)
    registry = Registry(open_store(root, "flights"))
    return SimpleNamespace(project=replaced, root=root, registry=registry)


def age(root) -> None:
    """Make everything in the stores forty days older."""
    moved = int(AGE.total_seconds() * 1000)
    change(root, "UPDATE runs SET end_time = end_time - ?", moved)
    then = time.time() - AGE.total_seconds()
    for path in (root / CACHE).rglob("*"):
        os.utime(path, (then, then))


def change(root, statement: str, *values: object) -> None:
    """Edit MLflow's database."""
    with closing(sqlite3.connect(root / "mlruns/mlflow.db")) as database:
        database.execute(statement, values)
        database.commit()


def names(found) -> list[str]:
    """Return what was or would be freed, runs by what they made."""
    return [f"{waste.store} {waste.name.split(',')[0]}" for waste in found]


def objects(root) -> set[str]:
    """Return all objects of DVC's cache."""
    return {str(path.relative_to(root)) for path in (root / CACHE).glob("*/*")}


def test_what_was_never_promoted_goes_with_its_runs_and_objects(old):
    """Versions 3 and 4, their releases and trainings, and their objects in DVC's cache."""
    champions = objects_of(old.root, old.registry.get(2).outputs["models/release"])

    found = collect_garbage(old.root, 30)

    assert names(found)[:2] == ["MLflow version 3", "MLflow version 4"]
    assert [version.number for version in old.registry.versions()] == [1, 2]
    runs = [name for name in names(found) if name.startswith("MLflow run")]
    assert len([name for name in runs if "run release-" in name]) == 2
    assert len([name for name in runs if "run train_" in name]) >= 2
    assert sum(waste.n_bytes for waste in found if waste.store == "MLflow") > 10_000
    assert {str(path) for path in champions} <= objects(old.root)
    freed = {waste.name for waste in found if waste.store == "DVC"}
    assert freed
    assert not freed & objects(old.root)
    assert collect_garbage(old.root, 30) == []


def test_a_dry_run_is_the_same_list_and_frees_nothing(old):
    """Every file and every row is as it was before."""
    before = {path: path.stat().st_size for path in old.root.rglob("*") if path.is_file()}

    listed = collect_garbage(old.root, 30, dry_run=True)

    ours = {path: size for path, size in before.items() if ".modemap" not in path.parts}
    assert {path: path.stat().st_size for path in ours} == ours
    assert [version.number for version in old.registry.versions()] == [1, 2, 3, 4]
    freed = collect_garbage(old.root, 30)
    assert freed == listed
    assert sum(waste.n_bytes for waste in freed) == sum(waste.n_bytes for waste in listed) > 0


def test_after_three_promotions_all_that_was_promised_still_works(old):
    """The third champion is promoted, the rest is freed; verify, rollback and checkout succeed."""
    old.project.leave_metrics_to_git()
    gate(old.root, 3, accept_change="larger").require()
    promote(old.root, 3)
    for path in (old.root / CACHE).rglob("*"):
        os.utime(path, (0, 0))

    found = collect_garbage(old.root, 0)

    assert "MLflow version 4" in names(found)
    assert "MLflow version 3" not in names(found)
    verify(old.root).require()
    assert rollback(old.root, why="worse in use").version == 2
    assert rollback(old.root, 1, why="the first was best").version == 1
    assert checkout(old.root, 3, force=True).version == 3
    assert len(history(old.root)) == 5


def test_what_is_young_stays(old):
    """Nothing is as old as fifty days."""
    assert collect_garbage(old.root, 50) == []


def test_a_young_version_keeps_what_it_was_made_of(old):
    """Its runs and its objects are needed though they may be old themselves."""
    version = old.registry.get(4)
    trainings = [run for tag, run in version.tags.items() if tag.startswith("modemap.run.")]
    now = int(time.time() * 1000)
    change(old.root, "UPDATE runs SET end_time = ? WHERE run_uuid = ?", now, version.run_id)

    found = collect_garbage(old.root, 30)

    assert "MLflow version 3" in names(found)
    assert "MLflow version 4" not in names(found)
    assert not any(run in waste.name for run in (version.run_id, *trainings) for waste in found)
    release = objects_of(old.root, version.outputs["models/release"])
    assert {str(path) for path in release} <= objects(old.root)


def test_the_release_in_the_checkout_stays(old, releases):
    """Be it promoted or not: it may be registered, judged or restored any time."""
    old.project.install(releases["bad mixture"])
    age(old.root)

    found = collect_garbage(old.root, 30)

    assert "MLflow version 3" in names(found)
    assert "MLflow version 4" not in names(found)
    assert [version.number for version in old.registry.versions()] == [1, 2, 4]


def test_a_refused_entry_names_its_version_too(old):
    """Whoever looks at the refusal later can look at what was refused."""
    from modemap.lifecycle.history import PROMOTION, Head, History, describe

    said = describe(old.registry.get(4), kind=PROMOTION, verdict="0" * 64, why="too late")
    with pytest.raises(RegistryError, match="the head must still be"):
        History(old.registry).promote(Head(), said)

    assert "MLflow version 4" not in names(collect_garbage(old.root, 30))


def test_a_challenger_stays(old):
    """It stands beside the champion, and the history goes on naming it."""
    roll_out(old.root, 4, kind="shadow", why="a look")

    found = names(collect_garbage(old.root, 30))

    assert "MLflow version 4" not in found
    assert "MLflow version 3" in found


@pytest.mark.parametrize("ref", ["branch", "tag", "index"])
def test_what_git_names_stays(old, ref):
    """A lock file of another branch, of a tag, or staged, keeps its objects; those of none go."""
    root = old.root
    text = (root / "dvc.lock").read_text()
    md5 = old.registry.get(4).outputs["models/release"]
    in_checkout = old.registry.get(2).outputs["models/release"]
    author = ["-c", "user.name=test", "-c", "user.email=test@example.org"]

    def git(*command: str) -> None:
        subprocess.run(["git", *author, *command], cwd=root, check=True, capture_output=True)

    for command in (["init", "-qb", "main"], ["add", "params.yaml"], ["commit", "-qm", "start"]):
        git(*command)
    (root / "dvc.lock").write_text(text.replace(in_checkout, md5))
    git("add", "dvc.lock")
    if ref != "index":
        git("checkout", "-q", "-b", "other")
        git("commit", "-qm", "other")
        git("checkout", "-q", "main")
    if ref == "tag":
        git("tag", "-a", "kept", "-m", "kept", "other")
        git("branch", "-qD", "other")
    (root / "dvc.lock").write_text(text)
    needed = {str(path) for path in objects_of(root, md5)}
    other = {str(path) for path in objects_of(root, old.registry.get(3).outputs["models/release"])}

    collect_garbage(root, 30)

    assert needed <= objects(root)
    assert other - needed - {str(p) for p in objects_of(root, in_checkout)}
    assert not (other - needed - {str(p) for p in objects_of(root, in_checkout)}) & objects(root)


@pytest.mark.parametrize("half", ["", "stages: 3"])
def test_half_a_lock_file_frees_nothing(old, half):
    """Who cannot tell what is needed removes nothing."""
    (old.root / "dvc.lock").write_text(half)
    before = objects(old.root)

    with pytest.raises(ModemapError, match=r"dvc\.lock: must be DVC's lock file"):
        collect_garbage(old.root, 30)

    assert objects(old.root) == before
    assert len(old.registry.versions()) == 4


def test_dvc_at_work_is_waited_for(old):
    """Its lock, or a living process in its list, stops gc before anything is freed."""
    (old.root / DVCS_LOCK).parent.mkdir(parents=True)
    with (
        held(old.root / DVCS_LOCK, create=True, exclusive=True),
        pytest.raises(StageError, match="DVC must rest"),
    ):
        collect_garbage(old.root, 30)
    info = f'{{"pid": {os.getpid()}, "cmd": "dvc repro"}}'
    (old.root / ".dvc/tmp/rwlock").write_text(f'{{"read": {{}}, "write": {{"data": {info}}}}}')
    with pytest.raises(StageError, match="DVC must rest"):
        collect_garbage(old.root, 30)
    assert len(old.registry.versions()) == 4


def test_a_cache_that_lies_elsewhere_is_left_alone(old, tmp_path):
    """Other checkouts may use it."""
    (old.root / ".dvc/cache").rename(tmp_path / "shared")
    (old.root / ".dvc/cache").symlink_to(tmp_path / "shared")
    before = objects(old.root)

    found = collect_garbage(old.root, 30)

    assert "DVC" not in {waste.store for waste in found}
    assert objects(old.root) == before


def test_a_version_promoted_meanwhile_is_not_freed(old):
    """Between listing and freeing somebody promoted it."""
    kept = read_kept(old.root, datetime.now(UTC) - timedelta(days=30))
    third = next(iter(old_runs(kept)))
    gate(old.root, 3, accept_change="larger").require()
    promote(old.root, 3)

    with pytest.raises(RegistryError, match="must not be in the history"):
        third.free()

    assert status(old.root).version == 3


def test_runs_of_people_and_open_runs_stay(old):
    """Only what modemap logged and has ended is looked at."""
    client = old.registry.store.client
    theirs = client.create_run(old.registry.store.experiment_id, 1, {}, "theirs").info.run_id
    client.set_terminated(theirs, "FINISHED", 2)
    tags = {"modemap.kind": "training"}
    still = client.create_run(old.registry.store.experiment_id, 1, tags, "open").info.run_id

    collect_garbage(old.root, 30)

    active = client.search_runs([old.registry.store.experiment_id], "", ViewType.ACTIVE_ONLY)
    assert {theirs, still} <= {run.info.run_id for run in active}


def test_another_store_is_for_others_to_clean(old, monkeypatch):
    """What MLFLOW_TRACKING_URI names is read to know what is needed, and stays as it is."""
    moved = old.root.with_name("server")
    shutil.move(old.root / "mlruns", moved)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{moved / 'mlflow.db'}")

    found = collect_garbage(old.root, 30)

    assert {waste.store for waste in found} <= {"DVC"}
    assert len(old.registry.versions()) == 4


@pytest.mark.parametrize("days", [-1, float("nan")])
def test_days_must_be_days(old, days):
    """A negative age would be the future."""
    with pytest.raises(ParamsError, match="must be a number of days"):
        collect_garbage(old.root, days)
