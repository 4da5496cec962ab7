"""scikit-learn's own tests of the class, with ours in its place."""

from types import ModuleType

import pytest
from sklearn.mixture.tests import test_bayesian_mixture as peer

from modemap.estimators import BayesianGaussianMixture

EXCEPTIONS = {
    "test_compare_covar_type": "calls private methods of scikit-learn's class",
    "test_log_dirichlet_norm": "tests a private function of scikit-learn",
    "test_log_wishart_norm": "tests a private function of scikit-learn",
}


def peer_tests(module: ModuleType):
    """Yield each test function of the module, once for each set of its parameters."""
    for name, function in vars(module).items():
        if not name.startswith("test_") or name in EXCEPTIONS:
            continue
        marks = [mark for mark in getattr(function, "pytestmark", []) if mark.name == "parametrize"]
        for i, values in enumerate(marks[0].args[1] if marks else [()]):
            names = [part.strip() for part in marks[0].args[0].split(",")] if marks else []
            arguments = dict(zip(names, values, strict=True))
            yield pytest.param(function, arguments, id=f"{name}-{i}")


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize(("test", "arguments"), list(peer_tests(peer)))
def test_scikit_learns_test_passes_with_our_class(monkeypatch, test, arguments):
    """Each one passes; the exceptions are of private helpers alone."""
    monkeypatch.setattr(peer, "BayesianGaussianMixture", BayesianGaussianMixture)

    test(**arguments)


def test_every_exception_is_a_test_there():
    """No exception outlives its test."""
    assert set(EXCEPTIONS) <= set(vars(peer))
