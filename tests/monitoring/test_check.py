"""Three answers: drift, none, and what cannot be told."""

import numpy as np
import pytest

from modemap.monitoring.check import check
from modemap.monitoring.joint import JointResult
from modemap.monitoring.plain import as_plain
from modemap.monitoring.profile import Reference
from tests.monitoring.conftest import counted


def _normal(n_rows=5000, seed=1):
    return np.random.default_rng(seed).standard_normal((n_rows, 3))


def _column(result, name="x0"):
    return next(column for column in result.columns if column.name == name)


def test_equal_rows_have_not_drifted(reference):
    """Other rows of the same distributions are no drift, in any column or together."""
    result = check(reference, counted(_normal()))

    assert result.drift is False
    assert {column.drift for column in result.columns} == {False}
    assert result.joint[0].drift is False


def test_a_column_moved_by_a_third_of_a_deviation_is_found(reference):
    """One of three columns moves by 0.35: it is named, with its new median, and no other."""
    X = _normal()
    X[:, 1] += 0.35

    result = check(reference, counted(X))

    assert result.drift is True
    assert [column.name for column in result.columns if column.drift] == ["x1"]
    assert _column(result, "x1").said[0].startswith("the median went from")


def test_a_change_of_correlation_alone_is_found(reference):
    """Two columns keep their shares and come to go together: only the joint test can see it."""
    X = _normal()
    X[:, 2] = 0.5 * X[:, 0] + np.sqrt(0.75) * X[:, 2]

    result = check(reference, counted(X))

    assert result.drift is True
    assert {column.drift for column in result.columns} == {False}
    assert result.joint[0].change.columns == ("x0", "x2")
    assert result.joint[0].change.after == pytest.approx(0.48, abs=0.05)


@pytest.mark.parametrize("step", [5.0, -0.5])
@pytest.mark.parametrize("seed", [0, 2])
def test_a_step_of_all_values_is_told_as_one(reference, step, seed):
    """Modes that all moved alike are no modes that vanished and others that appeared."""
    rows = np.random.default_rng(seed).standard_normal((20_000, 3))

    column = _column(check(reference, counted(rows + np.array([step, 0, 0]))))

    (said,) = [sentence for sentence in column.said if "moved" in sentence]
    assert float(said.split()[4].strip(";")) == pytest.approx(step, abs=0.05)
    assert said.endswith("; beside that, they are as they were")
    assert not any("mode" in sentence for sentence in column.said)


@pytest.mark.parametrize("change", [lambda x: 1.5 * x, lambda x: np.where(x > 0, x + 3, x)])
def test_another_change_is_no_step_of_all_values(reference, change):
    """Wider values, or half of them moved, are told by their modes."""
    rows = _normal(20_000)
    rows[:, 0] = change(rows[:, 0])

    column = _column(check(reference, counted(rows)))

    assert column.drift
    assert any("mode" in sentence for sentence in column.said)
    assert not any("all values" in sentence for sentence in column.said)


def test_joint_tests_have_the_effect_that_chance_explains_up_to(reference):
    """A correlation that drifted lies above it, one that did not below, in the same unit."""
    X = _normal()
    same = check(reference, counted(X)).joint[0]
    X[:, 2] = 0.5 * X[:, 0] + np.sqrt(0.75) * X[:, 2]

    drifted = check(reference, counted(X)).joint[0]

    assert drifted.drift
    assert 0 < drifted.by_chance < drifted.effect
    assert same.effect < same.by_chance
    assert JointResult("correlation", None).by_chance is None


def test_a_small_but_significant_change_is_no_drift():
    """A shift that chance does not explain, but smaller than the least effect, is not drift."""
    before, after = _normal(200_000), _normal(200_000, seed=2)
    after[:, 0] += 0.05

    result = check(Reference.of(counted(before)), counted(after))

    column = _column(result)
    assert column.found.values.psi > column.found.values.threshold(column.level)
    assert column.found.values.psi < 0.05
    assert result.drift is False


def test_a_large_but_insignificant_change_is_no_drift(reference):
    """Sixty rows that are moved a little differ much from twenty thousand by chance."""
    result = check(reference, counted(_normal(60) + 0.3))

    assert max(column.found.values.psi for column in result.columns) > 0.05
    assert result.drift is False


def test_more_missing_values_are_drift(reference):
    """Values that stay the same but go missing in every fifth row have drifted."""
    X = _normal()
    X[::5, 0] = np.nan

    result = check(reference, counted(X))

    assert [column.name for column in result.columns if column.drift] == ["x0"]
    assert _column(result).said[0] == "missing values went from 0.00% to 20.00% of the rows"


def test_a_column_that_goes_missing_is_drift(reference):
    """No value at all cannot be compared with values, and is drift for being missing."""
    X = _normal()
    X[:, 0] = np.nan

    assert check(reference, counted(X)).drift is True


@pytest.mark.parametrize("n_rows", [0, 1, 49])
def test_a_window_too_small_cannot_be_checked(reference, n_rows):
    """Fewer than fifty rows say nothing: neither yes nor no."""
    result = check(reference, counted(_normal(n_rows)))

    assert result.drift is None
    assert "at least 50 are needed" in result.why[0]


def test_a_reference_too_small_cannot_be_compared_with():
    """The reference must have fifty rows too."""
    result = check(Reference.of(counted(_normal(20))), counted(_normal()))

    assert result.drift is None
    assert "20 values in the reference" in result.why[0]


def test_a_column_without_values_on_both_sides_cannot_be_checked():
    """Nothing beside nothing is not `no`."""
    X = _normal()
    X[:, 0] = np.nan

    result = check(Reference.of(counted(X)), counted(X))

    assert result.drift is None
    assert _column(result).found.why.startswith("0 values")


@pytest.mark.parametrize(("value", "drift"), [(3.0, False), (3.0000001, True), (-1.0, True)])
def test_a_constant_column_drifts_when_its_constant_does(value, drift):
    """The same constant is no drift, however near another one is."""
    before = Reference.of(counted(np.full((500, 1), 3.0)))

    assert check(before, counted(np.full((500, 1), value))).drift is drift


def test_what_cannot_be_counted_is_never_no_drift(reference):
    """A column that is broken in the window leaves the answer open, unless others have drifted."""
    seen = counted(_normal())
    seen.broken["x1"] = "no such column in the window"

    result = check(reference, seen)

    assert result.drift is None
    assert result.why == ["x1: no such column in the window"]
    moved = counted(_normal() + np.array([1, 0, 0]))
    moved.broken["x1"] = "no such column in the window"
    assert check(reference, moved).drift is True


def test_only_the_columns_that_are_named_are_compared(reference):
    """A column that is not asked for cannot raise an alarm."""
    X = _normal()
    X[:, 1] += 2

    assert check(reference, counted(X), ["x0", "x2"]).drift is False


def test_settings_out_of_bounds_are_refused(reference):
    """A rate is a probability, an effect is not negative."""
    with pytest.raises(ValueError, match="rate must lie within"):
        check(reference, counted(_normal()), rate=0.0)


def test_the_plain_form_has_what_programs_read(reference):
    """JSON names every column with index, threshold, least effect, rows and answer."""
    X = _normal()
    X[:, 0] += 1

    plain = as_plain(check(reference, counted(X)))

    assert plain["drift"] is True
    column = plain["columns"][0]
    assert (column["name"], column["verdict"], column["n"]) == ("x0", "yes", 5000)
    assert column["psi"] > column["min_effect"] > column["threshold"]
    assert plain["columns"][1]["verdict"] == "no"
    assert plain["joint"][0]["name"] == "correlation"


@pytest.mark.parametrize("scale", [1e-6, 0.3, 7.0, 1e9])
def test_units_do_not_matter(scale):
    """In another unit, with another origin, every index and correlation is the same."""
    before, after = _normal(2000, 3), _normal(2000, 4) * [1, 1.2, 1] + [0.2, 0, 0]

    plain = check(Reference.of(counted(before)), counted(after))
    scaled = check(Reference.of(counted(before * scale + scale)), counted(after * scale + scale))

    for one, other in zip(plain.columns, scaled.columns, strict=True):
        assert one.found.values.psi == pytest.approx(other.found.values.psi, rel=1e-9)
        assert one.found.wasserstein == pytest.approx(other.found.wasserstein, rel=1e-6)
    assert plain.joint[0].effect == pytest.approx(scaled.joint[0].effect, abs=1e-9)


def test_the_order_of_rows_does_not_matter(reference):
    """Shuffled rows give the same numbers."""
    X = _normal() + np.array([0.1, 0, 0])
    shuffled = np.random.default_rng(5).permutation(X)

    one, other = (as_plain(check(reference, counted(rows))) for rows in (X, shuffled))

    assert one["columns"] == other["columns"]
    assert one["joint"][0]["pair"]["after"] == pytest.approx(other["joint"][0]["pair"]["after"])
