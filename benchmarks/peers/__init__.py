"""The peers live in environments of their own, one for each list of packages in this folder."""

import subprocess
import sys
from pathlib import Path

__all__ = ["python_with"]

ROOT = Path(__file__).parents[2]


def python_with(name: str) -> Path:
    """Return the interpreter that has the packages of ``name``; install them the first time."""
    environment = ROOT / ".peers" / name
    python = environment / "bin" / "python"
    if not (environment / "complete").exists():
        subprocess.run([sys.executable, "-m", "venv", "--clear", environment], check=True)
        requirements = Path(__file__).with_name(f"{name}.txt")
        install = [python, "-m", "pip", "install", "--quiet", "-r", requirements]
        subprocess.run(install, check=True)
        (environment / "complete").touch()
    return python
