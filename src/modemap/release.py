"""A release: preparation, map and mixture in one directory, under one digest.

``manifest.json`` names every other file with its size and sha256; the release's digest is the
sha256 of that manifest, so one string stands for every byte that answers a request.

Estimators are imported where they are used: who only verifies bytes does not wait for numba.
"""

import hashlib
import stat
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, NoReturn

import numpy as np
from numpy.typing import ArrayLike, NDArray

from modemap.errors import ReleaseError
from modemap.files import canonical_json, read_json, sha256_file, write_json

if TYPE_CHECKING:
    from modemap.estimators import (
        BayesianGaussianMixture,
        ModeNormalizer,
        Preparation,
        SelfOrganizingMap,
    )
    from modemap.sketch import ColumnSketch

__all__ = [
    "GOLDEN",
    "MANIFEST",
    "OPTIONAL",
    "PARTS",
    "REFERENCE",
    "Release",
    "Scores",
    "files_digest",
    "golden_mismatch",
    "golden_rows",
    "load_release",
    "read_parts",
    "release_digest",
    "unit_positions",
    "verify_release",
    "write_golden",
    "write_manifest",
]

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]

FORMAT = 1
MANIFEST = "manifest.json"
REFERENCE = "reference.npz"  # what later rows are compared with
GOLDEN = "golden.npz"
PARTS = (
    "anomaly.npz",
    GOLDEN,
    "mixture.npz",
    "normalizer.npz",
    "preparation.npz",
    "segments.npz",
    "som.npz",
)
OPTIONAL = (REFERENCE,)  # releases that were made before it lack it

NO_MANIFEST: Mapping[str, Any] = MappingProxyType({})
N_GOLDEN = 64
GOLDEN_TOLERANCE = 1e-6  # other processors round differently


@dataclass(frozen=True)
class Scores:
    """What a release says of n rows."""

    units: IntArray  # (n,) nearest unit of the map
    distances: FloatArray  # (n,) to that unit, in robust units
    segments: IntArray  # (n,) segment of that unit
    log_likelihood: FloatArray  # (n,) as a density of raw units
    anomaly_percentile: FloatArray  # (n,) share of training rows that are likelier, in percent


@dataclass(frozen=True)
class Release:
    """A loaded release."""

    digest: str
    manifest: Mapping[str, Any]
    preparation: "Preparation"
    som: "SelfOrganizingMap"
    segments: IntArray  # (n_units,) segment of each unit
    mixture: "BayesianGaussianMixture"
    normalizer: "ModeNormalizer"
    anomaly: FloatArray  # quantiles of the training rows' log-likelihood, evenly spaced

    @property
    def columns(self) -> list[str]:
        """Columns of the rows it takes, in order."""
        return list(self.preparation.columns)

    @property
    def measured_columns(self) -> list[str]:
        """Those of the columns that the mixture and the modes are of, in order."""
        return self.preparation.measured_columns

    def measured(self, X: FloatArray) -> FloatArray:
        """Return the columns of ``X``, (n_rows, n_columns), that the mixture and modes are of."""
        if len(self.measured_columns) == X.shape[1]:
            return X
        return np.ascontiguousarray(X[:, self.preparation.measured_])

    def log_likelihood(self, rows: FloatArray) -> FloatArray:
        """Return the log-density of each of the prepared ``rows`` in raw units."""
        found: FloatArray = self.mixture.score_samples(self.measured(rows))
        return found - self.preparation.log_jacobian_

    def surprise(self, rows: FloatArray) -> FloatArray:
        """Return the share of each measured column in minus the log-density of prepared ``rows``.

        A row's shares add up to it, as a density of robust units; see
        :func:`~modemap.estimators.surprise.column_surprise`.
        """
        from modemap.estimators.surprise import Undone, column_surprise  # noqa: PLC0415

        directions, mixture = self.preparation.directions_, self.mixture
        if directions is None:
            return column_surprise(mixture, self.measured(rows))
        undone = Undone(
            mixture.scoring_weights_,
            directions.inverse_transform(mixture.means_),
            directions.covariances_before(mixture.covariances_),
        )
        return column_surprise(undone, self.measured(self.preparation.recorrelated(rows)))

    def score(self, X: ArrayLike) -> Scores:
        """Return what map and mixture say of raw rows, (n_rows, n_columns).

        Raises
        ------
        DataError
            If a value is missing where the preparation does not fill it.
        """
        rows = self.preparation.transform(self.preparation.fill(X))
        units = self.som.predict(rows)
        log_likelihood = self.log_likelihood(rows)
        ranks = np.interp(log_likelihood, self.anomaly, np.linspace(0, 100, len(self.anomaly)))
        return Scores(
            units=units,
            distances=np.linalg.norm(rows - self.som.codebook_[units], axis=1),
            segments=self.segments[units],
            log_likelihood=log_likelihood,
            anomaly_percentile=100 - ranks,
        )

    def modes(self, X: ArrayLike) -> NDArray[np.uint8]:
        """Return the mode of each value of raw rows, (n_rows, n_measured_columns)."""
        return self.normalizer.encode(self.measured(self.preparation.fill(X))).modes

    def answers(self, X: ArrayLike) -> dict[str, NDArray[Any]]:
        """Return everything that is to say of raw rows by name: scores and modes."""
        return {**vars(self.score(X)), "modes": self.modes(X)}

    def yardstick(self, sketches: "Sequence[ColumnSketch]") -> "Preparation":
        """Return the scaling to robust units of the rows whose columns were sketched.

        Two releases over the same columns are thus measured with the same yardstick, whatever
        their own preparations are.
        """
        from modemap.estimators import Preparation  # noqa: PLC0415

        policies = dict.fromkeys(self.columns, "error")
        return Preparation(self.columns, policies, self.preparation.map_only).fit_sketches(sketches)

    def quantization_errors(self, X: ArrayLike, yardstick: "Preparation") -> FloatArray:
        """Return the distance of each raw row to the map in units of :meth:`yardstick`."""
        from modemap.kernels import nearest_units  # noqa: PLC0415

        codebook = self.preparation.inverse_transform(self.som.codebook_)
        _, distances = nearest_units(yardstick.transform(X), yardstick.transform(codebook))
        return distances


def unit_positions(som: "SelfOrganizingMap") -> FloatArray:
    """Return the place of each unit on the plane, (n_units, 2): row and column."""
    from modemap.kernels import Grid  # noqa: PLC0415

    grid = Grid(som.n_rows_, som.n_columns_, som.topology, som.boundary)
    return np.asarray(grid.positions)


def write_manifest(
    directory: Path,
    *,
    columns: Sequence[str],
    params: Mapping[str, Any],
    zones: Mapping[str, str] | None = None,
) -> dict[str, Any]:
    """Write the manifest of the parts in ``directory`` and return it: the release is complete.

    Parameters
    ----------
    directory : Path
        Holds every part of a release.
    columns : sequence of str
        Columns of the rows it takes, in order.
    params : mapping
        Settings that shaped the models.
    zones : mapping of str to str, optional
        The zones of the times from which columns are derived; none of a time without a zone.

    Raises
    ------
    ReleaseError
        If a part is missing or unknown, or the preparation is of other columns.
    """
    from modemap.estimators import Preparation  # noqa: PLC0415

    names = _check_names(directory, PARTS)
    preparation = Preparation.load(directory / "preparation.npz")
    if list(preparation.columns) != list(columns):
        place, rule = directory / "preparation.npz", f"its columns must be {list(columns)}"
        _refuse(place, rule, found=list(preparation.columns))
    scales = zip(columns, preparation.center_, preparation.scale_, strict=True)
    manifest = {
        "format": FORMAT,
        "columns": list(columns),
        "params": dict(params),
        "preparation": {
            name: {"missing": preparation.missing[name], "center": center, "scale": scale}
            for name, center, scale in scales
        },
        "files": {name: _entry(directory / name) for name in names},
    }
    if zones:
        manifest["zones"] = dict(zones)
    write_json(directory / MANIFEST, manifest)
    return manifest


def write_golden(directory: Path) -> None:
    """Write rows and what the parts in ``directory`` answer to them, for others to repeat.

    The rows are made up around the mixture's components, so a release carries nobody's data.
    """
    from modemap.estimators import save_state  # noqa: PLC0415

    release = read_parts(directory)
    rng = np.random.default_rng(0)
    means = release.mixture.means_
    rows = np.zeros((N_GOLDEN, len(release.columns)))
    rows[:, release.preparation.measured_] = means[np.arange(N_GOLDEN) % len(means)]
    X = release.preparation.inverse_transform(rows + rng.standard_normal(rows.shape))
    save_state(directory / GOLDEN, "golden", {}, {"X": X, **release.answers(X)})


def golden_rows(directory: Path) -> FloatArray:
    """Return the raw rows, (n_rows, n_columns), that the release in ``directory`` promises about.

    Raises
    ------
    ReleaseError
        If there are none.
    """
    from modemap.estimators import load_state  # noqa: PLC0415

    _, arrays = load_state(directory / GOLDEN, "golden")
    if not len(rows := arrays.get("X", np.empty((0, 0)))):
        _refuse(directory / GOLDEN, "a release has golden rows", found="none")
    return rows


def golden_mismatch(directory: Path, release: Release) -> str | None:
    """Return in words where ``release`` answers otherwise than its golden rows say, or None."""
    from modemap.estimators import load_state  # noqa: PLC0415

    _, expected = load_state(directory / GOLDEN, "golden")
    rows = expected.pop("X", np.empty((0, 0)))
    if not len(rows):
        return "there are no golden rows"
    for name, values in release.answers(rows).items():
        if name not in expected or expected[name].shape != values.shape:
            return f"there are no golden {name}"
        tolerance = GOLDEN_TOLERANCE if values.dtype.kind == "f" else 0
        close = np.isclose(values, expected[name], rtol=tolerance, atol=tolerance)
        if not close.all():
            row = int(np.argmin(close.reshape(len(rows), -1).all(axis=1)))
            return f"{name} of row {row} are {values[row]}, not {expected[name][row]}"
    return None


def load_release(directory: Path, digest: str | None = None) -> Release:
    """Verify the release in ``directory`` and load it: arrays and JSON, nothing is unpickled.

    Parameters
    ----------
    directory : Path
        The release.
    digest : str or None, default=None
        The digest it must have.

    Raises
    ------
    ReleaseError
        If :func:`verify_release` refuses it, or a part is not what its name says.
    """
    manifest = verify_release(directory, digest)
    release = read_parts(directory, release_digest(directory), manifest)
    if release.columns != manifest["columns"]:
        rule = f"the manifest's columns must be the preparation's, {release.columns}"
        _refuse(directory / MANIFEST, rule, found=manifest["columns"])
    return release


def read_parts(
    directory: Path, digest: str = "", manifest: Mapping[str, Any] = NO_MANIFEST
) -> Release:
    """Load the models in ``directory`` as they lie there, verified or not.

    Raises
    ------
    ReleaseError
        If a part is missing or is not what its name says.
    """
    from modemap.estimators import (  # noqa: PLC0415
        BayesianGaussianMixture,
        ModeNormalizer,
        Preparation,
        SelfOrganizingMap,
    )

    preparation = Preparation.load(directory / "preparation.npz")
    som = SelfOrganizingMap.load(directory / "som.npz")
    mixture = BayesianGaussianMixture.load(directory / "mixture.npz")
    normalizer = ModeNormalizer.load(directory / "normalizer.npz")
    n_columns, n_measured = len(preparation.columns), len(preparation.measured_)
    sizes = (("som", som, n_columns), ("mixture", mixture, n_measured))
    for name, model, expected in (*sizes, ("normalizer", normalizer, n_measured)):
        if model.n_features_in_ != expected:
            rule = f"must be of {expected} columns as the preparation"
            _refuse(directory / f"{name}.npz", rule, found=model.n_features_in_)
    segments = _read_vector(directory, "segments", "segments", np.int64)
    if len(segments) != len(som.codebook_):
        rule = f"must name the segments of {len(som.codebook_)} units"
        _refuse(directory / "segments.npz", rule, found=len(segments))
    anomaly = _read_vector(directory, "anomaly", "log_likelihood", np.float64)
    if not len(anomaly) or not (np.diff(anomaly) >= 0).all():
        _refuse(directory / "anomaly.npz", "must hold ascending quantiles", found=anomaly)
    return Release(digest, manifest, preparation, som, segments, mixture, normalizer, anomaly)


def _read_vector(directory: Path, kind: str, name: str, dtype: type) -> NDArray[Any]:
    from modemap.estimators import load_state  # noqa: PLC0415

    path = directory / f"{kind}.npz"
    _, arrays = load_state(path, kind)
    vector = arrays.get(name, np.empty(0))
    if set(arrays) != {name} or vector.ndim != 1 or vector.dtype != dtype:
        rule = f"must hold {name} alone, {dtype.__name__} in one dimension"
        _refuse(path, rule, found={key: str(array.dtype) for key, array in arrays.items()})
    return vector


def files_digest(sha256: Mapping[str, str]) -> str:
    """Return one digest for a set of files, given the sha256 of each by its name."""
    return hashlib.sha256(canonical_json(dict(sha256))).hexdigest()


def release_digest(directory: Path) -> str:
    """Return the digest of the release in ``directory`` without looking at its other files.

    Raises
    ------
    ReleaseError
        If there is no manifest.
    """
    manifest = directory / MANIFEST
    if not manifest.is_file() or manifest.is_symlink():
        _refuse(manifest, "a release has a manifest", found="no such file")
    return sha256_file(manifest)


def verify_release(directory: Path, digest: str | None = None) -> dict[str, Any]:
    """Compare every byte of a release with its manifest, and the manifest with ``digest``.

    Returns
    -------
    dict
        The manifest.

    Raises
    ------
    ReleaseError
        If a file is missing, unknown or changed, or the release is not the one named by
        ``digest``; the message names the file.
    """
    found = release_digest(directory)
    if digest is not None and found != digest:
        _refuse(directory / MANIFEST, f"the release's digest must be {digest}", found=found)
    manifest = _read_manifest(directory / MANIFEST)
    _check_names(directory, [MANIFEST, *manifest["files"]], ())
    for name in sorted(manifest["files"]):
        expected, found_entry = manifest["files"][name], _entry(directory / name)
        if found_entry != expected:
            _refuse(directory / name, f"the manifest says {expected}", found=found_entry)
    return manifest


def _read_manifest(path: Path) -> dict[str, Any]:
    try:
        manifest = read_json(path)
    except ValueError as error:
        _refuse(path, "the manifest must be JSON", found=error)
    if not isinstance(manifest, dict) or manifest.get("format") != FORMAT:
        number = manifest.get("format") if isinstance(manifest, dict) else type(manifest).__name__
        _refuse(path, f"the manifest's format must be {FORMAT}", found=number)
    files = manifest.get("files")
    if not isinstance(files, dict) or not set(PARTS) <= set(files) <= {*PARTS, *OPTIONAL}:
        names = sorted(files) if isinstance(files, dict) else files
        _refuse(path, f"the manifest must name {', '.join(PARTS)}", found=names)
    columns = manifest.get("columns")
    if not isinstance(columns, list) or not columns:
        _refuse(path, "the manifest must name the columns", found=columns)
    return manifest


def _check_names(
    directory: Path, names: Sequence[str], optional: Sequence[str] = OPTIONAL
) -> list[str]:
    """Return the names of the files, which are all of ``names`` and some of ``optional``."""
    present = {entry.name for entry in directory.iterdir()}
    for name in sorted(set(names) - present):
        _refuse(directory / name, "a release has this file", found="no such file")
    for name in sorted(present - {*names, *optional}):
        rule = f"a release holds {', '.join(sorted({*names, *optional}))} only"
        _refuse(directory / name, rule, found="another file")
    return sorted(present)


def _entry(path: Path) -> dict[str, Any]:
    status = path.lstat()
    if not stat.S_ISREG(status.st_mode):
        _refuse(path, "must be a plain file", found=stat.filemode(status.st_mode))
    return {"sha256": sha256_file(path), "size": status.st_size}


def _refuse(place: Path, rule: str, *, found: object) -> NoReturn:
    hint = "restore it with `dvc checkout`, or make the release again with `dvc repro evaluate`"
    raise ReleaseError(place, rule, found=found, hint=hint) from None
