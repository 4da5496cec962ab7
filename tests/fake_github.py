"""A GitHub of one repository on loopback: as much of its interface as the workflows call."""

import hashlib
import json
import re
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self
from urllib.parse import parse_qs, urlsplit

TOKEN = "token-of-the-run"  # noqa: S105  # of a server that lives as long as a test
REPOSITORY = "acme/flights"
BOT = "github-actions[bot]"


class FakeGitHub:
    """The repository's state, and every request that changed it."""

    def __init__(self) -> None:
        self.runs: list[dict[str, Any]] = []
        self.artifacts: dict[int, list[dict[str, Any]]] = {}
        self.trees: dict[str, dict[str, str]] = {"tree0": {"README.md": "hello"}}
        self.commits: dict[str, dict[str, Any]] = {"commit0": {"tree": "tree0", "parents": []}}
        self.refs = {"heads/main": "commit0"}
        self.pulls: list[dict[str, Any]] = []
        self.comments: dict[int, list[dict[str, Any]]] = {}
        self.writes: list[str] = []
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self.url = f"http://127.0.0.1:{self.server.server_port}"

    def __enter__(self) -> Self:
        """Start to answer."""
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.01,), daemon=True)
        self.thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Stop to answer."""
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()

    def add_run(self, number: int, *, event: str = "push", head: str = REPOSITORY) -> None:
        """Let a run of the workflow on a branch of the name `main` have succeeded."""
        run = {"id": number, "event": event, "head_repository": {"full_name": head}}
        self.runs.insert(0, run)
        self.artifacts.setdefault(number, [])

    def add_artifact(self, run: int, name: str, *, expired: bool = False) -> None:
        """Let a run have saved an artifact."""
        artifact = {"name": name, "expired": expired, "expires_at": "2027-02-20T00:00:00Z"}
        self.artifacts[run].append(artifact)

    def files(self, branch: str) -> dict[str, str]:
        """Return path and text of the files of a branch."""
        return self.trees[self.commits[self.refs[f"heads/{branch}"]]["tree"]]

    def answer(self, method: str, path: str, query: dict[str, str], body: Any) -> Any:
        """Return what GitHub would, or None for what it does not have."""
        if method != "GET":
            self.writes.append(f"{method} {path}")
        for route_method, pattern, action in ROUTES:
            found = re.fullmatch(pattern, path)
            if route_method == method and found:
                return action(self, *found.groups(), query, body)
        return None

    def list_runs(self, query: dict[str, str], _body: Any) -> Any:
        """Answer with the runs on a branch."""
        assert (query["branch"], query["status"]) == ("main", "success")
        return {"workflow_runs": self.runs}

    def list_artifacts(self, run: str, query: dict[str, str], _body: Any) -> Any:
        """Answer with the artifacts of a name."""
        found = [a for a in self.artifacts[int(run)] if a["name"] == query["name"]]
        return {"artifacts": found}

    def read_ref(self, name: str, _query: Any, _body: Any) -> Any:
        """Answer with the commit of a branch."""
        return {"object": {"sha": self.refs[name]}} if name in self.refs else None

    def read_commit(self, sha: str, _query: Any, _body: Any) -> Any:
        """Answer with the tree of a commit."""
        return {"tree": {"sha": self.commits[sha]["tree"]}}

    def make_tree(self, _query: Any, body: Any) -> Any:
        """Lay files over a tree; equal files give an equal name."""
        files = dict(self.trees[body["base_tree"]])
        files |= {entry["path"]: entry["content"] for entry in body["tree"]}
        known = next((sha for sha, tree in self.trees.items() if tree == files), None)
        sha = known or hashlib.sha1(json.dumps(files).encode(), usedforsecurity=False).hexdigest()
        self.trees[sha] = files
        return {"sha": sha}

    def make_commit(self, _query: Any, body: Any) -> Any:
        """Put a tree on top of a commit."""
        sha = f"commit{len(self.commits)}"
        self.commits[sha] = body
        return {"sha": sha}

    def make_ref(self, _query: Any, body: Any) -> Any:
        """Start a branch."""
        self.refs[body["ref"].removeprefix("refs/")] = body["sha"]
        return {}

    def move_ref(self, name: str, _query: Any, body: Any) -> Any:
        """Let a branch name another commit."""
        self.refs[name] = body["sha"]
        return {}

    def list_pulls(self, query: dict[str, str], _body: Any) -> Any:
        """Answer with the open pull requests of a branch."""
        head = query["head"].split(":")[1]
        return [pull for pull in self.pulls if pull["head"] == head]

    def make_pull(self, _query: Any, body: Any) -> Any:
        """Open a pull request."""
        self.pulls.append(body | {"number": len(self.pulls) + 1})
        return self.pulls[-1]

    def change_pull(self, number: str, _query: Any, body: Any) -> Any:
        """Change a pull request's words."""
        self.pulls[int(number) - 1].update(body)
        return self.pulls[int(number) - 1]

    def list_comments(self, number: str, query: dict[str, str], _body: Any) -> Any:
        """Answer with a page of the comments."""
        size, page = int(query["per_page"]), int(query["page"])
        return self.comments.get(int(number), [])[size * (page - 1) : size * page]

    def make_comment(self, number: str, _query: Any, body: Any, author: str = BOT) -> Any:
        """Add a comment."""
        comments = self.comments.setdefault(int(number), [])
        identity = sum(map(len, self.comments.values())) + 1
        comments.append({"id": identity, "user": {"login": author}, "body": body["body"]})
        return comments[-1]

    def change_comment(self, identity: str, _query: Any, body: Any) -> Any:
        """Replace the words of a comment."""
        for comments in self.comments.values():
            for comment in comments:
                if comment["id"] == int(identity):
                    comment["body"] = body["body"]
        return {}


ROUTES: tuple[tuple[str, str, Callable[..., Any]], ...] = (
    ("GET", "", lambda *_: {"default_branch": "main"}),
    ("GET", r"actions/workflows/retrain\.yml/runs", FakeGitHub.list_runs),
    ("GET", r"actions/runs/(\d+)/artifacts", FakeGitHub.list_artifacts),
    ("GET", r"git/ref/(heads/.+)", FakeGitHub.read_ref),
    ("GET", r"git/commits/(\w+)", FakeGitHub.read_commit),
    ("POST", r"git/trees", FakeGitHub.make_tree),
    ("POST", r"git/commits", FakeGitHub.make_commit),
    ("POST", r"git/refs", FakeGitHub.make_ref),
    ("PATCH", r"git/refs/(heads/.+)", FakeGitHub.move_ref),
    ("GET", r"pulls", FakeGitHub.list_pulls),
    ("POST", r"pulls", FakeGitHub.make_pull),
    ("PATCH", r"pulls/(\d+)", FakeGitHub.change_pull),
    ("GET", r"issues/(\d+)/comments", FakeGitHub.list_comments),
    ("POST", r"issues/(\d+)/comments", FakeGitHub.make_comment),
    ("PATCH", r"issues/comments/(\d+)", FakeGitHub.change_comment),
)


def _handler(github: FakeGitHub) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def handle_request(self) -> None:
            address = urlsplit(self.path)
            length = int(self.headers.get("Content-Length") or 0)
            body = json.loads(self.rfile.read(length)) if length else None
            prefix = f"/repos/{REPOSITORY}"
            if self.headers.get("Authorization") != f"Bearer {TOKEN}":
                self.reply(401, {"message": "Bad credentials"})
                return
            query = {name: values[0] for name, values in parse_qs(address.query).items()}
            path = address.path.removeprefix(prefix).removeprefix("/")
            is_known = address.path.startswith(prefix) and not address.path.endswith("/")
            found = github.answer(self.command, path, query, body) if is_known else None
            if found is None:
                self.reply(404, {"message": "Not Found"})
            else:
                self.reply(200, found)

        do_GET = do_POST = do_PATCH = handle_request  # noqa: N815  # http.server's names

        def reply(self, code: int, value: Any) -> None:
            data = json.dumps(value).encode()
            self.send_response(code)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, *_: object) -> None:
            pass

    return Handler
