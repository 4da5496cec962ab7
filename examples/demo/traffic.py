"""Rows that a service is asked for all the time, and a log of every answer."""

import csv
import http.client
import json
import threading
import time
import urllib.request
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from itertools import count
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from scipy.stats import binom

from modemap.orchestration.servers import wait_until_healthy

__all__ = ["Answer", "Traffic", "champion", "faults", "share_of_canary"]

PER_SECOND = 30
N_ROWS = 5  # of a request
SECONDS = 60.0  # for an answer, or for a service that was stopped to be back
SURE = 0.9999  # of the interval in which a canary's share lies


@dataclass(frozen=True)
class Answer:
    """What the service answered to one request."""

    when: float  # Unix time
    key: str
    status: int
    version: int  # 0: none was named
    seconds: float
    n_asked: int  # times until there was an answer: a service that was killed gives none


class Traffic(threading.Thread):
    """Requests at a steady rate, one after the other, until told to stop.

    Parameters
    ----------
    url : str
        The service's address.
    rows : sequence of mapping
        What is asked for, again and again; may be replaced at any time.
    """

    def __init__(self, url: str, rows: Sequence[Mapping[str, Any]]) -> None:
        super().__init__(daemon=True)
        self.rows, self.answers = rows, list[Answer]()
        self._url, self._over = url, threading.Event()
        self._connection = self._connect()

    def run(self) -> None:
        """Ask until told to stop."""
        began = time.monotonic()
        for n in count():
            at = n * N_ROWS % (len(self.rows) - N_ROWS)
            self.answers.append(self._ask(f"request {n}", self.rows[at : at + N_ROWS]))
            if self._over.wait(max(0.0, began + (n + 1) / PER_SECOND - time.monotonic())):
                return

    def stop(self) -> list[Answer]:
        """Stop asking; return all answers."""
        self._over.set()
        self.join()
        return self.answers

    def write(self, path: Path) -> None:
        """Write the log as CSV, a line for each answer."""
        with path.open("w", newline="") as file:
            writer = csv.DictWriter(file, [field.name for field in fields(Answer)])
            writer.writeheader()
            writer.writerows(asdict(answer) for answer in self.answers)

    def _connect(self) -> http.client.HTTPConnection:
        return http.client.HTTPConnection(urlsplit(self._url).netloc, timeout=SECONDS)

    def _ask(self, key: str, rows: Sequence[Mapping[str, Any]]) -> Answer:
        body = json.dumps({"rows": rows}).encode()
        headers = {"Content-Type": "application/json", "X-Modemap-Key": key}
        began = time.monotonic()
        for n_asked in count(1):
            try:
                self._connection.request("POST", "/v1/score", body, headers)
                answer = self._connection.getresponse()
                document = json.load(answer)
            except (
                OSError,
                http.client.HTTPException,
            ):  # killed: ask again
                self._connection.close()
                self._connection = self._connect()
                if time.monotonic() - began > SECONDS:
                    break
                wait_until_healthy(f"{self._url}/readyz", seconds=SECONDS)
                continue
            version = document.get("version") or 0
            seconds = time.monotonic() - began
            return Answer(time.time(), key, answer.status, version, seconds, n_asked)
        return Answer(time.time(), key, 0, 0, time.monotonic() - began, n_asked)


def champion(url: str) -> int | None:
    """Return which version is the service's champion, None while the service is away."""
    try:
        with urllib.request.urlopen(f"{url}/v1/models", timeout=SECONDS) as answer:  # noqa: S310  # ours
            models = json.load(answer)["models"]
    except OSError:
        return None
    return next(model["version"] for model in models if model["role"] == "champion")


def share_of_canary(answers: Sequence[Answer], version: int) -> tuple[int, int]:
    """Return how many requests ``version`` answered while it was a canary, and of how many.

    Then both versions answered: from the first answer of the one to the last of the other, these
    two left out, since they were not drawn. Where the service died meanwhile, it is the time since:
    until it has loaded the canary again it answers all by the champion.
    """
    began = [n for n, answer in enumerate(answers) if answer.n_asked > 1]
    if began:
        answers = answers[began[-1] :]
    is_new = [answer.version == version for answer in answers]
    if not any(is_new) or all(is_new):
        return 0, 0
    first = is_new.index(True)
    last = len(is_new) - 1 - is_new[::-1].index(False)
    between = is_new[first + 1 : last]
    return sum(between), len(between)


def faults(answers: Sequence[Answer], version: int, share: float) -> list[str]:
    """Return what is wrong with a log in which ``version`` was a canary of ``share``."""
    found = [f"{a.key}: status {a.status}" for a in answers if a.status // 100 != 2]  # noqa: PLR2004  # HTTP's successes
    n, of = share_of_canary(answers, version)
    low, high = binom.interval(SURE, of, share) if of else (0, 0)
    if not of:
        found.append(f"version {version} was never beside another")
    elif not low <= n <= high:
        found.append(f"the canary answered {n} of {of}, not {low:g} to {high:g}")
    if answers and answers[-1].version != version:
        found.append(f"the last answer is version {answers[-1].version}'s")
    return found
