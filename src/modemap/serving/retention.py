"""How long files of the prediction log stay: by days, and by bytes of their folder."""

import re
import time
from datetime import UTC, datetime
from pathlib import Path

from modemap.files import abandoned_target, remove

__all__ = ["NAME_FORMAT", "forget"]

NAME_FORMAT = "%Y%m%dT%H%M%S%fZ"
NAME = re.compile(r"(?P<written>\d{8}T\d{12}Z)-[0-9a-f]{8}-\d{6,}\.parquet")
DAY = 86400.0


def forget(folder: Path, keep_days: float, max_bytes: int) -> None:
    """Remove files of the log that are too old, then the oldest until the others fit.

    What killed writers left goes too; files of other names are never touched.
    """
    if not folder.is_dir():
        return
    files, now = [], time.time()
    for path in folder.iterdir():
        found = NAME.fullmatch(path.name)
        if found is not None:
            written = datetime.strptime(found["written"], NAME_FORMAT).replace(tzinfo=UTC)
            files.append((written.timestamp(), path.name, path.stat().st_size))
        elif (target := abandoned_target(path)) is not None and NAME.fullmatch(target.name):
            remove(path)
    left = sum(size for _, _, size in files)
    for written_at, name, size in sorted(files):
        if now - written_at <= keep_days * DAY and left <= max_bytes:
            return
        (folder / name).unlink(missing_ok=True)
        left -= size
