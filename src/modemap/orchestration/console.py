"""What a terminal shows of a run that ended by an expected error: its message once, at the end."""

import logging
import re

from modemap.errors import ModemapError

__all__ = ["ExpectedErrors", "tell_expected_errors_once"]

FAILED = re.compile(
    r"(Finished in state Failed)\(.(?:Task|Flow) run encountered an exception:? (\w+): "
)


class ExpectedErrors(logging.Filter):
    """Drops Prefect's tracebacks of expected errors, and their messages after a state's name.

    Whoever runs the flow tells such an error once. Prefect keeps all of it for its page, which has
    a handler of its own.
    """

    def filter(self, record: logging.LogRecord) -> bool:
        """Tell whether to show ``record``; a final state is shown without the message."""
        if not record.name.startswith("prefect."):
            return True
        if record.exc_info and isinstance(record.exc_info[1], ModemapError):
            return False
        failed = FAILED.match(record.getMessage())
        if failed and failed[2] in _names(ModemapError):
            record.msg, record.args = failed[1], None
        return True


def _names(kind: type[ModemapError]) -> set[str]:
    below = [_names(each) for each in kind.__subclasses__()]
    return {kind.__name__}.union(*below)


def tell_expected_errors_once() -> None:
    """Put the filter on the terminal's handlers, which Prefect has set up when it was imported."""
    for handler in logging.getLogger().handlers:
        handler.addFilter(ExpectedErrors())
