"""The doctor: what killed processes, a move of the checkout or another hand have left behind.

Nothing that a living process holds is a finding.
"""

from pathlib import Path

from modemap.lifecycle.doctor.finding import Finding
from modemap.lifecycle.doctor.leftovers import half_written
from modemap.lifecycle.doctor.locks import stale_locks
from modemap.lifecycle.doctor.registry import registry_findings

__all__ = ["Finding", "examine"]


def examine(root: Path) -> list[Finding]:
    """Return what is wrong in the checkout ``root`` and its tracking store; change nothing.

    Raises
    ------
    ParamsError
        If params.yaml cannot be read.
    """
    return [*stale_locks(root), *half_written(root), *registry_findings(root)]
