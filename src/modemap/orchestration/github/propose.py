"""Propose what a promotion left behind, dvc.lock and the metrics, as a pull request.

The commit is made through GitHub's interface on top of the default branch, so no credentials of git
are needed, and one branch is used again: an open pull request is updated.
"""

from pathlib import Path
from typing import Any

from modemap.errors import DataError
from modemap.files import read_json
from modemap.orchestration.github.client import GitHub
from modemap.orchestration.github.context import append_summary, run_step, variable
from modemap.reporting.summary import markdown

__all__ = ["BRANCH", "propose", "proposed_files"]

BRANCH = "modemap/retrain"
TITLE = "Commit dvc.lock and metrics of the champion"
NOTE = (
    "A promotion on the default branch left these results. Merging them changes no code and starts"
    " no training; `dvc metrics diff` then compares with what is served."
)
FACTS = "summary.json"


def proposed_files(folder: Path) -> dict[str, str]:
    """Return path and text of dvc.lock and the metrics below ``folder``.

    Raises
    ------
    DataError
        If there is no dvc.lock.
    """
    lock = folder / "dvc.lock"
    if not lock.is_file():
        rule, hint = "a promotion leaves its dvc.lock", "see the artifact `proposal` of the run"
        raise DataError(lock, rule, found="no such file", hint=hint)
    paths = [lock, *sorted((folder / "reports").glob("*.json"))]
    return {path.relative_to(folder).as_posix(): path.read_text("utf-8") for path in paths}


def propose() -> None:
    """Open or update the pull request with the files in the folder that PROPOSAL names."""
    folder = Path(variable("PROPOSAL"))
    github = GitHub()
    base = github.get("")["default_branch"]
    commit = _commit(github, base, proposed_files(folder))
    if commit is None:
        append_summary(f"`{base}` holds the champion's dvc.lock and metrics already.")
        return
    _point(github, commit)
    facts = read_json(folder / FACTS) if (folder / FACTS).is_file() else {}
    content = {"title": TITLE, "body": f"{NOTE}\n\n{markdown(facts)}"}
    owner = github.repository.partition("/")[0]
    known = github.get("pulls", head=f"{owner}:{BRANCH}", base=base, state="open")
    if known:
        pull = github.send("PATCH", f"pulls/{known[0]['number']}", content)
    else:
        pull = github.send("POST", "pulls", content | {"head": BRANCH, "base": base})
    append_summary(f"Pull request {pull['number']} proposes dvc.lock and the metrics.")


def _commit(github: GitHub, base: str, files: dict[str, str]) -> str | None:
    """Commit ``files`` on top of ``base``; return the commit, None if they change nothing."""
    head = github.get(f"git/ref/heads/{base}")["object"]["sha"]
    tree = github.get(f"git/commits/{head}")["tree"]["sha"]
    entries: list[dict[str, Any]] = [
        {"path": path, "mode": "100644", "type": "blob", "content": text}
        for path, text in files.items()
    ]
    made = github.send("POST", "git/trees", {"base_tree": tree, "tree": entries})["sha"]
    if made == tree:
        return None
    body = {"message": TITLE, "tree": made, "parents": [head]}
    return str(github.send("POST", "git/commits", body)["sha"])


def _point(github: GitHub, commit: str) -> None:
    """Let the branch name ``commit``, whatever it named before."""
    if github.find(f"git/ref/heads/{BRANCH}") is None:
        github.send("POST", "git/refs", {"ref": f"refs/heads/{BRANCH}", "sha": commit})
    else:
        github.send("PATCH", f"git/refs/heads/{BRANCH}", {"sha": commit, "force": True})


if __name__ == "__main__":
    run_step(propose)
