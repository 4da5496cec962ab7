"""How far a long loop is: a bar on a terminal, a line now and then elsewhere."""

import logging
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

from rich.console import Console
from rich.progress import track as bar

__all__ = ["track", "track_passes"]

Item = TypeVar("Item")

EVERY_SECONDS = 5.0

logger = logging.getLogger(__name__)


def track(items: Iterable[Item], what: str, total: int | None = None) -> Iterator[Item]:
    """Yield ``items`` and show on standard error how many of ``total`` are done."""
    if sys.stderr.isatty():
        yield from bar(items, what, total, console=Console(stderr=True), transient=True)
        return
    shown = time.monotonic()
    for count, item in enumerate(items, 1):
        yield item
        if time.monotonic() - shown >= EVERY_SECONDS:
            shown = time.monotonic()
            logger.info("%s: %d of %s", what, count, "?" if total is None else total)


def track_passes(what: str) -> Callable[[int, int, int], None]:
    """Return what takes note of blocks done elsewhere and shows them now and then.

    It takes the number of the pass over the data, blocks done, and how many there are.
    """
    shown = time.monotonic()

    def tell(n_passes: int, done: int, total: int) -> None:
        nonlocal shown
        if time.monotonic() - shown >= EVERY_SECONDS:
            shown = time.monotonic()
            logger.info("%s: pass %d, %d of %d blocks", what, n_passes, done, total)

    return tell
