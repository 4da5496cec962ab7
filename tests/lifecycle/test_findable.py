"""The rows that a report can find: the strangest, whatever tables they came in."""

from datetime import UTC, datetime

import numpy as np
import pyarrow as pa
import pytest

from modemap.lifecycle.insight.findable import Findable

N = 500


@pytest.fixture
def table() -> pa.Table:
    """Return rows of one column that the models see and two that name them."""
    numbers = range(N)
    hours = [datetime(2013, 1, 1 + i % 28, i % 24, tzinfo=UTC) for i in numbers]
    return pa.table({"hour": hours, "flight": list(numbers), "delay": np.zeros(N)})


@pytest.fixture
def log_likelihood():
    """Return how likely each row is; there are ties."""
    return np.random.default_rng(0).integers(-40, 0, N).astype(float)


@pytest.mark.parametrize("ends", [[N], [100, 101, 300, N], [*range(7, N, 7), N]])
@pytest.mark.parametrize("most", [20, N - 1, N, 10 * N])
def test_the_strangest_are_kept_in_their_order(table, log_likelihood, ends, most):
    """However the rows were cut into tables, and the first of equal ones stays the first."""
    findable, start = Findable(["delay"], most), 0
    for end in ends:
        part = slice(start, end)
        findable.add(table.slice(start, end - start), log_likelihood[part], np.arange(N)[part])
        start = end

    found = findable.rows()

    expected = np.argsort(log_likelihood, kind="stable")[:most]
    assert found is not None
    assert found.units.tolist() == expected.tolist()
    assert list(found.keys) == ["hour", "flight"]
    assert found.keys["flight"] == [str(i) for i in expected]
    first = int(expected[0])
    assert found.keys["hour"][0] == f"2013-01-{1 + first % 28:02} {first % 24:02}:00 UTC"


def test_rows_without_a_key_cannot_be_found(table, log_likelihood):
    """There is nothing to look for them by."""
    findable = Findable(["hour", "flight", "delay"])
    findable.add(table, log_likelihood, np.arange(N))

    assert findable.rows() is None


def test_no_rows_are_no_error():
    """A table without rows leaves nothing to find."""
    assert Findable(["delay"]).rows() is None
