"""Write docs/bad-input.md: ``python -m tests.faults`` runs every case and notes the answers."""

import os
import sys

import pytest

from tests.faults.recording import MAKING, Recorder


def main() -> int:
    """Run every case; write the page if all answered as they must."""
    os.environ[MAKING] = "1"
    recorder = Recorder()
    files = [f"tests/faults/test_{name}.py" for name in ("bad_input", "machine", "flow")]
    code = pytest.main([*files, "-q", "-n", "2", "--dist", "load"], plugins=[recorder])

    # pytest must be the first to import what its tests use
    from tests.faults.cases import CASES
    from tests.faults.page import PAGE, render

    if code == 0:
        PAGE.write_text(render(CASES, recorder.answers))
    return int(code)


if __name__ == "__main__":
    sys.exit(main())
