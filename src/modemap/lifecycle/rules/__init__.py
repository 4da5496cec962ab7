"""The gate's rules in one table: each a pure function from the evidence to a result.

What cannot be checked has failed. docs/registry.md says of every rule why it is there and which
test attacks it.
"""

from modemap.lifecycle.rules import budgets, comparison, guards, papers
from modemap.lifecycle.rules.evidence import Comparison, Evidence, Group, Interval, Measured
from modemap.lifecycle.rules.papers import REQUIRED_METRICS
from modemap.lifecycle.rules.result import FAILED, NOT_CHECKABLE, Result, Rule

__all__ = [
    "FAILED",
    "NOT_CHECKABLE",
    "REQUIRED_METRICS",
    "RULES",
    "Comparison",
    "Evidence",
    "Group",
    "Interval",
    "Measured",
    "Result",
    "Rule",
]

RULES = (
    Rule("contract", papers.contract),
    Rule("metrics", papers.metrics),
    Rule("held_out_rows", papers.held_out_rows),
    Rule("evaluated", papers.evaluated),
    Rule("not_withdrawn", papers.not_withdrawn),
    Rule("clean_tree", papers.clean_tree),
    Rule("loads", papers.loads),
    Rule("comparable", comparison.comparable),
    Rule("quantization_error", comparison.quantization_error),
    Rule("log_likelihood", comparison.log_likelihood),
    Rule("topographic_error", guards.topographic_error),
    Rule("dead_units", guards.dead_units),
    Rule("calibration", guards.calibration),
    Rule("round_trip", guards.round_trip),
    Rule("stability", guards.stability),
    Rule("row_order", guards.row_order),
    Rule("duplicated_rows", guards.duplicated_rows),
    Rule("rescaled_units", guards.rescaled_units),
    Rule("group_anomalies", guards.group_anomalies),
    Rule("group_errors", guards.group_errors),
    Rule("latency", budgets.latency),
    Rule("memory", budgets.memory),
    Rule("size", budgets.size),
    Rule("growth", budgets.growth),
)
