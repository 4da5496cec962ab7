"""The self-organising map: units on a grid, each a typical row, like beside like."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self

import numpy as np
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.utils import check_array, check_random_state
from sklearn.utils.validation import check_is_fitted, column_or_1d

from modemap.estimators.arguments import checked_arguments, initial_codebook
from modemap.estimators.batches import Batches
from modemap.estimators.checks import (
    check_fitted,
    check_integer,
    check_sample_weight,
    check_size,
    check_threads,
)
from modemap.estimators.labels import UnitLabels, labels_of_units
from modemap.estimators.samples import Samples, checked_rows
from modemap.estimators.saving import model_from, params_of, require_arrays
from modemap.estimators.state import load_state, reading, save_state
from modemap.estimators.training import HISTORY, History, together
from modemap.kernels import (
    FloatArray,
    Grid,
    IntArray,
    UnitSums,
    nearest_units,
    same_threads,
    unit_distances,
)

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import ArrayLike

__all__ = ["SelfOrganizingMap"]

KIND = "self_organizing_map"
SAVED = tuple(name for name in HISTORY if name != "seconds")  # equal maps are equal files
ON_A_UNIT = 1e-6  # how far a position may lie from its unit


class SelfOrganizingMap(TransformerMixin, BaseEstimator):
    """Self-organising map, trained by batch epochs or sample by sample.

    In batch training every epoch finds the unit nearest to each sample and moves every unit to the
    mean of all samples, weighted by how near their units are on the grid. The radius of that
    neighborhood shrinks from epoch to epoch. The result does not depend on the order of the
    samples, up to rounding, nor on the number of threads, in any digit.

    Parameters
    ----------
    n_rows, n_columns : int or None, default=None
        The grid. A side left out follows from the total weight of the samples: a map has about
        ``5 * sqrt(weight)`` units.
    topology : {"rectangular", "hexagonal"}, default="rectangular"
        How units lie on the plane. Every second row of a hexagonal grid is shifted by half a unit.
    boundary : {"planar", "toroidal"}, default="planar"
        ``"toroidal"`` joins opposite edges, so that no unit lies at an edge.
    neighborhood : {"gaussian", "bubble", "mexican_hat", "triangle"}, default="gaussian"
        ``"gaussian"`` falls off smoothly, ``"triangle"`` evenly to 0 at ``radius``; ``"bubble"``
        reaches ``radius`` far with one strength; ``"mexican_hat"`` pushes away units farther than
        ``radius``. Bubbles are squares on a rectangular grid and discs on a hexagonal one.
    training : {"batch", "online"}, default="batch"
        Online training presents one sample after the other and moves units a little each time.
    init : {"pca", "random", "sample"} or array of shape (n_units, n_features), default="pca"
        Where units start: spread over the plane of the principal components, drawn evenly from the
        ranges of the features, on drawn samples, or as given.
    metric : {"euclidean", "cosine", "manhattan", "chebyshev"}, default="euclidean"
        By which units are nearest. Units move to means whatever it is.
    max_iter : int, default=20
        Epochs, passes over all samples.
    radius : (float, float) or None, default=None
        Radius of the neighborhood in the first and the last epoch, in units of the grid; half the
        longer side and 1 if not given.
    radius_decay : {"linear", "exponential", "inverse"}, default="linear"
        How the radius shrinks between the two.
    learning_rate : (float, float), default=(0.5, 0.01)
        How far the nearest unit moves towards a sample at first and at last, from 0 to 1. Online
        training alone.
    learning_rate_decay : {"linear", "exponential", "inverse"}, default="linear"
        How the learning rate falls between the two.
    decay_by : {"update", "epoch"}, default="update"
        Whether radius and learning rate of online training fall with each sample or each epoch.
    shuffle : bool, default=True
        Whether online training draws a new order of the samples in each epoch.
    early_stopping : bool, default=False
        Whether to stop when the quantization error does not fall any more.
    tol : float, default=1e-4
        Share of the least error so far by which an epoch must be better to count as better.
    n_iter_no_change : int, default=5
        Epochs in a row without a better error before training stops.
    random_state : int, RandomState or None, default=None
        Draws the start where ``init`` is ``"random"`` or ``"sample"``, and the order of samples.
    n_jobs : int or None, default=None
        Threads; None means 1, -1 one for each core. They change no digit. Online training takes
        one.
    verbose : bool or int, default=False
        Whether to print a line after each epoch.

    Attributes
    ----------
    codebook_ : ndarray of shape (n_units, n_features)
        The units, row by row of the grid.
    n_rows_, n_columns_ : int
        The grid that was fitted.
    n_iter_ : int
        Epochs run.
    history_ : dict of str to list of float
        For each epoch: ``"quantization_error"``, the mean distance from the samples to their
        nearest unit, and ``"topographic_error"``, the share of samples whose two nearest units are
        no neighbours, both after it; ``"radius"`` and ``"seconds"``. Of many samples the
        topographic error looks at every 64th or so. Online training takes both errors as samples
        are presented, and so does ``partial_fit`` with the codebook at the epoch's start. A saved
        map has no seconds: equal maps are equal files.
    unit_counts_ : ndarray of shape (n_units,)
        How many samples each unit is the nearest to; their total weight if they have weights.
    n_features_in_ : int
        Features seen in ``fit``.
    feature_names_in_ : ndarray of shape (n_features_in_,)
        Their names, where all are strings.

    Notes
    -----
    NaN is a missing value: distances are over the observed features, and a unit learns a feature
    from the samples that have it.

    Training searches nearest units in float32, with samples centred and scaled; what is said of
    samples afterwards, :meth:`predict` above all, is what float64 says.

    References
    ----------
    T. Kohonen, Essentials of the self-organizing map, Neural Networks 37 (2013).

    Examples
    --------
    >>> import numpy as np
    >>> X = np.array([[0.0, 0.0], [0.1, 0.0], [5.0, 5.0], [5.1, 5.0]])
    >>> som = SelfOrganizingMap(n_rows=2, n_columns=1).fit(X)
    >>> som.predict(X).tolist()
    [0, 0, 1, 1]
    """

    _open: UnitSums | None = None  # sums of the epoch that partial_fit is in
    _start: FloatArray | None = None  # the codebook at its start

    def __init__(
        self,
        n_rows: int | None = None,
        n_columns: int | None = None,
        *,
        topology: str = "rectangular",
        boundary: str = "planar",
        neighborhood: str = "gaussian",
        training: str = "batch",
        init: str | ArrayLike = "pca",
        metric: str = "euclidean",
        max_iter: int = 20,
        radius: tuple[float, float] | None = None,
        radius_decay: str = "linear",
        learning_rate: tuple[float, float] = (0.5, 0.01),
        learning_rate_decay: str = "linear",
        decay_by: str = "update",
        shuffle: bool = True,
        early_stopping: bool = False,
        tol: float = 1e-4,
        n_iter_no_change: int = 5,
        random_state: int | np.random.RandomState | None = None,
        n_jobs: int | None = None,
        verbose: bool | int = False,
    ) -> None:
        self.n_rows = n_rows
        self.n_columns = n_columns
        self.topology = topology
        self.boundary = boundary
        self.neighborhood = neighborhood
        self.training = training
        self.init = init
        self.metric = metric
        self.max_iter = max_iter
        self.radius = radius
        self.radius_decay = radius_decay
        self.learning_rate = learning_rate
        self.learning_rate_decay = learning_rate_decay
        self.decay_by = decay_by
        self.shuffle = shuffle
        self.early_stopping = early_stopping
        self.tol = tol
        self.n_iter_no_change = n_iter_no_change
        self.random_state = random_state
        self.n_jobs = n_jobs
        self.verbose = verbose

    def __sklearn_tags__(self) -> Any:
        """Return scikit-learn's tags: missing values and sparse matrices are welcome."""
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        tags.input_tags.sparse = True
        return tags

    def fit(
        self, X: ArrayLike | Batches, y: object = None, sample_weight: ArrayLike | None = None
    ) -> Self:
        """Fit the codebook.

        Parameters
        ----------
        X : array-like, sparse matrix or Batches of shape (n_samples, n_features)
            Samples, scaled so that the features compare; NaN is a missing value.
        y : ignored
        sample_weight : array-like of shape (n_samples,), optional
            A weight of 2 counts as the sample twice, 0 as not there.

        Returns
        -------
        SelfOrganizingMap
            The map itself.

        Notes
        -----
        Batches give the same map as the array of their rows, to the last bit, however they are cut.
        Online training alone differs: it draws an order within each 262,144 rows or fewer of them.

        Raises
        ------
        ValueError
            If an argument breaks its rule, ``X`` holds infinities, values beyond 1e150 in size or
            below 1e-150 alone, no rows, or a row or column without a value.
        """
        del y
        samples = Samples(self, X, sample_weight, reset=True, is_whole=self.training == "online")
        trainer, early = checked_arguments(self, samples.total_weight)
        random_state = check_random_state(self.random_state)
        shape, n_threads, history = trainer.grid.shape, trainer.n_threads, History()
        with same_threads(n_threads):
            codebook = initial_codebook(self.init, samples, shape, random_state, n_threads)
            if self.training == "batch":
                codebook, counts = trainer.batch(samples, codebook, early, history)
            else:
                codebook, counts = trainer.online(samples, codebook, early, history, random_state)
        check_size(float(np.abs(codebook).max()))
        self.n_rows_, self.n_columns_ = trainer.grid.shape
        self.codebook_, self.unit_counts_ = codebook, counts
        self.history_ = history.entries
        self.n_iter_ = len(self.history_["radius"])
        self.__dict__.pop("_open", None)
        self.__dict__.pop("_start", None)
        return self

    def partial_fit(
        self,
        X: ArrayLike,
        y: object = None,
        sample_weight: ArrayLike | None = None,
        *,
        new_epoch: bool = False,
    ) -> Self:
        """Take in one batch of the current epoch; ``codebook_`` is the result so far.

        All batches of an epoch are searched by the codebook at its start, so however the samples
        are cut into batches, the epoch ends the same, up to rounding. The first batch of all
        decides where units start.

        Parameters
        ----------
        X : array-like or sparse matrix of shape (n_samples, n_features)
            The batch.
        y : ignored
        sample_weight : array-like of shape (n_samples,), optional
            Weights of the samples.
        new_epoch : bool, default=False
            Whether this batch is the first of the next epoch. Beyond ``max_iter`` epochs the radius
            stays at its end.

        Returns
        -------
        SelfOrganizingMap
            The map itself.

        Raises
        ------
        ValueError
            As :meth:`fit`.
        """
        del y
        is_first = not hasattr(self, "codebook_")
        is_whole = self.training == "online"
        samples = Samples(self, X, sample_weight, reset=is_first, is_whole=is_whole)
        trainer, _ = checked_arguments(self, samples.total_weight, None if is_first else self._grid)
        random_state = check_random_state(self.random_state)
        if is_first:
            shape, n_threads = trainer.grid.shape, trainer.n_threads
            codebook = initial_codebook(self.init, samples, shape, random_state, n_threads)
            check_size(float(np.abs(codebook).max()))
            self.codebook_ = codebook
            self.n_rows_, self.n_columns_ = shape
            self.n_iter_, self.history_ = 0, History().entries
        if self._start is None or new_epoch:
            self._start, self._open = self.codebook_, None
            self.n_iter_ += 1
        history, n_before = History(self.history_), self.n_iter_ - 1
        if self.training == "online":
            self.codebook_, _ = trainer.online_epochs(
                samples, self.codebook_, range(n_before, self.n_iter_), history, random_state
            )
            units = trainer.prepared(self.codebook_)
            counts = trainer.accumulate(samples, units, counts_alone=True).counts
            self.unit_counts_ = counts if is_first else self.unit_counts_ + counts
        else:
            self._take_in(trainer, samples, history)
        for values in history.entries.values():  # one entry for each epoch, the latest
            del values[n_before:-1]
        return self

    def _take_in(self, trainer: Any, samples: Samples, history: History) -> None:
        """Add a batch to the sums of the open epoch."""
        assert self._start is not None  # noqa: S101  (for the type checker)
        found, apart = trainer.surveyed(samples, self._start)
        self._open = found = found if self._open is None else together(self._open, found)
        radius = trainer.schedule.radius_at(self.n_iter_ - 1)
        self.codebook_ = trainer.moved(self._start, found, radius)
        self.unit_counts_ = found.counts
        error = found.distance / float(found.counts.sum())
        history.note(error, apart, radius, 0.0)

    def fit_predict(
        self, X: ArrayLike, y: object = None, sample_weight: ArrayLike | None = None
    ) -> IntArray:
        """Fit the codebook and return the index of each sample's nearest unit.

        Parameters
        ----------
        X : array-like or sparse matrix of shape (n_samples, n_features)
            Samples, scaled as those of :meth:`fit`; NaN is a missing value.
        y : ignored
        sample_weight : array-like of shape (n_samples,), optional
            A weight of 2 counts as the row twice, 0 as not there.

        Returns
        -------
        units : ndarray of shape (n_samples,)
        """
        return self.fit(X, y, sample_weight).predict(X)

    def predict(self, X: ArrayLike) -> IntArray:
        """Return the index of each sample's nearest unit; ties go to the lower index.

        Parameters
        ----------
        X : array-like or sparse matrix of shape (n_samples, n_features)
            Samples, scaled as those of :meth:`fit`; NaN is a missing value.

        Returns
        -------
        units : ndarray of shape (n_samples,)
        """
        return self._nearest(X)[0]

    def transform(self, X: ArrayLike) -> FloatArray:
        """Return the place of each sample's nearest unit on the plane, (n_samples, 2).

        It is row and column; on a hexagonal grid rows are ``sqrt(3) / 2`` apart and every second
        one is shifted by half a column.

        Parameters
        ----------
        X : array-like or sparse matrix of shape (n_samples, n_features)
            Samples, scaled as those of :meth:`fit`; NaN is a missing value.

        Returns
        -------
        places : ndarray of shape (n_samples, 2)
        """
        units = self.predict(X)
        places: FloatArray = self._grid.positions[units]
        return places

    def inverse_transform(self, X: ArrayLike) -> FloatArray:
        """Return the codebook row of the unit at each place of ``X``, (n_samples, 2).

        Parameters
        ----------
        X : array-like of shape (n_samples, 2)
            Places of units on the plane, as :meth:`transform` gives them.

        Returns
        -------
        rows : ndarray of shape (n_samples, n_features)
        """
        check_is_fitted(self)
        grid, places = self._grid, check_array(X, dtype=np.float64)
        n_down, n_across = grid.shape
        if places.shape[1] == len(grid.shape):
            rows = np.rint(places[:, 0] / grid.lattice.height)
            columns = np.rint(places[:, 1] - (rows % 2) / 2 * grid.is_hexagonal)
            units = (rows * n_across + columns).astype(np.int64)
            inside = (rows >= 0) & (rows < n_down) & (columns >= 0) & (columns < n_across)
            if inside.all() and np.allclose(grid.positions[units], places, 0, ON_A_UNIT):
                codebook: FloatArray = self.codebook_[units]
                return codebook
        raise ValueError(
            "X must hold positions (row, column) on a grid of "
            f"{n_down} x {n_across}, got shape {places.shape}"
        )

    def score_samples(self, X: ArrayLike) -> FloatArray:
        """Return minus the distance of each sample to its nearest unit: lower is stranger.

        Parameters
        ----------
        X : array-like or sparse matrix of shape (n_samples, n_features)
            Samples, scaled as those of :meth:`fit`; NaN is a missing value.

        Returns
        -------
        scores : ndarray of shape (n_samples,)
        """
        return -self._nearest(X)[1]

    def score(self, X: ArrayLike, y: object = None) -> float:
        """Return minus the mean quantization error of ``X``: higher is better.

        Maps compare by it where they have equally many units, as each further unit lowers the
        error.

        Parameters
        ----------
        X : array-like or sparse matrix of shape (n_samples, n_features)
            Samples, scaled as those of :meth:`fit`; NaN is a missing value.
        y : ignored

        Returns
        -------
        float
            Minus the mean distance to the nearest unit, in the unit of ``X``.
        """
        del y
        return float(self.score_samples(X).mean())

    def distances(self, X: ArrayLike) -> FloatArray:
        """Return the distance of each sample to every unit, (n_samples, n_units).

        Parameters
        ----------
        X : array-like or sparse matrix of shape (n_samples, n_features)
            Samples, scaled as those of :meth:`fit`; NaN is a missing value.

        Returns
        -------
        distances : ndarray of shape (n_samples, n_units)
        """
        check_is_fitted(self)
        n_threads = check_threads(self.n_jobs)
        parts = checked_rows(self, X)
        return np.concatenate(
            [unit_distances(rows, self.codebook_, n_threads, self.metric) for rows in parts]
        )

    def impute(self, X: ArrayLike) -> FloatArray:
        """Return ``X`` with each missing value filled from the sample's nearest unit.

        Parameters
        ----------
        X : array-like or sparse matrix of shape (n_samples, n_features)
            Samples, scaled as those of :meth:`fit`; NaN is a missing value.

        Returns
        -------
        filled : ndarray of shape (n_samples, n_features)
        """
        check_is_fitted(self)
        n_threads = check_threads(self.n_jobs)
        filled = []
        for rows in checked_rows(self, X):
            units, _ = nearest_units(rows, self.codebook_, n_threads, self.metric)
            filled.append(np.where(np.isnan(rows), self.codebook_[units], rows))
        return np.concatenate(filled)

    def label_units(
        self, X: ArrayLike, y: ArrayLike, sample_weight: ArrayLike | None = None
    ) -> UnitLabels:
        """Return the classes of the samples that are nearest to each unit.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Samples.
        y : array-like of shape (n_samples,)
            Their classes.
        sample_weight : array-like of shape (n_samples,), optional
            Their weights.

        Returns
        -------
        UnitLabels
            ``classes``; ``majority``, the place of each unit's heaviest class among them, -1 for a
            unit without samples; ``shares`` of all classes, (n_units, n_classes).

        Raises
        ------
        ValueError
            If the three do not have one length.
        """
        units, labels = self.predict(X), np.asarray(column_or_1d(y))
        if len(labels) != len(units):
            raise ValueError(
                f"y must have a class for each of {len(units)} rows, got {len(labels)}"
            )
        weights = check_sample_weight(sample_weight, len(units))
        return labels_of_units(units, labels, weights, len(self.codebook_))

    def get_feature_names_out(self, input_features: ArrayLike | None = None) -> np.ndarray:
        """Return the names of the two columns that :meth:`transform` makes.

        Parameters
        ----------
        input_features : ignored

        Returns
        -------
        names : ndarray of shape (2,)
        """
        del input_features
        check_is_fitted(self)
        return np.array(["som_row", "som_column"], dtype=object)

    def save(self, path: Path | str) -> None:
        """Write the fitted map to ``path``: equal maps, equal bytes.

        A ``random_state`` that is a generator is left out, and so are the seconds of epochs and the
        sums of an epoch that :meth:`partial_fit` is in.

        Parameters
        ----------
        path : Path or str
            The file, replaced as a whole.
        """
        check_is_fitted(self)
        arrays = {
            "codebook": self.codebook_,
            "unit_counts": self.unit_counts_,
            **{name: np.array(self.history_[name]) for name in SAVED},
        }
        learned = {"n_rows": self.n_rows_, "n_columns": self.n_columns_, "n_iter": self.n_iter_}
        save_state(path, KIND, params_of(self, learned), arrays)

    @classmethod
    def load(cls, path: Path | str) -> Self:
        """Return the map that :meth:`save` wrote to ``path``.

        Parameters
        ----------
        path : Path or str
            The file.

        Returns
        -------
        SelfOrganizingMap
            Fitted, as it was saved.

        Raises
        ------
        ReleaseError
            If the file is missing or is not such a map, whole and consistent.
        """
        params, arrays = load_state(path, KIND)
        with reading(path, KIND):
            som, learned = model_from(cls, params)
            som.n_rows_ = check_integer("n_rows", learned["n_rows"], 1)
            som.n_columns_ = check_integer("n_columns", learned["n_columns"], 1)
            som.n_iter_ = check_integer("n_iter", learned["n_iter"], 1)
            n_units = som.n_rows_ * som.n_columns_
            shapes = {"codebook": (n_units, som.n_features_in_), "unit_counts": (n_units,)}
            require_arrays(arrays, shapes | dict.fromkeys(SAVED, (som.n_iter_,)))
            checked_arguments(som, lambda: 1.0, som._grid)
        som.codebook_, som.unit_counts_ = arrays["codebook"], arrays["unit_counts"]
        som.history_ = {name: arrays[name].tolist() for name in SAVED}
        return som

    @property
    def _grid(self) -> Grid:
        return Grid(self.n_rows_, self.n_columns_, self.topology, self.boundary)

    def _nearest(self, X: ArrayLike) -> tuple[IntArray, FloatArray]:
        check_fitted(self, "codebook_")
        n_threads = check_threads(self.n_jobs)
        parts = [
            nearest_units(rows, self.codebook_, n_threads, self.metric)
            for rows in checked_rows(self, X)
        ]
        units, distances = zip(*parts, strict=True)
        if len(parts) == 1:
            return parts[0]
        return np.concatenate(units), np.concatenate(distances)
