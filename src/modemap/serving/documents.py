"""What the OpenAPI page says of bodies that routes read by themselves: shapes and examples."""

from typing import Any

from modemap.serving.bodies import ARROW, CSV, JSON
from modemap.serving.problems import MEDIA_TYPE

__all__ = ["DESCRIPTION", "ENCODED", "EXPLAINED", "SCORES", "encoding_in", "routed", "rows_in"]

DESCRIPTION = """Scores of rows by the champion of the registry: where a row lies on the map, how
unusual it is, and why. Columns are those of `/v1/models`; other columns of a row are left alone,
and a missing value is `null`. Refusals are RFC 9457 problems that name row and column."""

Schema = dict[str, Any]

NUMBER: Schema = {"type": "number"}
COUNT: Schema = {"type": "integer", "minimum": 0}
WHO: Schema = {
    "version": {"type": ["integer", "null"], "description": "null where no registry is asked."},
    "digest": {"type": "string", "description": "Of the release that answered."},
}
SCORE: Schema = {
    "unit": COUNT,
    "position": {"type": "array", "items": NUMBER, "description": "Row and column on the map."},
    "segment": COUNT,
    "map_distance": {"type": "number", "description": "From the unit, in robust units."},
    "anomaly_percentile": {"type": "number", "description": "Training rows that are likelier, %."},
    "log_likelihood": {"type": "number", "description": "As a density of raw units."},
}
SCORES: Schema = {
    "type": "object",
    "properties": {**WHO, "rows": {"type": "array", "items": {"properties": SCORE}}},
}
SHARES: Schema = {"type": "object", "additionalProperties": NUMBER}
EXPLAINED: Schema = {
    "type": "object",
    "properties": {
        **WHO,
        "rows": {
            "type": "array",
            "items": {
                "properties": {
                    **SCORE,
                    "shares": {
                        "type": "object",
                        "description": "They add up to -log_likelihood and to map_distance².",
                        "properties": {"log_likelihood": SHARES, "map_distance": SHARES},
                    },
                    "typical": {"type": "array", "items": {"type": "object"}},
                }
            },
        },
    },
}
CODES: Schema = {
    "type": "object",
    "properties": {
        "values": {"type": "array", "items": NUMBER},
        "modes": {"type": "array", "items": {**COUNT, "maximum": 255}},
        "kept": {"type": "object", "additionalProperties": NUMBER},
    },
}
ENCODED: Schema = {
    "type": "object",
    "properties": {**WHO, "columns": {"type": "object", "additionalProperties": CODES}},
}
CELL: Schema = {"type": ["number", "string", "boolean", "null"]}
ROW: Schema = {"type": "object", "additionalProperties": CELL}
ROWS: Schema = {
    "oneOf": [
        {
            "type": "object",
            "required": ["rows"],
            "properties": {"rows": {"type": "array", "minItems": 1, "items": ROW}},
        },
        {
            "type": "object",
            "required": ["columns"],
            "properties": {
                "columns": {
                    "type": "object",
                    "additionalProperties": {"type": "array", "items": CELL},
                }
            },
        },
        {"type": "array", "minItems": 1, "items": ROW},
    ]
}
PROBLEM: Schema = {
    "type": "object",
    "required": ["title", "status"],
    "properties": {
        "title": {"type": "string", "description": "The rule."},
        "status": {"type": "integer"},
        "row": {**COUNT, "description": "From 0."},
        "column": {"type": "string"},
        "found": {},
        "hint": {"type": "string"},
    },
}
REFUSALS = {
    "400": "The body is not what its header says.",
    "401": "A key is needed.",
    "408": "The body came too slowly.",
    "413": "The body is too large.",
    "415": "The content type is not read.",
    "421": "Another host is served.",
    "422": "Rows or values are not as they must be.",
    "429": "The key asks too often.",
    "503": "No release is loaded, or the service is full.",
}


def rows_in(answer: Schema) -> dict[str, Any]:
    """Return what is said of a route that takes rows and answers by ``answer``."""
    table = {"schema": {"type": "string", "format": "binary"}}
    return {
        "requestBody": {
            "required": True,
            "content": {JSON: {"schema": ROWS}, CSV: table, ARROW: table},
        },
        "responses": _responses(answer),
    }


def routed(said: dict[str, Any]) -> dict[str, Any]:
    """Add what a route takes that a canary answers in part: whom or what the request is about."""
    text = (
        "Of whom or what the rows are: during a rollout the same key has the same release answer."
    )
    key = {"name": "X-Modemap-Key", "in": "header", "description": text}
    return {**said, "parameters": [{**key, "schema": {"type": "string"}}]}


def encoding_in() -> dict[str, Any]:
    """Return what is said of the route that takes an encoding."""
    columns = {"type": "object", "additionalProperties": {"type": "array", "items": NUMBER}}
    answer = {"type": "object", "properties": {**WHO, "columns": columns}}
    responses = _responses(answer)
    responses["409"] = _problem("Another release encoded the rows.")
    content = {JSON: {"schema": {**ENCODED, "required": ["digest", "columns"]}}}
    return {"requestBody": {"required": True, "content": content}, "responses": responses}


def _responses(answer: Schema) -> dict[str, Any]:
    found = {"200": {"description": "The answer.", "content": {JSON: {"schema": answer}}}}
    return found | {status: _problem(text) for status, text in REFUSALS.items()}


def _problem(text: str) -> dict[str, Any]:
    return {"description": text, "content": {MEDIA_TYPE: {"schema": PROBLEM}}}
