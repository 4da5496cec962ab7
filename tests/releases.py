"""Small releases of rows at hand, written as the stages write them."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from modemap.estimators.mixture import BayesianGaussianMixture
from modemap.estimators.normalizer import ModeNormalizer
from modemap.estimators.preparation import Preparation
from modemap.estimators.segments import segment_units
from modemap.estimators.som import SelfOrganizingMap
from modemap.estimators.state import save_state
from modemap.release import write_golden, write_manifest

__all__ = ["write_release"]


def write_release(
    folder: Path,
    rows: NDArray[np.float64],
    columns: Sequence[str],
    *,
    n_components: int = 3,
    decorrelate: str = "none",
    map_only: Mapping[str, str | None] | None = None,
    prepare: Mapping[str, Any] | None = None,
    zones: Mapping[str, str] | None = None,
    missing: Mapping[str, str] | None = None,
    mixture_arguments: Mapping[str, Any] | None = None,
    **som_arguments: Any,
) -> Path:
    """Write a release of ``rows``, (n_rows, n_columns), into ``folder``; return it.

    ``map_only`` names the last columns, those that are derived, ``prepare`` from which, ``zones``
    their zones; ``missing`` the policies of columns other than ``"drop"``.
    """
    folder.mkdir(parents=True)
    policies = dict.fromkeys(columns, "drop") | dict(missing or {})
    preparation = Preparation(
        list(columns), policies, decorrelate=decorrelate, map_only=dict(map_only or {})
    ).fit(rows)
    scaled = preparation.transform(rows)
    measured = rows[:, : rows.shape[1] - len(map_only or ())]
    arguments = {"n_rows": 3, "n_columns": 3, "max_iter": 10, "random_state": 0}
    som = SelfOrganizingMap(**arguments | som_arguments).fit(scaled)
    mixture = BayesianGaussianMixture(
        n_components=n_components, max_iter=500, random_state=0, **mixture_arguments or {}
    )
    seen = scaled[:, : measured.shape[1]]
    likelihood = mixture.fit(seen).score_samples(seen) - preparation.log_jacobian_
    preparation.save(folder / "preparation.npz")
    som.save(folder / "som.npz")
    grid = {"topology": som.topology, "boundary": som.boundary}
    segments = segment_units(som.codebook_, som.n_rows, som.n_columns, 2, **grid)
    save_state(folder / "segments.npz", "segments", {}, {"segments": segments})
    mixture.save(folder / "mixture.npz")
    ModeNormalizer(3, random_state=0).fit(measured).save(folder / "normalizer.npz")
    quantiles = np.quantile(likelihood, np.linspace(0, 1, 11))
    save_state(folder / "anomaly.npz", "anomaly", {}, {"log_likelihood": quantiles})
    write_golden(folder)
    params = {"train_som": arguments | som_arguments, **({"prepare": prepare} if prepare else {})}
    write_manifest(folder, columns=columns, params=params, zones=zones)
    return folder
