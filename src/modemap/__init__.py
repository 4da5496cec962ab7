"""Self-organising map and Bayesian Gaussian mixture, and the workflow that keeps them true.

The estimators are loaded when they are first asked for, so importing the package costs nothing.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from modemap.estimators import (
        BayesianGaussianMixture,
        ModeNormalizer,
        SelfOrganizingMap,
        SelfOrganizingMapClassifier,
        SelfOrganizingMapRegressor,
    )

    __version__: str

__all__ = [
    "BayesianGaussianMixture",
    "ModeNormalizer",
    "SelfOrganizingMap",
    "SelfOrganizingMapClassifier",
    "SelfOrganizingMapRegressor",
    "__version__",
]


def __getattr__(name: str) -> Any:
    if name == "__version__":
        from importlib.metadata import version  # noqa: PLC0415  (see the docstring)

        return version("modemap")
    if name in __all__:
        from modemap import estimators  # noqa: PLC0415

        return getattr(estimators, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
