"""Read the paths of an SVG as polygons."""

import re

import numpy as np
from numpy.typing import NDArray

STEPS = re.compile(r"([MLlhv])([^A-Za-z]*)")
NUMBER = re.compile(r"-?(?:\d+\.?\d*|\.\d+)")


def polygons(path: str) -> list[NDArray[np.float64]]:
    """Return the corners of each closed part of ``path``, x and y, (n_corners, 2)."""
    return [_corners(part) for part in path.split("z") if part]


def _corners(part: str) -> NDArray[np.float64]:
    corners = np.empty((0, 2))
    for command, text in STEPS.findall(part):
        numbers = [float(number) for number in NUMBER.findall(text)]
        if command in "hv":
            steps = [[number, 0.0] if command == "h" else [0.0, number] for number in numbers]
        else:
            steps = np.reshape(numbers, (-1, 2)).tolist()
        for step in steps:
            start = corners[-1] if command in "lhv" else np.zeros(2)
            corners = np.vstack((corners, start + step))
    return corners
