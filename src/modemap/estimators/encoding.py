"""Encode a column by the mode of each value and its place within that mode, and back."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from modemap.estimators.column_modes import ColumnModes
from modemap.kernels.arrays import FloatArray, IntArray
from modemap.kernels.chunks import chunk_slices, map_in_order
from modemap.kernels.columns.boundaries import decision_boundaries
from modemap.kernels.columns.sampling import MISSING, drawn_modes, sampling_table
from modemap.kernels.compilation import is_compiled

__all__ = [
    "EDGE",
    "MISSING",
    "TOLERANCE",
    "WIDTH",
    "ColumnCoder",
    "ColumnEncoding",
    "ModeEncoding",
    "learned_decimals",
]

WIDTH = 4.0  # standard deviations of its mode that make one unit of an encoded value
EDGE = 0.99  # encoded values are clipped to this size
MAX_DECIMALS = 15
GROUP = 32  # columns are padded to a multiple of it
CHUNK = 1 << 16  # rows worked on at once
ROOM = 1 << 12  # rows of a chunk that may be lost before there is made more room for them
FEW_CUTS = 16
TOLERANCE = 2.0**-40  # of a value without decimals, that its decoding may miss it by
BELOW_HALF = 0.499  # of the last decimal: what rounding forgives
N_MODES = 256  # that a uint8 tells apart
ONE = np.uint8(1)


@dataclass(frozen=True)
class ColumnEncoding:
    """A column encoded by its modes: nothing is lost but the last digits of long values.

    Attributes
    ----------
    values : ndarray of shape (n_samples,), float32 or float64
        ``(x - mean) / (4 * std)`` of the row's mode, clipped to -0.99 and 0.99; 0 where missing.
    modes : ndarray of uint8, shape (n_samples,)
        Number of the mode, 255 where missing.
    rows : ndarray of int64, shape (n_kept,)
        Rows whose value was clipped, or would not be restored: exactly where the column has
        decimals, else to 2**-40 of the value.
    kept : ndarray of shape (n_kept,)
        Their values, in the column's dtype.
    dtype : dtype
        Of the column that was encoded.
    """

    values: NDArray[Any]
    modes: NDArray[np.uint8]
    rows: IntArray
    kept: NDArray[Any]
    dtype: np.dtype[Any]


@dataclass(frozen=True)
class ModeEncoding:
    """Columns encoded by their modes.

    Attributes
    ----------
    columns : tuple of ColumnEncoding
    digest : str
        Of the normaliser that encoded them.
    names : tuple of str or None
        Names of the columns of a frame or table.
    container : {"array", "pandas", "arrow"}
        What came in, and comes back.
    """

    columns: tuple[ColumnEncoding, ...]
    digest: str
    names: tuple[str, ...] | None = None
    container: str = "array"

    @property
    def values(self) -> NDArray[Any]:
        """Values of all columns, (n_samples, n_columns)."""
        return np.column_stack([column.values for column in self.columns])

    @property
    def modes(self) -> NDArray[np.uint8]:
        """Modes of all columns, (n_samples, n_columns)."""
        return np.column_stack([column.modes for column in self.columns])

    @property
    def missing(self) -> NDArray[np.bool_]:
        """Where a value was missing, (n_samples, n_columns)."""
        return np.asarray(self.modes == MISSING)

    @property
    def kept_rows(self) -> IntArray:
        """Rows of the values that are kept as they were, column by column."""
        return np.concatenate([column.rows for column in self.columns])

    @property
    def kept_columns(self) -> IntArray:
        """Columns of the values that are kept as they were."""
        return np.repeat(np.arange(len(self.columns)), [len(c.rows) for c in self.columns])

    @property
    def nbytes(self) -> int:
        """Memory of the encoding, in bytes: 5 or 9 a row and column, and what is kept."""
        parts = ("values", "modes", "rows", "kept")
        return sum(getattr(column, part).nbytes for column in self.columns for part in parts)


class ColumnCoder:
    """Encodes one column and decodes it.

    Parameters
    ----------
    mixture : ColumnModes
        All components; those that are not valid take part in sampling only.
    valid : ndarray of bool, shape (n_components,)
        Components that take values.
    decimals : int or None
        Decimals to round to, None for none.
    low, high : float
        Range of most values; only the speed of sampling depends on it.

    Attributes
    ----------
    dtype : dtype
        float32 where rounding restores every value from it, else float64.
    """

    def __init__(
        self,
        mixture: ColumnModes,
        valid: NDArray[np.bool_],
        decimals: int | None,
        low: float,
        high: float,
    ) -> None:
        weights, means, stds, bounds = mixture
        self.modes = ColumnModes(weights[valid], means[valid], stds[valid], bounds)
        self.n_modes, self._valid, self._range = len(self.modes.weights), valid, (low, high)
        weights = np.maximum(mixture.weights, np.finfo(np.float64).tiny)
        self._peaks = np.log(weights) - np.log(mixture.stds)
        self._centers, self._halves = mixture.means.copy(), 0.5 / np.square(mixture.stds)
        self.cuts, self.winners = decision_boundaries(
            self._peaks[valid], self._centers[valid], self._halves[valid]
        )
        widths = WIDTH * self.modes.stds
        self._tables = np.full((N_MODES, 4), np.nan)
        self._tables[: self.n_modes, :3] = np.transpose((self.modes.means, widths, 1.0 / widths))
        self._means, self._widths, self._inverses, _ = self._tables.T
        cuts, winners, steps = self.cuts, self.winners, np.diff(self.winners)
        if len(cuts) < FEW_CUTS:  # they are bisected in registers
            cuts = np.concatenate((cuts, np.full(FEW_CUTS - len(cuts), np.nan)))
            winners = np.concatenate((winners, np.zeros(FEW_CUTS - len(winners), np.int64)))
        self._line = (cuts, winners.astype(np.int64), steps.astype(np.int64), int(winners[0]))
        self._scale = 0.0 if decimals is None else 10.0**decimals
        reach = float(widths.max())
        error = reach * 2.0**-25 + 4 * np.spacing(np.abs(self.modes.means).max() + reach)
        survives = decimals is not None and error * self._scale < BELOW_HALF
        self.dtype = np.dtype(np.float32 if survives else np.float64)
        self._table: Any = None

    def encode(
        self,
        column: NDArray[Any],
        seed: int | None = None,
        first_row: int = 0,
        n_threads: int = 1,
    ) -> ColumnEncoding:
        """Encode a column: by the most probable modes, or by modes drawn with ``seed``.

        A draw depends on the seed and the row's number alone, so threads change no digit.
        """
        n = len(column)
        values, modes = np.empty(n, self.dtype), np.empty(n, np.uint8)
        if seed is not None:
            self._sampling_table()  # once, before the threads
        if n <= CHUNK:
            rows = self._encode_chunk(column, seed, first_row, values, modes)
            return ColumnEncoding(values, modes, rows, np.asarray(column[rows]), column.dtype)

        def encoded(part: slice) -> list[IntArray]:
            kept_rows = []
            for rows in _blocks(part):
                lost = self._encode_chunk(
                    column[rows], seed, first_row + rows.start, values[rows], modes[rows]
                )
                kept_rows.append(lost + rows.start)
            return kept_rows

        parts = map_in_order(encoded, chunk_slices(n, min_rows=CHUNK), n_threads)
        rows = np.concatenate([np.empty(0, np.int64), *(rows for part in parts for rows in part)])
        return ColumnEncoding(values, modes, rows, np.asarray(column[rows]), column.dtype)

    def decode(self, encoding: ColumnEncoding, n_threads: int = 1) -> NDArray[Any]:
        """Return the column, in its own dtype; float64 where an integer column lacks values.

        Raises
        ------
        ValueError
            If a mode is none of the column's.
        """
        n, dtype = len(encoding.values), encoding.dtype
        is_float = dtype.kind == "f"
        if not is_float and (encoding.modes == MISSING).any():
            dtype, is_float = np.dtype(np.float64), True
        column = np.empty(n, dtype)

        def decoded(part: slice) -> None:
            for rows in _blocks(part):
                values, modes = encoding.values[rows], encoding.modes[rows]
                self.check_modes(modes)
                if column.dtype == np.float64:
                    self.restored(values, modes, column[rows])
                    continue
                with np.errstate(invalid="ignore", over="ignore"):  # of rows that are kept
                    column[rows] = self.restored(values, modes)

        for _ in map_in_order(decoded, chunk_slices(n, min_rows=CHUNK), n_threads):
            pass
        column[encoding.rows] = encoding.kept
        return column

    def check_modes(self, modes: NDArray[np.uint8]) -> None:
        """Refuse modes that are none of the column's.

        Raises
        ------
        ValueError
            With the first of them.
        """
        if len(modes) and (modes + ONE).max() > self.n_modes:  # that of a missing value wraps to 0
            number = modes[(modes >= self.n_modes) & (modes != MISSING)][0]
            raise ValueError(f"modes must be below {self.n_modes} or {MISSING}, got {number}")

    def restored(
        self, values: NDArray[Any], modes: NDArray[np.uint8], out: FloatArray | None = None
    ) -> FloatArray:
        """Return what encoded values stand for, in ``out`` if given; NaN where missing."""
        n, whole = len(values), len(values) - len(values) % GROUP
        x = np.empty(n) if out is None else out
        if not is_compiled():
            x[:] = values.astype(np.float64) * self._widths[modes] + self._means[modes]
            if self._scale:
                x[:] = np.rint(x * self._scale) / self._scale
            return x
        from modemap.kernels.columns.coding import decode  # noqa: PLC0415

        values, modes = np.ascontiguousarray(values), np.ascontiguousarray(modes)
        decode(values[:whole], modes[:whole], self._tables, self._scale, x[:whole])
        if whole < n:
            last, end = np.empty(GROUP), slice(whole, n)
            padded = _padded(values[end], 0), _padded(modes[end], MISSING)
            decode(*padded, self._tables, self._scale, last)
            x[end] = last[: n - whole]
        return x

    def _encode_chunk(
        self,
        part: NDArray[Any],
        seed: int | None,
        first_row: int,
        values: NDArray[Any],
        modes: NDArray[np.uint8],
    ) -> IntArray:
        """Encode some rows; return which of them would be lost."""
        x = np.ascontiguousarray(part, np.float64)
        if is_compiled():
            rows = self._run_kernel(x, seed, first_row, values, modes)
        else:
            rows = self._run_portable(x, seed, first_row, values, modes)
        if part.dtype.kind in "iu" and part.dtype.itemsize > 4:  # noqa: PLR2004
            is_large = np.abs(x) >= 2.0**53
            if is_large.any():
                rows = np.union1d(rows, np.flatnonzero(is_large))
        return rows

    def _run_kernel(
        self,
        x: FloatArray,
        seed: int | None,
        first_row: int,
        values: NDArray[Any],
        modes: NDArray[np.uint8],
    ) -> IntArray:
        from modemap.kernels.columns import coding  # noqa: PLC0415

        n, pad = len(x), -len(x) % GROUP
        out, chosen = values, modes
        if pad:
            x = np.concatenate((x, np.full(pad, np.nan)))
            out, chosen = np.empty(n + pad, values.dtype), np.empty(n + pad, np.uint8)
        start: tuple[Any, ...]
        if seed is None:
            work, start = coding.encode_argmax, self._line
        else:
            table = self._sampling_table()
            work, start = coding.encode_sampled, (
                first_row, np.uint64(seed), table.start, table.base, table.shift, table.modes,
                self._peaks, self._centers, self._halves, self._valid,
            )  # fmt: skip
        rows = np.empty(ROOM, np.int64)
        found = work(x, *start, self._tables, self._scale, chosen, out, rows)
        if found > ROOM:
            rows = np.empty(found, np.int64)
            work(x, *start, self._tables, self._scale, chosen, out, rows)
        if pad:
            values[:], modes[:] = out[:n], chosen[:n]
        lost: IntArray = rows[:found]
        return lost

    def _run_portable(
        self,
        x: FloatArray,
        seed: int | None,
        first_row: int,
        values: NDArray[Any],
        modes: NDArray[np.uint8],
    ) -> IntArray:
        if seed is None:
            modes[:] = self.winners[np.searchsorted(self.cuts, x, side="right")]
        else:
            parameters = (self._peaks, self._centers, self._halves, self._valid)
            modes[:] = drawn_modes(x, first_row, seed, *parameters)
        is_missing = np.isnan(x)
        place = (x - self._means[modes]) * self._inverses[modes]
        values[:] = np.where(is_missing, 0.0, np.clip(place, -EDGE, EDGE))
        lost = np.abs(place) > EDGE
        again = self.restored(values, modes)
        lost |= again != x if self._scale else np.abs(again - x) > TOLERANCE * np.abs(x)
        modes[is_missing] = MISSING
        return np.flatnonzero(lost & ~is_missing)

    def _sampling_table(self) -> Any:
        if self._table is None:
            low, high = self._range
            self._table = sampling_table(
                low, high, self._peaks, self._centers, self._halves, self._valid
            )
        return self._table


def learned_decimals(x: NDArray[Any]) -> int | None:
    """Return how many decimals write every value exactly, None where 15 are not enough."""
    if x.dtype.kind != "f":
        return 0
    x = np.asarray(x[~np.isnan(x)], np.float64)
    with np.errstate(over="ignore", invalid="ignore"):  # of values too large to have decimals
        for decimals in range(MAX_DECIMALS + 1):
            if np.array_equal(np.round(x, decimals), x):
                return decimals
    return None


def _blocks(part: slice) -> Iterator[slice]:
    """Cut rows into blocks that stay in the cache."""
    for start in range(part.start, part.stop, CHUNK):
        yield slice(start, min(start + CHUNK, part.stop))


def _padded(rows: NDArray[Any], filling: float) -> NDArray[Any]:
    """Return rows, and more of ``filling`` up to a whole group."""
    return np.concatenate((rows, np.full(GROUP - len(rows), filling, rows.dtype)))
