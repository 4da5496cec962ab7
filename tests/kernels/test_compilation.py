"""Where kernels are compiled to, and that every path gives the same bits."""

import os
import shutil
import stat
import subprocess
import sys
from pathlib import Path

import pytest

import modemap
from modemap.kernels import compilation
from modemap.kernels.compilation import cache_folder

FIT = """
import hashlib, numpy as np
from modemap.kernels import Prepared, scatter, sums_by_unit, two_nearest_units
rng = np.random.default_rng(0)
X, weights, codebook = rng.normal(size=(2000, 5)), rng.uniform(size=2000), rng.normal(size=(30, 5))
parts = *sums_by_unit(X, weights, Prepared(codebook)), scatter(X, weights, X[0])
parts += two_nearest_units(X, codebook)
print(hashlib.sha256(b"".join(np.asarray(part).tobytes() for part in parts)).hexdigest())
"""


def fitted(root=None, **settings):
    """Run the kernels in a process of their own; return the digest of what they computed."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith("NUMBA_")}
    root = root or Path(modemap.__file__).parents[1]
    return subprocess.run(
        [sys.executable, "-W", "error", "-c", FIT],
        env=clean | {"PYTHONPATH": str(root)} | settings,
        check=True,
        capture_output=True,
        text=True,
    ).stdout


@pytest.fixture
def sources(tmp_path, monkeypatch):
    """Stand in for the folder of the kernels' sources."""
    folder = tmp_path / "kernels"
    folder.mkdir()
    (folder / "search.py").write_text("first")
    monkeypatch.setattr(compilation, "SOURCES", folder)
    compilation._digest.cache_clear()
    yield folder
    compilation._digest.cache_clear()


@pytest.fixture
def nowhere(sources, tmp_path, monkeypatch):
    """Make the sources and the home unwritable; return the folder of temporary files."""
    (sources / "__pycache__").write_text("a file where the folder would be")
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.setenv("HOME", "/dev/null")
    temporary = tmp_path / "tmp"
    temporary.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(temporary))
    return temporary


def test_the_cache_lies_beside_the_sources(sources):
    """Where the sources can be written, their cache folder is used."""
    assert cache_folder().parent == sources / "__pycache__"


def test_an_edit_of_any_source_changes_the_folder(sources):
    """Code compiled from other sources is never found again."""
    before = cache_folder()

    (sources / "search.py").write_text("second")
    compilation._digest.cache_clear()

    assert cache_folder() != before


def test_the_users_choice_comes_first(sources, tmp_path):
    """NUMBA_CACHE_DIR is respected."""
    assert cache_folder(str(tmp_path / "chosen")).parent == tmp_path / "chosen"
    assert not (sources / "__pycache__").exists()


@pytest.mark.usefixtures("nowhere")
def test_the_home_is_taken_where_the_sources_are_read_only(tmp_path, monkeypatch):
    """The second place is the user's cache folder."""
    monkeypatch.setenv("HOME", str(tmp_path / "home"))

    assert cache_folder().parent == tmp_path / "home" / ".cache"


def test_a_private_temporary_folder_is_the_last_place(nowhere):
    """Nobody else may write where machine code is read from, and the next process finds it."""
    folder = cache_folder()

    assert folder.parent == nowhere
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert cache_folder() == folder


@pytest.mark.usefixtures("nowhere")
def test_a_temporary_folder_others_can_write_is_not_trusted():
    """A folder somebody prepared for us is left alone."""
    prepared = cache_folder()
    prepared.chmod(0o777)

    assert cache_folder() != prepared


@pytest.mark.usefixtures("nowhere")
def test_a_link_in_place_of_the_temporary_folder_is_not_trusted(tmp_path):
    """A link somebody prepared for us is not followed."""
    prepared = cache_folder()
    prepared.rmdir()
    prepared.symlink_to(tmp_path)

    assert cache_folder() != prepared


def test_kernels_run_where_nothing_but_temporary_files_can_be_written(tmp_path):
    """Read-only sources and home cost a compilation, not the run."""
    root, temporary = tmp_path / "src", tmp_path / "tmp"
    shutil.copytree(
        Path(modemap.__file__).parent,
        root / "modemap",
        ignore=shutil.ignore_patterns("__pycache__"),
    )
    (root / "modemap" / "kernels" / "__pycache__").write_text("a file where the folder would be")
    temporary.mkdir()
    places = {"HOME": "/dev/null", "XDG_CACHE_HOME": "", "TMPDIR": str(temporary)}

    digest = fitted(root, **places, PYTHONDONTWRITEBYTECODE="1")

    assert digest == fitted()
    assert list(temporary.rglob("*.nbc"))


@pytest.mark.parametrize("setting", ["NUMBA_DISABLE_JIT=1", "NUMBA_CPU_NAME=generic"])
def test_the_portable_paths_compute_the_same_bits(setting):
    """The NumPy twins and the plainest machine code agree with this machine's own."""
    name, value = setting.split("=")

    assert fitted(**{name: value}) == fitted()


def test_the_twin_runs_where_the_compiler_is_switched_off(monkeypatch):
    """Interpreted loops would take minutes."""
    monkeypatch.setattr("numba.config.DISABLE_JIT", 1)
    calls = []

    compilation.Kernel(pytest.fail, portable=calls.append)("array")

    assert calls == ["array"]


def test_the_users_own_kernels_keep_their_cache_folder():
    """Compiling ours leaves numba's configuration as it was."""
    script = "import numba; before = numba.config.CACHE_DIR;" + FIT.replace("\n", ";").strip(";")
    script += "; assert numba.config.CACHE_DIR == before"

    subprocess.run([sys.executable, "-c", script], check=True, capture_output=True)


@pytest.fixture
def compiled(sources):
    """Stand in for what was compiled beside the sources before these became read-only."""
    folder = cache_folder()
    assert folder.parent == sources / "__pycache__"
    (folder / "search.nbc").write_text("machine code")
    return folder


@pytest.fixture
def read_only(compiled, monkeypatch):
    """Make a folder unwritable for whoever runs the tests, root too."""
    is_writable = compilation._is_writable
    monkeypatch.setattr(
        compilation, "_is_writable", lambda folder: folder != compiled and is_writable(folder)
    )


@pytest.mark.usefixtures("read_only")
def test_what_an_image_compiled_is_copied_to_where_one_can_write(tmp_path, monkeypatch):
    """A container with a read-only root does not compile again."""
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))

    folder = cache_folder()

    assert folder.parent == tmp_path / "home" / ".cache"
    assert (folder / "search.nbc").read_text() == "machine code"
    assert [path.name for path in folder.parent.iterdir()] == [folder.name]


@pytest.mark.usefixtures("read_only")
def test_what_was_compiled_since_is_kept(tmp_path, monkeypatch):
    """A copy never replaces what another process has compiled there."""
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    (cache_folder() / "search.nbc").write_text("newer")

    folder = cache_folder()

    assert (folder / "search.nbc").read_text() == "newer"
    assert [path.name for path in folder.parent.iterdir()] == [folder.name]
