"""`modemap search`."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from modemap.search.choice import Trial
    from modemap.search.run import Found

__all__ = ["search"]

SHOWN = {  # of each section, the numbers that decide
    "map": ("quantization_error", "topographic_error", "n_units"),
    "mixture": ("log_likelihood", "n_components"),
}


def search(
    trials: Annotated[
        int | None, typer.Option(help="Trials in all; by default search.n_trials.", min=1)
    ] = None,
    seconds: Annotated[
        float | None, typer.Option(help="Begin no trial after so long.", min=0)
    ] = None,
    jobs: Annotated[
        int | None, typer.Option(help="Processes; by default one for each core.", min=1)
    ] = None,
    storage: Annotated[
        str | None,
        typer.Option(
            help="The trials' database, as SQLAlchemy says it; by default .modemap/search.db.",
            envvar="MODEMAP_SEARCH_URL",
        ),
    ] = None,
    *,
    apply: Annotated[
        bool, typer.Option("--apply", help="Write the best into params.yaml.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON for programs.")] = False,
) -> None:
    """Look for params whose models beat the present ones on validation rows.

    A search that was stopped goes on; one that has ended only answers.

    Example: modemap search --trials 100 --apply
    """
    from modemap.estimators.checks import check_threads  # noqa: PLC0415
    from modemap.search.applying import apply as write_params  # noqa: PLC0415  # help stays fast
    from modemap.search.run import search as search_params  # noqa: PLC0415
    from modemap.stages.entry import configure_logging  # noqa: PLC0415

    configure_logging()
    root = Path.cwd()
    found = search_params(
        root, n_trials=trials, seconds=seconds, n_jobs=jobs or check_threads(-1), storage=storage
    )
    diff = write_params(root, found) if apply else None
    if as_json:
        document = _document(found) | {"applied": bool(diff), "diff": diff}
        typer.echo(json.dumps(document, indent=2, ensure_ascii=False, allow_nan=False))
    else:
        typer.echo("\n".join([*_lines(found), *_next(found, diff)]))


def _lines(found: "Found") -> Iterator[str]:
    states = [trial.state for trial in found.trials]
    counts = ", ".join(f"{states.count(state)} {state}" for state in dict.fromkeys(states))
    yield f"search {found.name}: {counts}"
    for model, best in (("map", found.best_map), ("mixture", found.best_mixture)):
        yield f"present {model:<9}{_said(found.present, model)}"
        if best is None:
            yield f"best {model:<12}none that beats it"
        else:
            yield f"best {model:<12}{_said(best, model)}, trial {best.number}"
    numbers = ", ".join(str(trial.number) for trial in found.front)
    yield f"front of {', '.join(found.params.search.objectives)}: trials {numbers}"
    yield f"picture {found.picture.relative_to(Path.cwd())}"


def _said(trial: "Trial", model: str) -> str:
    shown = [f"{_words(name)} {trial.numbers[name]:.6g}" for name in SHOWN[model]]
    return ", ".join(shown)


def _words(name: str) -> str:
    return name.removeprefix("n_").replace("_", " ")


def _next(found: "Found", diff: str | None) -> Iterator[str]:
    if not found.changes():
        yield "nothing to apply: params.yaml stays"
    elif diff is None:
        yield "write the best into params.yaml: modemap search --apply"
    else:
        yield f"{diff}train it: dvc repro"


def _document(found: "Found") -> dict[str, Any]:
    return {
        "search": found.name,
        "objectives": list(found.params.search.objectives),
        "present": found.present.number,
        "best_map": found.best_map.number if found.best_map else None,
        "best_mixture": found.best_mixture.number if found.best_mixture else None,
        "changes": found.changes(),
        "front": [trial.number for trial in found.front],
        "picture": str(found.picture.relative_to(Path.cwd())),
        "trials": [
            {
                "number": trial.number,
                "state": trial.state,
                "why": trial.why,
                "params": trial.params,
                "numbers": trial.numbers,
            }
            for trial in found.trials
        ],
    }
