"""Markdown of values that nobody vouches for. Only the standard library is needed."""

from collections.abc import Iterable, Sequence

__all__ = ["MAX_ROWS", "code", "table"]

MAX_CHARACTERS = 300  # of one value
MAX_ROWS = 40  # of one table


def table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a table of cells that are Markdown already, of at most :data:`MAX_ROWS` rows."""
    shown = list(rows)[:MAX_ROWS]
    lines = [header, ["---"] * len(header), *shown]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def code(value: object) -> str:
    """Return ``value`` as a code span that it cannot leave, for a cell of a table."""
    if value is None:
        return "-"
    text = f"{value:.6g}" if isinstance(value, float) else str(value)
    text = " ".join(text.split())
    text = "".join(letter for letter in text if letter.isprintable())
    if len(text) > MAX_CHARACTERS:
        text = f"{text[: MAX_CHARACTERS - 1]}…"
    # A backtick would end the span, a pipe the cell; backslashes would act on the pipe's escape.
    text = text.replace("`", "'").replace("\\", "/").replace("|", "\\|")
    return f"`{text}`" if text else "-"
