"""What nothing needs any more: where it is, how much room it takes, how it is freed."""

from collections.abc import Callable
from dataclasses import dataclass, field

__all__ = ["Waste"]


@dataclass(frozen=True)
class Waste:
    """One thing that can be freed."""

    store: str  # MLflow, DVC or Prefect
    name: str
    n_bytes: int  # of files; what databases hold is reused by them
    free: Callable[[], object] = field(compare=False, repr=False)
