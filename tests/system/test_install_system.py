"""Debian's packages for the tests beside this one."""

import subprocess

import pytest

from tests.projects import CHECKOUT

pytestmark = pytest.mark.system


def test_nothing_is_missing_once_it_ran():
    """`make test-all` installs what is missing first, so a second call has nothing to do."""
    command = str(CHECKOUT / ".ci" / "install-system")

    done = subprocess.run([command], capture_output=True, text=True, check=True)

    assert done.stdout == done.stderr == ""
