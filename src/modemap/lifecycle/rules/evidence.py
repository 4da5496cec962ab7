"""What the gate judges by: plain values; None or a sentence stands for what could not be had."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from modemap.params import GateParams

__all__ = ["Comparison", "Evidence", "Group", "Interval", "Measured"]


@dataclass(frozen=True)
class Measured:
    """What was measured of one release on the test rows."""

    columns: Sequence[str]
    n_units: int
    quantization_error: float  # in the robust units of the test rows
    log_likelihood: float  # nats a row, as a density of raw units


@dataclass(frozen=True)
class Interval:
    """A mean difference, candidate minus champion, and its 95 % interval by a paired bootstrap."""

    mean: float
    low: float
    high: float

    def __str__(self) -> str:
        """Say it as people read it: ``+0.01 [-0.02, +0.04]``."""
        return f"{self.mean:+.4g} [{self.low:+.4g}, {self.high:+.4g}]"


@dataclass(frozen=True)
class Comparison:
    """Candidate and champion, measured on the same rows."""

    candidate: Measured
    champion: Measured
    n_rows: int
    quantization_error: Interval
    log_likelihood: Interval


@dataclass(frozen=True)
class Group:
    """The test rows that share a value of a sensitive column."""

    column: str
    value: str
    n_rows: int
    anomaly_share: float  # rows rarer than 99 % of the training rows
    error_ratio: float  # mean distance to the map, as a multiple of that of all rows


@dataclass(frozen=True)
class Evidence:
    """Everything that a verdict rests on."""

    digest: str  # of the candidate
    evaluation: Mapping[str, Any] | None  # evaluate's metrics
    validation: Mapping[str, Any] | None  # validate's result
    batches: Sequence[str] | None  # digests of the batches that were ingested
    withdrawn: str | None  # why it was rolled back from, unless somebody brought it back
    dirty: str  # whether the tree differed from its commit: true, false or unknown
    load_failure: str | None  # why it did not load and answer in a clean process
    trial: Mapping[str, Any]  # what the clean process measured of it and of the champion
    comparison: Comparison | str | None  # None: no champion yet; str: why there is none
    accept_change: str | None  # reason given for a change that forbids comparing
    params: GateParams
    groups: Sequence[Group] | str = field(default=())  # of the sensitive columns; str: why not
