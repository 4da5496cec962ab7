"""Model files: one ``.npz`` of plain arrays and one JSON member; equal models are equal bytes.

An ``.npz`` is a zip of ``.npy`` files. Here the members are sorted, stored as they are, and dated
1980-01-01, so nothing but the model decides the bytes. Nothing is ever unpickled.
"""

import io
import json
import math
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from modemap.errors import ReleaseError
from modemap.files import canonical_json, write_bytes

__all__ = ["FORMAT", "Arrays", "load_state", "reading", "save_state"]

FORMAT = 1
STATE = "state.json"
DTYPES = ("bool", "uint8", "int64", "float32", "float64")
UNREADABLE = (
    EOFError,
    LookupError,
    NotImplementedError,  # zip features that Python does not read
    OSError,
    RuntimeError,  # encrypted members
    TypeError,
    ValueError,
    zipfile.BadZipFile,
)

Arrays = dict[str, NDArray[Any]]


def save_state(
    path: Path | str, kind: str, params: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]]
) -> None:
    """Write a model's state to ``path``, whole or not at all.

    Parameters
    ----------
    path : Path or str
        The file, by custom with the suffix ``.npz``.
    kind : str
        What the state is of; :func:`load_state` asks for it by name.
    params : mapping
        What JSON can say, NaN excluded.
    arrays : mapping of str to ndarray
        Of bool, uint8, int64, float32 or float64; the names are identifiers.

    Raises
    ------
    ValueError
        If ``params`` cannot be said in JSON, or an array's name or dtype is another.
    """
    state = {"format": FORMAT, "kind": kind, "params": dict(params)}
    members = {STATE: canonical_json(state)}
    for name, array in arrays.items():
        if not name.isidentifier():
            raise ValueError(f"the name of an array must be an identifier, got {name!r}")
        members[f"{name}.npy"] = _npy(name, np.asarray(array))
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:
        for member in sorted(members):
            archive.writestr(_entry(member), members[member])
    write_bytes(Path(path), buffer.getvalue())


def load_state(path: Path | str, kind: str) -> tuple[dict[str, Any], Arrays]:
    """Return the params and arrays of a file written by :func:`save_state`.

    Parameters
    ----------
    path : Path or str
        The file.
    kind : str
        The kind the file must be of.

    Raises
    ------
    ReleaseError
        If the file is missing, cut, changed, of another kind or format, or holds anything that
        :func:`save_state` does not write, pickles above all.
    """
    with reading(path, kind):
        members = _members(path)
        state, arrays = _state(members), _arrays(members)
        _check_state(state, kind)
    return state["params"], arrays


@contextmanager
def reading(path: Path | str, kind: str) -> Iterator[None]:
    """Turn whatever a damaged file makes its readers raise into one ``ReleaseError``."""
    try:
        yield
    except FileNotFoundError:
        raise ReleaseError(
            path, "the model file must exist", found="no such file", hint="train the model again"
        ) from None
    except UNREADABLE as error:
        raise ReleaseError(
            path,
            f"must be a {kind} file as modemap writes it",
            found=error,
            hint="restore the file, or train the model again",
        ) from error


def _entry(member: str) -> zipfile.ZipInfo:
    entry = zipfile.ZipInfo(member, date_time=(1980, 1, 1, 0, 0, 0))
    entry.create_system = 3  # the same on every system
    entry.external_attr = 0o644 << 16
    return entry


def _npy(name: str, array: NDArray[Any]) -> bytes:
    if array.dtype.name not in DTYPES:
        raise ValueError(f"array {name} must be one of {', '.join(DTYPES)}, got {array.dtype}")
    little = array.astype(array.dtype.newbyteorder("<"), order="C")
    buffer = io.BytesIO()
    np.lib.format.write_array(buffer, little, version=(1, 0), allow_pickle=False)
    return buffer.getvalue()


def _members(path: Path | str) -> dict[str, bytes]:
    with zipfile.ZipFile(path) as archive:
        entries = archive.infolist()
        names = [entry.filename for entry in entries]
        if names != sorted(set(names)):
            raise ValueError(f"members are repeated or out of order: {', '.join(names)}")
        if any(entry.compress_type != zipfile.ZIP_STORED for entry in entries):
            raise ValueError("a member is compressed")
        return {entry.filename: archive.read(entry) for entry in entries}


def _state(members: dict[str, bytes]) -> dict[str, Any]:
    if STATE not in members:
        raise ValueError(f"no member {STATE}")
    state = json.loads(members[STATE], parse_constant=_refuse_constant)
    if not isinstance(state, dict) or set(state) != {"format", "kind", "params"}:
        raise ValueError(f"{STATE} must hold format, kind and params")
    if not isinstance(state["params"], dict):
        raise ValueError(f"params in {STATE} must be a mapping")
    return state


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{STATE} holds {name}")


def _check_state(state: dict[str, Any], kind: str) -> None:
    if state["format"] != FORMAT:
        raise ValueError(f"format {state['format']!r}; this version reads format {FORMAT}")
    if state["kind"] != kind:
        raise ValueError(f"kind {state['kind']!r}")


def _arrays(members: dict[str, bytes]) -> Arrays:
    arrays = {}
    for member, data in members.items():
        if member == STATE:
            continue
        name = member.removesuffix(".npy")
        if name == member or not name.isidentifier():
            raise ValueError(f"unknown member {member!r}")
        arrays[name] = _array(member, data)
    return arrays


def _array(member: str, data: bytes) -> NDArray[Any]:
    """Read a ``.npy`` whose header is believed only as far as its bytes bear it out."""
    file = io.BytesIO(data)
    if np.lib.format.read_magic(file) != (1, 0):
        raise ValueError(f"{member} is of another .npy version")
    shape, is_fortran, dtype = np.lib.format.read_array_header_1_0(file)
    if dtype.hasobject or dtype.name not in DTYPES or not dtype.isnative:
        raise ValueError(f"{member} is of dtype {dtype}")
    if is_fortran or any(length < 0 for length in shape):
        raise ValueError(f"{member} is in another order")
    content = data[file.tell() :]
    if math.prod(shape) * dtype.itemsize != len(content):
        raise ValueError(f"{member} should hold {shape} numbers of {dtype}")
    return np.frombuffer(content, dtype).reshape(shape).copy()
