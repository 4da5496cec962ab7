"""The order of stages comes from DVC's graph."""

import pytest

from modemap.errors import StageError
from modemap.orchestration.plan import Plan, read_plan


def test_every_stage_comes_after_what_it_waits_for():
    """Siblings are sorted by name, so the order is one and the same."""
    upstream = {"c": ["a", "b"], "b": ["a"], "a": [], "d": ["c"]}

    order = Plan(upstream, frozenset()).ordered()

    assert order == ["a", "b", "c", "d"]


@pytest.mark.workflow
def test_a_folder_without_dvc_is_told(tmp_path):
    """The message is DVC's own."""
    with pytest.raises(StageError, match="not inside of a DVC repository"):
        read_plan(tmp_path)
