"""The colour challenge: a 100 x 100 map of 20 colours, 1000 iterations, by the naive formula.

The formula presents every colour in every iteration and moves each unit by

    w += alpha * exp(-d ** 2 / (2 * sigma ** 2)) * (colour - w)

where d is the distance on the grid from the unit nearest to the colour, and radius and learning
rate start at sigma = side / 2 and alpha = 0.1 and fall by the factor (side / 2) ** (-1 / n) in each
of n iterations. Written with loops over iterations, colours and units it takes minutes.

Run `python examples/colours.py`: it prints the seconds and writes colours.png.
"""

import time
from pathlib import Path

import numpy as np

from modemap import SelfOrganizingMap

SIDE, N_COLOURS, N_ITERATIONS = 100, 20, 1000


def fitted(colours: np.ndarray, start: np.ndarray, n_iterations: int) -> np.ndarray:
    """Return the map, (n_rows, n_columns, 3), from a start of the same shape.

    The formula is online training without shuffling whose rates fall by the iteration. Where the
    sides are 2 or less the radius starts at 1 and stays there: the formula itself, which divides by
    the logarithm of the radius, has no answer for them.
    """
    n_rows, n_columns, _ = start.shape
    sigma = max(max(n_rows, n_columns) / 2, 1.0)
    left = sigma ** (-(n_iterations - 1) / n_iterations)  # of both, in the last iteration
    som = SelfOrganizingMap(
        n_rows,
        n_columns,
        training="online",
        init=start.reshape(n_rows * n_columns, -1),
        max_iter=n_iterations,
        radius=(sigma, sigma * left),
        radius_decay="exponential",
        learning_rate=(0.1, 0.1 * left),
        learning_rate_decay="exponential",
        decay_by="epoch",
        shuffle=False,
    )
    return som.fit(colours).codebook_.reshape(start.shape)


def naive(colours: np.ndarray, start: np.ndarray, n_iterations: int) -> np.ndarray:
    """Return the same by the formula as it stands, with its inner loop in NumPy."""
    weights = start.copy()
    n_rows, n_columns, _ = start.shape
    sigma = max(n_rows, n_columns) / 2
    rows, columns = np.mgrid[:n_rows, :n_columns]
    for t in range(n_iterations):
        decay = np.exp(-t * np.log(sigma) / n_iterations)
        for colour in colours:
            nearest = np.argmin(((weights - colour) ** 2).sum(axis=2))
            row, column = divmod(int(nearest), n_columns)
            squares = (rows - row) ** 2 + (columns - column) ** 2
            influence = np.exp(-squares / (2 * (sigma * decay) ** 2))
            weights += 0.1 * decay * influence[:, :, np.newaxis] * (colour - weights)
    return weights


def main(path: Path = Path("colours.png")) -> None:
    """Fit the map, say how long it took, and write the picture."""
    rng = np.random.default_rng(0)
    colours, start = rng.random((N_COLOURS, 3)), rng.random((SIDE, SIDE, 3))
    fitted(colours, start, 1)  # compiles
    started = time.perf_counter()
    weights = fitted(colours, start, N_ITERATIONS)
    seconds = time.perf_counter() - started
    print(f"{SIDE} x {SIDE} units, {N_COLOURS} colours, {N_ITERATIONS} iterations: {seconds:.2f} s")

    from matplotlib.image import imsave  # noqa: PLC0415  (the plot extra)

    imsave(path, np.kron(np.clip(weights, 0, 1), np.ones((3, 3, 1))))
    print(f"written to {path}")


if __name__ == "__main__":
    main()
