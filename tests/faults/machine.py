"""What a machine does to a stage: a full disk, a read-only folder, a signal, a planted link."""

import subprocess
import sys
from functools import cache
from pathlib import Path

from tests.projects import Project

NAMESPACES = (  # where a mount is this process's own: as root, as a user, as a user who may sudo
    ("unshare", "--mount"),
    ("unshare", "--user", "--map-root-user", "--mount"),
    ("sudo", "-n", "-E", "unshare", "--mount"),
)

ON_A_FULL_DISK = """
set -eu
saved=$(mktemp -d)
cp -a . "$saved"
mount -t tmpfs -o size=64m tmpfs "$PWD"
cd "$PWD"
cp -a "$saved/." .
cat /dev/zero > filler 2> /dev/null || true
code=0
"$@" || code=$?
rm filler
for top in data models reports dvc.lock; do diff -r "$saved/$top" "$top" || true; done
rm -r "$saved"
exit "$code"
"""

IN_A_READ_ONLY_FOLDER = """
set -eu
mount --bind "$PWD" "$PWD"
mount -o remount,bind,ro "$PWD"
cd "$PWD"
exec "$@"
"""

PARAMS_ARE_READ = ("open", "params.yaml")
MOMENTS = {  # of each stage: at its start, while it writes, before its last write
    "ingest": (
        PARAMS_ARE_READ,
        ("os.rename", "data/raw"),
        ("os.rename", "reports/ingest.json"),
    ),
    "validate": (
        PARAMS_ARE_READ,
        ("open", "data/raw/manifest.json"),
        ("os.rename", "reports/validate.json"),
    ),
    "prepare": (
        PARAMS_ARE_READ,
        ("os.rename", "data/prepared"),
        ("os.rename", "reports/prepare.json"),
    ),
    "train_som": (
        PARAMS_ARE_READ,
        ("os.rename", "models/som"),
        ("open", "mlruns/artifacts"),
    ),
    "train_mixture": (
        PARAMS_ARE_READ,
        ("os.rename", "models/mixture"),
        ("open", "mlruns/artifacts"),
    ),
    "evaluate": (
        PARAMS_ARE_READ,
        ("os.rename", "models/release"),
        ("os.rename", "reports/evaluate.json"),
    ),
}


@cache
def namespace() -> tuple[str, ...]:
    """Return the command that gives a process mounts of its own on this machine."""
    for command in NAMESPACES:
        tried = subprocess.run(
            [*command, "mount", "-t", "tmpfs", "tmpfs", "/mnt"], capture_output=True, check=False
        )
        if tried.returncode == 0:
            return command
    raise AssertionError("needs root, user namespaces or sudo to mount a small disk of its own")


def mounted(project: Project, script: str, *command: str) -> subprocess.CompletedProcess[str]:
    """Run ``command`` in the project's folder after ``script`` has mounted something there."""
    return project.run(*namespace(), "bash", "-c", script, "bash", *command)


def stage_command(stage: str) -> list[str]:
    """Return the command that runs ``stage``."""
    return [sys.executable, "-m", f"modemap.stages.{stage}"]


def killed(
    project: Project, stage: str, signal: str, moment: tuple[str, str]
) -> subprocess.CompletedProcess[str]:
    """Run ``stage`` and send it ``signal`` at the ``moment``."""
    script = str(Path(__file__).with_name("killed.py"))
    return project.run(sys.executable, script, stage, signal, *moment)
