"""The map beside MiniSom and IntraSOM, in an environment of their own."""

import os
import subprocess
from pathlib import Path

import pytest

from benchmarks.peers import python_with

ROOT = Path(__file__).parents[2]

pytestmark = [pytest.mark.peers, pytest.mark.timeout(1200)]

SAMPLES = """
import numpy as np
from modemap import SelfOrganizingMap
rng = np.random.default_rng(0)
X = rng.normal(size=(12, 4))[rng.integers(0, 12, size=2000)] + rng.normal(0, 0.3, (2000, 4))
start = rng.normal(size=(30, 4))
"""


@pytest.fixture(scope="module")
def python():
    """Return the interpreter of the peers' environment, made if it is not there."""
    return python_with("som")


def run(python, folder, code):
    """Run code on the samples in an empty folder; what it asserts must hold."""
    done = subprocess.run(
        [python, "-c", SAMPLES + code],
        env=os.environ | {"PYTHONPATH": str(ROOT / "src"), "MPLBACKEND": "agg"},
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr


def test_online_training_ends_where_minisom_ends(python, tmp_path):
    """Sample by sample from the same units, with the same radii and learning rates."""
    run(
        python,
        tmp_path,
        """
from minisom import MiniSom
n = len(X)
theirs = MiniSom(5, 6, 4, sigma=2.5, learning_rate=0.4, decay_function="linear_decay_to_zero",
                 sigma_decay_function="linear_decay_to_one")
theirs._weights = start.reshape(5, 6, 4).copy()
theirs.train(X, n)
ours = SelfOrganizingMap(5, 6, training="online", init=start, max_iter=1, shuffle=False,
                         radius=(2.5, 2.5 - 1.5 * (n - 1) / n), learning_rate=(0.4, 0.4 / n))
codebook = ours.fit(X).codebook_
np.testing.assert_allclose(codebook, theirs.get_weights().reshape(30, 4), atol=1e-4)
assert np.abs(codebook - start).max() > 0.5
assert (ours.predict(X) == [6 * i + j for i, j in map(theirs.winner, X)]).mean() > 0.999
""",
    )


def test_batch_epochs_end_where_those_of_intrasom_end(python, tmp_path):
    """From the same units, with the same radii."""
    run(
        python,
        tmp_path,
        """
from intrasom import SOMFactory
theirs = SOMFactory.build(X, mapsize=(6, 5), mapshape="planar", lattice="rect",
                          normalization=None, initialization="random")
theirs.codebook.matrix = start.copy()
theirs.actual_train, theirs.bootstrap = "Fine", False
theirs.finetune_train(njob=1, shared_memory=False, trainlen=6, radiusin=2.0, radiusfin=1.0)
ours = SelfOrganizingMap(5, 6, init=start, max_iter=6, radius=(2.0, 1.0)).fit(X)
np.testing.assert_allclose(ours.codebook_, theirs.codebook.matrix, atol=1e-4)
assert np.abs(ours.codebook_ - start).max() > 0.5
""",
    )
