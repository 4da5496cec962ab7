"""The models, by scikit-learn's conventions, with files that hold arrays and JSON alone."""

from modemap.estimators.batches import Batches
from modemap.estimators.encoding import ModeEncoding
from modemap.estimators.mixture import BayesianGaussianMixture
from modemap.estimators.normalizer import ModeNormalizer
from modemap.estimators.preparation import Preparation
from modemap.estimators.segments import segment_units
from modemap.estimators.som import SelfOrganizingMap
from modemap.estimators.state import load_state, save_state
from modemap.estimators.supervised import (
    SelfOrganizingMapClassifier,
    SelfOrganizingMapRegressor,
)

__all__ = [
    "Batches",
    "BayesianGaussianMixture",
    "ModeEncoding",
    "ModeNormalizer",
    "Preparation",
    "SelfOrganizingMap",
    "SelfOrganizingMapClassifier",
    "SelfOrganizingMapRegressor",
    "load_state",
    "save_state",
    "segment_units",
]
