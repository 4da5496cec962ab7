"""A graph as the bytes of an ONNX model that says what it was made of."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from onnx import checker, helper

from modemap.export.rows import levels

if TYPE_CHECKING:
    from onnx import GraphProto

    from modemap.release import Release

__all__ = ["OPSET", "serialised"]

OPSET = 19  # the first that compares texts
IR_VERSION = 9  # the format that came with it


def serialised(graph: GraphProto, release: Release, *, project: str, version: int) -> bytes:
    """Return ``graph`` as a model, checked: equal releases and versions, equal bytes."""
    model = helper.make_model(
        graph,
        opset_imports=[helper.make_opsetid("", OPSET)],
        ir_version=IR_VERSION,
        producer_name="modemap",
        doc_string=f"The {graph.name} of {project}, version {version}",
    )
    facts = {
        "modemap.project": project,
        "modemap.version": str(version),
        "modemap.release_digest": release.digest,
        "modemap.columns": _json(release.measured_columns),
        "modemap.missing": _json({n: release.preparation.missing[n] for n in release.columns}),
        "modemap.categories": _json(levels(release) if graph.name == "map" else {}),
    }
    helper.set_model_props(model, facts)
    checker.check_model(model, full_check=True)
    return bytes(model.SerializeToString(deterministic=True))


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False)
