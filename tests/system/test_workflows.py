"""GitHub's workflows, run to their end by act on this machine.

The actions that only GitHub can run are replaced by those in ``act/``; checkout is act's own: it
copies the project as git would hold it. What the steps say to GitHub goes to one on loopback.
"""

import json
import re
import shutil
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from modemap.files import read_json, sha256_file
from modemap.orchestration.github.comment import MARK
from tests.fake_github import REPOSITORY, TOKEN, FakeGitHub
from tests.projects import Project, break_contract, clone

pytestmark = [pytest.mark.system, pytest.mark.timeout(600)]

STUBS = Path(__file__).parent / "act"
TOOLS = Path(sys.executable).parent
OWN = {"full_name": REPOSITORY, "default_branch": "main"}
PULL = {"number": 7, "base": {"ref": "main"}, "head": {"ref": "feature", "repo": OWN}}
RUN_URL = f"https://github.com/{REPOSITORY}/actions/runs/2"
SMALL_SUITE = "tests/test_params.py tests/system/test_install_system.py"
AUTHOR = ("-c", "user.name=test", "-c", "user.email=test@example.org")


@dataclass
class Hub:
    """A repository whose workflows act runs, and what GitHub would keep of their runs."""

    project: Project
    github: FakeGitHub
    folder: Path
    runs: int = 0
    environment: dict[str, str] = field(default_factory=dict)

    @property
    def artifacts(self) -> Path:
        """Artifacts of all runs: RUN/NAME."""
        return self.folder / "artifacts"

    def commit(self) -> None:
        """Commit whatever was changed."""
        self.project.succeed("git", "add", "-A")
        self.project.succeed("git", *AUTHOR, "commit", "-qm", "change")

    def act(self, event: str, workflow: str, payload: dict[str, Any], *more: str) -> "Ran":
        """Run ``workflow`` as ``event`` would; a successful run becomes known to GitHub."""
        self.runs += 1
        event_file = self.folder / "event.json"
        event_file.write_text(json.dumps(payload))
        settings = self.environment | {
            "ACT_ARTIFACTS": str(self.artifacts),
            "ACT_RUN": str(self.runs),
            "ACT_VENV": sys.prefix,
            "GITHUB_API_URL": self.github.url,
        }
        done = self.project.run(
            str(TOOLS / "act"),
            event,
            f"--workflows=.github/workflows/{workflow}.yml",
            f"--eventpath={event_file}",
            "--platform=ubuntu-latest=-self-hosted",
            f"--secret=GITHUB_TOKEN={TOKEN}",
            *(f"--local-repository={pin}={stub}" for pin, stub in self.stubs()),
            *(f"--env={name}={value}" for name, value in settings.items()),
            *more,
            XDG_CACHE_HOME=str(self.folder / "cache"),
        )
        if done.returncode == 0 and event != "workflow_run":
            self.github.add_run(self.runs, event=event)
            for artifact in (self.artifacts / str(self.runs)).glob("*/"):
                self.github.add_artifact(self.runs, artifact.name)
        return Ran(self.runs, done.returncode, done.stdout + done.stderr)

    def stubs(self) -> Iterator[tuple[str, Path]]:
        """Yield each pinned action that has a stand-in, with it."""
        texts = [path.read_text() for path in (self.project.root / ".github").rglob("*.yml")]
        for pin in sorted(set(re.findall(r"uses: (\S+@\S+)", "".join(texts)))):
            stub = STUBS / pin.split("/")[1].split("@")[0]
            if stub.is_dir():
                yield pin, stub

    def saved(self) -> dict[str, str]:
        """Return the digests of all files of all saved stores."""
        files = sorted(self.artifacts.glob("*/modemap-store/**/*"))
        return {str(path): sha256_file(path) for path in files if path.is_file()}

    def facts(self, ran: "Ran") -> dict[str, Any]:
        """Return what a run came to."""
        return dict(read_json(self.artifacts / str(ran.number) / "proposal" / "summary.json"))


@dataclass(frozen=True)
class Ran:
    """A run of a workflow."""

    number: int
    code: int
    log: str

    def jobs(self) -> dict[str, str]:
        """Return how each job that ran has ended."""
        return dict(re.findall(r"^\[\w+/([^\]]+)\] 🏁  Job (\w+)", self.log, re.MULTILINE))


@pytest.fixture(scope="module")
def hub(tmp_path_factory):
    """Return a repository in which no workflow ran yet."""
    folder = tmp_path_factory.mktemp("hub")
    project = clone(folder / "project", folder / "home")
    project.succeed("git", "branch", "-M", "main")
    project.succeed("git", "remote", "add", "origin", f"https://github.com/{REPOSITORY}.git")
    with FakeGitHub() as github:
        yield Hub(project, github, folder)


@pytest.fixture(scope="module")
def first(hub):
    """Retrain on the default branch for the first time."""
    ran = hub.act("workflow_dispatch", "retrain", {"repository": OWN})
    assert ran.code == 0, ran.log
    return ran


@pytest.fixture(scope="module")
def pull(hub, first):
    """Retrain for a pull request that changes a seed."""
    assert first.code == 0
    before = hub.saved()
    hub.github.writes.clear()
    params = hub.project.root / "params.yaml"
    original = params.read_text()
    params.write_text(original.replace("random_state: 0", "random_state: 1"))
    hub.commit()
    ran = hub.act("pull_request", "retrain", {"pull_request": PULL, "repository": OWN})
    params.write_text(original)
    hub.commit()
    return ran, before


def test_the_default_branch_promotes_and_saves_the_store(hub, first):
    """The job ends well; the champion is the release that was trained, and the store is kept."""
    facts = hub.facts(first)

    assert first.jobs() == {"retrain": "succeeded", "Propose dvc.lock and metrics": "succeeded"}
    assert facts["champion"]["version"] == 1
    assert facts["champion"]["digest"] == facts["candidate"]["digest"]
    saved = hub.artifacts / str(first.number) / "modemap-store"
    assert (saved.parent / "modemap-store.days").read_text() == "90\n"
    digest = (saved / "store.tar.gz.sha256").read_text().split()[0]
    assert sha256_file(saved / "store.tar.gz") == digest
    assert "No run has saved a store yet" in first.log


def test_a_promotion_proposes_its_lock_and_metrics(hub, first):
    """One pull request holds dvc.lock and the metrics, and its words the gate's verdict."""
    (proposed,) = hub.github.pulls
    files = hub.github.files("modemap/retrain")

    assert "| `contract` | `passed` |" in proposed["body"]
    assert hub.facts(first)["candidate"]["digest"] in files["reports/evaluate.json"]
    assert sorted(files) == sorted(
        ["README.md", "dvc.lock"]
        + [f"reports/{path.name}" for path in (hub.project.root / "reports").glob("*.json")]
    )


def test_the_report_is_uploaded(hub, first):
    """Pictures and metrics are there; the rows with their scores stay where they are."""
    report = hub.artifacts / str(first.number) / "report"

    assert (report / "evaluate.json").is_file()
    assert list(report.glob("train_som/*.png"))
    assert not (report / "scores.parquet").exists()


def test_a_pull_request_is_trained_and_judged(hub, pull):
    """The store of the default branch is restored, and the release meets its champion."""
    ran, _ = pull
    facts = hub.facts(ran)

    assert ran.jobs() == {"retrain": "succeeded" if ran.code == 0 else "failed"}
    assert "Task run 'train_som' - train_som:" in ran.log
    assert re.search(r"restored: \d+ artifacts", ran.log)
    assert "until 2027-02-20" in ran.log
    assert facts["champion"]["version"] == facts["verdict"]["champion"] == 1
    assert facts["candidate"]["digest"] != facts["champion"]["digest"]
    assert ran.code == 0 or facts["verdict"]["passed"] is False


def test_a_pull_request_leaves_registry_and_store_untouched(hub, pull):
    """Nothing is registered, promoted, saved or proposed, whatever the gate says."""
    ran, before = pull

    assert "Task run 'register'" not in ran.log
    assert "Task run 'promote" not in ran.log
    assert hub.facts(ran)["verdict"]["version"] is None
    assert hub.saved() == before
    assert not (hub.artifacts / str(ran.number) / "modemap-store").exists()
    assert "make push" not in ran.log
    assert hub.github.writes == []


def test_a_pull_request_gets_one_comment(hub, pull):
    """Another workflow writes it, with the facts of the run alone."""
    ran, _ = pull
    artifacts = hub.artifacts / str(ran.number)
    run = {"id": ran.number, "event": "pull_request", "head_repository": OWN, "html_url": RUN_URL}
    payload = {"workflow_run": run | {"pull_requests": [{"number": 7}]}, "repository": OWN}

    done = hub.act("workflow_run", "comment", payload)

    assert done.jobs() == {"Comment on the pull request": "succeeded"}, done.log
    assert artifacts.is_dir()
    (written,) = hub.github.comments[7]
    assert written["body"].startswith(MARK)
    assert "champion, version `1`" in written["body"]
    assert hub.facts(ran)["candidate"]["digest"][:16] in written["body"]


def test_a_broken_batch_stops_the_run_and_nothing_is_saved(hub, first, promoted_copy, tmp_path):
    """A drift event with bad data ends with the contract's words; the store stays as it was."""
    broken = promoted_copy(tmp_path)
    flight = break_contract(broken)
    for name in ("flights.parquet", "params.yaml", "dvc.yaml"):
        shutil.copyfile(broken.root / name, hub.project.root / name)
    hub.commit()
    before, known = hub.saved(), len(hub.github.pulls)
    assert first.code == 0

    ran = hub.act("repository_dispatch", "retrain", {"action": "drift", "repository": OWN})

    hub.project.succeed("git", *AUTHOR, "revert", "--no-edit", "HEAD")
    assert ran.code == 1
    assert ran.jobs() == {"retrain": "failed"}
    assert "expect_column_values_to_be_between" in ran.log
    assert flight in ran.log
    assert hub.saved() == before
    assert len(hub.github.pulls) == known
    facts = hub.facts(ran)
    assert [failure["stage"] for failure in facts["failures"]] == ["validate"]
    assert facts["candidate"] is None
    assert facts["champion"]["version"] == 1
    assert "A stage stopped; the champion stays" in ran.log


def test_a_damaged_store_is_not_restored(hub, first):
    """A store with a changed byte stops the run before anything is trained."""
    archive = hub.artifacts / str(first.number) / "modemap-store" / "store.tar.gz"
    original = archive.read_bytes()
    archive.write_bytes(original[:-1] + bytes([original[-1] ^ 1]))

    ran = hub.act("schedule", "retrain", {"schedule": "17 3 * * 1"})

    archive.write_bytes(original)
    assert ran.jobs() == {"retrain": "failed"}
    assert "must have the sha256" in ran.log
    assert "Beginning flow run" not in ran.log


def test_ci_checks_and_tests(hub):
    """The job goes through `make test` and `make test-all`, here on a few tests."""
    ran = ci(hub)

    assert list(ran.jobs().values()) == ["succeeded"], ran.log
    assert len(re.findall(r"\d+ passed", ran.log)) == 2


def test_ci_stops_at_the_first_failure(hub):
    """A broken params.yaml fails `make test`, and `make test-all` is not begun."""
    params = hub.project.root / "params.yaml"
    params.write_text(params.read_text().replace("n_seeds: 3", "n_seeds: 0"))
    hub.commit()

    ran = ci(hub)

    hub.project.succeed("git", *AUTHOR, "revert", "--no-edit", "HEAD")
    assert list(ran.jobs().values()) == ["failed"]
    assert "n_seeds" in ran.log
    assert "Run Main make test-all" not in ran.log


def ci(hub: Hub) -> Ran:
    """Run the job of `ci.yml` that runs everything, on a small suite."""
    small = ("--matrix=python:3.11", f"--env=TESTS={SMALL_SUITE}")
    return hub.act("push", "ci", {"ref": "refs/heads/main", "repository": OWN}, *small)
