"""The page of pictures runs as it stands."""

import re

import matplotlib.pyplot as plt

from tests.projects import CHECKOUT

BLOCK = re.compile(r"```python\n(.*?)```", re.DOTALL)


def test_every_block_runs(tmp_path, monkeypatch):
    """One after the other, as a reader would."""
    monkeypatch.chdir(tmp_path)
    blocks = BLOCK.findall((CHECKOUT / "docs" / "pictures.md").read_text())
    known: dict[str, object] = {}

    for block in blocks:
        exec(compile(block, "docs/pictures.md", "exec"), known)  # noqa: S102  (our own page)

    assert len(blocks) == 2
    assert (tmp_path / "u-matrix.png").stat().st_size > 10_000
    plt.close("all")
