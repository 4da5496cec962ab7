"""Pictures of maps, modes, drift and training, by scikit-learn's Display convention.

Each class takes computed arrays; its class methods compute them from a fitted model or a check and
draw at once. ``plot`` draws on given axes or on a new figure, keeps ``ax_`` or ``axes_`` and
``figure_``, and returns the display. The package needs the extra ``plot``.
"""

try:
    from modemap.plot.component_planes import ComponentPlanesDisplay
    from modemap.plot.drift import DriftDisplay
    from modemap.plot.hit_map import HitMapDisplay
    from modemap.plot.modes import ModesDisplay
    from modemap.plot.training import TrainingDisplay
    from modemap.plot.umatrix import UMatrixDisplay
except ModuleNotFoundError as error:
    if (error.name or "").partition(".")[0] != "matplotlib":
        raise
    raise ModuleNotFoundError(
        "modemap.plot needs the extra `plot`: pip install 'modemap[plot]'", name="matplotlib"
    ) from None

__all__ = [
    "ComponentPlanesDisplay",
    "DriftDisplay",
    "HitMapDisplay",
    "ModesDisplay",
    "TrainingDisplay",
    "UMatrixDisplay",
]
