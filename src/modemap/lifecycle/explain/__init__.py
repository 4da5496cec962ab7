"""Explanations outside of the report: of a release, of a unit of its map, of rows of yours.

Each answer is plain values; docs/explain.md says what each number is.
"""

from modemap.lifecycle.explain.release import (
    Component,
    ComponentColumn,
    ExplainedRelease,
    ExplainedSegment,
    explain_release,
)
from modemap.lifecycle.explain.rows import ColumnShare, ExplainedRow, ExplainedRows, explain_rows
from modemap.lifecycle.explain.unit import ExplainedUnit, Neighbor, explain_unit

__all__ = [
    "ColumnShare",
    "Component",
    "ComponentColumn",
    "ExplainedRelease",
    "ExplainedRow",
    "ExplainedRows",
    "ExplainedSegment",
    "ExplainedUnit",
    "Neighbor",
    "explain_release",
    "explain_rows",
    "explain_unit",
]
