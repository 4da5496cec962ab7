"""What follows the stages takes seconds to import: it is imported while others are waited for."""

import threading

from modemap.lifecycle.report.write import prepare_to_write
from modemap.tracking.store import prepare_to_open

__all__ = ["import_ahead"]


def import_ahead() -> None:
    """Import in a thread what register, gate, promote and the report need."""
    threading.Thread(target=_import, daemon=True).start()


def _import() -> None:
    prepare_to_open()
    prepare_to_write()
