"""A drawn map has a cell for each unit, in its place and colour, and marks where they belong."""

import numpy as np
import pytest
from matplotlib import colormaps
from matplotlib.colors import to_rgba
from sklearn.cluster import KMeans
from sklearn.exceptions import NotFittedError

from modemap import SelfOrganizingMap, SelfOrganizingMapClassifier
from modemap.estimators.umatrix import neighbor_distances
from modemap.plot import ComponentPlanesDisplay, HitMapDisplay, UMatrixDisplay
from modemap.plot.colours import MISSING
from modemap.plot.maps import outline
from modemap.reporting.cells import Cells
from tests.plot.drawn import centres, has_part, part

DISPLAYS = [UMatrixDisplay, HitMapDisplay, ComponentPlanesDisplay]


def test_units_lie_where_the_map_says(som):
    """The middles of the cells are the positions of the units, but for one common shift."""
    display = UMatrixDisplay.from_estimator(som)

    apart = centres(display.units_) - som._grid.positions[:, ::-1]
    np.testing.assert_allclose(apart, np.broadcast_to(apart[0], apart.shape), atol=1e-9)


def test_cells_are_squares_or_hexagons(som):
    """Each has as many corners as the topology gives it neighbours beside, and one area."""
    display = UMatrixDisplay.from_estimator(som)

    corners = {len(path.vertices) - 1 for path in display.units_.get_paths()}
    assert corners == {6 if som.topology == "hexagonal" else 4}


def test_cells_have_the_colours_of_their_distances(som):
    """They are the U-matrix through the scale of the colour bar."""
    display = UMatrixDisplay.from_estimator(som)

    display.figure_.canvas.draw()
    distances = neighbor_distances(
        som.codebook_, 4, 5, topology=som.topology, boundary=som.boundary
    ).ravel()
    shares = (distances - distances.min()) / (distances.max() - distances.min())
    np.testing.assert_allclose(
        display.units_.get_facecolors(), colormaps["cividis"](shares), atol=0.005
    )
    assert display.colorbar_.mappable is display.units_


def test_the_seam_of_a_torus_is_dashed_and_told(som):
    """Its line goes round all cells; a planar map has none."""
    display = UMatrixDisplay.from_estimator(som)

    is_torus = som.boundary == "toroidal"
    assert has_part(display.ax_, "seam") == is_torus
    assert ("dashed" in display.ax_.get_xlabel()) == is_torus
    if is_torus:
        assert part(display.ax_, "seam").get_linestyle() == "--"


@pytest.mark.parametrize("is_hexagonal", [False, True])
@pytest.mark.parametrize("shape", [(1, 1), (1, 6), (6, 1), (4, 5), (5, 4)])
def test_the_outline_encloses_the_cells(shape, is_hexagonal):
    """Its area is that of all cells: it is one closed line round them."""
    cells = Cells(*shape, is_hexagonal)

    x, y = outline(cells).T

    area = abs(np.sum(x[:-1] * y[1:] - x[1:] * y[:-1])) / 2
    assert area == pytest.approx(np.prod(shape) * cells.row_height, rel=1e-5)


def test_dead_units_have_a_cross():
    """It lies in the middle of the unit without rows."""
    counts = np.ones((3, 4))
    counts[1, 2] = 0

    display = UMatrixDisplay(np.ones((3, 4)), topology="hexagonal", unit_counts=counts).plot()

    np.testing.assert_allclose(
        centres(part(display.ax_, "dead")), centres(display.units_)[[6]], atol=1e-9
    )
    assert "cross: no rows" in display.ax_.get_xlabel()


def test_missing_values_are_grey_and_hatched():
    """NaN has no colour of the scale, and does not change the scale."""
    display = UMatrixDisplay([[1.0, np.nan], [2.0, 3.0]]).plot()

    display.figure_.canvas.draw()
    np.testing.assert_allclose(display.units_.get_facecolors()[1], to_rgba(MISSING))
    assert display.units_.get_clim() == (1.0, 3.0)
    assert part(display.ax_, "missing").get_hatch()
    assert "hatched: no value" in display.ax_.get_xlabel()


def test_a_map_without_any_value_is_drawn():
    """All cells are missing."""
    display = UMatrixDisplay(np.full((2, 2), np.nan)).plot()

    display.figure_.canvas.draw()
    assert len(part(display.ax_, "missing").get_paths()) == 4


@pytest.mark.parametrize("shape", [(1, 1), (1, 12), (12, 1)])
@pytest.mark.parametrize("topology", ["rectangular", "hexagonal"])
def test_narrow_maps_are_drawn(shape, topology):
    """A single row or column has all its units, each on the axes."""
    display = UMatrixDisplay(np.arange(np.prod(shape)).reshape(shape), topology=topology).plot()

    found = centres(display.units_)
    assert len(found) == np.prod(shape)
    (left, right), (bottom, top) = display.ax_.get_xlim(), display.ax_.get_ylim()
    assert ((found > (left, top)) & (found < (right, bottom))).all()


def test_a_display_draws_on_given_axes(hexagons):
    """The axes and figure kept are those given."""
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(1, 2)

    first = UMatrixDisplay.from_estimator(hexagons, ax=axes[0], colorbar=False)
    second = HitMapDisplay.from_estimator(hexagons, ax=axes[1], colorbar=False)

    assert (first.ax_, second.ax_) == tuple(axes)
    assert first.figure_ is second.figure_ is figure
    assert first.colorbar_ is None


def test_plot_returns_the_display():
    """Calls can be chained."""
    display = HitMapDisplay([[1, 2]])

    assert display.plot() is display


def test_hits_are_those_of_training_or_of_the_rows(hexagons, X):
    """Without rows the counts are the map's own."""
    own = HitMapDisplay.from_estimator(hexagons)
    some = HitMapDisplay.from_estimator(hexagons, X[:7])
    named = HitMapDisplay.from_predictions(hexagons.predict(X[:7]), 4, 5, topology="hexagonal")

    np.testing.assert_array_equal(own.units_.get_array(), hexagons.unit_counts_)
    assert some.units_.get_array().sum() == 7
    np.testing.assert_array_equal(named.units_.get_array(), some.units_.get_array())


def test_counts_are_written_in_cells_that_have_room(hexagons):
    """Every unit with rows says how many, in ink that its colour lets be read."""
    display = HitMapDisplay.from_estimator(hexagons)
    large = HitMapDisplay(np.ones((30, 30))).plot()

    counts = hexagons.unit_counts_
    assert [float(text.get_text()) for text in display.texts_] == counts[counts > 0].tolist()
    assert large.texts_ == []
    inks = {text.get_text(): text.get_color() for text in display.texts_}
    assert inks[f"{counts.max():g}"] != "white"
    assert inks[f"{counts[counts > 0].min():g}"] == "white"


def test_weights_are_named_so(X):
    """The scale says what was counted."""
    som = SelfOrganizingMap(2, 2, max_iter=1).fit(X, sample_weight=np.full(90, 0.3))

    display = HitMapDisplay.from_estimator(som)

    assert display.colorbar_.ax.get_ylabel() == "weight of each unit"


def test_a_classifier_shows_its_map(X):
    """Its map is drawn."""
    classifier = SelfOrganizingMapClassifier(SelfOrganizingMap(2, 3, max_iter=1))

    display = UMatrixDisplay.from_estimator(classifier.fit(X, np.repeat([0, 1, 2], 30)))

    assert len(display.units_.get_paths()) == 6


@pytest.mark.parametrize("display", DISPLAYS)
@pytest.mark.parametrize("estimator", [SelfOrganizingMap(), SelfOrganizingMapClassifier()])
def test_a_map_that_is_not_fitted_is_refused(display, estimator):
    """The error is scikit-learn's."""
    with pytest.raises(NotFittedError, match="is not fitted yet"):
        display.from_estimator(estimator)


@pytest.mark.parametrize("display", DISPLAYS)
def test_another_estimator_is_refused(display):
    """The error names it."""
    with pytest.raises(ValueError, match=r"som must be a SelfOrganizingMap.* got KMeans"):
        display.from_estimator(KMeans())


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (([1.0, 2.0],), r"distances must have shape \(n_rows, n_columns\), got \(2,\)"),
        (([[np.inf]],), "distances must hold no infinity, got inf"),
    ],
)
def test_arrays_that_are_no_map_are_refused(arguments, message):
    """The error says what came."""
    with pytest.raises(ValueError, match=message):
        UMatrixDisplay(*arguments).plot()


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"topology": "round"}, "topology must be one of .* got 'round'"),
        ({"boundary": "open"}, "boundary must be one of .* got 'open'"),
        ({"topology": "hexagonal", "boundary": "toroidal"}, "n_rows must be even .* got 3"),
        ({"unit_counts": [[1, 2]]}, r"shape of the map, \(3, 2\), got \(1, 2\)"),
        ({"unit_counts": np.full((3, 2), -1)}, "unit_counts must be >= 0, got -1.0"),
    ],
)
def test_settings_that_do_not_fit_are_refused(settings, message):
    """The error names the setting and what came."""
    with pytest.raises(ValueError, match=message):
        UMatrixDisplay(np.ones((3, 2)), **settings).plot()
