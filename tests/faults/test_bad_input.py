"""Every stage against bad data, params and files: a message and a code, and nothing lost."""

import json

import pytest

from tests.faults.cases import CASES, Accepted, Case, Refused, Variant
from tests.faults.project import digests, leftovers, plain, run_stage
from tests.projects import Project

pytestmark = pytest.mark.workflow


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.title)
def test_bad_input_is_refused_or_answered_rightly(case: Case, small: Project, answered):
    """The documented code and the four parts of the message, or a correct result; never a loss."""
    good = digests(small.root)
    for name, variant in case.variants.items():
        with variant.fault(small.root):
            answer = tried(small, variant)
        answered(case.title, name, answer)
        assert not leftovers(small.root)

    for stage in dict.fromkeys(stage for v in case.variants.values() for stage in v.stages):
        assert run_stage(small, stage).returncode == 0
    assert digests(small.root) == good


def tried(project: Project, variant: Variant) -> str:
    """Run the variant's stages; return what the last one answered, once that is as it must be."""
    *before, last = variant.stages
    for stage in before:
        done = run_stage(project, stage)
        assert done.returncode == 0, done.stderr
    outputs = digests(project.root)
    done = run_stage(project, last)
    if isinstance(variant.outcome, Accepted):
        assert done.returncode == 0, done.stderr
        variant.outcome.right(project.root)
        return "a correct result"
    check_refusal(variant.outcome, done.returncode, done.stderr, project, last)
    assert digests(project.root) == outputs
    return f"{done.returncode}: {plain(done.stderr, project.root)}"


def check_refusal(refused: Refused, code: int, said: str, project: Project, stage: str) -> None:
    """Compare exit code and the four parts of a message, as printed and as left for the flow."""
    assert "Traceback" not in said, said
    assert code == refused.exit_code, said
    failure = json.loads(project.read(f".modemap/failures/{stage}.json"))
    assert failure["exit_code"] == code
    for part in ("place", "rule", "found", "hint"):
        assert failure[part], said
        assert getattr(refused, part) in failure[part], f"{part}\n{said}"
        assert failure[part] in said
