"""A billion values of one column: fitted, encoded and decoded, in memory and cold from disk.

The file is made here in chunks from a fixed seed, and removed. Reading from disk is judged against
reading and writing the same bytes directly, in the same run; "cold" means that the file was dropped
from the page cache before. ``MODEMAP_BENCH_ROWS`` takes fewer rows.
"""

import os
import shutil
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from benchmarks.bars import Bar
from modemap import ModeNormalizer
from modemap.estimators.encoding import ColumnEncoding, ModeEncoding
from modemap.usage import peak_memory_mib

__all__ = ["measure"]

N_ROWS = int(os.environ.get("MODEMAP_BENCH_ROWS", "1_000_000_000"))
CHUNK = 1 << 20  # rows read, worked on and written at a time: 8 MB stay in the last-level cache
PART = 3 << 20  # rows in memory worked on at a time: what comes out takes 24 MB at most
FOLDER = Path(".peers/billion")
DISK = 22  # bytes a row: 8 given, 5 encoded, 8 decoded, and room
MEMORY = 10  # bytes a row: 8 given, and room
N_THREADS = 2
ROUNDS = 2  # in memory
DISK_ROUNDS = 3  # of which the median counts
MAX_MEMORY = 2.0  # GiB, while working from disk
MAX_RATIO = 1.25  # of direct input and output
IN_MEMORY = {"fit": 3.0, "argmax": 1.5, "sampled": 4.0, "inverse": 1.5}  # seconds of a billion

Rows = NDArray[np.float64]
Kept = tuple[NDArray[np.int64], Rows]


def measure() -> list[Bar]:
    """Measure the bars of wall-clock seconds, from disk first; stop before if there is no room."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    free, needed = shutil.disk_usage(FOLDER).free, DISK * N_ROWS
    print(f"  {N_ROWS:,} rows need {needed / 1e9:.0f} GB of disk; {free / 1e9:.0f} GB are free")
    if free < needed:
        sys.exit("  not enough room: free the disk, or set MODEMAP_BENCH_ROWS")
    try:
        given = _generated()
        return [*_disk_bars(given), *_memory_bars(given)]
    finally:
        shutil.rmtree(FOLDER)


class Chunks:
    """The rows of a file, read one chunk ahead of the work on them."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def batches(self) -> Iterator[Rows]:
        """Yield (n_rows, 1) at a time."""
        for chunk in _ahead(self.path, np.float64):
            yield chunk[:, np.newaxis]


def _generated() -> Path:
    """Write cents of two modes and a tail."""
    path = FOLDER / "given.f64"
    with path.open("wb") as file:
        for number, start in enumerate(range(0, N_ROWS, CHUNK)):
            n = min(CHUNK, N_ROWS - start)
            rng = np.random.default_rng([0, number])
            x = rng.normal(np.array([500.0, 2000.0])[rng.integers(0, 2, n)], 100.0)
            is_tail = rng.integers(0, 2, n, np.uint8) == 1
            x[is_tail] = rng.lognormal(3.0, 1.0, int(is_tail.sum()))
            file.write(np.round(x, 2).tobytes())
        _finish(file)
    return path


def _disk_bars(given: Path) -> list[Bar]:
    """Work from disk beside moving the same bytes: in turn, as the disk's speed is not steady."""
    values, modes, again = (FOLDER / name for name in ("values.f32", "modes.u8", "again.f64"))
    normalizer = ModeNormalizer(10, random_state=0, n_jobs=N_THREADS)
    few = np.fromfile(given, count=1000).reshape(-1, 1)
    normalizer.inverse_transform(normalizer.fit(few).encode(few))  # loads the kernels
    rounds: list[tuple[float, ...]] = []
    for _ in range(DISK_ROUNDS):
        kept: list[Kept] = []
        read = _seconds(lambda: _read(given), given)
        fit = _seconds(lambda: normalizer.fit(Chunks(given)), given)
        write_5 = _seconds(lambda: _write(values, 5 * N_ROWS))
        read_5 = _seconds(lambda: _read(values), values)
        there = _seconds(lambda k=kept: k.extend(_encode(normalizer, given, values, modes)), given)
        write_8 = _seconds(lambda: _write(again, 8 * N_ROWS))
        back = _seconds(
            lambda k=kept: _decode(normalizer, k, values, modes, again), values, modes
        )  # fmt: skip
        rounds.append((fit, read, there, read + write_5, back, read_5 + write_8))
    memory = peak_memory_mib() / 2**10
    bars = []
    for i, name in enumerate(("fit", "transform", "inverse")):
        took, alone = (sorted(times[2 * i + j] for times in rounds) for j in (0, 1))
        ratios = [times[2 * i] / times[2 * i + 1] for times in rounds]
        middle = DISK_ROUNDS // 2
        work = f"{name} from disk ({took[middle]:.1f} s), beside its bytes ({alone[middle]:.1f} s)"
        bars.append(Bar(work, sorted(ratios)[middle], MAX_RATIO, "x", ratios))
    wrong = sum(
        int(np.count_nonzero(ours != theirs))
        for ours, theirs in zip(_ahead(given), _ahead(again), strict=True)
    )
    bars.append(Bar("memory while working from disk", memory, MAX_MEMORY, "GiB", [memory]))
    bars.append(Bar("values that do not come back exactly", wrong, 0, "", [wrong]))
    return bars


def _encode(normalizer: ModeNormalizer, given: Path, values: Path, modes: Path) -> list[Kept]:
    """Write values and modes; return of each chunk what is kept beside them."""
    kept, first_row = [], 0
    with values.open("wb") as to_values, modes.open("wb") as to_modes, _behind() as soon:
        for chunk in Chunks(given).batches():
            (column,) = normalizer.encode(chunk, first_row=first_row).columns
            soon(lambda c=column: (to_values.write(c.values), to_modes.write(c.modes)))
            kept.append((column.rows, column.kept))
            first_row += len(chunk)
        soon(lambda: (_finish(to_values), _finish(to_modes)))
    return kept


def _decode(
    normalizer: ModeNormalizer, kept: list[Kept], values: Path, modes: Path, again: Path
) -> None:
    """Write what values, modes and what is kept stand for."""
    chunks = zip(kept, _ahead(values, np.float32), _ahead(modes, np.uint8), strict=True)
    with again.open("wb") as file, _behind() as soon:
        for (rows, originals), value, mode in chunks:
            column = ColumnEncoding(value, mode, rows, originals, np.dtype(np.float64))
            x = normalizer.inverse_transform(ModeEncoding((column,), normalizer.digest_))
            soon(lambda x=x: file.write(x))
        soon(lambda: _finish(file))


def _memory_bars(given: Path) -> list[Bar]:
    """Work on rows in memory; none where they do not fit."""
    pages = "MemAvailable"
    line = next(x for x in Path("/proc/meminfo").read_text().splitlines() if x.startswith(pages))
    free, needed = 1024 * int(line.split()[1]), MEMORY * N_ROWS
    if free < needed:
        name = f"in memory: needs {needed / 1e9:.0f} GB, {free / 1e9:.0f} GB are free"
        return [Bar(name, float("nan"), 0, "", [])]
    x = np.fromfile(given).reshape(-1, 1)
    normalizer = ModeNormalizer(10, random_state=0, n_jobs=N_THREADS)
    seconds = {"fit": [_seconds(lambda: normalizer.fit(x)) for _ in range(ROUNDS)], "inverse": []}
    for encoding in ("sampled", "argmax"):
        normalizer.set_params(encoding=encoding)
        rounds = [_coded(normalizer, x) for _ in range(ROUNDS)]
        seconds[encoding] = [there for there, _ in rounds]
        seconds["inverse"] += [back for _, back in rounds]
    print(f"  copying {_copied(x, 1):.0f} GB/s on one thread, {_copied(x, 2):.0f} on two")
    share = N_ROWS / 1e9
    return [
        Bar(f"{name} in memory, {N_THREADS} threads", min(seconds[name]), bar * share, "s",
            seconds[name])
        for name, bar in IN_MEMORY.items()
    ]  # fmt: skip


def _coded(normalizer: ModeNormalizer, x: Rows) -> tuple[float, float]:
    """Return the seconds of encoding and of decoding; what comes out is dropped, to leave room."""
    there = back = 0.0
    for start in range(0, N_ROWS, PART):
        began = time.perf_counter()
        encoded = normalizer.encode(x[start : start + PART], first_row=start)
        between = time.perf_counter()
        normalizer.inverse_transform(encoded)
        there, back = there + between - began, back + time.perf_counter() - between
    return there, back


def _copied(x: Rows, n_threads: int) -> float:
    """Return how many GB a second are read and written where rows are copied in memory."""
    parts = [x[PART * i : PART * (i + 1)] for i in range(n_threads)]
    copies = [np.ones_like(part) for part in parts]
    began = time.perf_counter()
    with ThreadPoolExecutor(n_threads) as pool:
        for _ in range(10):
            list(pool.map(np.copyto, copies, parts))
    moved = 10 * sum(part.nbytes + copy.nbytes for part, copy in zip(parts, copies, strict=True))
    return moved / (time.perf_counter() - began) / 1e9


def _ahead(path: Path, dtype: np.typing.DTypeLike = np.float64) -> Iterator[NDArray[np.generic]]:
    """Yield chunks of a file, the next of which is being read meanwhile."""
    with path.open("rb", buffering=0) as file, ThreadPoolExecutor(1) as pool:

        def read() -> NDArray[np.generic]:
            return np.fromfile(file, dtype, CHUNK)

        coming = pool.submit(read)
        while len(chunk := coming.result()):
            coming = pool.submit(read)
            yield chunk


@contextmanager
def _behind() -> Iterator[Callable[[Callable[[], object]], None]]:
    """Yield a function that lets another thread work, once what it was given before is done."""
    with ThreadPoolExecutor(1) as pool:
        last = [pool.submit(int)]

        def soon(work: Callable[[], object]) -> None:
            last.pop().result()
            last.append(pool.submit(work))

        yield soon
        last.pop().result()


def _read(path: Path) -> None:
    buffer = bytearray(8 * CHUNK)
    with path.open("rb", buffering=0) as file:
        while file.readinto(buffer):
            pass


def _write(path: Path, n_bytes: int) -> None:
    buffer = np.random.default_rng(0).bytes(8 << 20)
    with path.open("wb", buffering=0) as file:
        for start in range(0, n_bytes, len(buffer)):
            file.write(buffer[: n_bytes - start])
        _finish(file)


def _finish(file: BinaryIO) -> None:
    """Wait until the bytes are on the disk."""
    file.flush()
    os.fsync(file.fileno())


def _seconds(work: Callable[[], object], *cold: Path) -> float:
    """Return the wall-clock seconds of ``work``; the files of ``cold`` are in no cache before."""
    for path in cold:
        with path.open("rb") as file:
            os.fsync(file.fileno())
            os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
    began = time.perf_counter()
    work()
    return time.perf_counter() - began
