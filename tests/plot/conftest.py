"""Maps to draw, and no figure left open."""

import matplotlib as mpl
import numpy as np
import pytest

from modemap import SelfOrganizingMap

mpl.use("Agg")

LAYOUTS = [
    ("rectangular", "planar"),
    ("rectangular", "toroidal"),
    ("hexagonal", "planar"),
    ("hexagonal", "toroidal"),
]


@pytest.fixture(autouse=True)
def _closed():
    """Close the figures of a test."""
    yield
    import matplotlib.pyplot as plt

    plt.close("all")


@pytest.fixture(scope="session", name="X")
def rows():
    """Return 90 rows of three columns, in three clusters."""
    rng = np.random.default_rng(0)
    return np.repeat(np.eye(3) * 6.0, 30, axis=0) + rng.normal(size=(90, 3))


@pytest.fixture(params=LAYOUTS, ids="-".join)
def som(request, X):
    """Return a fitted map of 4 x 5 units, one of each layout."""
    topology, boundary = request.param
    return SelfOrganizingMap(4, 5, topology=topology, boundary=boundary, max_iter=4).fit(X)


@pytest.fixture(scope="session")
def hexagons(X):
    """Return a hexagonal torus of 4 x 5 units, some of them dead."""
    layout = {"topology": "hexagonal", "boundary": "toroidal"}
    return SelfOrganizingMap(4, 5, **layout, radius=(2.0, 0.2), max_iter=9).fit(X)
