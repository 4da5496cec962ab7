"""Comment on a pull request what its run came to; one comment, written again by the next run.

It runs with the default branch's code, and what it reads from the pull request's run is data: the
facts that ``modemap summary --json`` wrote, of which every value is shown as code. The number of
the pull request is GitHub's own word, not the artifact's.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from modemap.errors import DataError
from modemap.orchestration.github.client import GitHub
from modemap.orchestration.github.context import Event, read_event, run_step, variable
from modemap.reporting.summary import markdown

__all__ = ["MARK", "comment", "pull_request"]

MARK = "<!-- modemap: retrain -->"
AUTHOR = "github-actions[bot]"
MAX_BYTES = 1 << 20
PAGE = 100


def pull_request(event: Event) -> int | None:
    """Return the number of the pull request whose run ended, None for a fork's."""
    run = event.payload.get("workflow_run") or {}
    is_own = (run.get("head_repository") or {}).get("full_name") == event.repository
    found = run.get("pull_requests") or []
    if run.get("event") != "pull_request" or not is_own or len(found) != 1:
        return None
    return int(found[0]["number"])


def comment() -> None:
    """Write or replace the comment with the facts in the file that FACTS names."""
    event = read_event()
    number = pull_request(event)
    if number is None:
        print("no pull request of this repository: its summary is with its run")  # noqa: T201
        return
    run = event.payload["workflow_run"]
    link = f"[The run]({run['html_url']}) has the report and the whole log."
    body = f"{MARK}\n{markdown(_facts(Path(variable('FACTS'))))}\n{link}\n"
    github = GitHub()
    known = _own(github, number)
    if known is None:
        github.send("POST", f"issues/{number}/comments", {"body": body})
    else:
        github.send("PATCH", f"issues/comments/{known}", {"body": body})


def _facts(path: Path) -> Mapping[str, Any]:
    try:
        with path.open("rb") as file:
            data = file.read(MAX_BYTES + 1)
        facts = json.loads(data) if len(data) <= MAX_BYTES else None
    except (OSError, ValueError, RecursionError) as error:
        rule, hint = "must be a summary's JSON", "see the pull request's run"
        raise DataError(path, rule, found=error, hint=hint) from None
    if not isinstance(facts, dict):
        rule, found = f"must be a JSON mapping of at most {MAX_BYTES} bytes", "another thing"
        raise DataError(path, rule, found=found, hint="see the pull request's run")
    return facts


def _own(github: GitHub, number: int) -> int | None:
    """Return the id of the comment that an earlier run wrote, if there is one."""
    page = 1
    while comments := github.get(f"issues/{number}/comments", per_page=PAGE, page=page):
        for found in comments:
            is_ours = (found.get("user") or {}).get("login") == AUTHOR
            if is_ours and str(found.get("body")).startswith(MARK):
                return int(found["id"])
        page += 1
    return None


if __name__ == "__main__":
    run_step(comment)
