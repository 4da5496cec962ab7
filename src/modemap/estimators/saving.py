"""What the files of all models have in common: arguments, features, and a check that they agree."""

from collections.abc import Mapping
from inspect import signature
from typing import Any, TypeVar

import numpy as np
from sklearn.base import BaseEstimator

from modemap.estimators.checks import check_integer
from modemap.estimators.state import Arrays

__all__ = ["model_from", "params_of", "require", "require_arrays"]

Model = TypeVar("Model", bound=BaseEstimator)


def params_of(model: BaseEstimator, learned: Mapping[str, Any]) -> dict[str, Any]:
    """Return what the file says of ``model`` in JSON: arguments, features, learned numbers.

    ``n_jobs`` is left to whoever loads it: threads change no digit, and so no byte.
    """
    names = getattr(model, "feature_names_in_", None)
    arguments = {name: _plain(value) for name, value in model.get_params().items()}
    return {
        "arguments": arguments | {"n_jobs": None} if "n_jobs" in arguments else arguments,
        "feature_names": None if names is None else [str(name) for name in names],
        "learned": dict(learned),
        "n_features": int(model.n_features_in_),
    }


def model_from(cls: type[Model], params: Mapping[str, Any]) -> tuple[Model, dict[str, Any]]:
    """Return a model with the arguments and features of ``params``, and its learned numbers.

    Raises
    ------
    ValueError
        If ``params`` is not what :func:`params_of` returns for a ``cls``.
    """
    require(set(params) == {"arguments", "feature_names", "learned", "n_features"}, "params")
    arguments, learned = params["arguments"], params["learned"]
    require(isinstance(arguments, dict) and isinstance(learned, dict), "arguments and learned")
    require(set(arguments) == set(signature(cls).parameters), "arguments")
    model = cls(**arguments)
    model.n_features_in_ = check_integer("n_features", params["n_features"], 1)
    names = params["feature_names"]
    if names is not None:
        require(isinstance(names, list) and len(names) == model.n_features_in_, "feature_names")
        model.feature_names_in_ = np.array(names, dtype=object)
    return model, learned


def require(is_so: bool, what: str) -> None:
    """Raise ``ValueError`` where parts of a file do not fit together."""
    if not is_so:
        raise ValueError(f"{what}: not as this model would have written it")


def require_arrays(arrays: Arrays, shapes: Mapping[str, tuple[int, ...]]) -> None:
    """Raise ``ValueError`` unless the file holds these float64 arrays alone, all finite."""
    if set(arrays) != set(shapes):
        raise ValueError(f"arrays {sorted(arrays)} instead of {sorted(shapes)}")
    for name, shape in shapes.items():
        array = arrays[name]
        if array.dtype != np.float64 or array.shape != shape:
            raise ValueError(f"{name} is {array.dtype} of shape {array.shape} instead of {shape}")
        if not np.isfinite(array).all():
            raise ValueError(f"{name} holds NaN or infinity")


def _plain(value: Any) -> Any:
    """Return ``value`` as JSON can say it; a random generator is no part of a model."""
    if isinstance(value, np.random.RandomState | np.random.Generator):
        return None
    if isinstance(value, np.ndarray | np.generic):
        return value.tolist()
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, Mapping):
        return {key: _plain(item) for key, item in value.items()}
    return value
