"""Whether a stage gets what the stages before it made: DVC trusts its cache without looking."""

import os
from pathlib import Path

from ruamel.yaml import YAML

from modemap.errors import DataError
from modemap.lockfile import difference, read_lock

__all__ = ["check_inputs"]

STARTED_BY_DVC = "DVC_STAGE"  # in the environment of every command that DVC runs


def check_inputs(stage: str, root: Path) -> None:
    """Compare the inputs of ``stage`` that other stages made with what dvc.lock says of them.

    A stage that was started by hand takes what it finds: only under DVC the lock speaks of now.

    Raises
    ------
    DataError
        If one differs, as after damage in DVC's cache.
    RegistryError
        If dvc.lock cannot be read.
    """
    if os.environ.get(STARTED_BY_DVC) != stage:
        return
    made = {
        output["path"]: (maker, output)
        for maker, locked in read_lock(root)["stages"].items()
        for output in locked.get("outs", [])
    }
    for dep in YAML(typ="safe").load(root / "dvc.yaml")["stages"][stage].get("deps", ()):
        if dep not in made:
            continue
        maker, output = made[dep]
        if differs := difference(root, output):
            raise DataError(
                differs.place,
                f"must be what {maker} made, md5 {differs.expected}",
                found=differs.found,
                hint=differs.hint(maker),
            )
