"""Notes the answers of all cases while docs/bad-input.md is being made."""

import pytest

MAKING = "MODEMAP_MAKING_BAD_INPUT"  # in the environment while the page is being made


class Recorder:
    """Takes the answers of all cases from the tests' reports."""

    def __init__(self) -> None:
        self.answers: dict[tuple[str, str], str] = {}

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Note what a test that ended was answered."""
        for key, value in report.user_properties:
            if key == MAKING:
                title, name, answer = value
                self.answers[title, name] = answer
