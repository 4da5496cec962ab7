"""The report on disk: one page, and the pages of the contract beside it."""

from pathlib import Path

from modemap.errors import StageError
from modemap.files import staged_directory, write_bytes
from modemap.lifecycle.report.story import tell_story
from modemap.reporting.next_steps import NEXT_STEPS
from modemap.reporting.page import render_data_docs, render_report
from modemap.reporting.story import Stopped

__all__ = ["DATA_DOCS", "REPORT", "prepare_to_write", "write_report"]

REPORT = Path("reports", "index.html")
DATA_DOCS = Path("reports", "data_docs")


def prepare_to_write() -> None:
    """Import what tells of models, which takes a second: for a thread with time to spare."""
    from modemap.lifecycle.report import portrait  # noqa: F401, PLC0415


def write_report(root: Path, stopped: Stopped | None = None) -> Path:
    """Render what is known of the project in ``root`` now; return the report's path.

    Parameters
    ----------
    root : Path
        The project's folder.
    stopped : Stopped or None, default=None
        Why the run that just ended came to no end.

    Raises
    ------
    ParamsError
        If params.yaml cannot be read.
    StageError
        If the pages cannot be written.
    """
    story = tell_story(root, NEXT_STEPS, stopped)
    report, docs = render_report(story).encode(), render_data_docs(story).encode()
    try:
        with staged_directory(root / DATA_DOCS) as folder:
            write_bytes(folder / "index.html", docs)
        write_bytes(root / REPORT, report)
    except OSError as error:
        rule, hint = "the report must be written", "mend that, then run `modemap report`"
        raise StageError(REPORT, rule, found=error.strerror, hint=hint) from None
    return root / REPORT
