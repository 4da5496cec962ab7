"""How a case is tried, and what must hold whatever the fault was."""

import json
import re

from tests.faults.cases import FLOW, Accepted, Case, Killed, Refused, Variant
from tests.faults.project import OUTPUTS, digests, leftovers, plain, run_stage
from tests.projects import Project

MESSAGE = re.compile(r"error: (.+)\n  found: ((?:.|\n    )+)\n  hint: (.+)")


def tried(project: Project, variant: Variant, good: dict[str, str]) -> str:
    """Run the variant's stages; return what the last one answered, once that is as it must be."""
    *before, last = variant.stages
    for stage in before:
        done = run_stage(project, stage)
        assert done.returncode == 0, done.stderr
    outputs = digests(project.root)
    done = variant.run(project, last)
    if isinstance(variant.outcome, Accepted):
        assert done.returncode == 0, done.stderr
        variant.outcome.right(project.root)
        return "0: a correct result"
    after = digests(project.root)
    if isinstance(variant.outcome, Killed):
        assert done.returncode == -9
        for output in OUTPUTS[last]:
            assert below(output, after) in ({}, below(output, good))
        return "killed: each output is whole or absent"
    assert done.stdout == ""
    assert after == outputs
    return refusal(variant.outcome, done.returncode, done.stderr, project, last)


def below(output: str, found: dict[str, str]) -> dict[str, str]:
    """Return the digests of the files of one output."""
    return {name: digest for name, digest in found.items() if name.startswith(output)}


def refusal(refused: Refused, code: int, said: str, project: Project, stage: str) -> str:
    """Compare exit code and the four parts of a message with what they must be; return them."""
    assert "Traceback" not in said, said
    assert code == refused.exit_code, said
    first, found, hint = MESSAGE.findall(said)[-1]
    for part, text in (
        (refused.place, first),
        (refused.rule, first),
        (refused.found, found),
        (refused.hint, hint),
    ):
        assert part in text, said
    record = project.root / f".modemap/failures/{stage}.json"
    if record.exists():  # not where nothing can be written
        failure = json.loads(record.read_text())
        assert failure["exit_code"] == code
        assert first.endswith(f"{failure['place']}: {failure['rule']}")
        assert (failure["found"], failure["hint"]) == (found, hint)
        record.unlink()
    text = f"{first}\n  found: {found}\n  hint: {hint}"
    return f"{code}: {plain(text, project.root)}"


def check(case: Case, project: Project, answered) -> None:
    """Try every variant of ``case``; the next good run ends where the first one ended."""
    good = digests(project.root)
    for name, variant in case.variants.items():
        with variant.fault(project.root):
            answer = tried(project, variant, good)
        answered(case.title, name, answer)
        if not isinstance(variant.outcome, Killed):
            assert not leftovers(project.root), name
    for stage in dict.fromkeys(stage for v in case.variants.values() for stage in v.stages):
        if stage == FLOW:
            project.succeed("dvc", "repro")
        else:
            done = run_stage(project, stage)
            assert done.returncode == 0, done.stderr
    assert digests(project.root) == good
    assert not leftovers(project.root)
