"""The examples in the docstrings of the core run and give what they say."""

import doctest
import importlib
import pkgutil

import pytest

import modemap.estimators
import modemap.kernels
import modemap.plot

MODULES = [
    "modemap.metrics.density",
    "modemap.metrics.maps",
    "modemap.metrics.ranks",
    *(
        module.name
        for module in pkgutil.iter_modules(modemap.estimators.__path__, "modemap.estimators.")
    ),
    *(module.name for module in pkgutil.iter_modules(modemap.kernels.__path__, "modemap.kernels.")),
    *(module.name for module in pkgutil.iter_modules(modemap.plot.__path__, "modemap.plot.")),
]
WITH_EXAMPLES = {
    "modemap.estimators.mixture",
    "modemap.estimators.normalizer",
    "modemap.estimators.preparation",
    "modemap.estimators.segments",
    "modemap.estimators.som",
    "modemap.metrics.density",
    "modemap.metrics.maps",
    "modemap.metrics.ranks",
    "modemap.plot.component_planes",
    "modemap.plot.drift",
    "modemap.plot.hit_map",
    "modemap.plot.modes",
    "modemap.plot.training",
    "modemap.plot.umatrix",
}


@pytest.mark.parametrize("name", MODULES)
def test_examples_give_what_they_say(name):
    """Each module's examples run, and those of the public face have some."""
    failed, tried = doctest.testmod(importlib.import_module(name))

    assert failed == 0
    assert tried > 0 or name not in WITH_EXAMPLES
