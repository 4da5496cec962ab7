"""The adapter at work in the real RDT and CTGAN, in an environment of their own."""

import os
import re
import subprocess
from pathlib import Path

import pytest

from benchmarks.peers import python_with

ROOT = Path(__file__).parents[2]

pytestmark = [pytest.mark.peers, pytest.mark.timeout(1200)]

COLUMN = """
import numpy as np, pandas as pd
rng = np.random.default_rng(0)
x = np.round(np.concatenate((rng.normal(0, 1, 3000), rng.normal(60, 5, 2000))), 2)
frame = pd.DataFrame({"x": x, "other": rng.integers(0, 3, len(x)).astype(str)})
from modemap.estimators.rdt import ModeTransformer
"""


@pytest.fixture(scope="module")
def python():
    """Return the interpreter of the peers' environment, made if it is not there."""
    return python_with("mixture")


def run(python, code):
    """Run code on the column; what it asserts must hold."""
    done = subprocess.run(
        [python, "-c", COLUMN + code],
        env=os.environ | {"PYTHONPATH": str(ROOT / "src")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr


def test_the_adapter_means_what_rdt_means(python):
    """The same columns, the same scale, and shares of modes that agree."""
    run(
        python,
        """
from rdt.transformers import ClusterBasedNormalizer
theirs, ours = ClusterBasedNormalizer(max_clusters=2), ModeTransformer(2, random_state=0)
theirs.reset_randomization()
a, b = theirs.fit_transform(frame, "x"), ours.fit_transform(frame, "x")
assert list(a.columns) == list(b.columns), (a.columns, b.columns)
order = [np.argsort(t.groupby("x.component")["x.normalized"].size().to_numpy()) for t in (a, b)]
shares = [np.sort(np.bincount(t["x.component"].astype(int), minlength=2)) / len(x) for t in (a, b)]
np.testing.assert_allclose(shares[0], shares[1], atol=0.01)
spread = [np.sort(t.groupby("x.component")["x.normalized"].std().to_numpy()) for t in (a, b)]
np.testing.assert_allclose(spread[0], spread[1], rtol=0.05)
back = ours.reverse_transform(b)
inside = b["x.normalized"].abs() < 0.98
assert (back["x"] == x)[inside].all() and inside.mean() > 0.99
""",
    )


def test_ctgan_transforms_by_our_modes(python):
    """Its DataTransformer takes the adapter as the page says, there and back."""
    page = (ROOT / "docs" / "coming-from-rdt.md").read_text()
    (as_documented,) = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    run(
        python,
        as_documented
        + """
transformer = ctgan.data_transformer.DataTransformer()
transformer.fit(frame, ["other"])
encoded = transformer.transform(frame)
assert encoded.shape == (len(x), transformer.output_dimensions)
restored = transformer.inverse_transform(encoded)
assert (restored["other"] == frame["other"]).all()
assert np.mean(restored["x"].to_numpy() == x) > 0.99
""",
    )
