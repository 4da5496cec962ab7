"""Compile a kernel at its first call, and keep the machine code where it cannot grow stale.

numba's disk cache watches only the file of the compiled function and sits beside it, which fails
where the sources are read-only. Here the cache folder carries a digest of all sources of this
folder, and the first place that can be written is taken: ``NUMBA_CACHE_DIR`` if set, the sources'
``__pycache__``, the user's cache folder, and a private folder among the temporary files. What was
compiled into a place that cannot be written, as an image's is, is copied to the one that can.
"""

import functools
import hashlib
import os
import shutil
import stat
import tempfile
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

__all__ = ["Kernel", "cache_folder", "is_compiled", "jit", "kernel"]

SOURCES = Path(__file__).parent

_compiling = threading.RLock()


class Kernel:
    """A function that numba compiles when it is first called.

    Attributes
    ----------
    portable : callable
        The NumPy twin: same arguments, same result. It takes over where numba's compiler is
        switched off by ``NUMBA_DISABLE_JIT=1``.
    """

    def __init__(self, function: Callable[..., None], portable: Callable[..., None]) -> None:
        functools.update_wrapper(self, function)
        self.portable = portable
        self._function = function
        self._compiled: Callable[..., None] | None = None

    def __call__(self, *arrays: Any) -> None:
        """Run the compiled function, or the twin, on ``arrays``."""
        if self._compiled is None:
            self._compiled = self._compile()
        self._compiled(*arrays)

    def _compile(self) -> Callable[..., None]:
        import numba  # noqa: PLC0415  (half a second that only callers of kernels pay)

        if numba.config.DISABLE_JIT:
            return self.portable
        return jit(self._function)


def kernel(portable: Callable[..., None]) -> Callable[[Callable[..., None]], Kernel]:
    """Return a decorator that makes a :class:`Kernel` with ``portable`` as its twin."""
    return lambda function: Kernel(function, portable)


def jit(function: Callable[..., Any]) -> Callable[..., Any]:
    """Decorate a function that numba compiles at its first call, in the cache of these sources.

    For modules that are imported by callers of their kernels alone, since numba takes half a
    second to import. Division by zero gives infinity or NaN, as in NumPy. Kernels are compiled into
    the kernels that call them: otherwise every call counts references to its arrays, which took a
    tenth of online training.
    """
    import numba  # noqa: PLC0415

    with _compiling:
        users = numba.config.CACHE_DIR
        numba.config.CACHE_DIR = str(cache_folder(users))
        try:
            decorate = numba.njit(cache=True, nogil=True, error_model="numpy", forceinline=True)
            compiled: Callable[..., Any] = decorate(function)
        finally:
            numba.config.CACHE_DIR = users
        return compiled


def is_compiled() -> bool:
    """Whether numba's compiler is on; intrinsics cannot run where it is switched off."""
    import numba  # noqa: PLC0415

    return not numba.config.DISABLE_JIT


def cache_folder(chosen: str = "") -> Path:
    """Return a folder that can be written and belongs to these very sources.

    Parameters
    ----------
    chosen : str
        The user's own choice of a cache folder; the others are tried where it is empty.
    """
    name = f"modemap-{_digest(SOURCES)}"
    compiled = None
    for parent in _parents(chosen):
        folder = parent / name
        if _is_writable(folder):
            break
        compiled = compiled or (folder if folder.is_dir() else None)
    else:
        folder = _private_temporary_folder(name)
    if compiled:
        _fill(folder, compiled)
    return folder


@functools.cache
def _digest(sources: Path) -> str:
    digest = hashlib.sha256()
    for source in sorted(sources.rglob("*.py")):
        digest.update(hashlib.sha256(source.read_bytes()).digest())
    return digest.hexdigest()[:16]


def _parents(chosen: str) -> Iterator[Path]:
    if chosen:
        yield Path(chosen)
        return
    yield SOURCES / "__pycache__"
    cache_home = os.environ.get("XDG_CACHE_HOME")
    home = os.environ.get("HOME")
    if cache_home:
        yield Path(cache_home)
    elif home:
        yield Path(home) / ".cache"


def _is_writable(folder: Path) -> bool:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            return True
    except OSError:
        return False


def _fill(folder: Path, compiled: Path) -> None:
    """Copy ``compiled`` into ``folder`` at once, unless something was compiled there already."""
    temporary = Path(tempfile.mkdtemp(dir=folder.parent, prefix=f".{folder.name}."))
    try:
        shutil.copytree(compiled, temporary, dirs_exist_ok=True)
        temporary.chmod(stat.S_IMODE(folder.stat().st_mode))
        temporary.replace(folder)  # which the system refuses unless the folder is empty
    except OSError:
        shutil.rmtree(temporary, ignore_errors=True)


def _private_temporary_folder(name: str) -> Path:
    """Return a folder nobody else can write: what numba finds in its cache it unpickles."""
    folder = Path(tempfile.gettempdir()) / f"{name}-{os.getuid()}"
    try:
        folder.mkdir(mode=0o700, exist_ok=True)
        found = folder.stat()
    except OSError:
        return Path(tempfile.mkdtemp(prefix=name))
    is_ours = found.st_uid == os.getuid() and not folder.is_symlink()
    if is_ours and not found.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
        return folder
    return Path(tempfile.mkdtemp(prefix=name))
