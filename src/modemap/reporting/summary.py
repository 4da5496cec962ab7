"""The facts of a run as Markdown for GitHub's pages.

The facts may come from a pull request, so nothing in them is trusted: every value is shown as code,
where Markdown knows no links, mentions or HTML, and in bounded length. Only the standard library is
needed, so that a job without any package can call it.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

__all__ = ["markdown"]

MAX_CHARACTERS = 300  # of one value
MAX_ROWS = 40  # of one table


def markdown(facts: Mapping[str, Any]) -> str:
    """Return the summary of a run.

    Parameters
    ----------
    facts : mapping
        As :func:`modemap.lifecycle.summary.summary` gives them; what has another form is left out.
    """
    candidate, champion = _mapping(facts, "candidate"), _mapping(facts, "champion")
    verdict = _mapping(facts, "verdict")
    blocks = [f"## {_headline(facts, candidate, champion, verdict)}"]
    for failure in _mappings(facts, "failures"):
        names = ("place", "rule", "found", "hint", "exit_code")
        rows = [(name.replace("_", " "), _code(failure.get(name))) for name in names]
        blocks.append(_table((f"stage {_code(failure.get('stage'))}", "stopped"), rows))
    if verdict:
        results = _mappings(verdict, "results")
        columns = ("rule", "outcome", "value", "bound", "why")
        judged = [tuple(_code(result.get(name)) for name in columns) for result in results]
        blocks += ["### The gate, rule by rule", _table(columns, judged)]
    if candidate or champion:
        blocks += ["### On test rows", _metrics(candidate, champion)]
    if champion.get("anchor"):
        blocks.append(f"The history's head, for `modemap verify`: {_code(champion['anchor'])}")
    return "\n\n".join(blocks) + "\n"


def _headline(
    facts: Mapping[str, Any],
    candidate: Mapping[str, Any],
    champion: Mapping[str, Any],
    verdict: Mapping[str, Any],
) -> str:
    if _mappings(facts, "failures"):
        return "A stage stopped; the champion stays"
    if not candidate:
        return "No release was made"
    if champion and champion.get("digest") == candidate.get("digest"):
        return f"This release is the champion, version {_code(champion.get('version'))}"
    if not verdict:
        return "The release was not judged"
    if verdict.get("passed") is not True:
        return "The gate stopped the release; the champion stays"
    return "The release passed the gate; it is not promoted"


def _metrics(candidate: Mapping[str, Any], champion: Mapping[str, Any]) -> str:
    ours, theirs = _mapping(candidate, "metrics"), _mapping(champion, "metrics")
    names = sorted({*ours, *theirs}, key=str)
    rows = [
        ("release", _digest(candidate), _digest(champion)),
        *((_code(name), _code(ours.get(name)), _code(theirs.get(name))) for name in names),
    ]
    version = f"champion, version {_code(champion.get('version'))}" if champion else "no champion"
    return _table(("metric", "this release", version), rows)


def _digest(release: Mapping[str, Any]) -> str:
    return _code(str(release["digest"])[:16]) if release.get("digest") else "-"


def _table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    shown = list(rows)[:MAX_ROWS]
    lines = [header, ["---"] * len(header), *shown]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _code(value: object) -> str:
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


def _mapping(facts: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    value = facts.get(name)
    return value if isinstance(value, Mapping) else {}


def _mappings(facts: Mapping[str, Any], name: str) -> list[Mapping[str, Any]]:
    values = facts.get(name)
    if not isinstance(values, list):
        return []
    return [value for value in values[:MAX_ROWS] if isinstance(value, Mapping)]
