"""Wheel and sdist hold the package and nothing else, and the release workflow publishes these."""

import os
import shutil
import subprocess
import sys
import tarfile
import zipfile
from email.parser import BytesParser
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from tests.projects import CHECKOUT

TOOLS = Path(sys.executable).parent
WORKFLOW = CHECKOUT / ".github" / "workflows" / "release.yml"
SCAN = CHECKOUT / ".github" / "workflows" / "scan.yml"


def _run(*command, cwd):
    """Run a command; fail the test with what it printed."""
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def _tracked():
    listed = _run(
        "git", "ls-files", "-z", "--cached", "--others", "--exclude-standard", cwd=CHECKOUT
    )
    return [name for name in listed.split("\0") if name and (CHECKOUT / name).is_file()]


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """Return wheel and sdist that `make dist` made in a copy of the checkout, with litter in it."""
    copy = tmp_path_factory.mktemp("dist") / "checkout"
    for name in _tracked():
        (copy / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(CHECKOUT / name, copy / name)
    (copy / "src/modemap/__pycache__").mkdir()
    (copy / "src/modemap/__pycache__/left.cpython-311.pyc").write_bytes(b"")
    (copy / ".litter").mkdir()
    (copy / ".litter" / "token").write_text("secret")
    _run("make", "dist", "READY=", f"BIN={TOOLS}", cwd=copy)
    (wheel,), (sdist,) = copy.glob("dist/*.whl"), copy.glob("dist/*.tar.gz")
    return wheel, sdist


def _files(wheel):
    with zipfile.ZipFile(wheel) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def test_the_wheel_is_the_package(built):
    """Every file of the package with its bytes; beside them only what wheels have."""
    found = _files(built[0])

    package = {name.removeprefix("src/"): name for name in _tracked() if name.startswith("src/")}
    metadata = {name for name in found if name.startswith("modemap-0.1.0.dist-info/")}
    assert set(found) - metadata == set(package)
    assert {name: found[name] for name in package} == {
        name: (CHECKOUT / source).read_bytes() for name, source in package.items()
    }
    assert {Path(name).name for name in metadata} == {
        "METADATA", "WHEEL", "RECORD", "entry_points.txt", "LICENSE"
    }  # fmt: skip


def test_the_wheel_says_what_it_is(built):
    """Licence, version of Python, extras, the command, and the README as description."""
    found = _files(built[0])

    said = BytesParser().parsebytes(found["modemap-0.1.0.dist-info/METADATA"])
    assert said["License-Expression"] == "Apache-2.0"
    assert said["License-File"] == "LICENSE"
    assert said["Requires-Python"] == ">=3.11"
    assert {"workflow", "serve", "export", "all"} <= set(said.get_all("Provides-Extra"))
    assert said["Description-Content-Type"] == "text/markdown"
    assert "self-organising map" in said.get_payload()
    assert b"modemap = modemap.cli:main" in found["modemap-0.1.0.dist-info/entry_points.txt"]


def test_the_sdist_builds_the_same_wheel(built, tmp_path):
    """From nothing but what is in it, which is what the wheel needs."""
    wheel, sdist = built
    with tarfile.open(sdist) as archive:
        archive.extraction_filter = getattr(tarfile, "data_filter", None)  # Python 3.11.4
        archive.extractall(tmp_path)  # noqa: S202  # of our own
    (folder,) = tmp_path.iterdir()

    uv = (str(TOOLS / "uv"), "build", "--quiet", "--offline", "--no-build-isolation")
    _run(*uv, "--wheel", "--python", sys.executable, "--out-dir", "../out", cwd=folder)

    assert (tmp_path / "out" / wheel.name).read_bytes() == wheel.read_bytes()
    assert {path.name for path in folder.iterdir()} == {
        ".gitignore", "CHANGELOG.md", "LICENSE", "PKG-INFO", "README.md", "pyproject.toml", "src"
    }  # fmt: skip


@pytest.mark.parametrize("tag", ["v0.1.0", "v0.1.1", "0.1.0", "v0.1.0rc1", ""])
def test_a_tag_is_the_version(tag):
    """Any other stops the release, and the message says which it must be."""
    done = subprocess.run(
        [CHECKOUT / ".ci" / "check-tag", tag],
        cwd=CHECKOUT,
        env=os.environ | {"PATH": f"{TOOLS}:{os.environ['PATH']}"},
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == (0 if tag == "v0.1.0" else 1)
    assert ("must be v0.1.0" in done.stderr) == (tag not in {"v0.1.0", ""})


def _jobs(path):
    return YAML(typ="safe").load(path)["jobs"]


def test_each_job_of_the_release_may_do_what_it_must():
    """Nothing by default; only what publishes and signs has an identity, and it builds nothing."""
    workflow, jobs = YAML(typ="safe").load(WORKFLOW), _jobs(WORKFLOW)

    assert workflow["on"] == {"push": {"tags": ["v*"]}}
    assert workflow["permissions"] == {}
    assert {name: job["permissions"] for name, job in jobs.items()} == {
        "build": {"contents": "read"},
        "try": {},
        "attest": {"attestations": "write", "id-token": "write"},
        "publish": {"contents": "read", "id-token": "write"},
    }
    assert [job.get("needs") for job in jobs.values()] == [None, "build", "try", "attest"]
    assert jobs["publish"]["environment"] == "release"
    assert "secrets." not in WORKFLOW.read_text()


def test_what_is_tried_and_signed_is_what_is_published():
    """One artifact goes through all jobs; the tag is checked before anything is built."""
    jobs = _jobs(WORKFLOW)
    runs = {name: [s["run"] for s in job["steps"] if "run" in s] for name, job in jobs.items()}

    assert runs["build"] == ['.ci/check-tag "$GITHUB_REF_NAME"', "make dist"]
    assert "bare/bin/modemap --help" in runs["try"]
    assert 'bare/bin/python -c "import modemap"' in runs["try"]
    assert runs["attest"] == []
    assert runs["publish"][-1].startswith(".venv/bin/uv publish --trusted-publishing always")
    for name in ("try", "attest", "publish"):
        taken = [s["with"] for s in jobs[name]["steps"] if "download-artifact" in s.get("uses", "")]
        assert {"name": "dist", "path": "dist"} in taken


def test_the_publisher_is_the_one_of_the_lock(tmp_path):
    """The lines that take uv out of the lock find it, with its hashes."""
    (script,) = (s["run"] for s in _jobs(WORKFLOW)["publish"]["steps"] if "awk" in s.get("run", ""))
    (awk,) = (line for line in script.splitlines() if line.startswith("awk"))
    (tmp_path / ".venv").mkdir()
    shutil.copy(CHECKOUT / "requirements.lock", tmp_path)

    _run("bash", "-euc", awk, cwd=tmp_path)

    taken = (tmp_path / ".venv" / "uv.lock").read_text()
    assert taken.startswith("uv==")
    assert taken.count("==") == 1
    assert "--hash=sha256:" in taken


def test_the_scan_reads_and_reports():
    """No job of it has more than it needs, and a pull request's code is never run."""
    jobs = _jobs(SCAN)

    assert jobs["dependencies"]["permissions"] == {"contents": "read"}
    assert jobs["code"]["permissions"] == {"contents": "read", "security-events": "write"}
    assert not [step for job in jobs.values() for step in job["steps"] if "run" in step]
