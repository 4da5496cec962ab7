"""Sums of blocks in one order, whoever adds them: neighbours in pairs, pairs in pairs, and so on.

Which blocks meet is a matter of their numbers alone. So processes that have added up some
neighbouring blocks each send a few sums, and these come to the bits of a single process's sum.
"""

from collections.abc import Callable, Iterable
from functools import reduce
from typing import Generic, NamedTuple, TypeVar

__all__ = ["Folding", "Node", "folded"]

Result = TypeVar("Result")


class Node(NamedTuple, Generic[Result]):
    """The sum of the ``2 ** level`` blocks from ``number * 2 ** level`` on."""

    level: int
    number: int
    value: Result


class Folding(Generic[Result]):
    """Adds up blocks that come in their order, singly or as nodes that others have added up.

    Parameters
    ----------
    add : callable
        Returns two values together; it may reuse the first.

    Examples
    --------
    >>> folding = Folding(lambda a, b: f"({a}{b})")
    >>> for number, letter in enumerate("abcdefg"):
    ...     folding.put(Node(0, number, letter))
    >>> folding.total()
    '((((ab)(cd))(ef))g)'
    """

    def __init__(self, add: Callable[[Result, Result], Result]) -> None:
        self._add = add
        self.nodes: list[Node[Result]] = []

    def put(self, node: Node[Result]) -> None:
        """Take in the node that follows those before."""
        while self.nodes and _are_siblings(self.nodes[-1], node):
            left = self.nodes.pop()
            node = Node(node.level + 1, node.number // 2, self._add(left.value, node.value))
        self.nodes.append(node)

    def total(self) -> Result:
        """Return the sum of all blocks, of which there is one at least."""
        return reduce(self._add, [node.value for node in self.nodes])


def folded(results: Iterable[Result], add: Callable[[Result, Result], Result]) -> Result:
    """Return the sum of what was found of all blocks, which come in their order."""
    folding = Folding(add)
    for number, result in enumerate(results):
        folding.put(Node(0, number, result))
    return folding.total()


def _are_siblings(left: Node[Result], right: Node[Result]) -> bool:
    is_pair = left.number % 2 == 0 and right.number == left.number + 1
    return is_pair and left.level == right.level
