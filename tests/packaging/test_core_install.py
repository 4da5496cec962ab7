"""The core alone: a bare environment, the checkout without extras, and the estimators at work."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
ABSENT = (
    "dask",
    "dvc",
    "fastapi",
    "great_expectations",
    "matplotlib",
    "mlflow",
    "pandas",
    "prefect",
    "ruamel",
)
NOT_LOADED = ("pydantic", "typer")  # typer is of the core, and brings pydantic with it
FIT = f"""
import importlib.util
import sys

import numpy as np

import modemap

absent = {ABSENT!r}
present = [name for name in absent if importlib.util.find_spec(name)]
assert not present, f"not part of the core: {{present}}"

X = np.random.default_rng(0).normal(size=(600, 3))
X[:300] += 9.0
X = X.round(2)
som = modemap.SelfOrganizingMap(4, 5).fit(X)
mixture = modemap.BayesianGaussianMixture(n_components=2, random_state=0).fit(X)
normalizer = modemap.ModeNormalizer(random_state=0).fit(X)

assert som.predict(X).shape == (600,)
assert np.isfinite(mixture.score_samples(X)).all()
assert (normalizer.inverse_transform(normalizer.encode(X)) == X).all()
for model in (som, mixture, normalizer):
    model.save("model.npz")
    type(model).load("model.npz")
loaded = set({NOT_LOADED!r}) & sys.modules.keys()
assert not loaded, f"the estimators need none of these: {{loaded}}"
print(modemap.__version__, modemap.__file__)
"""


def environment():
    """Return this process's variables without those that lead back to its own packages."""
    own = ("PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV", "NUMBA_CACHE_DIR")
    return {name: value for name, value in os.environ.items() if name not in own}


def run(*command, cwd):
    """Run a command; fail the test with what it printed."""
    done = subprocess.run(
        command, cwd=cwd, env=environment(), capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture
def uv():
    """Return uv: the one beside this Python, else the one on PATH."""
    beside = Path(sys.executable).with_name("uv")
    found = str(beside) if beside.exists() else shutil.which("uv")
    assert found, "uv is part of the development environment (`make` puts it into .venv/bin)"
    return found


@pytest.fixture
def checkout(tmp_path):
    """Return a copy of the sources: building them leaves nothing in the checkout."""
    copy = tmp_path / "checkout"
    shutil.copytree(ROOT / "src", copy / "src", ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, copy / name)
    return copy


@pytest.mark.slow
def test_the_core_alone_fits_the_estimators(uv, checkout, tmp_path):
    """No workflow package is installed with it, and none is needed."""
    python = tmp_path / "bare" / "bin" / "python"
    run(uv, "venv", "--quiet", "--python", sys.executable, "bare", cwd=tmp_path)
    run(
        uv, "pip", "install", "--quiet", "--python", str(python),
        "--constraints", str(ROOT / "requirements.lock"), str(checkout),
        cwd=tmp_path,
    )  # fmt: skip
    (tmp_path / "fit.py").write_text(FIT)

    version, file = run(str(python), "-W", "error", "fit.py", cwd=tmp_path).split()

    assert version == "0.1.0"
    assert Path(file).is_relative_to(tmp_path / "bare")
