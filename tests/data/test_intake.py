"""Rows of a table as a release takes them, columns derived from categories and times among them."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest

from modemap.data.derived import derive, derived_names
from modemap.data.intake import NO_ZONE, ZONE, Intake
from modemap.errors import DataError
from modemap.lifecycle.monitor.observe import Wanted, observe
from modemap.release import load_release
from tests.releases import write_release

CATEGORIES = {"zone": ["north", "south"], "area": ["wide", "narrow", "none"]}
TIMES = {"left": ["hour"], "came": ["weekday"]}  # neither in the order of the alphabet


@pytest.fixture(scope="module")
def table():
    """Return rows of two numbers, two categories and two times."""
    rng = np.random.default_rng(0)
    n, start = 400, datetime(2026, 1, 1, tzinfo=UTC)
    return pa.table(
        {
            "depth": rng.normal(3, 1, n),
            "breadth": rng.normal(-2, 4, n),
            "zone": rng.choice(CATEGORIES["zone"], n),
            "area": rng.choice(CATEGORIES["area"], n, p=[0.7, 0.2, 0.1]),
            "left": [start + timedelta(hours=int(h)) for h in rng.integers(0, 6, n)],
            "came": [start + timedelta(days=int(d)) for d in rng.integers(0, 3, n)],
        }
    )


@pytest.fixture(scope="module")
def trained(table, tmp_path_factory):
    """Return a release of these rows, read from its files, and the array it was trained on."""
    numbers = [table[name].to_numpy() for name in ("depth", "breadth")]
    X = np.column_stack([*numbers, *derive(table, CATEGORIES, TIMES).values()])
    names = derived_names(CATEGORIES, TIMES)
    folder = write_release(
        tmp_path_factory.mktemp("intake") / "release",
        X,
        ["depth", "breadth", *names],
        map_only=names,
        prepare={"categories": CATEGORIES, "times": TIMES},
        zones=dict.fromkeys(TIMES, "UTC"),
    )
    return load_release(folder), X


def test_rows_are_the_array_that_training_took(table, trained):
    """Derived columns stand where the release has them, in whatever order its manifest is read."""
    release, X = trained

    np.testing.assert_array_equal(Intake(release).matrix(table), X)


def test_what_is_observed_is_what_the_models_saw(table, trained):
    """The sample that a window is judged by holds the same columns in the same places."""
    release, X = trained

    seen = observe([table], Wanted(["depth", "breadth"], list(CATEGORIES)), release)

    np.testing.assert_array_equal(seen.sample, X)
    distances = np.linalg.norm(
        release.preparation.transform(X)
        - release.som.codebook_[release.som.predict(release.preparation.transform(X))],
        axis=1,
    )
    assert seen.models.distances.n == len(X)
    assert seen.models.distances.quantiles([0.5])[0] == pytest.approx(np.median(distances), rel=0.1)


def _with(table, name, values):
    return table.set_column(table.column_names.index(name), name, values)


def test_an_instant_has_the_parts_of_training_s_clocks(table, trained):
    """Whatever zone it is written in."""
    release, X = trained
    abroad = _with(table, "left", table["left"].cast(pa.timestamp("ms", "Asia/Kolkata")))

    np.testing.assert_array_equal(Intake(release).matrix(abroad), X)


@pytest.mark.parametrize("kind", [pa.timestamp("us"), pa.date32()])
def test_times_without_the_zone_of_training_are_refused(table, trained, kind):
    """Nobody knows which instants they are, in a row to score as in a window to observe."""
    release, _ = trained
    local = _with(table, "left", table["left"].cast(kind, safe=False))

    with pytest.raises(DataError, match=ZONE) as refused:
        Intake(release).matrix(local)
    with pytest.raises(DataError, match=ZONE):
        observe([local], Wanted(["depth", "breadth"], list(CATEGORIES)), release)

    assert refused.value.place == "column `left`"


def test_a_zone_that_training_is_not_known_to_have_had_is_refused(table, trained):
    """As of a release that was made before zones were kept."""
    release, _ = trained
    manifest = {name: said for name, said in release.manifest.items() if name != "zones"}

    with pytest.raises(DataError, match=NO_ZONE):
        Intake(replace(release, manifest=manifest)).matrix(table)


@pytest.mark.parametrize("values", [pa.array([1.5] * 400), pa.array(["noon"] * 400)])
def test_what_is_no_time_is_refused(table, trained, values):
    """The message names the column and what it holds."""
    release, _ = trained

    with pytest.raises(DataError, match="must hold times, as in training") as refused:
        Intake(release).matrix(_with(table, "came", values))

    assert refused.value.found == str(values.type)


@pytest.fixture(scope="module")
def flagged(table, tmp_path_factory):
    """Return a release whose map sees a boolean, its rows, and the array it was trained on."""
    rows = table.select(["depth", "breadth"])
    rows = rows.append_column("late", pc.greater(table["depth"], 3.0))
    listed = {"late": ["true"]}
    names = derived_names(listed, {})
    numbers = [table[name].to_numpy() for name in ("depth", "breadth")]
    X = np.column_stack([*numbers, *derive(rows, listed, {}).values()])
    folder = write_release(
        tmp_path_factory.mktemp("flagged") / "release",
        X,
        ["depth", "breadth", *names],
        map_only=names,
        prepare={"categories": listed},
    )
    return load_release(folder), rows, X


@pytest.mark.parametrize(
    "form",
    [
        lambda late: late.cast(pa.int64()),
        lambda late: late.cast(pa.float64()),
        lambda late: pc.if_else(late, "True", "False"),
        lambda late: pc.if_else(late, "TRUE", "FALSE"),
    ],
)
def test_a_boolean_is_the_same_in_every_form(flagged, form):
    """In a row to score as in a window to observe."""
    release, rows, X = flagged
    others = _with(rows, "late", form(rows["late"]))

    seen = observe([others], Wanted(["depth", "breadth"], ["late"]), release)

    np.testing.assert_array_equal(Intake(release).matrix(others), X)
    np.testing.assert_array_equal(seen.sample, X)
    counts = {"true": int(X[:, 2].sum()), "false": int((1 - X[:, 2]).sum())}
    assert seen.levels["late"].counts == counts


def test_what_is_no_boolean_is_refused(flagged):
    """Rather than taken for false."""
    release, rows, _ = flagged
    others = _with(rows, "late", pc.if_else(rows["late"], "ja", "nein"))

    with pytest.raises(DataError, match="column `late`: must hold true or false"):
        Intake(release).matrix(others)
    with pytest.raises(DataError, match="column `late`: must hold true or false"):
        observe([others], Wanted(["depth", "breadth"], ["late"]), release)


def test_releases_that_take_other_arrays_of_the_same_rows_are_told_apart(trained, flagged):
    """By their columns, and by the clocks that hours are read from."""
    release, abroad = trained[0], dict.fromkeys(TIMES, "Asia/Kolkata")

    intake = Intake(release)

    assert intake.is_like(Intake(release))
    assert not intake.is_like(
        Intake(replace(release, manifest={**release.manifest, "zones": abroad}))
    )
    assert not intake.is_like(Intake(flagged[0]))
