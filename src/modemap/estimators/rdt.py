"""An adapter that lets RDT, and CTGAN's data transformer, encode columns by our modes."""

from typing import Any

import numpy as np

from modemap.estimators.encoding import ColumnEncoding, ModeEncoding
from modemap.estimators.normalizer import ModeNormalizer

__all__ = ["ModeTransformer"]


class ModeTransformer:
    """Encode one column as ``rdt.transformers.ClusterBasedNormalizer`` does, with its methods.

    CTGAN's ``DataTransformer`` takes it in that class's place. The encoded frame has the columns
    ``<name>.normalized`` and ``<name>.component``; values are lossless up to clipping.

    Parameters
    ----------
    max_clusters : int, default=10
    weight_threshold : float, default=0.005
    random_state : int or None, default=None

    Other keyword arguments of RDT's class are accepted and have no effect.
    """

    def __init__(
        self,
        max_clusters: int = 10,
        weight_threshold: float = 0.005,
        random_state: int | None = None,
        **others: Any,
    ) -> None:
        del others
        self.max_clusters, self.weight_threshold = max_clusters, weight_threshold
        self.random_state = random_state

    def fit(self, data: Any, column: str) -> None:
        """Find the modes of ``column`` of a pandas frame."""
        self.column = column
        self.normalizer_ = ModeNormalizer(
            self.max_clusters,
            weight_threshold=self.weight_threshold,
            encoding="sampled",
            random_state=self.random_state,
        ).fit(data[[column]])
        self.valid_component_indicator = np.ones(len(self.normalizer_.modes()[0]), dtype=bool)

    def transform(self, data: Any) -> Any:
        """Return the frame with the column replaced by its value and mode."""
        encoded = self.normalizer_.encode(data[[self.column]]).columns[0]
        rest = data.drop(columns=[self.column])
        return rest.assign(
            **{
                f"{self.column}.normalized": encoded.values.astype(np.float64),
                f"{self.column}.component": encoded.modes.astype(np.int64),
            }
        )

    def fit_transform(self, data: Any, column: str) -> Any:
        """Fit and transform."""
        self.fit(data, column)
        return self.transform(data)

    def reverse_transform(self, data: Any) -> Any:
        """Return the frame with the column restored."""
        names = [f"{self.column}.normalized", f"{self.column}.component"]
        values, modes = (data[name].to_numpy() for name in names)
        nothing = np.empty(0, np.int64)
        modes = np.clip(modes, 0, len(self.valid_component_indicator) - 1).astype(np.uint8)
        column = ColumnEncoding(
            values.astype(np.float64), modes, nothing, np.empty(0), np.dtype(np.float64)
        )
        digest = self.normalizer_.digest_
        restored = self.normalizer_.inverse_transform(ModeEncoding((column,), digest))
        return data.drop(columns=names).assign(**{self.column: restored[:, 0]})

    def get_output_sdtypes(self) -> dict[str, str]:
        """Return what the two columns hold, as RDT's transformers do."""
        return {f"{self.column}.normalized": "float", f"{self.column}.component": "categorical"}
