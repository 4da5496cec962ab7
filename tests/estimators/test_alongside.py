"""Several items at once: their order, their failures, and how many are begun."""

import threading
import time

import pytest

from modemap.estimators.alongside import N_THREADS, alongside


def test_results_come_in_the_order_of_the_items():
    """Whichever is ready first."""

    def slow_first(number):
        time.sleep(0.05 if number == 0 else 0.0)
        return -number

    assert list(alongside(slow_first, range(20))) == [-n for n in range(20)]


def test_the_first_failure_is_raised_and_little_more_is_begun():
    """Those that wait are given up, whatever came of the others."""
    begun = set()

    def fail_from_three(number):
        begun.add(number)
        if number >= 3:
            raise ValueError(f"item {number}")
        return number

    with pytest.raises(ValueError, match="item 3"):
        list(alongside(fail_from_three, range(1000)))

    assert max(begun) <= 3 + N_THREADS


def test_only_a_few_items_are_taken_in_advance():
    """Each result may hold rows."""
    taken, lock = [], threading.Lock()

    def items():
        for number in range(100):
            with lock:
                taken.append(number)
            yield number

    results = alongside(int, items())
    next(results)

    assert len(taken) == N_THREADS + 1
    assert list(results) == list(range(1, 100))
