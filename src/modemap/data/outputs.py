"""Outputs of commands that read a source: none may take the place of what is read."""

from collections.abc import Iterable
from pathlib import Path

from modemap.errors import ParamsError

__all__ = ["check_spares"]


def check_spares(output: Path, sources: Iterable[Path], command: str) -> None:
    """Refuse ``output`` where it is one of ``sources``, by whatever name or link.

    Raises
    ------
    ParamsError
        If it is.
    """
    for source in sources:
        if _is_same(output, source):
            raise ParamsError(
                f"{command}: {output}",
                "the output must not take the place of what is read",
                found=f"the same file as {source}",
                hint="name another file to write",
            )


def _is_same(one: Path, other: Path) -> bool:
    if one.resolve() == other.resolve():
        return True
    return one.exists() and other.exists() and one.samefile(other)
