"""Component planes: one map for each column, readable for one and for sixty."""

import numpy as np
import pytest
from sklearn.preprocessing import StandardScaler

from modemap import SelfOrganizingMap
from modemap.plot import ComponentPlanesDisplay
from modemap.plot.names import shortened
from tests.plot.drawn import has_part


def test_each_plane_is_a_column_of_the_codebook(som):
    """Values and titles are in the columns' order."""
    display = ComponentPlanesDisplay.from_estimator(som)

    shown = np.array([cells.get_array() for cells in display.units_])
    np.testing.assert_allclose(shown.T, som.codebook_)
    assert [ax.get_title() for ax in display.axes_] == ["x0", "x1", "x2"]


def test_planes_are_in_the_units_of_the_columns_with_their_scaler(X):
    """The scaler's inverse is shown, and the scale names the unit."""
    scaler = StandardScaler().fit(X)
    som = SelfOrganizingMap(3, 4, max_iter=2).fit(scaler.transform(X))

    display = ComponentPlanesDisplay.from_estimator(
        som, scaler=scaler, names=["delay", "day", "time"], units={"delay": "min"}
    )

    expected = scaler.inverse_transform(som.codebook_)
    np.testing.assert_allclose(display.units_[0].get_array(), expected[:, 0])
    assert [bar.ax.get_ylabel() for bar in display.colorbars_] == ["min", "", ""]


def test_columns_are_chosen_by_name_or_number(som):
    """They are drawn in the order they are named."""
    display = ComponentPlanesDisplay.from_estimator(som, columns=["x2", 0])

    assert [ax.get_title() for ax in display.axes_] == ["x2", "x0"]
    np.testing.assert_allclose(display.units_[0].get_array(), som.codebook_[:, 2])


def test_one_scale_may_hold_for_all(som):
    """A norm that is given is that of every plane."""
    from matplotlib.colors import Normalize

    display = ComponentPlanesDisplay.from_estimator(som, norm=Normalize(-1, 1), colorbar=False)

    assert {cells.get_clim() for cells in display.units_} == {(-1, 1)}
    assert display.colorbars_ == []


def test_sixty_planes_do_not_overlap():
    """Titles are short enough for their panels, no panel covers another, none is left over."""
    planes = np.random.default_rng(0).normal(size=(60, 2, 3))
    names = [f"a_name_that_is_much_too_long_{j}" for j in range(60)]

    display = ComponentPlanesDisplay(planes, names=names, boundary="toroidal").plot()

    display.figure_.canvas.draw()
    assert len(display.figure_.axes) == 120
    boxes = [ax.get_tightbbox() for ax in display.figure_.axes]
    assert not any(one.overlaps(other) for i, one in enumerate(boxes) for other in boxes[i + 1 :])
    assert len({ax.get_title() for ax in display.axes_}) == 60
    assert display.figure_.get_supxlabel().startswith("dashed edge")


def test_a_single_plane_is_drawn():
    """It fills the figure."""
    display = ComponentPlanesDisplay(np.zeros((1, 1, 4)), names=["delay"]).plot()

    assert len(display.axes_) == 1
    assert not has_part(display.axes_[0], "seam")


def test_planes_are_drawn_on_given_axes(som):
    """There must be one for each column."""
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(1, 3)

    display = ComponentPlanesDisplay.from_estimator(som, axes=axes)

    assert display.figure_ is figure
    with pytest.raises(ValueError, match="axes must be one for each of 3 panels, got 2"):
        ComponentPlanesDisplay.from_estimator(som, axes=axes[:2])


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"names": ["a", "b"]}, r"one entry for each of 3 columns, got 2: \['a', 'b'\]"),
        ({"columns": ["delay"]}, r"columns must be among \['x0', 'x1', 'x2'\], got 'delay'"),
        ({"columns": [3]}, "columns must be among .* got 3"),
        ({"columns": "x0"}, "columns must be a list of names or numbers, got 'x0'"),
        ({"n_columns": 0}, "n_columns must be an integer >= 1, got 0"),
    ],
)
def test_wrong_arguments_are_refused(hexagons, settings, message):
    """The error says what came."""
    with pytest.raises(ValueError, match=message):
        ComponentPlanesDisplay.from_estimator(hexagons, **settings)


@pytest.mark.parametrize(
    ("planes", "message"),
    [
        (np.ones((2, 2)), r"shape \(n_features, n_rows, n_columns\), got \(2, 2\)"),
        (np.full((1, 1, 1), np.inf), "planes must hold no infinity, got inf"),
    ],
)
def test_arrays_that_are_no_planes_are_refused(planes, message):
    """The error says what came."""
    with pytest.raises(ValueError, match=message):
        ComponentPlanesDisplay(planes).plot()


@pytest.mark.parametrize("length", [4, 8, 18, 28])
def test_short_names_keep_start_and_end(length):
    """They have the length asked for; names that fit stay."""
    name = "departure_delay_in_minutes_01"

    short = shortened(name, length)

    start, end = short.split("…")
    assert len(short) == length
    assert name.startswith(start)
    assert name.endswith(end)
    assert shortened("day", length) == "day"
