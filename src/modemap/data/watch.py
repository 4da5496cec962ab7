"""Whether DVC watches the source: if not, nobody would notice that its content changed."""

from pathlib import Path

from ruamel.yaml import YAML

from modemap.data.flights import FLIGHTS
from modemap.data.sources import is_watchable, source_root
from modemap.errors import ParamsError

__all__ = ["check_watched"]


def check_watched(source: str, stages: Path) -> None:
    """Refuse a source of files that the stage `ingest` in ``stages``, a dvc.yaml, does not list.

    A glob is watched through the folder that it starts in. Rows of a database or a store cannot be
    watched: the stage must be one that always runs.

    Raises
    ------
    ParamsError
        If no dep of the stage is the source or a folder above it, or it does not always run.
    """
    if source == FLIGHTS:
        return
    stage = YAML(typ="safe").load(stages)["stages"]["ingest"]
    if not is_watchable(source):
        if stage.get("always_changed") is not True:
            raise ParamsError(
                f"{stages}: stages.ingest",
                "must always run, since DVC cannot see that the rows of ingest.source changed",
                found="no always_changed: true",
                hint="add the line `always_changed: true` to the stage ingest, and run again",
            )
        return
    root = source_root(source)
    deps = stage.get("deps", ())
    if not any(Path(dep) in (root, *root.parents) for dep in deps):
        raise ParamsError(
            f"{stages}: stages.ingest.deps",
            "must list the files of ingest.source, so that a change of them runs the stage again",
            found=f"no {root}",
            hint=f"add the line `- {root}` to the deps of ingest, and run again",
        )
