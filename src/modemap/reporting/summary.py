"""The facts of a run as Markdown for GitHub's pages.

The facts may come from a pull request, so nothing in them is trusted: every value is shown as code,
where Markdown knows no links, mentions or HTML, and in bounded length. Only the standard library is
needed, so that a job without any package can call it.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from modemap.reporting.markdown import MAX_ROWS, code, table

__all__ = ["markdown"]

DIFFERENCES = (
    ("quantization_error", "error_change"),
    ("log_likelihood", "likelihood_change"),
)


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
        rows = [(name.replace("_", " "), code(failure.get(name))) for name in names]
        blocks.append(table((f"stage {code(failure.get('stage'))}", "stopped"), rows))
    if verdict:
        results = _mappings(verdict, "results")
        columns = ("rule", "outcome", "value", "bound", "why")
        judged = [tuple(code(result.get(name)) for name in columns) for result in results]
        blocks += ["### The gate, rule by rule", table(columns, judged)]
    if candidate or champion:
        blocks += ["### On test rows", _metrics(candidate, champion)]
    if comparison := _mapping(facts, "comparison"):
        blocks += ["### Beside the champion, on the same test rows", *_compared(comparison)]
    if champion.get("anchor"):
        blocks.append(f"The history's head, for `modemap verify`: {code(champion['anchor'])}")
    return "\n\n".join(blocks) + "\n"


def _headline(
    facts: Mapping[str, Any],
    candidate: Mapping[str, Any],
    champion: Mapping[str, Any],
    verdict: Mapping[str, Any],
) -> str:
    stays = "the champion stays" if champion else "nothing is promoted"
    if _mappings(facts, "failures"):
        return f"A stage stopped; {stays}"
    if not candidate:
        return "No release was made"
    if champion and champion.get("digest") == candidate.get("digest"):
        return f"This release is the champion, version {code(champion.get('version'))}"
    if not verdict:
        return "The release was not judged"
    if verdict.get("passed") is not True:
        return f"The gate stopped the release; {stays}"
    return "The release passed the gate; it is not promoted"


def _metrics(candidate: Mapping[str, Any], champion: Mapping[str, Any]) -> str:
    ours, theirs = _mapping(candidate, "metrics"), _mapping(champion, "metrics")
    names = sorted({*ours, *theirs}, key=str)
    rows = [
        ("release", _digest(candidate), _digest(champion)),
        *((code(name), code(ours.get(name)), code(theirs.get(name))) for name in names),
    ]
    version = f"champion, version {code(champion.get('version'))}" if champion else "no champion"
    return table(("metric", "this release", version), rows)


def _compared(comparison: Mapping[str, Any]) -> Iterator[str]:
    """Yield how the release differs from the champion: metrics, rows, settings, data."""
    if "refused" in comparison:
        yield f"They cannot be compared: {code(comparison['refused'])}"
        return
    header = ("mean over test rows", "champion", "this release", "difference", "95 % interval")
    yield table(header, (_difference(comparison, *names) for names in DIFFERENCES))
    unusual = _several(comparison, "unusual", 3)
    yield table(
        ("rows", "found"),
        (
            ("test rows", code(comparison.get("n_rows"))),
            ("share in another segment", code(comparison.get("moved_share"))),
            ("agreement of segments", code(comparison.get("segment_agreement"))),
            ("agreement of places on the maps", code(comparison.get("map_agreement"))),
            ("unusual for both", code(unusual[0])),
            ("unusual for the champion alone", code(unusual[1])),
            ("unusual for this release alone", code(unusual[2])),
        ),
    )
    if params := _mapping(comparison, "params"):
        changed = ((code(name), *map(code, _several(params, name, 2))) for name in params)
        yield table(("setting", "champion", "this release"), changed)
    batches = _several(comparison, "batches", 2)
    for who, sources in zip(("the champion", "this release"), batches, strict=True):
        if isinstance(sources, list) and sources:
            yield table((f"data of {who} alone", ""), ((code(source), "") for source in sources))


def _difference(comparison: Mapping[str, Any], name: str, change: str) -> tuple[str, ...]:
    interval = _mapping(comparison, change)
    values = (*_several(comparison, name, 2), interval.get("mean"))
    ends = f"{code(interval.get('low'))} to {code(interval.get('high'))}"
    return (name.replace("_", " "), *map(code, values), ends)


def _several(facts: Mapping[str, Any], name: str, n: int) -> list[Any]:
    """Return the ``n`` values under ``name``, None for each that is not there."""
    values = facts.get(name)
    found = list(values) if isinstance(values, list | tuple) else []
    return [*found[:n], *[None] * (n - len(found))]


def _digest(release: Mapping[str, Any]) -> str:
    return code(str(release["digest"])[:16]) if release.get("digest") else "-"


def _mapping(facts: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    value = facts.get(name)
    return value if isinstance(value, Mapping) else {}


def _mappings(facts: Mapping[str, Any], name: str) -> list[Mapping[str, Any]]:
    values = facts.get(name)
    if not isinstance(values, list):
        return []
    return [value for value in values[:MAX_ROWS] if isinstance(value, Mapping)]
