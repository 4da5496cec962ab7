"""One thread for the linear algebra of a fit: how many there are changes the bits of its sums.

Ours are threads over fixed chunks, added in a fixed order. BLAS cuts a product as its threads are,
and waking them for a small one takes longer than the product.
"""

import functools
from collections.abc import Iterator
from contextlib import contextmanager

from threadpoolctl import ThreadpoolController

__all__ = ["one_blas_thread"]


@contextmanager
def one_blas_thread() -> Iterator[None]:
    """Keep BLAS to one thread while the block runs.

    The limit is the process's: of fits that overlap in several Python threads the first to begin
    sets it, and it ends with that one.
    """
    with _controller().limit(limits=1, user_api="blas"):
        yield


@functools.cache
def _controller() -> ThreadpoolController:
    """Find the libraries once: NumPy's and SciPy's are loaded when a fit begins."""
    return ThreadpoolController()
