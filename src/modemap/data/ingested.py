"""Files of the source that stand in data/raw already: an unchanged one is not read again."""

import base64
import json
from collections.abc import Collection, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import pyarrow as pa

from modemap.data.batches import Batch
from modemap.data.kept import Kept
from modemap.data.objects import StoredObject
from modemap.data.seen import Seen, linked
from modemap.files import canonical_json

__all__ = ["Ingested", "Reused"]


@dataclass(frozen=True)
class Reused:
    """A file's batches, and the columns it would have been read with."""

    schema: pa.Schema
    batches: tuple[Batch, ...]


class Ingested:
    """What became of files in earlier runs.

    Parameters
    ----------
    raw : Path
        The folder that the last run left.
    kept : Kept
        Where that is remembered.
    exclude : collection of str
        Digests of batches that need no file.
    partition_rows : int
        What the source is cut by.
    """

    def __init__(
        self, raw: Path, kept: Kept, exclude: Collection[str], partition_rows: int
    ) -> None:
        self._raw, self._kept, self._exclude = raw, kept, exclude
        self._partition_rows, self._seen = partition_rows, Seen(kept)
        self._about: dict[str, tuple[object, ...]] = {}

    def find(self, name: str, path: Path | StoredObject) -> Reused | None:
        """Return the batches of the file ``path`` if they are all there; ``name`` is its part.

        Of a path that is no file nothing is known: whoever reads it says what is wrong.
        """
        if isinstance(path, StoredObject):
            content = path.content
        elif path.is_file():
            content = self._seen.sha256(path)
        else:
            return None
        about = ("ingested", content, path.name, self._partition_rows)
        self._about[name] = about
        known = self._kept.get(*about)
        if known is None:
            return None
        told = json.loads(known)
        batches = tuple(Batch(**each) for each in told["batches"])
        if not all(self._is_there(batch) for batch in batches):
            return None
        return Reused(pa.ipc.read_schema(pa.py_buffer(base64.b64decode(told["schema"]))), batches)

    def keep(self, name: str, schema: pa.Schema, batches: Sequence[Batch]) -> None:
        """Remember what became of the part ``name``, if it is a file."""
        if name in self._about:
            text = base64.b64encode(schema.serialize().to_pybytes()).decode()
            told = {"schema": text, "batches": [asdict(batch) for batch in batches]}
            self._kept.remember(canonical_json(told), *self._about[name])

    def bring(self, batch: Batch, folder: Path) -> None:
        """Let the file of ``batch`` stand in ``folder`` too."""
        if batch.digest not in self._exclude:
            linked(self._raw / batch.file_name, folder / batch.file_name)

    def _is_there(self, batch: Batch) -> bool:
        path = self._raw / batch.file_name
        if batch.digest in self._exclude:
            return True
        return path.is_file() and self._seen.sha256(path) == batch.digest
