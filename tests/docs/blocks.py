"""The ledger of the fenced blocks of docs/: what runs each of them, or why nothing does.

Python runs in `test_blocks.py`, settings in YAML are read by it, and every `modemap` command in
any block is parsed by the program's own parser. Beyond that a block is run by the test that stands
here, or the reason stands here why it is not.
"""

import re
from dataclasses import dataclass
from pathlib import Path

from tests.projects import CHECKOUT

DOCS = CHECKOUT / "docs"
FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
DRAWN = ("mermaid", "math")  # the build of the site reads these, strictly


@dataclass(frozen=True)
class Block:
    """A fenced block of a page."""

    page: str
    language: str
    text: str

    @property
    def name(self) -> str:
        """Page and first line."""
        return f"{self.page}: {self.text.splitlines()[0]}"


@dataclass(frozen=True)
class By:
    """The test that does what the block does, as file and function."""

    test: str


HERE = By("docs/test_blocks.py::test_modes_are_fitted_and_inverted_as_the_tutorial_says")
ELSEWHERE: dict[str, tuple[By | str, ...]] = {  # page -> what runs its blocks, in their order
    "coming-from-rdt.md": (By("peers/test_rdt_and_ctgan.py::test_ctgan_transforms_by_our_modes"),),
    "compose.md": (By("system/test_compose.py::test_every_command_runs_and_is_found_healthy"),),
    "container.md": (By("system/test_container.py::test_docker_run_does_the_main_job"),),
    "dask.md": (
        "installs a package from an index",
        "starts a cluster on several machines, with an address of nobody's",
        By("engine/test_bytes.py::test_collections_are_fitted_as_what_they_hold"),
    ),
    "deployments.md": (By("workflow/test_deploy.py::test_a_worker_judges_the_release"),),
    "drift.md": (By("lifecycle/test_drift.py::test_drift_exits_with_4_and_is_explained"),),
    "explain.md": (
        By("lifecycle/test_explain.py::test_the_command_tells_people_and_programs"),
        "what the command prints of the packaged flights",
        "what the command prints of the packaged flights",
        By("lifecycle/test_explain.py::test_the_page_is_true"),
    ),
    "export.md": (
        By("lifecycle/test_export.py::test_the_command_writes_both_models"),
        By("lifecycle/test_export.py::test_the_page_is_true"),
    ),
    "kubernetes.md": (
        By("packaging/test_kubernetes.py::test_a_kustomization_names_the_files_that_there_are"),
        By("packaging/test_kubernetes.py::test_a_kustomization_names_the_files_that_there_are"),
        "makes a secret in a cluster",
        By("packaging/test_kubernetes.py::test_the_hosting_image_answers_as_platforms_ask"),
        "packs a folder, whose digest a service checks when it loads it",
    ),
    "loop.md": (By("workflow/test_loop.py::test_drift_starts_a_retraining_that_answers_it"),),
    "pictures.md": (
        By("plot/test_page.py::test_every_block_runs"),
        By("plot/test_page.py::test_every_block_runs"),
    ),
    "registry.md": (By("lifecycle/test_approve.py::test_an_approved_version_is_promoted"),),
    "remotes.md": (
        By("workflow/test_remotes.py::test_a_fresh_clone_pulls_what_was_pushed"),
        "sets variables of the environment, with an account of nobody's",
    ),
    "rollouts.md": (By("lifecycle/test_rollout.py::test_the_commands_say_what_they_did"),),
    "search.md": (By("search/test_search.py::test_the_command_prints_data_or_words"),),
    "serving.md": (
        By("serving/test_serve.py::test_a_new_champion_takes_over_and_no_request_fails"),
        By("serving/test_answers.py::test_rows_are_scored_as_the_release_scores_them"),
        By("lifecycle/test_drift.py::test_a_version_is_compared_with_its_own_rows"),
    ),
    "sources.md": (
        "a list of files, no command",
        By("system/test_postgresql_source.py::test_rows_are_typed_and_in_order"),
    ),
    "tutorials/anomalies.md": (By("lifecycle/test_score.py::test_the_command_says_what_it_wrote"),),
    "tutorials/billion-rows.md": (HERE,),
    "tutorials/team.md": (
        By("workflow/test_remotes.py::test_a_fresh_clone_pulls_what_was_pushed"),
        By("system/test_race.py::test_of_many_promotions_at_once_one_wins"),
    ),
}


def pages() -> list[Path]:
    """Return the pages of docs/."""
    return sorted(DOCS.rglob("*.md"))


def blocks(*languages: str) -> list[Block]:
    """Return the blocks in these languages, by default all."""
    return [
        Block(str(page.relative_to(DOCS)), language, text)
        for page in pages()
        for language, text in FENCE.findall(page.read_text(encoding="utf-8"))
        if not languages or language in languages
    ]


def is_run_here(block: Block) -> bool:
    """Whether `test_blocks.py` runs or reads the whole block by itself."""
    if block.language == "python":
        return block.page not in {
            "coming-from-rdt.md",
            "dask.md",
            "explain.md",
            "export.md",
            "pictures.md",
        }
    return block.language == "yaml" or block.language in DRAWN
