"""What the doctor finds: where, what, what follows from it, and how it is mended."""

from collections.abc import Callable
from dataclasses import dataclass, field

__all__ = ["Finding"]


@dataclass(frozen=True)
class Finding:
    """One thing that a killed process, a move or another hand has left."""

    place: str
    what: str
    consequence: str
    mending: str  # what mending does, or what a person has to do where nothing can
    mend: Callable[[], object] | None = field(default=None, compare=False, repr=False)
