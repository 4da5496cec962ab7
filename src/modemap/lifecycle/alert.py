"""Alert people by a webhook, each time with the page of docs/runbooks that says what to do.

The address is a secret and stands in the environment; its host must be one that params.yaml allows.
Redirects are not followed. Whoever alerts is never stopped by it: what fails is a line of the log.
"""

import http.client
import json
import logging
import os
from contextlib import closing
from http import HTTPStatus
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit, urlunsplit

from modemap.errors import ModemapError
from modemap.params import AlertsParams, load_params

__all__ = ["RUNBOOKS", "URL_VARIABLE", "alert"]

log = logging.getLogger(__name__)

URL_VARIABLE = "MODEMAP_ALERTS_URL"
RUNBOOKS = Path("docs", "runbooks")

Kind = Literal["drift-found", "alias-moved", "following-failed", "retrain-refused"]


def alert(root: Path, kind: Kind, said: str) -> bool:
    """Post ``said`` and the runbook of ``kind``, if an address is named; tell if it arrived."""
    url = os.environ.get(URL_VARIABLE, "")
    if not url:
        return False
    try:
        params = load_params(root / "params.yaml")
        host = _checked(url, params.alerts)
        runbook = str(RUNBOOKS / f"{kind}.md")
        text = f"{params.project}: {said} ({runbook})"  # what chats show
        about = {"alert": kind, "project": params.project, "said": said, "runbook": runbook}
        _post(url, {**about, "text": text}, params.alerts.timeout_seconds)
    except (ModemapError, OSError, ValueError, http.client.HTTPException) as error:
        log.warning("alert %s was not sent: %s", kind, _without(url, error))
        return False
    log.info("alert %s was sent to %s", kind, host)
    return True


def _checked(url: str, params: AlertsParams) -> str:
    """Return the host of an address that alerts may go to."""
    parts = urlsplit(url)
    host = parts.hostname or ""
    is_local = host in {"localhost", "127.0.0.1", "::1"}
    if parts.scheme != "https" and not (parts.scheme == "http" and is_local):
        raise ValueError(f"{URL_VARIABLE} must be an https address")
    if host not in params.hosts:
        raise ValueError(f"alerts.hosts in params.yaml does not allow {host}")
    return host


def _post(url: str, document: dict[str, str], seconds: float) -> None:
    """Post JSON; any answer but a yes is an error, a redirect too: it may lead anywhere."""
    parts = urlsplit(url)
    kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
    path = urlunsplit(("", "", parts.path or "/", parts.query, ""))
    headers = {"Content-Type": "application/json"}
    with closing(kind(parts.hostname or "", parts.port, timeout=seconds)) as connection:
        connection.request("POST", path, json.dumps(document).encode(), headers)
        status = connection.getresponse().status
    if not HTTPStatus.OK <= status < HTTPStatus.MULTIPLE_CHOICES:
        raise ValueError(f"the sink answered {status}")


def _without(url: str, error: Exception) -> str:
    """Return what went wrong, without the address."""
    return " ".join(str(error).replace(url, URL_VARIABLE).split())
