"""Diagrams are drawn by the build, or stop it."""

import pytest

from docs.hooks.diagrams import read_chart


def test_nodes_arrows_and_groups_are_read():
    """Labels, stores and chains of arrows; a node is named once and used again."""
    chart = read_chart("flowchart LR\n  a[(the source)] --> b --> c\n  subgraph DVC\n    b\n  end")

    assert chart.labels == {"a": "the source", "b": "b", "c": "c"}
    assert chart.arrows == [("a", "b"), ("b", "c")]
    assert chart.stores == {"a"}
    assert chart.groups == {"DVC": ["b"]}
    assert not chart.is_upright


def test_what_cannot_be_drawn_is_named():
    """The line is shown, so that the page can be mended."""
    with pytest.raises(ValueError, match=r"nodes and arrows, got 'a -\.-> b'"):
        read_chart("flowchart LR\n  a -.-> b")
