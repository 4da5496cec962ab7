"""How good a map or a density is, in one number each."""

from modemap.metrics.density import calibration_error
from modemap.metrics.labels import adjusted_rand, normalized_mutual_information, purity
from modemap.metrics.maps import (
    dead_unit_share,
    distortion,
    quantization_error,
    topographic_error,
    torn_samples,
)
from modemap.metrics.ranks import (
    neighborhood_preservation,
    topographic_product,
    trustworthiness,
)

__all__ = [
    "adjusted_rand",
    "calibration_error",
    "dead_unit_share",
    "distortion",
    "neighborhood_preservation",
    "normalized_mutual_information",
    "purity",
    "quantization_error",
    "topographic_error",
    "topographic_product",
    "torn_samples",
    "trustworthiness",
]
