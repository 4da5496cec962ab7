"""Hold every batch to the data contract; a broken one stops the run, its rows set aside."""

from pathlib import Path

from modemap.data.contract import check_contract
from modemap.data.quarantine import contract_error, quarantine
from modemap.data.suite import read_suite
from modemap.files import write_json
from modemap.params import ValidateParams
from modemap.stages.entry import run_stage
from modemap.stages.progress import track

__all__ = ["validate"]


def validate(raw: Path, report: Path, rejected: Path, params: ValidateParams) -> dict[str, object]:
    """Check the batches in ``raw``; write ``report`` only if they keep the contract.

    Offending rows are copied to ``rejected`` with a report for each broken batch. ``raw`` is only
    read.

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
    for judgement in track(check_contract(raw, suite), "validating batches"):
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


if __name__ == "__main__":
    run_stage(
        "validate",
        lambda params: validate(
            raw=Path("data/raw"),
            report=Path("reports/validate.json"),
            rejected=Path("data/quarantine"),
            params=params.validate_,
        ),
    )
