"""A release as ONNX graphs, which other runtimes score without this package."""

from modemap.export.agreement import TOLERANCE, Trial, map_disagreement, mixture_disagreement
from modemap.export.map import map_graph
from modemap.export.mixture import mixture_graph
from modemap.export.model import OPSET, serialised
from modemap.export.running import run_graph

__all__ = [
    "OPSET",
    "TOLERANCE",
    "Trial",
    "map_disagreement",
    "map_graph",
    "mixture_disagreement",
    "mixture_graph",
    "run_graph",
    "serialised",
]
