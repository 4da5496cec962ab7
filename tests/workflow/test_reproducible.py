"""The same inputs, code and params give the same bytes."""

import json
from pathlib import Path

import pytest

pytestmark = [pytest.mark.workflow, pytest.mark.slow]

THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMBA_NUM_THREADS")


def outputs(root: Path) -> dict[str, bytes]:
    """Return every output that is committed or released."""
    files = [root / "dvc.lock", *metrics(root), *root.glob("models/release/*")]
    return {str(path.relative_to(root)): path.read_bytes() for path in files}


def metrics(root: Path) -> list[Path]:
    """Return the stages' JSON files; the verdict is the gate's."""
    return sorted(path for path in root.glob("reports/*.json") if path.name != "verdict.json")


@pytest.mark.parametrize("n_cores", ["1", "all"])
def test_another_folder_and_other_threads_give_the_same_bytes(promoted, bare, n_cores):
    """dvc.lock, metrics and release are equal, whatever the cores, the threads and the place."""
    on_one_core = ("taskset", "--cpu-list", "0") if n_cores == "1" else ()
    n_threads = dict.fromkeys(THREADS, "1" if on_one_core else "2")

    bare.succeed(*on_one_core, "dvc", "repro", **n_threads)

    assert outputs(bare.root) == outputs(promoted.root)


def test_another_processor_agrees_to_a_millionth(promoted, bare):
    """Only dvc.lock and metrics differ on another kind of CPU, and metrics by rounding alone."""
    bare.succeed("dvc", "repro", NUMBA_CPU_NAME="generic", OPENBLAS_CORETYPE="Nehalem")

    changed = {
        line[3:]
        for line in bare.succeed("git", "status", "--porcelain").splitlines()
        if line.strip()
    }
    assert changed <= {"dvc.lock", *(f"reports/{path.name}" for path in metrics(bare.root))}
    for path in metrics(promoted.root):
        ours, theirs = (
            json.loads((p.root / path.relative_to(promoted.root)).read_text())
            for p in (promoted, bare)
        )
        assert numbers(theirs) == pytest.approx(numbers(ours), rel=1e-6, abs=1e-9)


def numbers(document: object, place: str = "") -> dict[str, float]:
    """Return every number of a JSON document by its place."""
    if isinstance(document, bool) or document is None or isinstance(document, str):
        return {}
    if isinstance(document, int | float):
        return {place: float(document)}
    pairs = document.items() if isinstance(document, dict) else enumerate(document)
    return {k: v for key, item in pairs for k, v in numbers(item, f"{place}.{key}").items()}
