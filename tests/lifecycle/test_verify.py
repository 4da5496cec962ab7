"""Verification names what is damaged: in the history, in a release, in DVC's cache."""

import shutil
import sqlite3
from contextlib import closing

import pytest

from modemap.errors import ParamsError, RegistryError
from modemap.lifecycle.cached import left_to_git
from modemap.lifecycle.rollback import rollback
from modemap.lifecycle.status import status
from modemap.lifecycle.verify import verify
from modemap.tracking import open_store
from tests.lifecycle.conftest import CACHED

pytestmark = pytest.mark.workflow


def _places(audit):
    return [finding.place for finding in audit.findings]


def _edit(project, number, key, value):
    with closing(sqlite3.connect(project.root / "mlruns" / "mlflow.db")) as connection:
        changed = connection.execute(
            "UPDATE model_version_tags SET value = ?"
            " WHERE name = 'flights-history' AND version = ? AND key = ?",
            (value, number, key),
        )
        assert changed.rowcount == 1
        connection.commit()


def test_a_sound_registry_has_no_findings(replaced):
    """Everything was looked at, and the anchor is the head's."""
    audit = verify(replaced.root)

    audit.require()
    assert (audit.n_entries, audit.n_versions) == (2, 2)
    assert audit.n_outputs >= 5
    assert audit.anchor == status(replaced.root).anchor
    assert verify(replaced.root, audit.anchor).findings == []


def test_nothing_registered_is_sound(project):
    """An empty history has no anchor."""
    audit = verify(project.root)

    assert (audit.n_entries, audit.n_versions, audit.anchor, audit.findings) == (0, 0, "", [])


@pytest.mark.parametrize("key", ["why", "made_from", "who", "digest"])
def test_a_changed_entry_is_found(replaced, key):
    """Whatever of it was changed, the next entry does not match it."""
    _edit(replaced, 1, key, "0" * 64)

    audit = verify(replaced.root)

    assert "promotion history, entry 2" in _places(audit)
    with pytest.raises(RegistryError, match="must be as it was recorded"):
        audit.require()


def test_a_changed_head_is_found_by_its_anchor(replaced):
    """Nothing follows the head, so only who noted it elsewhere can tell."""
    anchor = verify(replaced.root).anchor
    _edit(replaced, 2, "why", "another reason")

    assert _places(verify(replaced.root)) == []
    assert _places(verify(replaced.root, anchor)) == ["promotion history, entry 2"]


@pytest.mark.usefixtures("in_process")
def test_an_older_anchor_holds(replaced):
    """Entries that came later do not spoil what was noted."""
    replaced.cache_all()
    anchor = verify(replaced.root).anchor
    rollback(replaced.root, why="bad")

    assert verify(replaced.root, anchor).findings == []


@pytest.mark.parametrize("anchor", ["", "1", "x:y", ":abc", "1:"])
def test_an_anchor_of_another_form_is_refused(replaced, anchor):
    """It is told how one looks."""
    with pytest.raises(ParamsError, match="must be NUMBER:LINK"):
        verify(replaced.root, anchor)


def test_a_flipped_byte_in_a_release_is_found(replaced):
    """Version and file are named, whether or not it is the champion."""
    path = replaced.artifacts(1) / "release" / "mixture.npz"
    content = bytearray(path.read_bytes())
    content[100] ^= 1
    path.write_bytes(content)

    (finding,) = verify(replaced.root).findings

    assert finding.place.startswith("version 1, ")
    assert finding.place.endswith("mixture.npz")


def test_a_release_that_is_gone_is_found(replaced):
    """A version without its files."""
    for path in (replaced.artifacts(2) / "release").iterdir():
        path.unlink()

    (finding,) = verify(replaced.root).findings

    assert finding.place.startswith("version 2, ")


def test_a_flipped_byte_in_dvcs_cache_is_found(replaced):
    """The object and the output it belongs to are named."""
    damaged = replaced.cache("models/release")
    assert verify(replaced.root).findings == []
    damaged.write_bytes(damaged.read_bytes()[:-1] + b"!")

    (finding,) = verify(replaced.root).findings

    assert finding.place == damaged.relative_to(replaced.root).as_posix()
    assert "models/release" in finding.what


def test_what_is_not_in_the_cache_is_named(replaced):
    """Git keeps the metrics; of the rest the cache must have what no checkout holds."""
    replaced.cache_all()
    audit = verify(replaced.root)
    assert audit.n_outputs == len(CACHED) + 1
    assert audit.absent == ["models/release of version 1"]
    assert audit.findings == []

    shutil.rmtree(replaced.root / ".dvc" / "cache")
    audit = verify(replaced.root)

    assert audit.absent == [*CACHED, "models/release of version 1"]
    assert audit.findings == []  # the checkout has what the champion was made of


def test_what_the_champion_was_made_of_and_nothing_has_is_found(replaced):
    """Neither cache nor checkout has it, and DVC knows no remote to ask."""
    replaced.cache_all()
    shutil.rmtree(replaced.root / ".dvc" / "cache")
    shutil.rmtree(replaced.root / "data" / "prepared")

    (finding,) = verify(replaced.root).findings

    assert finding.place == "data/prepared of version 2"
    assert "neither in DVC's cache nor in the checkout" in finding.what
    (replaced.root / ".dvc" / "config").write_text("['remote \"team\"']\n    url = /far\n")
    assert verify(replaced.root).findings == []


def test_one_lost_object_of_a_folder_makes_it_absent(replaced):
    """The list of a folder alone restores nothing."""
    replaced.cache_all()
    replaced.cache("models/release").unlink()

    assert "models/release" in verify(replaced.root).absent


@pytest.mark.parametrize("text", [None, "", "[", "stages: 3", "stages: {a: {metrics: 3}}"])
def test_a_graph_that_cannot_be_read_leaves_nothing_to_git(tmp_path, text):
    """Each output is looked for in the cache then."""
    if text is not None:
        (tmp_path / "dvc.yaml").write_text(text)

    assert left_to_git(tmp_path) == set()


def test_a_changed_verdict_is_found(replaced):
    """The record of the gate that a promotion rests on is covered."""
    for path in (replaced.artifacts(2) / "gate").iterdir():
        path.write_text(path.read_text().replace("passed", "failed"))

    (finding,) = verify(replaced.root).findings

    assert finding.place == "version 2"
    assert "gate/" in finding.what


def test_a_moved_alias_is_found(replaced):
    """MLflow's pages name another champion than the history."""
    replaced.registry.set_alias(1)

    (finding,) = verify(replaced.root).findings

    assert finding.what == "names version 1, the history version 2"


def test_a_version_that_was_deleted_is_found(replaced):
    """What served once must stay."""
    client = open_store(replaced.root, "flights").client
    client.delete_model_version("flights", "1")

    (finding,) = verify(replaced.root).findings

    assert (finding.place, finding.what) == ("version 1", "entry 1 promoted it, and it is gone")


def test_a_version_whose_tag_was_changed_is_found(replaced):
    """The digest that the history holds is another."""
    client = open_store(replaced.root, "flights").client
    client.set_model_version_tag("flights", "2", "modemap.digest", "e" * 64)

    audit = verify(replaced.root)

    assert _places(audit)[0] == "version 2"
    assert "its tag says eeee" in audit.findings[0].what
