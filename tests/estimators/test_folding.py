"""Blocks are added up in one order, whoever adds which of them."""

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from modemap.estimators.folding import Folding, Node, folded


def together(one, other):
    """Return what shows who met whom."""
    return f"({one}{other})"


@given(n_blocks=st.integers(1, 70), cuts=st.lists(st.integers(0, 70), max_size=6))
def test_runs_of_blocks_add_up_to_what_one_run_gives(n_blocks, cuts):
    """Every process sends a few nodes, and these meet as the blocks would have."""
    blocks = [chr(0x100 + number) for number in range(n_blocks)]
    bounds = sorted({0, n_blocks, *(cut for cut in cuts if cut < n_blocks)})

    whole = Folding(together)
    for first, last in pairwise(bounds):
        run = Folding(together)
        for number in range(first, last):
            run.put(Node(0, number, blocks[number]))
        assert len(run.nodes) <= 2 * (last - first).bit_length()
        for node in run.nodes:
            whole.put(node)

    assert whole.total() == folded(blocks, together)


def test_neighbours_meet_in_pairs_and_the_rest_in_turn():
    """As the picture in a textbook has it."""
    assert folded("abcdefg", together) == "((((ab)(cd))(ef))g)"
