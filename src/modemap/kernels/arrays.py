"""The two kinds of array that kernels take: C-ordered float64 and int64."""

import numpy as np
from numpy.typing import NDArray

__all__ = ["FloatArray", "IntArray", "read_only"]

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]


def read_only(array: FloatArray) -> FloatArray:
    """Return a C-ordered view that cannot be written.

    For what kernels only read: numba would compile them once for arrays that can be written and
    once more for those that cannot, as a file mapped into memory is.
    """
    view = np.ascontiguousarray(array).view()
    view.flags.writeable = False
    return view
