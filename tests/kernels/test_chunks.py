"""Chunks cover the rows once, in order, whatever the threads do."""

import threading
import time
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modemap.kernels import chunk_slices, map_chunks, same_threads


@given(st.integers(0, 10**9))
def test_chunks_cover_the_rows_once_in_order(n_samples):
    """Each chunk starts where the last one ended, and there are at most 16."""
    slices = chunk_slices(n_samples)

    assert slices[0].start == 0
    assert slices[-1].stop == n_samples
    assert all(a.stop == b.start for a, b in pairwise(slices))
    assert len(slices) <= 16


@given(st.integers(1, 10**9))
def test_no_chunk_is_empty(n_samples):
    """Kernels never see zero rows."""
    assert all(rows.stop > rows.start for rows in chunk_slices(n_samples))


@pytest.mark.parametrize("n_threads", [1, 2, 4, 100])
def test_results_come_in_the_order_of_the_rows(n_threads):
    """A chunk that is slow does not lose its place."""

    def work(rows):
        time.sleep(0.02 if rows.start == 0 else 0.0)
        return rows

    assert list(map_chunks(work, 10_000, n_threads)) == chunk_slices(10_000)


def test_several_threads_are_used():
    """Two chunks that wait for each other both finish."""
    barrier = threading.Barrier(2, timeout=10)

    assert list(map_chunks(lambda _: barrier.wait() >= 0, 1024, 2)) == [True, True]


def test_an_error_in_a_chunk_is_raised():
    """A failing chunk does not pass unnoticed."""

    def fail(rows):
        raise ArithmeticError(f"row {rows.start}")

    with pytest.raises(ArithmeticError, match="row 0"):
        list(map_chunks(fail, 5000, 2))


def test_threads_that_are_shared_start_once():
    """Several passes run on the same two threads; a pass inside a pass does not wait for them."""

    def names(_):
        inner = list(map_chunks(lambda _: threading.get_ident(), 1024, 2))
        return threading.get_ident(), len(inner)

    with same_threads(2):
        found = [pair for _ in range(20) for pair in map_chunks(names, 5000, 2)]

    assert len({name for name, _ in found}) <= 2
    assert {n for _, n in found} == {2}
    assert not {name for name, _ in found} & {thread.ident for thread in threading.enumerate()}
