"""Whatever writers do in whatever order, folding the history gives one linear line of champions."""

import hypothesis.strategies as st
from hypothesis import settings
from hypothesis.stateful import Bundle, RuleBasedStateMachine, initialize, invariant, rule

from modemap.errors import RegistryError
from modemap.lifecycle.history import CANARY, LINKED, SHADOW, WITHDRAWAL, Head, Rollout, step


def fold(entries, head=None):
    """Return the head after all ``entries``, numbered from one."""
    head = head or Head()
    for number, tags in enumerate(entries, 1):
        if number > head.seen:
            head = step(head, number, tags)
    return head


class Writers(RuleBasedStateMachine):
    """Writers that remember a head, append on top of it, crash, retry, or are of another hand."""

    heads = Bundle("heads")

    def __init__(self):
        super().__init__()
        self.entries = []
        self.champions = [None]  # what a register with one lock would have held
        self.known = Head()  # a reader that folds only what is new

    @initialize(target=heads)
    def begin(self):
        """Everybody has seen the empty history."""
        return Head()

    @rule(target=heads)
    def look(self):
        """Read the head as of now."""
        return fold(self.entries)

    @rule(seen=heads, to=st.integers(1, 9))
    def promote(self, seen, to):
        """Append an entry, which counts if and only if none did since the writer looked."""
        current = fold(self.entries)
        self.entries.append(
            dict.fromkeys(LINKED, "x")
            | {
                "expected": str(seen.number),
                "from": str(seen.champion or 0),
                "to": str(to),
                "prev_digest": seen.link,
            }
        )
        won = fold(self.entries).number == len(self.entries)
        assert won == (seen.number == current.number)
        if won:
            self.champions.append(to)

    @rule(
        seen=heads,
        kind=st.sampled_from([CANARY, SHADOW, WITHDRAWAL]),
        to=st.none() | st.integers(1, 9),
    )
    def roll_out(self, seen, kind, to):
        """Begin or end a rollout: it counts like a promotion, and never names another champion."""
        current = fold(self.entries)
        rollout = Rollout(SHADOW if kind == SHADOW else CANARY, 7, "d", 0.5)
        self.entries.append(
            dict.fromkeys(LINKED, "x")
            | {
                "kind": kind,
                "rollout": rollout.tag(),
                "expected": str(seen.number),
                "from": str(seen.champion or 0),
                "to": str(seen.champion or 0 if to is None else to),
                "prev_digest": seen.link,
            }
        )
        after = fold(self.entries)
        keeps = current.champion is not None and to in {None, current.champion}
        won = after.number == len(self.entries)
        assert won == (keeps and seen.number == current.number)
        if won:
            assert (after.rollout is None) == (kind == WITHDRAWAL)
        else:
            assert after.rollout == current.rollout

    @rule(tags=st.dictionaries(st.sampled_from(LINKED), st.text(max_size=3)))
    def write_by_another_hand(self, tags):
        """Append an entry that is not whole: it changes nothing."""
        tags.pop("id", None)
        self.entries.append(tags)

    @rule()
    def read(self):
        """Folding what is new gives what folding everything gives."""
        self.known = fold(self.entries, self.known)
        assert self.known == fold(self.entries)

    @invariant()
    def the_champion_is_the_last_that_won(self):
        """As a register behind one lock would say."""
        assert fold(self.entries).champion == self.champions[-1]

    @rule(data=st.data())
    def tamper(self, data):
        """Change a valid entry that is not the head: everybody who folds notices."""
        head, valid = Head(), []
        for number, tags in enumerate(self.entries, 1):
            head = step(head, number, tags)
            if head.number == number:
                valid.append(number)
        if len(valid) < 2:
            return
        number = data.draw(st.sampled_from(valid[:-1]))
        changed = [dict(tags) for tags in self.entries]
        changed[number - 1]["why"] = "another reason"
        try:
            fold(changed)
        except RegistryError:
            return
        raise AssertionError(f"entry {number} was changed unseen")


Writers.TestCase.settings = settings(max_examples=50, stateful_step_count=30, deadline=None)
TestWriters = Writers.TestCase
