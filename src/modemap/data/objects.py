"""Objects in a store that speaks S3: found by a pattern, copied to a temporary file, read there.

Credentials, region and `AWS_ENDPOINT_URL` are those of the environment or of `~/.aws`, as for other
programs.
"""

import os
import re
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import cached_property
from pathlib import Path
from typing import Any

import pyarrow as pa
from pyarrow import fs

from modemap.errors import DataError, ParamsError
from modemap.refusals import NO_ROOM, bytes_in, telling_room

__all__ = ["StoredObject", "copied", "find_objects", "is_stored"]

SCHEME = "s3://"
ATTEMPTS, CONNECT_SECONDS, REQUEST_SECONDS = 3, 5.0, 60.0
BLOCK_BYTES = 1 << 23
MAGIC = re.compile(r"[*?[]")

_NEXT_STEPS = (  # what Arrow's messages hold, and what to do then
    ("NO_SUCH_BUCKET", "check the bucket's name, and AWS_ENDPOINT_URL"),
    ("ACCESS_DENIED", "check AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE"),
    ("INVALID_ACCESS_KEY_ID", "check AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE"),
    ("SIGNATURE", "check AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE"),
    ("NETWORK_CONNECTION", "check the network and AWS_ENDPOINT_URL, then run again"),
)


@dataclass(frozen=True)
class StoredObject:
    """An object; as text, its address."""

    key: str  # with the bucket in front
    size: int

    def __str__(self) -> str:
        return f"{SCHEME}{self.key}"

    @property
    def name(self) -> str:
        """Return the last part of the key, as a file has it."""
        return self.key.rpartition("/")[2]

    @cached_property
    def content(self) -> str:
        """What changes with the content: the store's mark of it, and the size."""
        with _told(str(self)), _store().open_input_stream(self.key, compression=None) as stream:
            return self._content(stream)

    def _content(self, stream: Any) -> str:
        return f"{stream.metadata().get('ETag', b'').decode()} {self.size}"


def is_stored(source: str) -> bool:
    """Tell whether ``source`` names objects; refuse any other address.

    Raises
    ------
    ParamsError
        If it is an address of another kind, or holds credentials. They are not repeated.
    """
    scheme, mark, rest = source.partition("://")
    if not mark or not re.fullmatch(r"[A-Za-z][A-Za-z0-9+.-]*", scheme):
        return False
    if f"{scheme}{mark}" != SCHEME:
        raise ParamsError(
            "the source",
            "must be a file, a folder, a pattern, a query (.sql) or objects (s3://BUCKET/KEY)",
            found=f"an address {scheme}://…",
            hint="of a database: write the query to a file QUERY.sql, name that, and put the "
            "address with its password into MODEMAP_SQL_URL of the environment",
        )
    if re.search(r"[@:]", rest.partition("/")[0]):
        raise ParamsError(
            "the source",
            "must name a bucket and a key, and no credentials",
            found="more in front of the first /",
            hint="write s3://BUCKET/KEY; credentials belong into the environment or ~/.aws",
        )
    return True


def find_objects(source: str) -> list[tuple[str, StoredObject]]:
    """Return the objects that ``source`` names, in the order of their keys, with their places.

    An object's place is the part of its key after the last folder without a pattern. As in a shell,
    `*` takes no name that begins with a dot, and `**` any number of folders.

    Raises
    ------
    DataError
        If there are none, or the store refuses.
    """
    pattern = source.removeprefix(SCHEME)
    root = _root(pattern)
    with _told(source):
        if root == pattern:
            found = _store().get_file_info([pattern])
        else:
            found = _store().get_file_info(fs.FileSelector(root, recursive=True))
    wanted = pattern.split("/")
    objects = [
        (info.path.removeprefix(root).strip("/") or info.base_name, info)
        for info in found
        if info.type == fs.FileType.File and _matches(info.path.split("/"), wanted)
    ]
    if not objects:
        raise DataError(
            source,
            "must name at least one object",
            found="none of this name",
            hint="check bucket and key; the objects of a folder are s3://BUCKET/FOLDER/*.parquet",
        )
    return sorted((name, StoredObject(info.path, info.size)) for name, info in objects)


@contextmanager
def copied(object_: StoredObject) -> Iterator[Path]:
    """Yield a copy of the object on this disk; errors in the block speak of the object instead.

    Raises
    ------
    DataError
        If the object is gone or changes, or the store refuses.
    """
    place = str(object_)
    with tempfile.TemporaryDirectory(prefix="modemap-object-") as folder:
        path = Path(folder) / object_.name
        with (
            _told(place),
            telling_room(Path(folder), lambda: bytes_in(path)),
            path.open("wb") as file,
            _store().open_input_stream(object_.key, compression=None) as stream,
        ):
            content = object_._content(stream)
            shutil.copyfileobj(stream, file, BLOCK_BYTES)
        if content != object_.content or path.stat().st_size != object_.size:
            rule, hint = "must not change while it is read", "run again once it was written"
            raise DataError(place, rule, found="another content", hint=hint)
        try:
            yield path
        except DataError as error:
            said = error.place, error.found
            where, found = (text.replace(str(path), place) for text in said)
            raise DataError(where, error.rule, found=found, hint=error.hint) from None


def _store() -> fs.S3FileSystem:
    endpoint = os.environ.get("AWS_ENDPOINT_URL_S3") or os.environ.get("AWS_ENDPOINT_URL") or ""
    scheme, _, host = endpoint.rpartition("://")
    return fs.S3FileSystem(
        endpoint_override=host.rstrip("/") or None,
        scheme=scheme or None,
        region=os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION"),
        connect_timeout=CONNECT_SECONDS,
        request_timeout=REQUEST_SECONDS,
        retry_strategy=fs.AwsStandardS3RetryStrategy(max_attempts=ATTEMPTS),
    )


def _root(pattern: str) -> str:
    parts = pattern.split("/")
    first = next((i for i, part in enumerate(parts) if MAGIC.search(part)), len(parts))
    return "/".join(parts[:first])


def _matches(parts: Sequence[str], pattern: Sequence[str]) -> bool:
    if not pattern or not parts:
        return not parts and all(part == "**" for part in pattern)
    first, *rest = pattern
    if first == "**":
        takes_one = not parts[0].startswith(".") and _matches(parts[1:], pattern)
        return takes_one or _matches(parts, rest)
    is_hidden = parts[0].startswith(".") and not first.startswith(".")
    return not is_hidden and fnmatchcase(parts[0], first) and _matches(parts[1:], rest)


@contextmanager
def _told(place: str) -> Iterator[None]:
    """Turn what the store says into an error that a person can act on; the disk's errors pass."""
    try:
        yield
    except FileNotFoundError:
        rule, hint = "must be there", "check bucket and key; it may have been removed just now"
        raise DataError(place, rule, found="no such bucket or object", hint=hint) from None
    except (pa.ArrowException, OSError) as error:
        if isinstance(error, OSError) and error.errno in NO_ROOM:
            raise
        said = " ".join(str(error).split())
        steps = [step for mark, step in _NEXT_STEPS if mark in said]
        hint = steps[0] if steps else "mend that, then run again"
        raise DataError(place, "the store must answer", found=said, hint=hint) from None
