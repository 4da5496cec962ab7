"""Which trials make the front, and which are taken."""

import math

import pytest

from modemap.params import GateParams
from modemap.search.choice import DIRECTIONS, Trial, best_map, best_mixture, front

GATE = GateParams(quantization_error_tolerance=0.01, log_likelihood_tolerance=0.01)
GOOD = {
    "quantization_error": 0.5,
    "topographic_error": 0.1,
    "log_likelihood": -9.0,
    "dead_unit_share": 0.0,
    "n_units": 16,
    "n_components": 2,
    "size_mib": 0.1,
    "latency_ms": 1.0,
}
BETTER = {"quantization_error": 0.4, "log_likelihood": -8.0}


def trial(number, state="complete", **numbers):
    """Return a trial that is like the present one but for ``numbers``."""
    return Trial(number, state, number == 0, {}, GOOD | numbers)


PRESENT = trial(0)


def test_the_front_holds_what_nothing_dominates():
    """A trial that another equals or beats in everything, and beats in something, is not on it."""
    trials = [
        PRESENT,
        trial(1, quantization_error=0.4),
        trial(2, quantization_error=0.4, topographic_error=0.2),
        trial(3, quantization_error=0.6, topographic_error=0.05),
        trial(4, quantization_error=0.4),
    ]

    found = front(trials, ("quantization_error", "topographic_error"))

    assert [found_.number for found_ in found] == [1, 3, 4]


def test_the_best_map_has_the_lowest_error_of_those_that_lose_nothing():
    """A better quantization error at the price of a worse topographic one is not taken."""
    trials = [
        PRESENT,
        trial(1, quantization_error=0.3, topographic_error=0.11),
        trial(2, quantization_error=0.45, topographic_error=0.01),
        trial(3, quantization_error=0.4, topographic_error=0.1),
        trial(4, quantization_error=0.4, topographic_error=0.09),
    ]

    assert best_map(trials, PRESENT, GATE).number == 4


def test_the_best_mixture_is_the_likeliest():
    """Where two are as likely, the smaller model is taken."""
    trials = [
        PRESENT,
        trial(1, log_likelihood=-8.0, size_mib=0.3),
        trial(2, log_likelihood=-8.0, size_mib=0.2),
        trial(3, log_likelihood=-8.5),
    ]

    assert best_mixture(trials, PRESENT, GATE).number == 2


@pytest.mark.parametrize(
    "spoilt",
    [
        *({name: math.nan} for name in DIRECTIONS),
        *({name: math.inf} for name in DIRECTIONS),
        {"log_likelihood": -math.inf},
        {"latency_ms": GATE.latency_ms_max * 1.01},
        {"size_mib": GATE.size_mib_max * 1.01},
    ],
    ids=str,
)
def test_what_cannot_be_judged_or_breaks_a_budget_is_never_best(spoilt):
    """However good the rest of it is."""
    trials = [PRESENT, trial(1, **BETTER | spoilt)]

    assert best_map(trials, PRESENT, GATE) is None
    assert best_mixture(trials, PRESENT, GATE) is None


@pytest.mark.parametrize("state", ["pruned", "failed", "killed", "running"])
def test_only_complete_trials_are_taken(state):
    """A trial without an end has no say."""
    trials = [PRESENT, trial(1, state, **BETTER)]

    assert best_map(trials, PRESENT, GATE) is None
    assert best_mixture(trials, PRESENT, GATE) is None
    assert front(trials, ("quantization_error",)) == [PRESENT]


@pytest.mark.parametrize(
    "spoilt", [{"n_units": 32}, {"n_units": 8}, {"dead_unit_share": 0.51}], ids=str
)
def test_a_map_that_the_gate_would_not_take_is_not_best(spoilt):
    """The error falls with the number of units alone; empty units have their bound."""
    assert best_map([PRESENT, trial(1, **BETTER | spoilt)], PRESENT, GATE) is None
    assert best_map([PRESENT, trial(1, **BETTER)], PRESENT, GATE).number == 1


def test_what_equals_the_present_does_not_beat_it():
    """Nothing is changed for nothing."""
    trials = [PRESENT, trial(1)]

    assert best_map(trials, PRESENT, GATE) is None
    assert best_mixture(trials, PRESENT, GATE) is None
