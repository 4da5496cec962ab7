"""The files that GitHub and tools read are what these take them for."""

import subprocess
import sys

import pytest
from ruamel.yaml import YAML

from tests.projects import CHECKOUT

GITHUB = CHECKOUT / ".github"


@pytest.mark.parametrize(
    ("schema", "path"),
    [
        ("vendor.dependabot", GITHUB / "dependabot.yml"),
        ("vendor.github-issue-config", GITHUB / "ISSUE_TEMPLATE" / "config.yml"),
        *(
            ("vendor.github-issue-forms", path)
            for path in sorted((GITHUB / "ISSUE_TEMPLATE").glob("*.yml"))
            if path.name != "config.yml"
        ),
    ],
)
def test_github_can_read_it(schema, path):
    """By the schema that its documentation names."""
    command = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", schema, str(path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stdout + done.stderr


def test_the_hooks_run_what_is_installed():
    """Each command of the pre-commit hooks is one of the lock's."""
    hooks = YAML(typ="safe").load(CHECKOUT / ".pre-commit-config.yaml")["repos"][0]["hooks"]
    lock = (CHECKOUT / "requirements.lock").read_text()

    assert hooks
    for hook in hooks:
        tool = hook["entry"].split()[0].removeprefix(".venv/bin/").removesuffix("-hook")
        assert f"\n{tool}==" in lock
