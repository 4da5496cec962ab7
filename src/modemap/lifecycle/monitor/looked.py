"""What a look at new rows came to."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from modemap.monitoring.check import Check

__all__ = ["Looked"]

EXIT_CODES = {False: 0, True: 4, None: 5}


@dataclass(frozen=True)
class Looked:
    """The answer, and what it rests on."""

    answer: bool | None  # False also where there was nothing new
    said: str
    version: int | None = None  # the champion
    window: Mapping[str, Any] | None = None  # None: nothing new
    check: "Check | None" = None
    finding: str | None = None  # the one that this window has led to
    page: Path | None = None

    @property
    def exit_code(self) -> int:
        """0 no drift, 4 drift, 5 not checkable."""
        return EXIT_CODES[self.answer]
