"""Tests of what is told of the data contract."""

import pytest

from modemap.data.batches import Batch, Manifest
from modemap.data.suite import read_suite
from modemap.files import write_json
from modemap.lifecycle.report.contract import tell_contract

DIGEST = "ab" * 32
MANIFEST = Manifest((Batch(DIGEST, "flights", 9, 99),), ())
BETWEEN = "expect_column_values_to_be_between"
ENTRY = {
    "type": BETWEEN,
    "columns": ["delay"],
    "evaluated": 9,
    "unexpected": 1,
    "failure": "broken",
    "observed": None,
    "first_unexpected": [-5],
}


@pytest.fixture
def suite(tmp_path):
    """Return a suite of two rules of one type."""
    path = tmp_path / "suite.yaml"
    path.write_text(
        "expectations:\n"
        f"  - {{type: {BETWEEN}, kwargs: {{column: delay, min_value: 0}}, why: time passes}}\n"
        f"  - {{type: {BETWEEN}, kwargs: {{column: delay, max_value: 9}}}}\n"
    )
    return read_suite(path)


def quarantined(folder, name, digest, **entry):
    """Write a report beside offending rows."""
    broken = ENTRY | {"kwargs": {"column": "delay", "max_value": 9}, "first_rows": [{"row": 3}]}
    about = {"digest": digest, "source": "flights", "offending_batches": [digest]}
    folder.joinpath(name).mkdir(parents=True)
    write_json(folder / name / "report.json", about | {"broken": [broken | entry]})


def test_a_broken_rule_is_found_in_quarantine(tmp_path, suite):
    """By its type and arguments, with the rows that broke it; rules that held have no result."""
    quarantined(tmp_path / "quarantine", "one", DIGEST)

    told = tell_contract(tmp_path / "none.json", tmp_path / "quarantine", MANIFEST, suite)

    assert not told.is_complete
    assert [len(rule.results) for rule in told.rules] == [0, 1]
    (rule,) = told.broken
    assert rule.broken[0].first == [-5]
    assert rule.broken[0].first_rows == [{"row": 3}]


def test_what_other_batches_broke_is_not_told(tmp_path, suite):
    """Quarantine keeps reports of batches that are gone."""
    quarantined(tmp_path / "quarantine", "old", "cd" * 32)

    told = tell_contract(tmp_path / "none.json", tmp_path / "quarantine", MANIFEST, suite)

    assert not told.broken


def test_a_kept_contract_is_told_rule_by_rule(tmp_path, suite):
    """Results stand in the suite's order."""
    results = [ENTRY | {"failure": None, "unexpected": n} for n in (0, 1)]
    document = {"judgements": [{"digest": DIGEST, "source": "flights", "results": results}]}
    write_json(tmp_path / "validate.json", document)

    told = tell_contract(tmp_path / "validate.json", tmp_path / "quarantine", MANIFEST, suite)

    assert told.is_complete
    assert [rule.unexpected for rule in told.rules] == [0, 1]
    assert told.rules[0].why == "time passes"
    assert told.evaluated == 18


@pytest.mark.parametrize("results", [[ENTRY], [ENTRY, ENTRY | {"type": "expect_other"}]])
def test_a_suite_that_was_edited_since_is_refused(tmp_path, suite, results):
    """Results are never told under the wrong rule."""
    document = {"judgements": [{"digest": DIGEST, "source": "flights", "results": results}]}
    write_json(tmp_path / "validate.json", document)

    with pytest.raises(ValueError, match=r"shorter|is not what"):
        tell_contract(tmp_path / "validate.json", tmp_path / "quarantine", MANIFEST, suite)
