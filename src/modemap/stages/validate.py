"""Hold every batch to the data contract; a broken one stops the run, its rows set aside."""

from functools import partial
from pathlib import Path

from modemap.data.contract import check_contract
from modemap.data.kept import Kept
from modemap.data.memory import Memory, memory_of
from modemap.data.quarantine import contract_error, quarantine
from modemap.data.suite import read_suite
from modemap.files import write_json
from modemap.params import Params, ValidateParams
from modemap.stages.entry import run_stage
from modemap.stages.progress import track

__all__ = ["validate"]

KEPT = Path(".modemap/kept/validate")


def validate(
    raw: Path,
    report: Path,
    rejected: Path,
    params: ValidateParams,
    *,
    kept: Kept | None = None,
    memory: Memory | None = None,
) -> dict[str, object]:
    """Check the batches in ``raw``; write ``report`` only if they keep the contract.

    Offending rows are copied to ``rejected`` with a report for each broken batch. ``raw`` is only
    read. What is learned of a batch is found and left in ``kept``.

    Raises
    ------
    DataError
        If a batch cannot be read or breaks a rule.
    ParamsError
        If the suite's file breaks a rule of its own.
    """
    suite = read_suite(Path(params.suite))
    documents, broken = [], []
    evaluated = 0
    watch = partial(track, what="validating batches")
    for judgement in check_contract(raw, suite, kept, watch, memory):
        documents.append(judgement.document())
        evaluated += sum(outcome.evaluated for outcome in judgement.outcomes)
        if judgement.broken:
            broken.append((judgement, quarantine(rejected, raw, suite, judgement)))
    if broken:
        raise contract_error(rejected, suite, broken)
    numbers: dict[str, object] = {
        "batches": sum(document["digest"] is not None for document in documents),
        "expectations": len(suite.rules),
        "evaluated": evaluated,
    }
    write_json(report, {**numbers, "suite": suite.path.name, "judgements": documents})
    return numbers


def _stage(params: Params) -> dict[str, object]:
    with Kept(KEPT).pruned() as kept:
        return validate(
            raw=Path("data/raw"),
            report=Path("reports/validate.json"),
            rejected=Path("data/quarantine"),
            params=params.validate_,
            kept=kept,
            memory=memory_of(params.memory_limit),
        )


if __name__ == "__main__":
    run_stage("validate", _stage)
