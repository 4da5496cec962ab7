"""Docstrings of public names are whole: each argument, what comes back, each learned attribute."""

import importlib
import inspect
import logging
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
from griffe import Docstring

from modemap import (
    BayesianGaussianMixture,
    ModeNormalizer,
    SelfOrganizingMap,
    SelfOrganizingMapClassifier,
    SelfOrganizingMapRegressor,
)

MODULES = (
    "modemap",
    "modemap.lifecycle.explain",
    "modemap.metrics",
    "modemap.plot",
    "modemap.sketch",
)


def public(module: str) -> Iterator[tuple[str, Any]]:
    """Yield the module's classes, their own methods, and its functions."""
    here = importlib.import_module(module)
    for name in here.__all__:
        found = getattr(here, name)
        if inspect.isfunction(found):
            yield name, found
        if inspect.isclass(found):
            yield name, found
            for method, kept in vars(found).items():
                function = getattr(kept, "__func__", kept)
                if not method.startswith("_") and inspect.isfunction(function):
                    yield f"{name}.{method}", function


NAMES = {f"{module}.{name}": found for module in MODULES for name, found in public(module)}


def sections(found: Any) -> dict[str, list[str]]:
    """Return the names that each section of a docstring lists."""
    logging.getLogger("griffe").setLevel(logging.CRITICAL)  # types are told by annotations
    parsed = Docstring(inspect.cleandoc(inspect.getdoc(found) or "")).parse("numpy")
    listed: dict[str, list[str]] = {}
    for section in parsed:
        items = section.value if isinstance(section.value, list) else []
        names = [name for item in items for name in str(getattr(item, "name", "")).split(", ")]
        listed.setdefault(section.kind.value, []).extend(name.strip("*") for name in names)
    return listed


def arguments(found: Callable[..., Any]) -> list[str]:
    """Return what it takes; ``y`` may be there for scikit-learn's sake alone."""
    taken = inspect.signature(found).parameters.values()
    return [each.name for each in taken if each.name not in ("self", "cls", "y")]


@pytest.mark.parametrize("name", NAMES)
def test_every_argument_is_told_and_no_other(name):
    """In the section Parameters, or for values that are kept as they are in Attributes."""
    found = NAMES[name]
    listed = sections(found)

    told = [each for each in listed.get("parameters", []) if each != "y"]

    taken = arguments(found)
    assert set(told) <= set(taken)
    assert set(taken) <= {*told, *listed.get("attributes", [])}


@pytest.mark.parametrize(
    "name", [name for name, found in NAMES.items() if inspect.isfunction(found)]
)
def test_what_comes_back_is_told(name):
    """Unless nothing does."""
    returned = inspect.signature(NAMES[name]).return_annotation

    listed = sections(NAMES[name])

    assert (returned in (None, "None")) != bool({"returns", "yields"} & set(listed))


X = np.repeat(np.eye(3) * 6, 20, axis=0) + np.random.default_rng(0).normal(size=(60, 3))


@pytest.mark.parametrize(
    "fitted",
    [
        lambda: SelfOrganizingMap(3, 3, max_iter=2).fit(X),
        lambda: SelfOrganizingMapClassifier(SelfOrganizingMap(3, 3, max_iter=2)).fit(
            X, X[:, 0] > 3
        ),
        lambda: SelfOrganizingMapRegressor(SelfOrganizingMap(3, 3, max_iter=2)).fit(X, X[:, 0]),
        lambda: BayesianGaussianMixture(n_components=2, random_state=0, tol=1.0).fit(X),
        lambda: ModeNormalizer(2, random_state=0).fit(X),
    ],
)
def test_every_learned_attribute_is_told(fitted):
    """Those that end in an underscore, and scikit-learn's own."""
    model = fitted()

    told = sections(type(model)).get("attributes", [])

    learned = {name for name in vars(model) if name.endswith("_") and not name.startswith("_")}
    assert learned
    assert learned <= set(told)
    assert all(hasattr(model, name) for name in told if name != "feature_names_in_")


def test_a_gap_is_seen():
    """The tests above would notice an argument, a result or an attribute that is not told."""

    def whole(x: int, y: int = 0) -> int:
        """Return x.

        Parameters
        ----------
        x, z : int
            A number.
        """
        return x + y

    listed = sections(whole)
    assert listed["parameters"] == ["x", "z"]
    assert not {"returns", "yields"} & set(listed)
