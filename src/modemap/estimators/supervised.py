"""Classifier and regressor on top of a map: a sample is what its unit's samples are."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin, clone
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted, validate_data

from modemap.estimators.checks import check_no_text, check_sample_weight
from modemap.estimators.labels import labels_of_units
from modemap.estimators.som import SelfOrganizingMap
from modemap.kernels import FloatArray, unit_distances

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

__all__ = ["SelfOrganizingMapClassifier", "SelfOrganizingMapRegressor"]


class _OnMap(BaseEstimator):
    """What both have in common: a map fitted to the samples without their targets."""

    som: SelfOrganizingMap | None

    def __sklearn_tags__(self) -> Any:
        """Return scikit-learn's tags: missing values and sparse matrices are welcome."""
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        tags.input_tags.sparse = True
        return tags

    def _fit_map(
        self, X: Any, y: Any, sample_weight: ArrayLike | None, *, is_numeric: bool
    ) -> tuple[NDArray[np.int64], Any, FloatArray]:
        """Fit the map; return each sample's unit, the checked targets, and the weights."""
        check_no_text(X)
        X, y = validate_data(
            self,
            X,
            y,
            dtype=(np.float64, np.float32),
            accept_sparse="csr",
            ensure_all_finite="allow-nan",
            y_numeric=is_numeric,
        )
        if not is_numeric:
            check_classification_targets(y)
        weights = check_sample_weight(sample_weight, X.shape[0])
        som = SelfOrganizingMap() if self.som is None else clone(self.som)
        self.som_ = som.fit(X, sample_weight=weights)
        return self.som_.predict(X), y, weights

    def _units(self, X: Any) -> NDArray[np.int64]:
        check_is_fitted(self)
        check_no_text(X)
        X = validate_data(
            self,
            X,
            reset=False,
            dtype=(np.float64, np.float32),
            accept_sparse="csr",
            ensure_all_finite="allow-nan",
        )
        return self.som_.predict(X)

    def _filled(self, values: FloatArray, is_known: NDArray[np.bool_]) -> FloatArray:
        """Return ``values`` of units, those that are not known from the nearest known unit."""
        known = np.flatnonzero(is_known)
        codebook = self.som_.codebook_
        nearest = unit_distances(codebook, codebook[known]).argmin(axis=1)
        return np.where(is_known[:, np.newaxis], values, values[known[nearest]])


class SelfOrganizingMapClassifier(ClassifierMixin, _OnMap):
    """Classifier by the class shares of a sample's unit.

    Parameters
    ----------
    som : SelfOrganizingMap or None, default=None
        The map to fit, which stays as it is; one with all defaults if None.

    Attributes
    ----------
    som_ : SelfOrganizingMap
        The fitted map.
    classes_ : ndarray of shape (n_classes,)
        The classes.
    shares_ : ndarray of shape (n_units, n_classes)
        Share of each class in the weight of a unit's samples; a unit without samples has those of
        the nearest unit with samples.
    n_features_in_ : int
        Features seen in ``fit``.

    Examples
    --------
    >>> X, y = [[0.0], [0.2], [5.0], [5.2]], ["low", "low", "high", "high"]
    >>> SelfOrganizingMapClassifier(SelfOrganizingMap(1, 2)).fit(X, y).predict([[4.0]]).tolist()
    ['high']
    """

    def __init__(self, som: SelfOrganizingMap | None = None) -> None:
        self.som = som

    def fit(self, X: ArrayLike, y: ArrayLike, sample_weight: ArrayLike | None = None) -> Self:
        """Fit the map to ``X`` (n_samples, n_features) and label its units by ``y`` (n_samples,).

        Parameters
        ----------
        X : array-like or sparse matrix of shape (n_samples, n_features)
            Samples, scaled so that the features compare; NaN is a missing value.
        y : array-like of shape (n_samples,)
            Their classes.
        sample_weight : array-like of shape (n_samples,), optional
            A weight of 2 counts as the row twice, 0 as not there.

        Returns
        -------
        SelfOrganizingMapClassifier
            The classifier itself.

        Raises
        ------
        ValueError
            If ``y`` holds no classes, or an argument of the map breaks its rule.
        """
        units, labels, weights = self._fit_map(X, y, sample_weight, is_numeric=False)
        found = labels_of_units(units, labels, weights, len(self.som_.codebook_))
        self.classes_ = found.classes
        self.shares_ = self._filled(found.shares, found.majority >= 0)
        return self

    def predict_proba(self, X: ArrayLike) -> FloatArray:
        """Return the class shares of each sample's unit, (n_samples, n_classes).

        Parameters
        ----------
        X : array-like or sparse matrix of shape (n_samples, n_features)
            Samples, scaled as those of :meth:`fit`; NaN is a missing value.

        Returns
        -------
        shares : ndarray of shape (n_samples, n_classes)
        """
        units = self._units(X)
        shares: FloatArray = self.shares_[units]
        return shares

    def predict(self, X: ArrayLike) -> NDArray[Any]:
        """Return the heaviest class of each sample's unit; ties go to the first class.

        Parameters
        ----------
        X : array-like or sparse matrix of shape (n_samples, n_features)
            Samples, scaled as those of :meth:`fit`; NaN is a missing value.

        Returns
        -------
        classes : ndarray of shape (n_samples,)
        """
        heaviest = self.predict_proba(X).argmax(axis=1)
        classes: NDArray[Any] = self.classes_[heaviest]
        return classes


class SelfOrganizingMapRegressor(RegressorMixin, _OnMap):
    """Regressor by the mean target of a sample's unit.

    Parameters
    ----------
    som : SelfOrganizingMap or None, default=None
        The map to fit, which stays as it is; one with all defaults if None.

    Attributes
    ----------
    som_ : SelfOrganizingMap
        The fitted map.
    means_ : ndarray of shape (n_units,)
        Weighted mean target of a unit's samples; a unit without samples has that of the nearest
        unit with samples.
    n_features_in_ : int
        Features seen in ``fit``.

    Examples
    --------
    >>> X, y = [[0.0], [0.2], [5.0], [5.2]], [1.0, 3.0, 7.0, 9.0]
    >>> SelfOrganizingMapRegressor(SelfOrganizingMap(1, 2)).fit(X, y).predict([[4.0]]).tolist()
    [8.0]
    """

    def __init__(self, som: SelfOrganizingMap | None = None) -> None:
        self.som = som

    def fit(self, X: ArrayLike, y: ArrayLike, sample_weight: ArrayLike | None = None) -> Self:
        """Fit the map to ``X`` (n_samples, n_features), its units' means to ``y`` (n_samples,).

        Parameters
        ----------
        X : array-like or sparse matrix of shape (n_samples, n_features)
            Samples, scaled so that the features compare; NaN is a missing value.
        y : array-like of shape (n_samples,)
            Their targets, finite numbers.
        sample_weight : array-like of shape (n_samples,), optional
            A weight of 2 counts as the row twice, 0 as not there.

        Returns
        -------
        SelfOrganizingMapRegressor
            The regressor itself.

        Raises
        ------
        ValueError
            If ``y`` is not one finite number for each row, or an argument of the map breaks its
            rule.
        """
        units, targets, weights = self._fit_map(X, y, sample_weight, is_numeric=True)
        n_units = len(self.som_.codebook_)
        totals = np.bincount(units, weights, n_units)
        sums = np.bincount(units, weights * targets, n_units)
        is_known = totals > 0
        means = np.divide(sums, totals, out=np.zeros(n_units), where=is_known)
        self.means_ = self._filled(means[:, np.newaxis], is_known)[:, 0]
        return self

    def predict(self, X: ArrayLike) -> FloatArray:
        """Return the mean target of each sample's unit, (n_samples,).

        Parameters
        ----------
        X : array-like or sparse matrix of shape (n_samples, n_features)
            Samples, scaled as those of :meth:`fit`; NaN is a missing value.

        Returns
        -------
        targets : ndarray of shape (n_samples,)
        """
        units = self._units(X)
        means: FloatArray = self.means_[units]
        return means
