"""What a report tells, as plain values: gathered elsewhere, drawn here.

A part that is None could not be told; :attr:`Story.absent` says why in words.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = [
    "Batch",
    "Column",
    "Contract",
    "Contrast",
    "Data",
    "Histogram",
    "Judged",
    "MapPicture",
    "Metric",
    "Mode",
    "Models",
    "Origin",
    "Promoted",
    "Reason",
    "RuleResult",
    "RuleStory",
    "Segment",
    "Standing",
    "Stopped",
    "Story",
    "StrangeRow",
    "Verdict",
]

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]


@dataclass(frozen=True)
class Stopped:
    """Why the run came to no end: the four parts of its message, and its exit code."""

    place: str
    rule: str
    found: str
    hint: str
    exit_code: int
    in_stage: bool  # so that what lies in the project is of an earlier run


@dataclass(frozen=True)
class Batch:
    """One file of rows."""

    source: str
    digest: str
    rows: int


@dataclass(frozen=True)
class Column:
    """A column that the models see."""

    name: str
    policy: str  # for a missing value: drop, median or error; or that the map alone sees it
    missing: int  # values
    center: float  # median of the training rows
    scale: float  # one robust unit, in the column's own


@dataclass(frozen=True)
class Data:
    """What the models were trained on."""

    source: str
    batches: Sequence[Batch]
    excluded: Sequence[Batch]
    rows: int  # in all batches
    dropped: int  # for a missing value
    parts: Mapping[str, int]  # split -> rows
    key: Sequence[str]
    columns: Sequence[Column]


@dataclass(frozen=True)
class MapPicture:
    """A map, unit by unit; every array has shape (n_rows, n_columns)."""

    distances: FloatArray  # to the neighbours, in robust units
    hits: IntArray  # rows
    segments: IntArray
    planes: Mapping[str, FloatArray]  # column -> its value, in its own unit
    is_hexagonal: bool = False  # every second row lies half a unit to the right
    is_toroidal: bool = False  # opposite edges meet


@dataclass(frozen=True)
class Contrast:
    """How one column differs between a segment and all other rows."""

    column: str
    effect: float  # Cliff's delta, -1 to 1
    inside: float  # median
    outside: float


@dataclass(frozen=True)
class Segment:
    """A group of neighbouring units."""

    number: int
    rows: int
    share: float
    n_units: int
    contrasts: Sequence[Contrast]  # the largest effect first


@dataclass(frozen=True)
class Mode:
    """One mode of a column."""

    weight: float
    mean: float
    std: float


@dataclass(frozen=True)
class Histogram:
    """A column's training values, and how many its mixture expects in each bin."""

    column: str
    edges: FloatArray  # (n_bins + 1,)
    counts: IntArray  # (n_bins,)
    expected: FloatArray  # (n_bins,)
    modes: Sequence[Mode]
    below: int  # values beyond the first edge
    above: int
    low: float  # smallest value
    high: float


@dataclass(frozen=True)
class Reason:
    """What one column adds to a row's surprise."""

    column: str
    value: float
    nats: float  # beyond what the column adds in a usual row
    below: float  # share of training values that are smaller, or the same
    above: float  # that are larger, or the same


@dataclass(frozen=True)
class StrangeRow:
    """A row that the density finds unlikely, and why."""

    key: Mapping[str, str]
    split: str
    unit: int
    segment: int
    log_likelihood: float
    reasons: Sequence[Reason]  # the heaviest first; all columns

    @property
    def nats(self) -> float:
        """How much more surprising it is than a usual row."""
        return sum(reason.nats for reason in self.reasons)


@dataclass(frozen=True)
class FoundRows:
    """Rows that the page can find by their key, the strangest first."""

    keys: Mapping[str, Sequence[str]]  # column -> its text for each row
    units: IntArray  # (n_rows,)


@dataclass(frozen=True)
class Models:
    """What the release says of the rows."""

    rows: int
    map: MapPicture
    segments: Sequence[Segment]
    histograms: Sequence[Histogram]
    strangest: Sequence[StrangeRow]
    found: FoundRows | None = None  # None: rows have no key


@dataclass(frozen=True)
class Metric:
    """One number of the evaluation beside that of another version."""

    name: str
    value: float | None
    other: float | None


@dataclass(frozen=True)
class RuleResult:
    """What one rule of the gate said."""

    rule: str
    outcome: str
    value: float | str | None
    bound: float | str | None
    why: str


@dataclass(frozen=True)
class Verdict:
    """The gate's last word on the release."""

    passed: bool
    against: int | None  # version it was compared with
    accepted_change: str | None
    results: Sequence[RuleResult]


@dataclass(frozen=True)
class Standing:
    """Where the release stands in the registry."""

    version: int | None  # of this release; None if it is not registered
    champion: int | None
    since: str  # when, by whom and why the champion was promoted
    who: str
    why: str
    other: int | None  # the version whose metrics stand beside: the champion, or the one before it
    metrics: Sequence[Metric]
    verdict: Verdict | None
    rollout: str | None = None  # canary or shadow, if this release is one beside the champion

    @property
    def is_champion(self) -> bool:
        """Whether this release is the champion."""
        return self.version is not None and self.version == self.champion


@dataclass(frozen=True)
class Promoted:
    """One entry of the promotion history."""

    number: int
    is_valid: bool  # False: it came too late, or another hand wrote it
    kind: str  # promotion or rollback
    before: int | None  # version of the champion that it replaced
    after: int | str
    when: str
    who: str
    why: str
    approval: str  # by whose key, where one was asked for


@dataclass(frozen=True)
class Origin:
    """What the release was made of, step by step, and what it followed."""

    batches: Sequence[Batch]
    contract: tuple[str, bool] | None  # its file, and whether it was kept
    stages: Mapping[str, Sequence[str]]  # stage -> the stages whose outputs it read
    outputs: Mapping[str, str]  # stage -> md5 of its first output
    digest: str
    passed: bool | None  # by the gate
    version: int | None
    is_champion: bool
    before: Sequence[tuple[int, str]]  # champions before it with their digests, the nearest first


@dataclass(frozen=True)
class Judged:
    """What became of one rule on one batch, or on all together."""

    source: str
    digest: str
    evaluated: int
    unexpected: int | None
    failure: str | None
    observed: Any
    first: Sequence[Any]  # the first offending values
    first_rows: Sequence[Mapping[str, Any]]  # where they stand, where that is known


@dataclass(frozen=True)
class RuleStory:
    """One rule of the data contract with its results."""

    type: str
    columns: Sequence[str]
    arguments: Mapping[str, Any]
    why: str
    may_be_empty: bool
    results: Sequence[Judged]

    @property
    def evaluated(self) -> int:
        """Values looked at, over all batches."""
        return sum(result.evaluated for result in self.results)

    @property
    def unexpected(self) -> int | None:
        """Values that broke it, over all batches; None where it judges a column as a whole."""
        counts = [result.unexpected for result in self.results if result.unexpected is not None]
        return sum(counts) if counts else None

    @property
    def broken(self) -> list[Judged]:
        """The results that stop a run."""
        return [result for result in self.results if result.failure]


@dataclass(frozen=True)
class Contract:
    """The data contract and how the batches kept it."""

    suite: str
    rules: Sequence[RuleStory]
    batches: Sequence[Batch]
    is_complete: bool  # False: only what was broken is known

    @property
    def broken(self) -> list[RuleStory]:
        """The rules that a batch broke."""
        return [rule for rule in self.rules if rule.broken]

    @property
    def evaluated(self) -> int:
        """Values looked at, over all rules."""
        return sum(rule.evaluated for rule in self.rules)


@dataclass(frozen=True)
class Cost:
    """What one training took, in the units of the names of ``usage``."""

    stage: str
    digest: str  # of the model that came of it
    started: str  # when
    usage: Mapping[str, float]


@dataclass(frozen=True)
class Story:
    """Everything that the report tells."""

    project: str
    rendered: str  # when
    digest: str | None  # of the release
    stopped: Stopped | None
    data: Data | None
    models: Models | None
    standing: Standing | None
    contract: Contract | None
    lineage: Mapping[str, str]  # what -> which
    next_steps: Sequence[tuple[str, str]]  # command, what it does
    history: Sequence[Promoted] = ()  # the oldest first
    origin: Origin | None = None
    costs: Sequence[Cost] = ()  # of trainings, the oldest first
    absent: Mapping[str, str] = field(default_factory=dict)  # part -> why it cannot be told
