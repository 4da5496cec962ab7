"""What trials draw is what params may be."""

import optuna
import pytest
from hypothesis import given
from hypothesis import strategies as st

from modemap.params import Params, load_params
from modemap.search.space import draw_map, draw_mixture, grid_shape
from tests.projects import CHECKOUT

N_DRAWS = 60


def params_of(**changes):
    """Return the project's params with other values of the map."""
    shipped = load_params(CHECKOUT / "params.yaml").model_dump(by_alias=True)
    return Params.model_validate(shipped | {"train_som": shipped["train_som"] | changes})


@pytest.fixture
def trials():
    """Return trials of a sampler with a seed."""
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=0))
    return [study.ask() for _ in range(N_DRAWS)]


@given(
    n_units=st.integers(1, 1000),
    aspect=st.floats(0.1, 10),
    is_exact=st.booleans(),
    is_even=st.booleans(),
)
def test_a_shape_has_the_units_that_are_asked_for(n_units, aspect, is_exact, is_even):
    """Exactly, or but for less than a column; rows are even where units allow it."""
    n_rows, n_columns = grid_shape(n_units, aspect, is_exact=is_exact, is_even=is_even)

    assert min(n_rows, n_columns) >= 1
    if is_exact:
        assert n_rows * n_columns == n_units
    else:
        assert 0 <= n_units - n_rows * n_columns < n_rows
    if is_even and n_units > 1 and not (is_exact and n_units % 2):
        assert n_rows % 2 == 0


def test_the_shape_follows_the_aspect():
    """Of the divisors the nearest is taken."""
    assert grid_shape(256, 1.0, is_exact=True, is_even=False) == (16, 16)
    assert grid_shape(256, 4.0, is_exact=True, is_even=False) == (32, 8)
    assert grid_shape(90, 0.4, is_exact=True, is_even=True) == (6, 15)


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"boundary": "toroidal"},
        {"n_rows": 2, "n_columns": 3},
        {"n_rows": 3, "n_columns": 5, "boundary": "toroidal"},
        {"n_rows": 2, "n_columns": 4, "n_segments": 8, "boundary": "toroidal"},
    ],
    ids=str,
)
def test_every_second_map_keeps_its_number_of_units(trials, changes):
    """The others stay within the bounds; all are valid, of both topologies and many shapes."""
    params = params_of(**changes)
    n_units = params.train_som.n_rows * params.train_som.n_columns

    drawn = [draw_map(t, params, is_resized=t.number % 2 == 1) for t in trials]

    sizes = [som.n_rows * som.n_columns for som in drawn]
    assert set(sizes[::2]) == {n_units}
    assert len(set(sizes[1::2])) > 5
    assert max(sizes) <= 4 * n_units
    assert {som.topology for som in drawn} == {"rectangular", "hexagonal"}
    assert {som.boundary for som in drawn} == {params.train_som.boundary}


def test_mixtures_grow_no_further_than_allowed(trials):
    """From a fourth of the present components on."""
    params = params_of()

    drawn = [draw_mixture(trial, params) for trial in trials]

    assert min(mixture.n_components for mixture in drawn) >= 2
    assert 16 < max(mixture.n_components for mixture in drawn) <= 32
    assert len({mixture.weight_concentration_prior for mixture in drawn}) > N_DRAWS / 2
