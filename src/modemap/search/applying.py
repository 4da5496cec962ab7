"""The best of a search written into params.yaml."""

from pathlib import Path

from modemap.errors import ParamsError
from modemap.files import write_bytes
from modemap.params import PARAMS_FILE, load_params
from modemap.search.changes import changed, difference
from modemap.search.run import Found

__all__ = ["apply"]


def apply(root: Path, found: Found) -> str:
    """Write the best map and mixture into params.yaml at once; return the diff, "" if none.

    Raises
    ------
    ParamsError
        If the file was changed while the search ran.
    """
    path = root / PARAMS_FILE
    text = path.read_bytes().decode()
    if load_params(path) != found.params:
        raise ParamsError(
            path,
            "must be as it was when the search began",
            found="other values",
            hint="repeat the command: it searches from these",
        )
    new = changed(text, found.changes())
    if new != text:
        write_bytes(path, new.encode())
    return difference(text, new, PARAMS_FILE.name)
