"""Gather what the report tells: from the files of the last run, the release and the registry.

A part that cannot be read is left out with the reason in words: a report is wanted most when
something went wrong.
"""

import os
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from modemap.data.batches import read_manifest
from modemap.data.suite import read_suite
from modemap.errors import ModemapError
from modemap.files import read_json
from modemap.lifecycle.lock import check_lock
from modemap.lifecycle.report.contract import tell_contract
from modemap.lifecycle.report.history import find_promoted, trace
from modemap.lifecycle.report.standing import find_standing, find_unregistered
from modemap.lifecycle.verdict import last_verdict
from modemap.params import Params, load_params
from modemap.reporting.story import (
    Batch,
    Column,
    Contract,
    Cost,
    Data,
    Models,
    Standing,
    Stopped,
    Story,
)
from modemap.tracking.costs import recent_costs
from modemap.tracking.lineage import UNKNOWN, read_lineage
from modemap.tracking.registry import Registry, Version
from modemap.tracking.store import open_store, store_exists

__all__ = ["tell_story"]

Part = TypeVar("Part")

RAW, PREPARED = Path("data", "raw"), Path("data", "prepared")
RELEASE, REPORTS = Path("models", "release"), Path("reports")
N_TRAININGS = 40  # whose costs are told
MAP_ALONE = "the map alone sees it"
UNREADABLE = (ModemapError, OSError, ValueError, LookupError, TypeError)


class _Teller:
    """Tells one part after the other, and why a part cannot be told."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.params: Params = load_params(root / "params.yaml")
        self.absent: dict[str, str] = {}

    def part(self, name: str, tell: Callable[[], Part]) -> Part | None:
        try:
            return tell()
        except UNREADABLE as error:
            self.absent[name] = _reason(error, self.root)
            return None

    def digest(self) -> str:
        """Return the digest of the release, provided that it is the last complete run's."""
        check_lock(self.root)
        return str(self.evaluation()["release_digest"])

    def evaluation(self) -> dict[str, Any]:
        return dict(read_json(self.root / REPORTS / "evaluate.json"))

    def data(self) -> Data:
        from modemap.estimators.preparation import Preparation  # noqa: PLC0415  # takes a second

        manifest = read_manifest(self.root / RAW)
        losses = read_json(self.root / REPORTS / "prepare.json")
        preparation = Preparation.load(self.root / RELEASE / "preparation.npz")
        scales = zip(preparation.columns, preparation.center_, preparation.scale_, strict=True)
        missing = losses["dropped"] | losses["filled"]
        policies = dict(preparation.missing) | dict.fromkeys(preparation.map_only or {}, MAP_ALONE)
        columns = [
            Column(name, policies[name], missing.get(name, 0), float(center), float(scale))
            for name, center, scale in scales
        ]
        return Data(
            source=self.params.ingest.source,
            batches=[Batch(batch.source, batch.digest, batch.rows) for batch in manifest.batches],
            excluded=[Batch(batch.source, batch.digest, batch.rows) for batch in manifest.excluded],
            rows=manifest.rows,
            dropped=losses["dropped_rows"],
            parts=losses["rows"],
            key=self.params.prepare.key,
            columns=columns,
        )

    def models(self, digest: str) -> Models:
        from modemap.lifecycle.report.portrait import portray  # noqa: PLC0415  # takes a second
        from modemap.release import load_release  # noqa: PLC0415

        release = load_release(self.root / RELEASE, digest)
        return portray(self.root / PREPARED, release)

    def contract(self) -> Contract:
        return tell_contract(
            self.root / REPORTS / "validate.json",
            self.root / "data" / "quarantine",
            read_manifest(self.root / RAW),
            read_suite(self.root / self.params.validate_.suite),
        )

    def costs(self) -> list[Cost]:
        if not store_exists(self.root):
            return []
        found = recent_costs(open_store(self.root, self.params.project), N_TRAININGS)
        return [Cost(**vars(cost)) for cost in found]

    def standing(self, digest: str | None) -> tuple[Standing | None, Version | None]:
        evaluation = self.evaluation() if digest else {}
        verdict = last_verdict(self.root, digest) if digest else None
        if not store_exists(self.root):
            return find_unregistered(evaluation, verdict), None
        registry = Registry(open_store(self.root, self.params.project))
        version = registry.find(digest) if digest else None
        return find_standing(registry, version, evaluation, verdict), version


def tell_story(
    root: Path, next_steps: Sequence[tuple[str, str]], stopped: Stopped | None = None
) -> Story:
    """Return the story of the project in ``root`` as of now.

    Raises
    ------
    ParamsError
        If params.yaml cannot be read: without it nothing is known.
    """
    teller = _Teller(root)
    data = models = digest = None
    if stopped and stopped.in_stage:
        teller.absent["models"] = "the run stopped before it had evaluated new models"
    else:
        digest = teller.part("models", teller.digest)
    if digest is None:
        teller.absent["data"] = teller.absent["models"]
    else:
        data = teller.part("data", teller.data)
        models = teller.part("models", lambda: teller.models(digest))
    promoted = teller.part("history", lambda: find_promoted(root)) or []
    standing, version = teller.part("standing", lambda: teller.standing(digest)) or (None, None)
    if standing is None:
        teller.absent.setdefault("standing", "nothing is registered yet")
    contract = teller.part("contract", teller.contract)
    tell = partial(trace, root, contract=contract, standing=standing, promoted=promoted)
    traced = teller.part("origin", lambda: tell(digest, data=data)) if digest and data else None
    costs = teller.part("costs", teller.costs) or []
    return Story(
        project=teller.params.project,
        rendered=datetime.now(UTC).isoformat(timespec="seconds"),
        digest=digest,
        stopped=stopped,
        data=data,
        models=models,
        standing=standing,
        contract=contract,
        lineage=_lineage(root, digest, version),
        next_steps=next_steps,
        history=[entry for entry, _ in promoted],
        origin=traced,
        costs=costs,
        absent=teller.absent,
    )


def _lineage(root: Path, digest: str | None, version: Version | None) -> dict[str, str]:
    """Return what the version was registered from, or what the checkout holds now."""
    tags = version.tags if version else read_lineage(root).tags()
    commit, dirty = tags.get("modemap.commit", UNKNOWN), tags.get("modemap.dirty", UNKNOWN)
    changed = {"true": " and changes that are not committed", "false": ""}
    names = {
        "release digest": digest or "",
        "code": f"commit {commit}{changed.get(dirty, '')}" if commit != UNKNOWN else UNKNOWN,
        "flow run": tags.get("modemap.flow_run", UNKNOWN),
        "package": f"modemap {tags.get('modemap.package_version', UNKNOWN)}",
    }
    hashes = {
        name.removeprefix("modemap.dvc."): f"md5 {md5}"
        for name, md5 in sorted(tags.items())
        if name.startswith("modemap.dvc.")
    }
    return {name: text for name, text in (names | hashes).items() if text}


def _reason(error: Exception, root: Path) -> str:
    if isinstance(error, ModemapError):
        said = f"{error.place}: {error.rule}; found: {error.found}"
    else:
        said = f"{type(error).__name__}: {error}"
    return " ".join(said.replace(f"{root}{os.sep}", "").split())
