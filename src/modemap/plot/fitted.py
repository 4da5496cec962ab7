"""The map within an estimator that was given to draw."""

from typing import Any

from sklearn.utils.validation import check_is_fitted

from modemap.estimators import SelfOrganizingMap

__all__ = ["map_of"]


def map_of(estimator: Any) -> SelfOrganizingMap:
    """Return the fitted map: the estimator itself, or that of a classifier or regressor.

    Raises
    ------
    NotFittedError
        If it is not fitted.
    ValueError
        If there is no map in it.
    """
    if isinstance(estimator, SelfOrganizingMap):
        check_is_fitted(estimator)
        return estimator
    if hasattr(estimator, "som"):
        check_is_fitted(estimator)
        return map_of(estimator.som_)
    raise ValueError(
        "som must be a SelfOrganizingMap, or a classifier or regressor on one, "
        f"got {type(estimator).__name__}"
    )
