"""The package says which extra it needs, and nobody else pays for it."""

import subprocess
import sys

import modemap.plot

ABSENT = """
import sys
sys.modules["matplotlib"] = None  # as if it were not installed
try:
    import modemap.plot
except ModuleNotFoundError as error:
    print(error)
"""


def run(script):
    """Return what a fresh interpreter prints."""
    return subprocess.run(
        [sys.executable, "-c", script], check=True, capture_output=True, text=True
    ).stdout.strip()


def test_without_matplotlib_the_extra_is_named():
    """One line says what to install."""
    said = run(ABSENT)

    assert said == "modemap.plot needs the extra `plot`: pip install 'modemap[plot]'"


def test_the_package_does_not_load_matplotlib():
    """Estimators, monitoring and the command line come without pictures."""
    script = "import sys, modemap, modemap.estimators, modemap.monitoring.check"

    assert run(f"{script}; print('matplotlib' in sys.modules)") == "False"


def test_the_public_names_are_those_of_all():
    """Every display is there."""
    assert all(name.endswith("Display") for name in modemap.plot.__all__)
    assert modemap.plot.__all__ == sorted(modemap.plot.__all__)
    assert all(getattr(modemap.plot, name) for name in modemap.plot.__all__)
