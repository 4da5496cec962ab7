"""A challenger leaves its band by errors, by time or by what it says, and only then."""

import numpy as np
import pytest

from modemap.params import RolloutParams
from modemap.serving.watching import Tally, Watch, out_of_band

PARAMS = RolloutParams(window_seconds=1, min_requests=10, k=2, n=3, hold_seconds=5)
UNIFORM = np.linspace(0.5, 99.5, 100)


def _tally(n=20, *, seconds=0.01, percentiles=UNIFORM, n_failed=0):
    tally = Tally()
    for _ in range(n):
        tally.answered(seconds, percentiles)
    for _ in range(n_failed):
        tally.failed()
    return tally


@pytest.mark.parametrize(
    ("challenger", "answer", "why"),
    [
        (_tally(), False, ""),
        (_tally(n_failed=5), True, "failed"),
        (_tally(seconds=0.1), True, "95 of 100 answers within"),
        (_tally(percentiles=np.full(100, 99.9)), True, "PSI"),
        (_tally(percentiles=UNIFORM / 2), True, "PSI"),
        (_tally(9), None, "too few"),
        (_tally(0), None, "too few"),
        (_tally(seconds=float("nan")), None, "no answers to measure"),
        (_tally(0, n_failed=20), True, "failed"),
        (_tally(percentiles=np.full(100, np.nan)), True, "failed"),
        (_tally(percentiles=np.append(UNIFORM, np.nan)), True, "failed"),
        (_tally(percentiles=np.append(UNIFORM, 100.0)), False, ""),
    ],
)
def test_the_band(challenger, answer, why):
    """What is out says by what; what cannot be told is neither in nor out."""
    found, said = out_of_band(_tally(), challenger, PARAMS)
    assert found is answer
    assert why in said


def test_an_unknown_champion_leaves_it_open():
    """Without answers to compare with nothing holds."""
    assert out_of_band(Tally(), _tally(), PARAMS)[0] is None


def test_rows_that_are_strange_to_the_champion_too_are_no_fault():
    """A challenger is trained because rows have changed."""
    strange = np.full(100, 99.9)
    assert out_of_band(_tally(percentiles=strange), _tally(percentiles=strange), PARAMS)[0] is False


def test_time_does_not_count_against_a_shadow():
    """Nobody waits for it."""
    assert out_of_band(_tally(), _tally(seconds=1.0), PARAMS, timed=False)[0] is False


class Clock:
    """Seconds that pass when told."""

    def __init__(self):
        self.now = 0.0

    def __call__(self):
        """Return the time."""
        return self.now


def _window(watch, clock, *, slow=False, challenged=True, championed=True):
    for _ in range(10):
        if championed:
            watch.answered(0.01, UNIFORM, by_challenger=False)
        if challenged:
            watch.answered(0.5 if slow else 0.01, UNIFORM, by_challenger=True)
    clock.now += 1.0
    return watch.decide()


def test_one_odd_window_is_none_and_two_of_three_end_it():
    """K of the last N windows decide."""
    clock = Clock()
    watch = Watch(PARAMS, clock=clock)
    assert not _window(watch, clock, slow=True).withdraw
    assert not _window(watch, clock).withdraw
    decision = _window(watch, clock, slow=True)
    assert decision.withdraw
    assert not decision.promote
    assert "95 of 100" in decision.why


def test_it_is_promoted_when_it_has_held():
    """Not before the stated time, and not with a window that is out or unknown among the last."""
    clock = Clock()
    watch = Watch(PARAMS, clock=clock)
    promoted = [_window(watch, clock).promote for _ in range(6)]
    assert promoted == [False, False, False, False, True, True]
    assert not _window(watch, clock, slow=True).promote


def test_a_window_stays_open_until_enough_was_asked():
    """Where no traffic comes, nothing is decided."""
    clock = Clock()
    watch = Watch(PARAMS, clock=clock)
    assert _window(watch, clock, challenged=False) is None
    clock.now += 1000
    assert watch.decide() is None


def test_a_challenger_that_answers_everything_is_held_against_what_was_before():
    """Blue-green: the champion answers nothing any more."""
    clock = Clock()
    known = Watch(PARAMS, before=_tally(), clock=clock)
    unknown = Watch(PARAMS, clock=clock)
    for _ in range(6):
        last = _window(known, clock, championed=False)
        open_one = _window(unknown, clock, championed=False)
    assert last.promote
    assert not open_one.promote
    assert not open_one.withdraw
