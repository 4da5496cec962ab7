"""The service follows the history's head and nothing else, and keeps the last good release."""

import gc
import shutil
import time
from pathlib import Path

import pytest

from modemap.lifecycle.history import PROMOTION, History, describe
from modemap.serving.following import Follower, champion_source, directory_source
from modemap.tracking import Registry, open_store

pytestmark = pytest.mark.workflow

CHECKOUT = Path(__file__).parents[2]


class Project:
    """A store with a history, and what follows it."""

    def __init__(self, root):
        self.root = root
        text = (CHECKOUT / "params.yaml").read_text()
        (root / "params.yaml").write_text(text.replace("project: modemap", "project: flights"))
        self.registry = Registry(open_store(root, "flights"))
        self.follower = Follower(champion_source(root), 60.0)

    def promote(self, release):
        """Register and promote a release as the gate would."""
        version = self.registry.register(release, tags={}, metrics={}, evidence={}, note="")
        history = History(self.registry)
        entry = describe(version, kind=PROMOTION, verdict="v", why="a test")
        history.promote(history.head(), entry)
        return version

    def look(self):
        """Look once and return the version that is served."""
        self.follower.look()
        return self.follower.served and self.follower.served.version


@pytest.fixture
def project(root):
    """Return a project without a champion."""
    return Project(root)


def test_nothing_is_served_before_the_first_promotion(project):
    """A registered version is not a champion."""
    assert project.look() is None
    assert project.follower.trouble is None


def test_the_head_of_the_history_is_served_and_the_alias_is_not(
    project, tiny_release, make_release, tmp_path
):
    """A new champion takes over at the next look; an alias moved by another hand moves nothing."""
    other = make_release(tmp_path / "other", n_rows=4)
    first = project.promote(tiny_release)
    assert project.look() == first.number
    served = project.follower.served
    assert project.look() == first.number
    assert project.follower.served is served

    second = project.promote(other)
    assert project.look() == second.number
    project.registry.set_alias(first.number)

    assert project.look() == second.number
    assert project.follower.served.digest == second.digest


def test_what_serves_first_is_not_searched_for_garbage(tiny_release):
    """Neither the release nor what was imported for it; what comes later is, as ever."""
    gc.unfreeze()
    try:
        follower = Follower(directory_source(tiny_release), 60.0)

        follower.look()

        later = [[]]
        follower.look()
        searched = {id(found) for found in gc.get_objects()}
        assert id(follower.served.release) not in searched
        assert id(later) in searched
    finally:
        gc.unfreeze()


def test_a_damaged_champion_does_not_take_over(project, tiny_release, make_release, tmp_path):
    """The last good one stays, the trouble is told, and nothing half loaded is left."""
    project.promote(tiny_release)
    project.look()
    bad = project.promote(make_release(tmp_path / "other", n_rows=4))
    kept = project.root / "mlruns" / "artifacts" / bad.run_id / "artifacts" / "release" / "som.npz"
    whole = kept.read_bytes()
    kept.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))

    assert project.look() == 1
    assert "som.npz" in str(project.follower.trouble)
    assert (
        len([path for path in (project.root / ".modemap" / "serving").iterdir() if path.is_dir()])
        == 1
    )

    kept.write_bytes(whole)
    assert project.look() == bad.number
    assert project.follower.trouble is None


def test_a_registry_that_is_gone_leaves_what_serves(project, tiny_release):
    """Without its registry a running service goes on, and a new one starts with what served."""
    project.promote(tiny_release)
    project.look()
    shutil.move(project.root / "mlruns" / "mlflow.db", project.root / "away.db")
    (project.root / "mlruns" / "mlflow.db").write_bytes(b"no database" * 1000)

    assert project.look() == 1
    again = Follower(champion_source(project.root), 60.0)
    again.look()

    assert again.served.version == 1
    assert again.served.digest == project.follower.served.digest


def test_a_folder_that_cannot_be_written_is_told_and_tried_again(project, tiny_release):
    """As on a read-only root or a full disk: the thread goes on, and so does what serves."""
    version = project.promote(tiny_release)
    folder = project.root / ".modemap" / "serving"
    folder.parent.mkdir(exist_ok=True)
    folder.write_bytes(b"")  # no folder can be made here

    assert project.look() is None
    assert str(folder) in str(project.follower.trouble)
    assert "the system must let the service read and write there" in str(project.follower.trouble)

    folder.unlink()
    assert project.look() == version.number
    assert project.follower.trouble is None


def test_the_thread_follows_until_it_is_stopped(project, tiny_release):
    """It looks at once, and ends with the service."""
    version = project.promote(tiny_release)
    seen = []

    def source(served):
        seen.append(served)
        return champion_source(project.root)(served)

    follower = Follower(source, 0.01)
    follower.start()
    deadline = time.monotonic() + 60
    while len(seen) < 2 and time.monotonic() < deadline:
        time.sleep(0.01)
    follower.stop()

    assert follower.served.version == version.number
    assert seen[0] is None
