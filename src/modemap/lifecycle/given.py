"""Sources that were named on the command line: messages do not send people to params.yaml."""

from collections.abc import Iterator
from contextlib import contextmanager

from modemap.errors import DataError

__all__ = ["given_by_hand"]

SETTING = "ingest.source"


@contextmanager
def given_by_hand() -> Iterator[None]:
    """Take the setting out of the hint of a DataError: the source was not read from there."""
    try:
        yield
    except DataError as error:
        if SETTING not in error.hint:
            raise
        hint = error.hint.replace(f" in {SETTING}", "").replace(f" of {SETTING}", "")
        raise DataError(error.place, error.rule, found=error.found, hint=hint) from None
