"""Refusals as RFC 9457 describes them: JSON that names the rule, the place and what to do."""

from collections.abc import Mapping
from typing import Any

import orjson
from starlette.requests import Request
from starlette.responses import Response

from modemap.errors import ModemapError

__all__ = ["MEDIA_TYPE", "Problem", "answer", "of_error"]

MEDIA_TYPE = "application/problem+json"


class Problem(Exception):  # noqa: N818  # RFC 9457's word
    """A request that cannot be answered, and why.

    Parameters
    ----------
    status : int
        HTTP's number.
    title : str
        The rule that the request breaks.
    headers : mapping of str to str
        Headers of the answer.
    **members
        What else is known: ``found``, ``hint``, and ``row`` (from 0) and ``column`` where one value
        is meant.
    """

    def __init__(
        self, status: int, title: str, headers: Mapping[str, str] | None = None, **members: object
    ) -> None:
        super().__init__(title)
        self.status, self.title, self.members = status, title, members
        self.headers = dict(headers or {})

    def response(self) -> Response:
        """Return the answer that tells it."""
        document: dict[str, Any] = {"title": self.title, "status": self.status, **self.members}
        return Response(orjson.dumps(document), self.status, self.headers, MEDIA_TYPE)


def of_error(error: ModemapError) -> Problem:
    """Return a problem that says what ``error`` says: the rows sent break a rule."""
    return Problem(422, error.rule, place=error.place, found=error.found, hint=error.hint)


async def answer(_: Request, error: Exception) -> Response:
    """Turn what a route raises into its answer; what is no problem of the caller's stays unsaid."""
    if isinstance(error, Problem):
        return error.response()
    if isinstance(error, ModemapError):
        return of_error(error).response()
    title, hint = "the service failed", "the log of the service says why"
    return Problem(500, title, hint=hint).response()
