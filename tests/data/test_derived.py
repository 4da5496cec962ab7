"""Columns that only a map sees."""

from datetime import datetime

import numpy as np
import pyarrow as pa
import pytest

from modemap.data.derived import derive, derived_names, level_texts, listed_texts
from modemap.errors import DataError


def test_listed_levels_are_indicated_and_all_others_lie_together():
    """A rare level and a missing value have no indicator."""
    table = pa.table({"kind": ["a", "b", "rare", None]})

    names, columns = (
        derived_names({"kind": ["a", "b"]}, {}),
        list(derive(table, {"kind": ["a", "b"]}, {}).values()),
    )

    assert names == {"kind = a": "kind", "kind = b": "kind"}
    assert np.column_stack(columns).tolist() == [[1, 0], [0, 1], [0, 0], [0, 0]]


@pytest.mark.parametrize(
    ("values", "texts"),
    [
        (pa.array([True, None]), ["true", None]),
        (pa.array([1, 20]), ["1", "20"]),
        (pa.array([1.0, None]), ["1", None]),
        (pa.array([1.5, 2.0]), ["1.5", "2"]),
    ],
)
def test_levels_are_texts_whatever_their_type(values, texts):
    """A whole number beside a missing one stays whole."""
    assert level_texts(pa.chunked_array([values])).to_pylist() == texts


def test_parts_of_a_time_go_round():
    """Midnight is beside 23:59, Sunday beside Monday, and a missing time lies in the middle."""
    stamps = [datetime(2024, 1, 1, 0, 0), datetime(2024, 1, 7, 23, 59), None]
    table = pa.table({"at": pa.array(stamps, pa.timestamp("us"))})

    hour_sin, hour_cos, day_sin, day_cos = derive(table, {}, {"at": ["hour", "weekday"]}).values()

    assert list(derived_names({}, {"at": ["hour"]})) == ["at hour sin", "at hour cos"]
    np.testing.assert_allclose(hour_sin, [0, 0, 0], atol=0.005)
    np.testing.assert_allclose(hour_cos, [1, 1, 0], atol=0.005)
    np.testing.assert_allclose(day_sin, [0, np.sin(2 * np.pi * 6 / 7), 0])
    np.testing.assert_allclose(day_cos, [1, np.cos(2 * np.pi * 6 / 7), 0])


def test_a_date_has_no_hour_of_its_own():
    """Dates are taken for midnights."""
    table = pa.table({"on": pa.array([19000, None], pa.date32())})

    sine, cosine = derive(table, {}, {"on": ["hour"]}).values()

    assert sine.tolist() == [0, 0]
    assert cosine.tolist() == [1, 0]


def test_a_part_of_what_is_no_time_is_refused():
    """The message names the column."""
    with pytest.raises(DataError, match=r"column `n`: a column in prepare\.times must hold times"):
        derive(pa.table({"n": [1]}), {}, {"n": ["hour"]})


TRUTHS = [
    pa.array([True, False, None]),
    pa.array([1, 0, None]),
    pa.array([1.0, 0.0, None]),
    pa.array(["TRUE", "False", None]),
    pa.array(["1", "0", None]),
]


@pytest.mark.parametrize("values", TRUTHS)
@pytest.mark.parametrize(
    "listed",
    [["true"], ["false"], ["false", "true"], ["True", "False"], ["TRUE"], ["1"], ["0", "1"]],
)
def test_true_and_false_are_the_same_in_every_form(values, listed):
    """Whatever training called them, and what is missing is neither."""
    columns = derive(pa.table({"late": values}), {"late": listed}, {}).values()

    expected = [
        [1.0, 0.0, 0.0] if level.lower() in "true 1" else [0.0, 1.0, 0.0] for level in listed
    ]
    assert [column.tolist() for column in columns] == expected


@pytest.mark.parametrize(
    ("values", "found"),
    [
        (["ja", "nein"], "'ja'"),
        (["true", "yes"], "'yes'"),
        ([0, 2], "'2'"),
        ([0.0, 0.5], "'0.5'"),
        ([""], "''"),
    ],
)
@pytest.mark.parametrize("listed", [["true"], ["False", "True"]])
def test_what_is_neither_true_nor_false_is_refused(values, found, listed):
    """The message names the column and the value."""
    with pytest.raises(DataError, match="column `late`: must hold true or false") as refused:
        derive(pa.table({"late": values}), {"late": listed}, {})

    assert refused.value.found == found


def test_other_levels_are_texts_as_they_stand():
    """True and false among levels of another kind are levels like them."""
    texts = ["true", "maybe", None, "TRUE"]

    for listed in (["true", "maybe"], [], ["a"]):
        assert listed_texts("kind", pa.chunked_array([texts]), listed).to_pylist() == texts
