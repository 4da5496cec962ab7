"""Each display still draws what was once looked at and found good.

``MODEMAP_BASELINES=new pytest tests/plot/test_pictures.py`` keeps the present pictures instead, in
``tests/plot/pictures``; look at each before it is committed.
"""

import os
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pytest

from modemap.plot import (
    ComponentPlanesDisplay,
    DriftDisplay,
    HitMapDisplay,
    ModesDisplay,
    TrainingDisplay,
    UMatrixDisplay,
)
from tests.plot.conftest import LAYOUTS
from tests.plot.drawn import bare_axes, pixels

PICTURES = Path(__file__).parent / "pictures"
FAR = 0.1  # of a colour's range: more than the smoothing of an edge
MOST_FAR = 0.005  # share of pixels that may be so far away

HILL = np.add.outer(np.arange(6) ** 1.5, np.abs(np.arange(8) - 3.0))
COUNTS = np.outer(np.arange(6), np.arange(8)) % 11


def panels(n: int) -> list[plt.Axes]:
    """Return axes one above the other whose places depend on no font."""
    figure = plt.figure(figsize=(2, n), dpi=60)
    return [figure.add_axes((0.03, (n - 1 - i + 0.05) / n, 0.94, 0.9 / n)) for i in range(n)]


def u_matrix(topology, boundary):
    """Draw distances on one layout."""
    display = UMatrixDisplay(HILL, topology=topology, boundary=boundary)
    return display.plot(bare_axes(), colorbar=False)


def hit_map(topology, boundary):
    """Draw counts on one layout."""
    display = HitMapDisplay(COUNTS, topology=topology, boundary=boundary)
    return display.plot(bare_axes(), colorbar=False, include_values=False)


def component_planes(topology, boundary):
    """Draw two planes on one layout."""
    planes = np.stack((HILL, -HILL.T.reshape(HILL.shape)))
    display = ComponentPlanesDisplay(planes, topology=topology, boundary=boundary)
    return display.plot(panels(2), colorbar=False)


def drift():
    """Draw one drift, one result below its threshold, and one that cannot be checked."""
    effects, verdicts = [0.4, 0.02, np.nan], ["yes", "no", "not checkable"]
    display = DriftDisplay(effects, verdicts, list("abc"), thresholds=[0.1] * 3, min_effect=0.05)
    return display.plot(bare_axes())


def modes():
    """Draw two modes over their histogram."""
    edges = np.linspace(-4, 14, 25)
    middles = (edges[1:] + edges[:-1]) / 2
    of_modes = ((0.6, 0.0, 1.0), (0.4, 8.0, 2.0))
    density = sum(
        weight * np.exp(-(((middles - mean) / std) ** 2) / 2) / (std * np.sqrt(2 * np.pi))
        for weight, mean, std in of_modes
    )
    weights, means, stds = map(np.array, zip(*of_modes, strict=True))
    counts = 1000 * density * np.diff(edges)
    display = ModesDisplay([(edges, counts, 1000, weights, means, stds)])
    return display.plot(panels(1), legend=False)


def training():
    """Draw two curves of an estimator."""
    epochs = np.arange(1, 20)
    history = {"quantization_error": 3 / epochs, "radius": 20.0 - epochs}
    return TrainingDisplay(history).plot(panels(2))


CASES = {
    **{f"{draw.__name__}-{'-'.join(layout)}": (draw, layout)
       for draw in (u_matrix, hit_map, component_planes) for layout in LAYOUTS},
    **{draw.__name__: (draw, ()) for draw in (drift, modes, training)},
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_the_picture_is_the_one_that_was_looked_at(name):
    """Pixel by pixel, but for the smoothing of edges and for text."""
    draw, layout = CASES[name]
    path = PICTURES / f"{name}.png"
    drawn = pixels(draw(*layout).figure_)
    if os.environ.get("MODEMAP_BASELINES") == "new":
        plt.imsave(path, drawn)

    kept = plt.imread(path)[..., :3]

    assert kept.shape == drawn.shape
    assert kept.std() > 0.05, "there is something on it"
    assert np.mean(np.abs(kept - drawn).max(axis=2) > FAR) <= MOST_FAR


def test_another_picture_is_seen():
    """What is drawn on another layout, or by another display, is too far away."""
    kept = plt.imread(PICTURES / "u_matrix-hexagonal-planar.png")[..., :3]

    for draw, layout in ((u_matrix, LAYOUTS[3]), (hit_map, LAYOUTS[2]), (u_matrix, LAYOUTS[0])):
        drawn = pixels(draw(*layout).figure_)
        assert np.mean(np.abs(kept - drawn).max(axis=2) > FAR) > MOST_FAR
