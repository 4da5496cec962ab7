"""What the cases share."""

import pytest

from tests.faults.project import small, trained  # noqa: F401

@pytest.fixture
def answered():
    return lambda *a: print(*a)
