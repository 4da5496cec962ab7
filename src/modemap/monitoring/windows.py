"""K of N windows: one odd window is no alarm, and an alarm does not flap."""

from collections.abc import Sequence

__all__ = ["k_of_n"]


def k_of_n(answers: Sequence[bool | None], k: int, n: int) -> bool | None:
    """Tell whether at least ``k`` of the last ``n`` windows drifted.

    Parameters
    ----------
    answers : sequence of bool or None
        Of the windows, the latest last; None of one that could not be checked.
    k, n : int
        With ``1 <= k <= n``. Windows that are still to come count as not checked.

    Returns
    -------
    bool or None
        None where the windows that were not checked could decide either way.

    Examples
    --------
    >>> k_of_n([False, True, True], k=2, n=3)
    True
    >>> k_of_n([False, None, True], k=2, n=3) is None
    True
    """
    if not 1 <= k <= n:
        raise ValueError(f"k must lie between 1 and n = {n}, got {k}")
    last = list(answers)[-n:]
    n_drifted = sum(answer is True for answer in last)
    n_unknown = n - sum(answer is not None for answer in last)
    if n_drifted >= k:
        return True
    return None if n_drifted + n_unknown >= k else False
