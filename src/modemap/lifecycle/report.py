"""The report on disk: one page, and the pages of the contract beside it."""

from pathlib import Path

from modemap.files import staged_directory, write_bytes
from modemap.lifecycle.story import tell_story
from modemap.reporting.next_steps import NEXT_STEPS
from modemap.reporting.page import render_data_docs, render_report
from modemap.reporting.story import Stopped

__all__ = ["DATA_DOCS", "REPORT", "write_report"]

REPORT = Path("reports", "index.html")
DATA_DOCS = Path("reports", "data_docs")


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
    """
    story = tell_story(root, NEXT_STEPS, stopped)
    with staged_directory(root / DATA_DOCS) as folder:
        (folder / "index.html").write_text(render_data_docs(story), encoding="utf-8")
    write_bytes(root / REPORT, render_report(story).encode())
    return root / REPORT
