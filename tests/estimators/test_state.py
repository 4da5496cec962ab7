"""The file format: what is written, and all that is refused."""

import io
import json
import zipfile

import numpy as np
import pytest

from modemap.errors import ReleaseError
from modemap.estimators import load_state, save_state


@pytest.fixture
def path(tmp_path):
    """Return the path of a small saved state."""
    save_state(tmp_path / "state.npz", "thing", {"n": 1}, {"a": np.arange(3.0)})
    return tmp_path / "state.npz"


def members(path):
    """Return the members of a zip as bytes."""
    with zipfile.ZipFile(path) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def rewrite(path, contents, compression=zipfile.ZIP_STORED):
    """Write a zip of ``contents``, pairs of name and bytes."""
    with zipfile.ZipFile(path, "w", compression) as archive:
        for name, data in contents:
            archive.writestr(name, data)


def npy(array, **options):
    """Return the bytes of a ``.npy``."""
    buffer = io.BytesIO()
    np.lib.format.write_array(buffer, array, **options)
    return buffer.getvalue()


def state(**changes):
    """Return the bytes of a ``state.json``, changed."""
    return json.dumps({"format": 1, "kind": "thing", "params": {"n": 1}} | changes).encode()


def test_what_was_saved_is_loaded(tmp_path):
    """Params, dtypes, shapes and values come back."""
    arrays = {
        "cube": np.arange(8.0).reshape(2, 2, 2),
        "empty": np.empty((0, 3)),
        "flags": np.array([True, False]),
        "fortran": np.asfortranarray(np.arange(6).reshape(2, 3)),
        "modes": np.array([7], dtype=np.uint8),
        "number": np.array(2.5, dtype=np.float32),
    }

    save_state(tmp_path / "a.npz", "thing", {"text": "é", "list": [1, None]}, arrays)
    params, loaded = load_state(tmp_path / "a.npz", "thing")

    assert params == {"text": "é", "list": [1, None]}
    assert set(loaded) == set(arrays)
    for name, array in arrays.items():
        assert loaded[name].dtype == array.dtype
        np.testing.assert_array_equal(loaded[name], array)


def test_loaded_arrays_can_be_written(path):
    """They are plain arrays of their own."""
    _, arrays = load_state(path, "thing")

    arrays["a"][0] = 5.0


def test_numpy_reads_the_file(path):
    """It is an ordinary ``.npz``."""
    with np.load(path, allow_pickle=False) as archive:
        np.testing.assert_array_equal(archive["a"], [0, 1, 2])


def test_bytes_depend_on_the_state_alone(path, tmp_path):
    """Neither the order of arrays, their memory order, nor the time matters."""
    a, b = np.arange(6.0).reshape(2, 3), np.zeros(2)
    save_state(tmp_path / "ab.npz", "thing", {"x": 1, "y": 2}, {"a": a, "b": b})
    save_state(tmp_path / "ba.npz", "thing", {"y": 2, "x": 1}, {"b": b, "a": np.asfortranarray(a)})

    assert (tmp_path / "ab.npz").read_bytes() == (tmp_path / "ba.npz").read_bytes()
    with zipfile.ZipFile(path) as archive:
        assert {entry.date_time for entry in archive.infolist()} == {(1980, 1, 1, 0, 0, 0)}


def test_a_big_endian_array_is_written_like_any_other(path, tmp_path):
    """Byte order is of the machine, not of the state."""
    save_state(tmp_path / "big.npz", "thing", {"n": 1}, {"a": np.arange(3.0).astype(">f8")})

    assert (tmp_path / "big.npz").read_bytes() == path.read_bytes()


@pytest.mark.parametrize(
    ("params", "arrays", "message"),
    [
        ({"n": float("nan")}, {}, "not JSON compliant"),
        ({}, {"a": np.array([{}], dtype=object)}, "array a must be one of bool, .*, got object"),
        ({}, {"a": np.array(["x"])}, "array a must be one of"),
        ({}, {"a/b": np.zeros(1)}, "must be an identifier, got 'a/b'"),
    ],
)
def test_what_the_format_cannot_hold_is_not_written(tmp_path, params, arrays, message):
    """The message names the array and the rule, and no file appears."""
    with pytest.raises(ValueError, match=message):
        save_state(tmp_path / "a.npz", "thing", params, arrays)

    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("contents", "message"),
    [
        ([("a.npy", npy(np.zeros(1)))], "no member state.json"),
        ([("state.json", state(format=2))], "format 2; this version reads format 1"),
        ([("state.json", state(kind="other"))], "kind 'other'"),
        ([("state.json", state(more=1))], "must hold format, kind and params"),
        ([("state.json", state(params=[]))], "params in state.json must be a mapping"),
        ([("state.json", b'{"format": 1, "kind": "thing", "params": {"n": NaN}}')], "holds NaN"),
        ([("state.json", b"{")], "Expecting"),
        ([("state.json", b"\xff\xfe\xfa")], "codec can't decode"),
        ([("state.json", state()), ("tool.py", b"")], "unknown member 'tool.py'"),
        ([("../a.npy", npy(np.zeros(1))), ("state.json", state())], r"unknown member '../a.npy'"),
        ([("state.json", state()), ("a.npy", npy(np.zeros(1)))], "repeated or out of order"),
        ([("a.npy", b"junk"), ("state.json", state())], "magic string"),
        ([("a.npy", npy(np.zeros(1))[:-1]), ("state.json", state())], r"should hold \(1,\)"),
        ([("a.npy", npy(np.zeros(1)) + b"x"), ("state.json", state())], r"should hold \(1,\)"),
        ([("a.npy", npy(np.array(["x"]))), ("state.json", state())], "a.npy is of dtype"),
        ([("a.npy", npy(np.zeros(1, ">f8"))), ("state.json", state())], "a.npy is of dtype"),
        ([("a.npy", npy(np.zeros((2, 2)).T)), ("state.json", state())], "in another order"),
        ([("a.npy", npy(np.zeros(1), version=(2, 0))), ("state.json", state())], "another .npy"),
    ],
)
def test_what_save_does_not_write_is_refused(tmp_path, contents, message):
    """The error names the file and says what is wrong with it."""
    rewrite(tmp_path / "a.npz", contents)

    with pytest.raises(ReleaseError, match=message) as caught:
        load_state(tmp_path / "a.npz", "thing")

    assert caught.value.place == str(tmp_path / "a.npz")


def test_a_pickled_array_is_refused(path):
    """Objects are not even unpickled to see what they are."""
    contents = members(path) | {"a.npy": npy(np.array([{}], dtype=object), allow_pickle=True)}
    rewrite(path, contents.items())

    with pytest.raises(ReleaseError, match=r"state.npz.*\n.*a.npy is of dtype object"):
        load_state(path, "thing")


def test_a_header_that_promises_more_than_the_file_has_is_refused(path):
    """No memory is set aside on the word of a header."""
    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(
        header, {"descr": "<f8", "fortran_order": False, "shape": (10**15,)}
    )
    rewrite(path, (members(path) | {"a.npy": header.getvalue()}).items())

    with pytest.raises(ReleaseError, match="should hold"):
        load_state(path, "thing")


def test_a_repeated_member_is_refused(path):
    """Two members of one name would let readers differ."""
    contents = members(path)
    with pytest.warns(UserWarning, match="Duplicate name"):
        rewrite(path, [("a.npy", contents["a.npy"]), *contents.items()])

    with pytest.raises(ReleaseError, match="repeated or out of order"):
        load_state(path, "thing")


def test_a_compressed_member_is_refused(path):
    """A small file that unpacks to a large one is not unpacked."""
    rewrite(path, members(path).items(), zipfile.ZIP_DEFLATED)

    with pytest.raises(ReleaseError, match="a member is compressed"):
        load_state(path, "thing")


def test_a_folder_is_refused(tmp_path):
    """A path that is no file is named."""
    with pytest.raises(ReleaseError, match="must be a thing file"):
        load_state(tmp_path, "thing")


def test_a_failed_save_leaves_the_old_file(path):
    """The file is replaced at once or not at all."""
    before = path.read_bytes()

    with pytest.raises(ValueError, match="got object"):
        save_state(path, "thing", {}, {"a": np.array([None])})

    assert path.read_bytes() == before
