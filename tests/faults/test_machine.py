"""Every stage against what a machine does: disks, links, locks and signals."""

import sqlite3

import pytest

from tests.faults.cases import MACHINE
from tests.faults.trying import check

# It mounts small and read-only disks.
pytestmark = [pytest.mark.workflow, pytest.mark.system, pytest.mark.timeout(900)]


@pytest.mark.parametrize("case", MACHINE, ids=lambda case: case.title)
def test_a_hard_machine_loses_nothing(case, small, answered):
    """The documented code and message, no half-written output, no run left open."""
    check(case, small, answered)

    with sqlite3.connect(small.root / "mlruns/mlflow.db") as database:
        states = {state for (state,) in database.execute("select status from runs")}
    assert "RUNNING" not in states
