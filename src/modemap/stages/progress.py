"""How far a long loop is: a bar on a terminal, a line now and then elsewhere."""

import logging
import sys
import time
from collections.abc import Iterable, Iterator
from typing import TypeVar

from rich.console import Console
from rich.progress import track as bar

__all__ = ["track"]

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
