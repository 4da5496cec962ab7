"""What neither the history nor the checkout needs, in MLflow and in DVC's cache."""

from datetime import datetime
from pathlib import Path

from modemap.lifecycle.gc.kept import Kept, read_kept
from modemap.lifecycle.gc.objects import old_objects, resting_dvc
from modemap.lifecycle.gc.runs import old_runs
from modemap.lifecycle.gc.waste import Waste

__all__ = ["Kept", "Waste", "find_waste", "read_kept", "resting_dvc"]


def find_waste(root: Path, kept: Kept, before: datetime) -> list[Waste]:
    """Return what of MLflow's store and of DVC's cache is older than ``before`` and not kept.

    Raises
    ------
    RegistryError
        If it cannot be told what has to be kept: nothing is freed then.
    """
    return [*old_runs(kept), *old_objects(root, kept, before)]
