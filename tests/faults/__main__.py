"""Write docs/bad-input.md: ``python -m tests.faults`` runs every case and notes the answers."""

import sys

import pytest

from tests.faults.cases import CASES
from tests.faults.page import PAGE, render


class Recorder(dict[tuple[str, str], str]):
    """Takes the answers of all cases by title and name."""

    __hash__ = object.__hash__  # pytest keeps its plugins in a set


def main() -> int:
    """Run every case; write the page if all answered as they must."""
    recorder = Recorder()

    class Registers:
        def pytest_configure(self, config: pytest.Config) -> None:
            config.pluginmanager.register(recorder, "bad-input-recorder")

    code = pytest.main(["tests/faults", "-q", "-p", "no:randomly"], plugins=[Registers()])
    if code == 0:
        PAGE.write_text(render(CASES, recorder))
    return int(code)


if __name__ == "__main__":
    sys.exit(main())
