"""Read what was drawn: the cells of a map, its marks, and pictures without their text."""

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.text import Text


def part(ax, gid):
    """Return the only artist of this name on axes."""
    (found,) = [artist for artist in ax.get_children() if artist.get_gid() == gid]
    return found


def has_part(ax, gid):
    """Tell whether an artist of this name is on axes."""
    return any(artist.get_gid() == gid for artist in ax.get_children())


def centres(collection):
    """Return the middle of each polygon, x and y."""
    return np.array([path.vertices[:-1].mean(axis=0) for path in collection.get_paths()])


def bare_axes(width=2.0, height=2.0):
    """Return axes that fill a small figure: their place depends on no font."""
    figure = plt.figure(figsize=(width, height), dpi=60)
    return figure.add_axes((0.03, 0.03, 0.94, 0.94))


def pixels(figure):
    """Return the picture without text, (height, width, 3), from 0 to 1."""
    for text in figure.findobj(Text):
        text.set_visible(False)
    for ax in figure.axes:
        ax.tick_params(which="both", length=0)
        if ax.get_legend():
            ax.get_legend().remove()
    figure.canvas.draw()
    return np.asarray(figure.canvas.buffer_rgba())[..., :3] / 255
