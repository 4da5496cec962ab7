"""The promotion history is append-only, and of two promotions at once one wins."""

import multiprocessing
import sqlite3
from datetime import datetime, timedelta

import pytest

from modemap.errors import RegistryError
from modemap.lifecycle.history import FIELDS, Head, History, step
from modemap.lifecycle.history import history as read_history
from modemap.tracking import Registry, open_store

WORKERS, ROUNDS = 3, 4


def _tags(to, **changes):
    base = {"digest": f"digest-{to}", "verdict": "v", "who": "ann", "when": "now", "why": "better"}
    return base | {"to": str(to)} | changes


def _entry(head, to="1", **changes):
    """Return the tags of an entry that is valid on ``head``."""
    own = {
        "id": "x",
        "expected": str(head.number),
        "from": str(head.champion or 0),
        "prev_digest": head.link,
    }
    return _tags(to) | own | changes


def test_an_entry_that_expects_the_head_becomes_the_head():
    """Folding follows the entries that saw the head before them."""
    first = step(Head(), 1, _entry(Head(), "1"))
    second = step(first, 2, _entry(first, "2"))

    assert (first.champion, second.champion) == (1, 2)
    assert (second.number, second.seen) == (2, 2)
    assert second.link != first.link


def test_an_entry_that_expects_an_older_head_is_refused():
    """The loser of a race stays visible and changes nothing."""
    first = step(Head(), 1, _entry(Head(), "1"))

    late = step(first, 2, _entry(Head(), "2"))

    assert (late.number, late.champion, late.seen) == (1, 1, 2)


@pytest.mark.parametrize("missing", FIELDS)
def test_an_entry_of_another_hand_is_refused(missing):
    """What this protocol did not write whole promotes nothing."""
    tags = _entry(Head())
    del tags[missing]

    assert step(Head(), 1, tags).number == 0


@pytest.mark.parametrize("expected", ["", "-1", "one", "1", "7"])
def test_an_entry_that_expects_no_head_is_refused(expected):
    """A claim about the future or nonsense promotes nothing."""
    assert step(Head(), 1, _entry(Head(), expected=expected)).number == 0


@pytest.mark.parametrize("name", ["expected", "from", "to"])
@pytest.mark.parametrize("text", ["../1", "%31", "\u0661", "1\0", "1" + " " * 4096, ""], ids=ascii)
def test_an_entry_with_a_number_that_is_none_is_refused(name, text):
    """Versions and entries are named by plain digits."""
    assert step(Head(), 1, _entry(Head()) | {name: text}).number == 0


def test_a_missing_entry_is_noticed():
    """Numbers are contiguous, so a gap is a removal."""
    with pytest.raises(RegistryError, match=r"entry 1.*never changed or removed"):
        step(Head(), 2, _entry(Head()))


def test_an_entry_that_follows_a_refused_one_is_noticed():
    """A valid entry was changed so that it lost its place."""
    first = step(Head(), 1, _entry(Head(), "1"))
    refused = step(first, 2, _entry(Head(), "2"))

    with pytest.raises(RegistryError, match="never changed"):
        step(refused, 3, _entry(refused, expected="2"))


@pytest.mark.parametrize("name", [name for name in FIELDS if name not in {"expected"}])
def test_a_changed_entry_breaks_the_chain(name):
    """Each entry repeats a digest of all that the one before it says."""
    tags = _entry(Head(), "1")
    follower = _entry(step(Head(), 1, tags), "2")
    if name == "prev_digest":
        with pytest.raises(RegistryError, match="never changed"):
            step(Head(), 1, tags | {name: "other"})
        return

    changed = step(Head(), 1, tags | {name: "3"})

    with pytest.raises(RegistryError, match="does not match entry 1"):
        step(changed, 2, follower)


@pytest.fixture
def history(store):
    """Return the history of a registered model that has three versions."""
    store.client.create_registered_model("flights")
    for _ in range(3):
        store.client.create_model_version("flights", "runs:/x/y")
    return History(Registry(store))


@pytest.mark.workflow
def test_who_was_champion_at_a_time(promoted):
    """Every entry says when; those after the time asked for are left out, refused ones stay."""
    (entry,) = read_history(promoted.root)
    when = datetime.fromisoformat(entry.tags["when"])
    entries = History(promoted.registry).entries
    entries.append({"text": "of another hand"})

    before, at, now = (
        read_history(promoted.root, at) for at in (when - timedelta(seconds=1), when, None)
    )

    assert before == []
    assert [(e.number, e.is_valid) for e in at] == [(1, True)]
    assert [(e.number, e.is_valid) for e in now] == [(1, True), (2, False)]
    assert {"commit", "flow_run", "params", "release"} <= set(entry.made_from)
    assert now[1].made_from == {}


def test_a_folder_without_a_store_has_no_history(tmp_path, project):
    """Asking makes nothing."""
    (tmp_path / "params.yaml").write_text((project.root / "params.yaml").read_text())

    assert read_history(tmp_path) == []
    assert not (tmp_path / "mlruns").exists()


@pytest.mark.parametrize("name", ["kind", "made_from"])
def test_what_an_entry_says_of_its_release_is_covered(name):
    """Changed, added or removed: the next entry does not match."""
    tags = _entry(Head(), "1")
    follower = _entry(step(Head(), 1, tags | {name: "x"}), "2")

    for changed in (tags | {name: "y"}, tags):
        with pytest.raises(RegistryError, match="does not match entry 1"):
            step(step(Head(), 1, changed), 2, follower)


@pytest.mark.workflow
def test_a_promotion_is_seen_by_others_and_by_the_alias(history, root):
    """Head and alias name the promoted version, in this process and in the next."""
    head = history.promote(history.head(), _tags(2))

    other = History(Registry(open_store(root, "flights")))
    assert other.head() == head
    assert other.head().champion == 2
    assert other.registry.alias() == 2


@pytest.mark.workflow
def test_an_empty_history_is_read_without_being_made(history, store):
    """Looking makes nothing."""
    assert history.head() == Head()
    names = [model.name for model in store.client.search_registered_models()]
    assert names == ["flights"]


@pytest.mark.workflow
def test_the_second_of_two_promotions_is_told(history):
    """Who decided on a head that is no more has to decide again."""
    seen = history.head()
    history.promote(seen, _tags(1))

    with pytest.raises(RegistryError, match="head must still be entry 0") as caught:
        history.promote(seen, _tags(2))

    assert "entry 1, which promoted version 1" in caught.value.found
    assert history.head().champion == 1
    assert history.registry.alias() == 1


@pytest.mark.workflow
def test_repeating_a_promotion_with_its_key_promotes_once(history, monkeypatch):
    """An answer that was lost on the way is asked for again without harm."""
    seen = history.head()
    append = history.entries.append

    def stored_but_not_told(tags):
        append(tags)
        raise RegistryError("server", "must answer", found="silence", hint="")

    monkeypatch.setattr(history.entries, "append", stored_but_not_told)

    head = history.promote(seen, _tags(1), key="k")
    again = history.promote(seen, _tags(1), key="k")

    assert head.champion == again.champion == 1
    assert head.number == again.number == 1


@pytest.mark.workflow
def test_an_entry_that_was_not_stored_is_told(history, monkeypatch):
    """A store that refused leaves the champion as it was."""

    def refuse(_tags):
        raise RegistryError("server", "must answer", found="silence", hint="")

    monkeypatch.setattr(history.entries, "append", refuse)

    with pytest.raises(RegistryError, match="silence"):
        history.promote(history.head(), _tags(1))

    assert history.head() == Head()


@pytest.mark.workflow
def test_an_alias_moved_by_another_hand_is_healed_not_followed(history):
    """The history decides; the alias is written after it."""
    history.promote(history.head(), _tags(1))
    history.registry.set_alias(3)

    assert history.head().champion == 1
    assert history.heal().champion == 1
    assert history.registry.alias() == 1


@pytest.mark.workflow
def test_an_alias_that_cannot_be_moved_is_no_failure(history, monkeypatch):
    """The promotion stands and says that the alias does not; the next call moves it."""

    def refuse(_number):
        raise RegistryError("store", "must answer", found="Model Version not found", hint="")

    with monkeypatch.context() as broken:
        broken.setattr(history.registry, "set_alias", refuse)
        head = history.promote(history.head(), _tags(2))
        shown = history.is_shown

    assert (head.champion, shown, history.registry.alias()) == (2, False, None)
    assert history.heal().champion == 2
    assert (history.is_shown, history.registry.alias()) == (True, 2)


@pytest.mark.workflow
def test_a_store_that_is_gone_after_the_promotion_is_no_failure(history, monkeypatch):
    """Once the entry has been read back, nothing turns the promotion into an error."""

    def refuse():
        raise RegistryError("store", "must answer", found="connection refused", hint="")

    monkeypatch.setattr(history.registry, "alias", refuse)

    assert history.promote(history.head(), _tags(2)).champion == 2
    assert not history.is_shown


@pytest.mark.workflow
def test_healing_tells_of_a_changed_history(history):
    """A store that is away is waited for; entries that contradict each other are never passed."""
    head = history.promote(history.head(), _tags(1))
    history.entries.append(_entry(head, "2", prev_digest="of another hand"))

    with pytest.raises(RegistryError, match="does not match entry 1"):
        history.heal()


@pytest.mark.workflow
def test_a_changed_entry_in_the_store_is_noticed(history, root):
    """Nothing is promoted on a history that was edited."""
    history.promote(history.head(), _tags(1))
    history.promote(history.head(), _tags(2))
    with sqlite3.connect(root / "mlruns" / "mlflow.db") as connection:
        connection.execute(
            "UPDATE model_version_tags SET value = '3' WHERE key = 'to' AND version = 1"
        )

    with pytest.raises(RegistryError, match=r"entry 2.*never changed"):
        History(Registry(open_store(root, "flights"))).head()


def _promote_often(root, barrier, worker, results):
    history = History(Registry(open_store(root, "flights")))
    for round_number in range(ROUNDS):
        barrier.wait()
        seen = history.head()
        barrier.wait()
        try:
            history.promote(seen, _tags(1 + worker))
            results.put((round_number, worker))
        except RegistryError as error:
            if "head must still be" not in error.rule:
                raise


@pytest.mark.workflow
def test_of_many_promotions_at_once_one_wins(history, root):
    """Processes that saw the same head race; each round has one winner and no lost entry."""
    context = multiprocessing.get_context("spawn")
    barrier, results = context.Barrier(WORKERS), context.Queue()
    processes = [
        context.Process(target=_promote_often, args=(root, barrier, worker, results))
        for worker in range(WORKERS)
    ]

    for process in processes:
        process.start()
    for process in processes:
        process.join(120)

    assert [process.exitcode for process in processes] == [0] * WORKERS
    winners = sorted(results.get(timeout=5) for _ in range(ROUNDS))
    assert [round_number for round_number, _ in winners] == list(range(ROUNDS))
    assert results.empty()
    head = history.head()
    assert head.seen == WORKERS * ROUNDS
    assert head.champion == winners[-1][1] + 1
    assert history.registry.alias() == head.champion
