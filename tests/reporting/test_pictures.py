"""Tests of the pictures of maps."""

import numpy as np
import pytest
from matplotlib import colormaps
from matplotlib.image import imread

from modemap.reporting.pictures import draw_component_planes

PLANE = np.arange(6.0).reshape(3, 2)


@pytest.fixture(params=[False, True], ids=["squares", "hexagons"])
def is_hexagonal(request):
    """Name one topology."""
    return request.param


def test_every_unit_has_a_cell_of_one_size(tmp_path, is_hexagonal):
    """Six values, six patches of colour; the second row of hexagons starts half a cell later."""
    draw_component_planes(tmp_path / "map.png", {"delay": PLANE}, 1, is_hexagonal=is_hexagonal)

    picture = imread(tmp_path / "map.png")[:, :370]  # without the scale beside the map
    colours = colormaps["viridis"](PLANE.ravel() / PLANE.max())
    patches = [np.argwhere(np.abs(picture - colour).max(axis=2) < 0.01) for colour in colours]
    sizes = np.array([len(patch) for patch in patches])
    assert sizes.min() > 0.9 * sizes.max()
    starts = np.array([patch[:, 1].min() for patch in patches]).reshape(3, 2)
    width = starts[0, 1] - starts[0, 0]
    shift = width / 2 if is_hexagonal else 0
    np.testing.assert_allclose(starts[1] - starts[0], shift, atol=2)
    np.testing.assert_allclose(starts[2], starts[0], atol=2)


def test_equal_maps_are_equal_files(tmp_path, is_hexagonal):
    """The same numbers give the same bytes."""
    paths = tmp_path / "one.png", tmp_path / "other.png"

    for path in paths:
        draw_component_planes(path, {"delay": PLANE}, is_hexagonal=is_hexagonal)

    assert paths[0].read_bytes() == paths[1].read_bytes()
