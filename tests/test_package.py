"""What ``import modemap`` gives and what it costs."""

import subprocess
import sys

import pytest

import modemap


def test_the_public_names_are_those_of_all():
    """Every name promised is there, in order."""
    assert modemap.__all__ == sorted(modemap.__all__)
    assert set(modemap.__all__) <= set(dir(modemap))
    assert all(getattr(modemap, name) for name in modemap.__all__)


def test_an_unknown_name_is_an_attribute_error():
    """Lazy names do not hide mistakes."""
    with pytest.raises(AttributeError, match="NoSuchThing"):
        modemap.NoSuchThing  # noqa: B018


def test_import_loads_no_heavy_package():
    """The command line starts without waiting for the estimators."""
    script = "import sys, modemap; print(sorted({'numpy', 'numba', 'sklearn'} & set(sys.modules)))"

    done = subprocess.run(
        [sys.executable, "-c", script], check=True, capture_output=True, text=True
    )

    assert done.stdout.strip() == "[]"


def test_estimators_load_without_the_compiler():
    """The compiler is imported by the first kernel that runs, not before."""
    script = "import sys, modemap.estimators; print('numba' in sys.modules)"

    done = subprocess.run(
        [sys.executable, "-c", script], check=True, capture_output=True, text=True
    )

    assert done.stdout.strip() == "False"
