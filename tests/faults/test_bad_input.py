"""Every stage against bad data, params and files: a message and a code, and nothing lost."""

import pytest

from tests.faults.cases import STAGE_CASES
from tests.faults.trying import check

pytestmark = [pytest.mark.workflow, pytest.mark.slow, pytest.mark.timeout(900)]


@pytest.mark.parametrize("case", STAGE_CASES, ids=lambda case: case.title)
def test_bad_input_is_refused_or_answered_rightly(case, small, answered):
    """The documented code and the four parts of the message, or a correct result; never a loss."""
    check(case, small, answered)
