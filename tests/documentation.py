"""The site of docs/, built once for all who look at it."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.projects import CHECKOUT
from tests.sharing import made_once


@pytest.fixture(scope="session")
def site(tmp_path_factory) -> Path:
    """Return the folder of the site, built strictly from the checkout: a warning is an error."""

    def build(folder: Path) -> None:
        done = subprocess.run(
            [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", folder],
            cwd=CHECKOUT,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr

    return made_once(tmp_path_factory, "site", build)
