"""GitHub's REST interface, as far as the workflows need it."""

import json
import urllib.error
import urllib.parse
import urllib.request
from typing import Any

from modemap.errors import StageError
from modemap.orchestration.github.context import variable

__all__ = ["GitHub"]

SECONDS = 30.0
NOT_FOUND = 404
MESSAGE = 300  # characters of GitHub's own words


class GitHub:
    """One repository on the GitHub that GITHUB_API_URL names, entered with GH_TOKEN."""

    def __init__(self) -> None:
        self.address = variable("GITHUB_API_URL").rstrip("/")
        self.repository = variable("GITHUB_REPOSITORY")
        self._token = variable("GH_TOKEN")

    def get(self, path: str, **query: str | int) -> Any:
        """Return what lies at ``path`` below the repository.

        Raises
        ------
        StageError
            If GitHub refuses or does not answer.
        """
        return self._call("GET", path, query=query)

    def find(self, path: str) -> Any:
        """Return what lies at ``path``, None if there is nothing."""
        return self._call("GET", path, absent=True)

    def send(self, method: str, path: str, body: Any) -> Any:
        """Send ``body`` to ``path`` by POST or PATCH and return the answer."""
        return self._call(method, path, body=body)

    def _call(
        self,
        method: str,
        path: str,
        *,
        query: dict[str, str | int] | None = None,
        body: Any = None,
        absent: bool = False,
    ) -> Any:
        url = f"{self.address}/repos/{self.repository}/{path}".rstrip("/")
        if query:
            url += f"?{urllib.parse.urlencode(query)}"
        headers = {
            "Accept": "application/vnd.github+json",
            "Authorization": f"Bearer {self._token}",
            "X-GitHub-Api-Version": "2022-11-28",
        }
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(url, data, headers, method=method)  # noqa: S310  # see below
        if not url.startswith(("https://", "http://127.0.0.1:")):
            raise _refusal(url, "an address without https")
        try:
            with urllib.request.urlopen(request, timeout=SECONDS) as answer:  # noqa: S310  # checked
                return json.load(answer)
        except urllib.error.HTTPError as error:
            with error:
                if absent and error.code == NOT_FOUND:
                    return None
                found = error.read(MESSAGE).decode(errors="replace")
            raise _refusal(f"{method} {url}", f"{error.code} {' '.join(found.split())}") from None
        except (OSError, ValueError) as error:
            raise _refusal(f"{method} {url}", error) from None


def _refusal(place: str, found: object) -> StageError:
    hint = "see the job's permissions and GitHub's status page, then run the job again"
    return StageError(place, "GitHub must answer", found=found, hint=hint)
