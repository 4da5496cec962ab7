"""The engine of a single process: rows stay where they are."""

from typing import Protocol

from modemap.estimators.batches import Spread
from modemap.estimators.blocks import Blocks

__all__ = ["LOCAL", "Engine", "LocalEngine"]


class Engine(Protocol):
    """Says where rows are worked on."""

    def spread(self, rows: Blocks) -> Spread:
        """Return ``rows`` as estimators take them."""


class LocalEngine:
    """Works on rows in this process, on as many threads as an estimator's ``n_jobs`` says."""

    def spread(self, rows: Blocks) -> Spread:
        """Return ``rows`` themselves."""
        return rows


LOCAL = LocalEngine()
