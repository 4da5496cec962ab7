"""Great Expectations behind one function: rules and a data frame in, outcomes out.

Great Expectations calls a rule met when there was nothing to look at: an all-null column, no rows,
a condition that selects none. Here every outcome says how many values were evaluated, and a rule
that evaluated none has failed unless it says that it may be empty. A rule that raised has failed
either way.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from modemap.data.suite import Rule, unknown_name
from modemap.errors import ParamsError

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Contract", "Outcome", "plain_value"]

FIRST = 5  # offending values that are shown
SHOWN_TEXT = 200  # characters of a long value that are shown
ROW_COUNT = "expect_table_row_count_to_be_between"
BETWEEN = "expect_column_values_to_be_between"
NOT_NULL = "expect_column_values_to_not_be_null"
WHOLE_TABLE = ("expect_table_column", "expect_column_to_exist", "expect_column_type_to_be")


@dataclass(frozen=True)
class Outcome:
    """What became of one rule over one data frame."""

    rule: Rule
    failure: str | None  # None: met; else `broken`, `evaluated no rows` or `raised: ...`
    evaluated: int
    unexpected: int | None  # None where the rule judges the column or table as a whole
    first: list[Any]  # the first offending values
    observed: Any
    rows: list[int]  # the positions of all offending rows

    def document(self) -> dict[str, Any]:
        """Return the outcome as plain values, for a canonical report."""
        has_share = self.unexpected is not None and self.evaluated > 0
        return {
            "type": self.rule.type,
            "columns": self.rule.columns,
            "success": self.failure is None,
            "failure": self.failure,
            "evaluated": self.evaluated,
            "unexpected": self.unexpected,
            "unexpected_share": (self.unexpected or 0) / self.evaluated if has_share else None,
            "first_unexpected": self.first,
            "observed": self.observed,
        }


class Contract:
    """Rules that Great Expectations has understood, ready to be checked.

    Raises
    ------
    ParamsError
        If a rule's type is unknown or its kwargs are not those of its type.
    """

    def __init__(self, rules: Sequence[Rule]) -> None:
        import great_expectations as gx  # noqa: PLC0415  # takes seconds
        from great_expectations.data_context.types.base import (  # noqa: PLC0415
            DataContextConfig,
            InMemoryStoreBackendDefaults,
        )
        from great_expectations.expectations import expectation as base  # noqa: PLC0415

        context = gx.get_context(
            mode="ephemeral",
            project_config=DataContextConfig(
                analytics_enabled=False,
                progress_bars={"globally": False},
                store_backend_defaults=InMemoryStoreBackendDefaults(),
            ),
        )
        asset = context.data_sources.add_pandas("batches").add_dataframe_asset("rows")
        self._rows = asset.add_batch_definition_whole_dataframe("rows")
        self._new_suite = gx.ExpectationSuite
        self._types = _expectation_types()
        self._column_types = (base.ColumnMapExpectation, base.ColumnAggregateExpectation)
        self._common_fields = {*base.BatchExpectation.__fields__, "condition_parser"}
        self._rules = list(rules)
        for rule in self._rules:
            self._check_rule(rule)

    def check(self, frame: "pd.DataFrame", numbers: Sequence[int] | None = None) -> list[Outcome]:
        """Return the outcome of each rule over ``frame``, or of those with these ``numbers``."""
        batch = self._rows.get_batch({"dataframe": frame.reset_index(drop=True)})
        numbers = range(len(self._rules)) if numbers is None else numbers
        judging = [self._expectation(self._rules[i], {"rule": i}) for i in numbers]
        counting = [self._counter(self._rules[i], {"count": i}) for i in numbers]
        results = self._validated(batch, judging + counting, "BASIC")
        outcomes = {
            i: _outcome(self._rules[i], results["rule", i], results["count", i]) for i in numbers
        }
        broken = [
            expectation
            for i, expectation in zip(numbers, judging, strict=True)
            if outcomes[i].failure and outcomes[i].unexpected
        ]
        for (_, i), result in self._validated(batch, broken, "COMPLETE").items():
            outcomes[i].rows.extend(map(int, result.result.get("unexpected_index_list") or ()))
        return list(outcomes.values())

    def outside(self, frame: "pd.DataFrame", bounds: Sequence[Mapping[str, Any]]) -> list[set[int]]:
        """Return for each column of ``frame``, in order, which rows lie outside its ``bounds``."""
        between = self._types[BETWEEN]
        expectations = [
            between(column=name, **kwargs, meta={"column": i})
            for i, (name, kwargs) in enumerate(zip(frame.columns, bounds, strict=True))
        ]
        batch = self._rows.get_batch({"dataframe": frame})
        results = self._validated(batch, expectations, "COMPLETE")
        found: list[set[int]] = [set() for _ in bounds]
        for (_, i), result in results.items():
            is_judged = not _messages(result.exception_info)
            rows = result.result.get("unexpected_index_list") if is_judged else range(len(frame))
            found[i].update(map(int, rows or ()))
        return found

    def _validated(
        self, batch: Any, expectations: Sequence[Any], result_format: str
    ) -> dict[tuple[str, int], Any]:
        """Return the results by the one entry of each expectation's meta: GX reorders them."""
        if not expectations:
            return {}
        answer = batch.validate(
            self._new_suite(name="contract", expectations=list(expectations)),
            result_format={
                "result_format": result_format,
                "partial_unexpected_count": FIRST,
                "return_unexpected_index_query": False,
            },
        )
        return {next(iter(r.expectation_config.meta.items())): r for r in answer.results}

    def _expectation(self, rule: Rule, meta: dict[str, int]) -> Any:
        return self._types[rule.type](**rule.kwargs, meta=meta)

    def _counter(self, rule: Rule, meta: dict[str, int]) -> Any:
        """Return an expectation whose result tells how many values ``rule`` had to judge."""
        condition = {"row_condition": rule.kwargs.get("row_condition")}
        if issubclass(self._types[rule.type], self._column_types):
            return self._types[NOT_NULL](column=rule.kwargs["column"], **condition, meta=meta)
        return self._types[ROW_COUNT](min_value=0, **condition, meta=meta)

    def _check_rule(self, rule: Rule) -> None:
        place = f"{rule.place}: {rule.type}"
        if rule.type not in self._types:
            raise unknown_name(place, "expectation type", rule.type, self._types)
        valid = sorted(set(self._types[rule.type].__fields__) - self._common_fields)
        for name in rule.kwargs:
            if name not in valid:
                raise unknown_name(place, "argument in kwargs", name, valid)
        if isinstance(rule.kwargs.get("row_condition"), str):
            raise ParamsError(
                place,
                "row_condition must be a mapping",
                found=repr(rule.kwargs["row_condition"]),
                hint="write {type: nullity, column: {name: NAME}, is_null: false} or {type: "
                "comparison, column: {name: NAME}, operator: '>', parameter: 0}",
            )
        if rule.over == "all" and rule.type.startswith(WHOLE_TABLE):
            raise ParamsError(
                place,
                "only a rule about rows can be over all batches at once",
                found="over: all",
                hint="take `over` out: every batch is checked by itself",
            )
        try:
            self._expectation(rule, {})
        except (TypeError, ValueError) as error:
            raise ParamsError(
                place,
                "kwargs must be what the expectation takes",
                found=" ".join(str(error).split()),
                hint=f"it takes {', '.join(valid)}",
            ) from None


def _outcome(rule: Rule, judged: Any, counted: Any) -> Outcome:
    evaluated = _evaluated(judged.result, counted.result)
    return Outcome(
        rule=rule,
        failure=_failure(rule, judged, evaluated),
        evaluated=evaluated,
        unexpected=judged.result.get("unexpected_count"),
        first=[plain_value(value) for value in judged.result.get("partial_unexpected_list") or ()],
        observed=plain_value(judged.result.get("observed_value")),
        rows=[],
    )


def _failure(rule: Rule, judged: Any, evaluated: int) -> str | None:
    messages = _messages(judged.exception_info)
    if messages:
        return f"raised: {'; '.join(messages)}"
    if evaluated == 0 and not rule.may_be_empty:
        return "evaluated no rows"
    observed = judged.result.get("observed_value", "nothing was observed")
    if evaluated == 0 and observed is None:
        return None  # the mean of no values
    return "broken" if not judged.success or _has_nan(observed) else None


def _evaluated(result: Mapping[str, Any], count: Mapping[str, Any]) -> int:
    if "element_count" in result:
        return int(result["element_count"]) - int(result.get("missing_count") or 0)
    if "element_count" in count:
        return int(count["element_count"]) - int(count["unexpected_count"] or 0)
    return int(count.get("observed_value") or 0)


def _messages(info: Mapping[str, Any] | None) -> list[str]:
    """Return what was raised: GX gives one exception, or one for each metric."""
    infos = [info or {}]
    if "raised_exception" not in infos[0]:
        infos = [value for value in infos[0].values() if isinstance(value, Mapping)]
    raised = {str(one.get("exception_message")) for one in infos if one.get("raised_exception")}
    return sorted(" ".join(message.split()) for message in raised)


def _has_nan(value: Any) -> bool:
    if isinstance(value, Mapping):
        return any(_has_nan(item) for item in value.values())
    if isinstance(value, list | tuple):
        return any(_has_nan(item) for item in value)
    return isinstance(value, float) and math.isnan(value)


def plain_value(value: Any) -> Any:
    """Return ``value`` as JSON can say it; what is missing or no finite number becomes null."""
    if isinstance(value, Mapping):
        return {str(key): plain_value(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain_value(item) for item in value]
    if isinstance(value, np.generic):
        value = value.item()
    if value is None or isinstance(value, bool | int):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if type(value).__name__ in ("NAType", "NaTType"):  # pandas need not be imported to see these
        return None
    text = value.isoformat() if hasattr(value, "isoformat") else str(value)
    return text if len(text) <= SHOWN_TEXT else f"{text[:SHOWN_TEXT]}…"


def _expectation_types() -> dict[str, Any]:
    import great_expectations.expectations as gxe  # noqa: PLC0415  # takes seconds

    members: list[Any] = [getattr(gxe, name) for name in dir(gxe)]
    types = {getattr(member, "expectation_type", None): member for member in members}
    return {name: found for name, found in types.items() if name}
