"""The promotion history: append-only, compare-and-set, and the only truth about the champion.

An entry names the head that its writer saw (``expected``). Folding the entries in their order gives
the head: an entry is valid if and only if it expects the last valid one, so of many promotions at
once one wins. The others stay in place as visible refusals. Rollouts begin and end by entries that
leave the champion as it is. Each entry holds a digest of the one it follows, so a changed or
removed entry is noticed. MLflow's alias is written after the history and healed by the next call;
nothing ever follows it.
"""

import getpass
import hashlib
import json
import socket
import uuid
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import NoReturn

from modemap.errors import RegistryError
from modemap.files import canonical_json
from modemap.params import load_params
from modemap.tracking.entries import Entries
from modemap.tracking.registry import Registry, Version
from modemap.tracking.store import open_store, store_exists

__all__ = [
    "CANARY",
    "PROMOTION",
    "ROLLBACK",
    "SHADOW",
    "WITHDRAWAL",
    "Entry",
    "Head",
    "History",
    "Rollout",
    "describe",
    "history",
    "signed",
    "withdrawn",
]

FIELDS = (
    "id",
    "expected",
    "from",
    "to",
    "digest",
    "verdict",
    "who",
    "when",
    "why",
    "prev_digest",
)
ORIGINS = {  # what an entry also says of the release it promotes, and the version's tag it is from
    "commit": "modemap.commit",
    "data": "modemap.dvc.data/prepared",
    "flow_run": "modemap.flow_run",
    "params": "modemap.params_digest",
    "release": "modemap.dvc.models/release",
}
NUMBERS = ("expected", "from", "to")
LINKED = (
    *FIELDS,
    "approval",
    "kind",
    "made_from",
    "rollout",
)  # covered by the digest that the next entry repeats
PROMOTION, ROLLBACK = "promotion", "rollback"
CANARY, SHADOW, WITHDRAWAL = "canary", "shadow", "withdrawal"  # these leave the champion
ROLLING = {CANARY, SHADOW, WITHDRAWAL}
HEALING_ATTEMPTS = 5


class TamperedError(RegistryError):
    """The history contradicts itself, which no store that is away or slow explains."""


@dataclass(frozen=True)
class Rollout:
    """A challenger beside the champion.

    Attributes
    ----------
    kind : str
        ``CANARY`` answers a share of the requests; ``SHADOW`` scores copies and answers none.
    version, digest : int, str
        The challenger.
    share : float
        Of the requests, from 0 to 1; of copies for a shadow.
    since : str
        When it was begun, UTC.
    number : int
        The entry that began it, by which its end is told.
    """

    kind: str
    version: int
    digest: str
    share: float
    since: str = ""
    number: int = 0

    def tag(self) -> str:
        """Return what an entry that begins or ends it says of it."""
        told = {
            "kind": self.kind,
            "version": self.version,
            "digest": self.digest,
            "share": self.share,
        }
        return json.dumps(told, sort_keys=True)


@dataclass(frozen=True)
class Head:
    """The state of the history after some entries."""

    number: int = 0  # last valid entry, 0 before the first
    link: str = ""  # digest of that entry, which the next one repeats
    seen: int = 0  # last entry folded, valid or not
    entry: Mapping[str, str] = field(default_factory=dict)  # tags of the one that made the champion
    settled: int = 0  # last entry that made a champion or withdrew a challenger: verdicts are over
    rollout: Rollout | None = None

    @property
    def champion(self) -> int | None:
        """Version of the release that was promoted or rolled back to last."""
        return int(self.entry["to"]) if self.entry else None


@dataclass(frozen=True)
class Entry:
    """One entry as it stands in the history."""

    number: int
    is_valid: bool  # a refused one lost a race or was written by another hand
    tags: Mapping[str, str]
    link: str  # digest of a valid entry: kept elsewhere, it anchors all entries up to this one

    @property
    def kind(self) -> str:
        """What it does: promotes, rolls back, begins or withdraws a rollout."""
        return self.tags.get("kind", PROMOTION)

    @property
    def makes_champion(self) -> bool:
        """Whether the release it names became champion by it."""
        return self.is_valid and self.kind not in ROLLING

    @property
    def rollout(self) -> Rollout | None:
        """The rollout that it begins or withdraws."""
        return _rollout(self.number, self.tags)

    @property
    def made_from(self) -> dict[str, str]:
        """Digests of what the release was made from, its commit and its flow run."""
        try:
            return dict(json.loads(self.tags.get("made_from", "{}")))
        except (TypeError, ValueError):
            return {}  # another hand's


def describe(version: Version, *, kind: str, verdict: str, why: str) -> dict[str, str]:
    """Return what a new entry says: which release, from what, by whom, when and why."""
    origins = {name: version.tags[tag] for name, tag in ORIGINS.items() if tag in version.tags}
    return {
        "made_from": json.dumps(origins, sort_keys=True),  # one tag: folding reads every one
        "to": str(version.number),
        "digest": version.digest,
        "verdict": verdict,
        **signed(kind=kind, why=why),
    }


def signed(*, kind: str, why: str) -> dict[str, str]:
    """Return what any new entry says: what it does, by whom, when and why."""
    return {
        "kind": kind,
        "who": f"{getpass.getuser()}@{socket.gethostname()}",
        "when": datetime.now(UTC).isoformat(timespec="seconds"),
        "why": why,
    }


def history(root: Path, at: datetime | None = None) -> list[Entry]:
    """Return the entries of the project in ``root``, up to the time ``at`` by their own clocks.

    Raises
    ------
    RegistryError
        If the store cannot be read or the entries were changed by another hand.
    """
    params = load_params(root / "params.yaml")
    if not store_exists(root):
        return []
    entries = list(History(Registry(open_store(root, params.project))).walk())
    if at is None:
        return entries
    return [entry for entry in entries if _is_until(entry, at)]


def withdrawn(entries: Iterable[Entry]) -> dict[str, str]:
    """Return the digests that were taken back and not brought back since, each with why.

    A champion that was rolled back from, or a canary that was withdrawn: both have answered.
    """
    reasons: dict[str, str] = {}
    digest = ""
    for entry in entries:
        told = f"entry {entry.number}: {entry.tags.get('why')}"
        if entry.makes_champion:
            if entry.kind == ROLLBACK:
                reasons[digest] = told
            digest = entry.tags["digest"]
            reasons.pop(digest, None)
        elif entry.is_valid and entry.kind == WITHDRAWAL:
            rollout = entry.rollout
            if rollout is not None and rollout.kind == CANARY:
                reasons[rollout.digest] = told
    return reasons


def _is_until(entry: Entry, at: datetime) -> bool:
    try:
        return datetime.fromisoformat(entry.tags.get("when", "")) <= at
    except (TypeError, ValueError):  # another hand's entry says no time, or none of a zone
        return False


def step(head: Head, number: int, tags: Mapping[str, str]) -> Head:
    """Fold one entry into ``head``; an unchanged ``head.number`` means that it is refused.

    Raises
    ------
    RegistryError
        If the entries cannot have been written by :class:`History` alone.
    """
    if number != head.seen + 1:
        _tampered(head.seen + 1, f"the next entry is {number}")
    refused = replace(head, seen=number)
    if any(name not in tags for name in FIELDS) or not all(map(_is_number, map(tags.get, NUMBERS))):
        return refused  # another hand's: entries appear whole, so never half of ours
    expected = int(tags["expected"])
    if expected < head.number or expected >= number:
        return refused
    if expected > head.number:
        _tampered(number, f"it follows entry {expected}, which is not valid now")
    if tags["prev_digest"] != head.link:
        _tampered(number, f"it does not match entry {head.number}, which it follows")
    link = _link(number, tags)
    kind = tags.get("kind", PROMOTION)
    if kind not in ROLLING:
        return Head(number, link, number, dict(tags), number)
    rollout = _rollout(number, tags)
    if rollout is None or any(tags[name] != head.entry.get(name) for name in ("to", "digest")):
        return refused  # it would leave open what is rolled out, or change the champion
    if kind == WITHDRAWAL:
        return Head(number, link, number, head.entry, number)
    return replace(refused, number=number, link=link, rollout=rollout)


class History:
    """The history of one project's champion.

    Parameters
    ----------
    registry : Registry
        The versions that are promoted; the history is kept beside them.
    """

    def __init__(self, registry: Registry) -> None:
        self.registry = registry
        self.entries = Entries(registry.store, f"{registry.model}-history")
        self._known = Head()  # folded once, then only newer entries are read
        self.is_shown = False  # whether MLflow's alias agreed with the head when last healed

    def head(self) -> Head:
        """Return the head as of now.

        Raises
        ------
        RegistryError
            If the entries were changed by another hand.
        """
        for number, tags in self.entries.after(self._known.seen):
            self._known = step(self._known, number, tags)
        return self._known

    def walk(self) -> Iterator[Entry]:
        """Yield every entry, valid or refused, in order.

        Raises
        ------
        RegistryError
            If the entries were changed by another hand.
        """
        head = Head()
        for number, tags in self.entries.after():
            head = step(head, number, tags)
            is_valid = head.number == number
            yield Entry(number, is_valid, tags, head.link if is_valid else "")

    def promote(self, seen: Head, tags: Mapping[str, str], key: str = "") -> Head:
        """Append an entry on top of ``seen`` and return the new head.

        Parameters
        ----------
        seen : Head
            The head that the decision was based on.
        tags : mapping
            What :func:`describe` returns.
        key : str, default=""
            Repeating a call with the same key promotes once.

        Raises
        ------
        RegistryError
            If another promotion came first, or it is not known whether the entry was stored.
        """
        key = key or uuid.uuid4().hex
        own = {
            "id": key,
            "expected": str(seen.number),
            "from": str(seen.champion or 0),
            "prev_digest": seen.link,
        }
        self.entries.create()
        failure = None
        try:
            self.entries.append(dict(tags) | own)
        except RegistryError as error:
            failure = error  # the entry may be stored all the same: folding decides
        head, won, stored = seen, False, False
        for number, found in self.entries.after(seen.seen):
            head = step(head, number, found)
            if found.get("id") == key:
                stored, won = True, won or head.number == number
        if not stored and failure is not None:
            raise failure
        self._known = head
        self.heal()
        if not won:
            _lost(seen, head)
        return head

    def heal(self) -> Head:
        """Make MLflow's alias agree with the head, again if the head moved meanwhile.

        ``is_shown`` says whether it does. What was promoted is promoted also where MLflow does not
        take the alias: that is no error, and the next call tries again.

        Raises
        ------
        TamperedError
            If the entries were changed by another hand.
        """
        self.is_shown, failures = False, 0
        while not self.is_shown and failures < HEALING_ATTEMPTS:
            try:
                champion = self.head().champion
                if champion is None or self.registry.alias() == champion:
                    self.is_shown = True
                else:
                    self.registry.set_alias(champion)
            except TamperedError:
                raise
            except RegistryError:  # two first writers of an alias collide on its key
                failures += 1
        return self._known


def _rollout(number: int, tags: Mapping[str, str]) -> Rollout | None:
    """Return the rollout that an entry speaks of, None if it speaks of none or not clearly."""
    try:
        told = json.loads(tags["rollout"])
        kind, share = told["kind"], float(told["share"])
        if kind not in {CANARY, SHADOW} or not 0 <= share <= 1:
            return None
        digest = str(told["digest"])
        return Rollout(kind, int(told["version"]), digest, share, tags["when"], number)
    except (KeyError, TypeError, ValueError):
        return None


def _is_number(text: str | None) -> bool:
    return text is not None and text.isascii() and text.isdecimal()


def _link(number: int, tags: Mapping[str, str]) -> str:
    body: dict[str, str | int] = {name: tags[name] for name in LINKED if name in tags}
    body["number"] = number
    return hashlib.sha256(canonical_json(body)).hexdigest()


def _tampered(number: int, found: str) -> NoReturn:
    raise TamperedError(
        f"promotion history, entry {number}",
        "entries are added and never changed or removed",
        found=found,
        hint="restore the tracking store from a backup; nothing is promoted or served until then",
    )


def _lost(seen: Head, head: Head) -> NoReturn:
    raise RegistryError(
        "promotion history",
        f"the head must still be entry {seen.number}",
        found=f"entry {head.number}, which promoted version {head.champion}, came first"
        if head.settled == head.number and head.rollout is None
        else f"entry {head.number}, of a rollout, came first",
        hint="judge the version against the new champion with `modemap gate`, then promote it",
    )
