"""Secrets in files stop `make check` and the pre-commit hook. They are made here, out of parts."""

import subprocess
import sys
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from tests.projects import CHECKOUT

TOOL, SETTINGS = "detect-secrets-hook", "--baseline .secrets.baseline"
SECRETS = {
    "AWS Access Key": "aws_access_key_id = AKIA" + "Q7RZ2LMN" * 2,
    "Private Key": "-----BEGIN " + "OPENSSH PRIVATE KEY-----",
    "GitHub Token": "token: ghp_" + "aB3dE5gH7" * 4,
    "Basic Auth Credentials": "postgresql://ann:" + "c0rrect-horse@db.internal/rows",
}


@pytest.fixture
def scan(tmp_path):
    """Return what scans a file of the given text, by the repository's settings."""
    subprocess.run(["git", "init", "--quiet"], cwd=tmp_path, check=True)
    (tmp_path / ".secrets.baseline").write_bytes((CHECKOUT / ".secrets.baseline").read_bytes())

    def scanned(text):
        (tmp_path / "settings.txt").write_text(f"a = 1\n{text}\nb = 2\n")
        command = [Path(sys.executable).parent / TOOL, *SETTINGS.split(), "settings.txt"]
        return subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)

    return scanned


@pytest.mark.parametrize("kind", SECRETS)
def test_a_secret_stops_it(scan, kind):
    """Its kind and line are told, and itself is not."""
    done = scan(SECRETS[kind])

    assert done.returncode == 1
    assert kind in done.stdout
    assert "settings.txt:2" in done.stdout
    assert SECRETS[kind] not in done.stdout + done.stderr


@pytest.mark.parametrize(
    "text",
    ["", f"requests==2.32.5 --hash=sha256:{'9f86d081' * 8}", "postgresql://USER:PASSWORD@HOST/DB"],
)
def test_what_is_no_secret_does_not(scan, text):
    """Nothing, digests, and addresses that say where a password goes."""
    done = scan(text)

    assert (done.returncode, done.stdout + done.stderr) == (0, "")


def test_it_is_asked_before_a_commit_and_by_make_check():
    """With the same settings."""
    hooks = YAML(typ="safe").load(CHECKOUT / ".pre-commit-config.yaml")["repos"][0]["hooks"]
    makefile = (CHECKOUT / "Makefile").read_text()
    check = makefile.split("\ncheck: ")[1].split("\n\n")[0]

    assert f".venv/bin/{TOOL} {SETTINGS}" in [hook["entry"] for hook in hooks]
    assert "git ls-files -z | xargs -0" in check
    assert f"$(BIN)/{TOOL} {SETTINGS}" in check


def test_no_finding_is_let_through_or_tried_out():
    """None is known and kept, and no key is sent to whom it may belong to."""
    settings = YAML(typ="safe").load(CHECKOUT / ".secrets.baseline")

    filters = {found["path"].rpartition(".")[2] for found in settings["filters_used"]}
    assert settings["results"] == {}
    assert filters == {"is_line_allowlisted", "should_exclude_secret"}
