"""How good a map or a density is, in one number each."""

from modemap.metrics.density import calibration_error
from modemap.metrics.maps import (
    dead_unit_share,
    distortion,
    quantization_error,
    topographic_error,
)
from modemap.metrics.ranks import (
    neighborhood_preservation,
    topographic_product,
    trustworthiness,
)

__all__ = [
    "calibration_error",
    "dead_unit_share",
    "distortion",
    "neighborhood_preservation",
    "quantization_error",
    "topographic_error",
    "topographic_product",
    "trustworthiness",
]
