"""Rows larger than memory: batches that can be read again and again, here or elsewhere."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from typing import Any, Protocol, TypeVar, runtime_checkable

import numpy as np
from numpy.typing import ArrayLike, NDArray

from modemap.estimators.blocks import Numbered
from modemap.estimators.folding import Folding, Node

__all__ = ["Batches", "Spread", "folded_blocks"]

Result = TypeVar("Result")


@runtime_checkable
class Batches(Protocol):
    """Rows in batches that can be read again and again, always in the same order."""

    def batches(self) -> Iterable[ArrayLike]:
        """Return the batches, arrays or data frames of shape (n_samples, n_features)."""
        ...


@runtime_checkable
class Spread(Batches, Protocol):
    """Batches that are worked on where they lie: work goes to the rows, its results come back."""

    @property
    def n_rows(self) -> int:
        """Number of all rows."""
        ...

    def runs(
        self,
        work: Callable[[Iterator[Numbered]], Result],
        cuts: Sequence[int],
        weights: NDArray[np.float64] | None = None,
    ) -> Iterable[Result]:
        """Return what ``work`` makes of each run of neighbouring blocks, in their order.

        Parameters
        ----------
        work : callable
            Takes blocks one by one: their number, their rows, and the weights of these. There is
            one call and one result for each process, so it can be pickled.
        cuts : sequence of int
            Where blocks begin, and the number of all rows.
        weights : ndarray of shape (n_rows,) or None
            Of which ``work`` gets those of each block.
        """
        ...


def folded_blocks(
    rows: Spread,
    work: Callable[[int, NDArray[Any], NDArray[np.float64] | None], Result],
    add: Callable[[Result, Result], Result],
    cuts: Sequence[int],
    weights: NDArray[np.float64] | None = None,
) -> Result:
    """Return what ``work`` makes of each block, added up in one order wherever they lie."""
    folding = Folding(add)
    for nodes in rows.runs(partial(_nodes, work, add), cuts, weights):
        for node in nodes:
            folding.put(node)
    return folding.total()


def _nodes(
    work: Callable[[int, NDArray[Any], NDArray[np.float64] | None], Result],
    add: Callable[[Result, Result], Result],
    blocks: Iterator[Numbered],
) -> list[Node[Result]]:
    """Return the sums of a run of blocks that can be taken without its neighbours."""
    folding = Folding(add)
    for number, X, weights in blocks:
        folding.put(Node(0, number, work(number, X, weights)))
    return folding.nodes
