"""Columns that only a map sees."""

from datetime import datetime

import numpy as np
import pyarrow as pa
import pytest

from modemap.data.derived import derive, derived_names, level_texts
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
