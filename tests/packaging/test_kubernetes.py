"""deploy/kubernetes and deploy/hosting: what the schemas take, and what the program has."""

import json
import os
import re
import subprocess
import sys
import textwrap
from pathlib import Path

import kubernetes_validate
import pytest
import typer
from ruamel.yaml import YAML

from modemap import __version__
from modemap.cli import app as commands
from modemap.orchestration.servers import free_port, wait_until_healthy
from modemap.params import ServeParams
from modemap.release import release_digest
from modemap.serving.app import create_app
from modemap.serving.following import Follower, directory_source
from modemap.serving.server import KEYS_VARIABLE, SHUTDOWN_SECONDS
from modemap.tracking.store import URI_VARIABLE
from tests.projects import CHECKOUT
from tests.servers import asked

FOLDER = CHECKOUT / "deploy" / "kubernetes"
PAGE = (CHECKOUT / "docs" / "kubernetes.md").read_text()
DOCKERFILE = (CHECKOUT / "Dockerfile").read_text()
HOSTING = (CHECKOUT / "deploy" / "hosting" / "Dockerfile").read_text()
VERSIONS = ("1.30", "1.34", kubernetes_validate.latest_version())
TOOLS = Path(sys.executable).parent
KUSTOMIZATIONS = sorted(FOLDER.rglob("kustomization.yaml"))
DOCUMENTS = sorted(path for path in FOLDER.rglob("*.yaml") if path not in KUSTOMIZATIONS)


def _read(path):
    return YAML(typ="safe").load(path)


def _name(path):
    return str(path.relative_to(FOLDER))


WORKLOADS = {
    _name(path): found for path in DOCUMENTS if (found := _read(path))["kind"] == "Deployment"
}
SERVE = WORKLOADS["base/deployment.yaml"]["spec"]["template"]["spec"]


def _containers(workload):
    spec = workload["spec"]["template"]["spec"]
    return [*spec.get("initContainers", ()), *spec["containers"]]


EVERY_CONTAINER = [
    pytest.param(workload, container, id=f"{name}:{container['name']}")
    for name, workload in WORKLOADS.items()
    for container in _containers(workload)
]


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("path", DOCUMENTS, ids=_name)
def test_the_schema_takes_it(path, version):
    """By the strict schemas, which take no key that is unknown."""
    kubernetes_validate.validate(_read(path), version, strict=True)


def test_the_schema_would_notice():
    """A key that is no key."""
    wrong = _read(FOLDER / "base" / "deployment.yaml")
    wrong["spec"]["template"]["spec"]["containers"][0]["readynessProbe"] = {}

    with pytest.raises(kubernetes_validate.ValidationError, match="readynessProbe"):
        kubernetes_validate.validate(wrong, VERSIONS[-1], strict=True)


@pytest.mark.parametrize("path", KUSTOMIZATIONS, ids=_name)
def test_a_kustomization_names_the_files_that_there_are(path):
    """All of its folder, and folders that are kustomizations themselves."""
    found = _read(path)
    files = [*found.get("resources", ()), *(patch["path"] for patch in found.get("patches", ()))]
    folders = [name for name in files if not name.endswith(".yaml")] + found.get("components", [])

    here = {other.name for other in path.parent.glob("*")} - {path.name}
    assert {name for name in files if name.endswith(".yaml")} == here
    for folder in folders:
        kind = _read(path.parent / folder / "kustomization.yaml")["kind"]
        assert kind == ("Component" if folder in found.get("components", ()) else "Kustomization")
    for image in found.get("images", ()):
        assert image == {"name": "modemap", "newTag": __version__}


@pytest.mark.parametrize(("workload", "container"), EVERY_CONTAINER)
def test_no_container_may_do_more_than_it_must(workload, container):
    """None runs as root, writes to its image, or has the cluster's token; each has its bounds."""
    spec, closed = workload["spec"]["template"]["spec"], container["securityContext"]

    assert spec["securityContext"]["runAsNonRoot"] is True
    assert f"USER {spec['securityContext']['runAsUser']}:" in DOCKERFILE
    assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert spec["automountServiceAccountToken"] is False
    assert closed["allowPrivilegeEscalation"] is False
    assert closed["readOnlyRootFilesystem"] is True
    assert closed["capabilities"] == {"drop": ["ALL"]}
    assert set(container["resources"]) == {"requests", "limits"}
    assert container["image"] == "modemap"


@pytest.mark.parametrize(("workload", "container"), EVERY_CONTAINER)
def test_what_is_written_lies_in_volumes_of_the_image(workload, container):
    """Each mount is /tmp or one that the image declares, of a volume that the pod has."""
    spec = workload["spec"]["template"]["spec"]
    declared = json.loads(re.search(r"^VOLUME (.+)$", DOCKERFILE, re.MULTILINE)[1])
    mounts = {mount["mountPath"]: mount["name"] for mount in container["volumeMounts"]}

    assert set(mounts) <= {"/tmp", *declared}  # noqa: S108  (the image's)
    assert "/tmp" in mounts  # noqa: S108
    assert set(mounts.values()) <= {volume["name"] for volume in spec["volumes"]}
    if container["name"] in {"worker", "deploy"} and "prefect" in str(spec):
        assert set(mounts) == {"/tmp", *declared}  # noqa: S108


def _parsed(words):
    """Return the command of ours that ``words`` call, and its options."""
    group = typer.main.get_command(commands)
    assert words[0] == "modemap"
    command = group.commands[words[1]]
    return words[1], command.make_context(words[1], list(words[2:])).params


def test_the_service_is_a_command_line_of_ours():
    """The real command takes the arguments, and listens at the port that is declared."""
    (container,) = SERVE["containers"]

    name, options = _parsed(container["args"])

    assert name == "serve"
    assert options["host"] == "0.0.0.0"  # noqa: S104  (of the pod alone)
    assert [(port["name"], port["containerPort"]) for port in container["ports"]] == [
        ("http", options["port"])
    ]
    (port,) = _read(FOLDER / "base" / "service.yaml")["spec"]["ports"]
    assert (port["port"], port["targetPort"]) == (options["port"], "http")
    policy = _read(FOLDER / "base" / "network-policy.yaml")["spec"]
    assert policy["ingress"][0]["ports"] == [{"port": options["port"]}]
    names = {entry["name"] for entry in container["env"]}
    assert names == {KEYS_VARIABLE}


def test_the_worker_is_of_the_pool_that_deploy_makes():
    """As in compose.yaml."""
    deploy, worker = _containers(WORKLOADS["components/worker/deployment.yaml"])
    pool = _read(CHECKOUT / "prefect.yaml")["deployments"][0]["work_pool"]["name"]

    name, options = _parsed(deploy["args"])

    assert (name, str(options["project"])) == ("deploy", "/project")
    assert worker["args"] == ["prefect", "worker", "start", f"--pool={pool}"]
    compose = _read(CHECKOUT / "compose.yaml")["services"]
    assert worker["args"] == compose["worker"]["command"]
    assert deploy["args"] == compose["deploy"]["command"]


@pytest.mark.parametrize("name", ["scheduler", "worker"])
def test_dask_takes_these_options(name):
    """Each option is one of the installed command's."""
    (container,) = _containers(WORKLOADS[f"components/dask/{name}.yaml"])

    said = subprocess.run(
        [TOOLS / "dask", name, "--help"], capture_output=True, text=True, check=True
    ).stdout

    assert container["args"][:2] == ["dask", name]
    for word in container["args"][2:]:
        option = word.partition("=")[0]
        assert not option.startswith("--") or option in said, option


def test_settings_are_those_that_the_program_reads():
    """The variables of the maps, and the scheduler's address in both places."""
    literals = {}
    for path in KUSTOMIZATIONS:
        for generator in _read(path).get("configMapGenerator", ()):
            literals |= dict(literal.split("=", 1) for literal in generator["literals"])
    compose = _read(CHECKOUT / "compose.yaml")["services"]["worker"]["environment"]

    assert set(literals) == {URI_VARIABLE, "PREFECT_API_URL", "DASK_SCHEDULER_ADDRESS"}
    assert {name: literals[name] for name in compose} == compose
    worker = WORKLOADS["components/dask/worker.yaml"]["spec"]["template"]["spec"]["containers"][0]
    assert literals["DASK_SCHEDULER_ADDRESS"] in worker["args"]
    (port,) = _read(FOLDER / "components" / "dask" / "service.yaml")["spec"]["ports"]
    assert literals["DASK_SCHEDULER_ADDRESS"].endswith(f":{port['port']}")


def _app(release, hosts=("localhost",)):
    follower = Follower(directory_source(release), 60)
    follower.look()
    return create_app(follower, ServeParams(allowed_hosts=hosts), {})


def test_probes_ask_what_the_service_answers(tiny_release):
    """Whether it lives by one address, whether it may be asked by the other; also keyless."""
    (container,) = SERVE["containers"]
    paths = {
        kind: container[f"{kind}Probe"]["httpGet"]["path"]
        for kind in ("startup", "readiness", "liveness")
    }

    known = {route.path for route in _app(tiny_release).routes}

    assert paths == {"startup": "/healthz", "readiness": "/readyz", "liveness": "/healthz"}
    assert set(paths.values()) <= known
    assert {"/ping", "/invocations", "/metrics"} <= known


def test_the_end_leaves_time_for_requests_at_work():
    """Longer than what the service waits for them, and the pause before it."""
    pause = int(SERVE["containers"][0]["lifecycle"]["preStop"]["exec"]["command"][1])

    assert SERVE["terminationGracePeriodSeconds"] > pause + SHUTDOWN_SECONDS


@pytest.mark.parametrize("name", WORKLOADS)
def test_labels_find_what_they_mean(name):
    """A selector is part of the pod's labels, and no other deployment's pods have all of it."""
    selector = WORKLOADS[name]["spec"]["selector"]["matchLabels"].items()
    pods = {
        other: workload["spec"]["template"]["metadata"]["labels"].items()
        for other, workload in WORKLOADS.items()
    }

    assert [other for other, labels in pods.items() if selector <= labels] == [name]


def test_everything_around_the_service_is_about_its_pods():
    """Service, budget, policy and autoscaler find the deployment; claims and accounts exist."""
    base = {path.stem: _read(path) for path in (FOLDER / "base").glob("*.yaml")}
    labels = base["deployment"]["spec"]["selector"]["matchLabels"]

    assert base["service"]["spec"]["selector"] == labels
    assert base["disruption-budget"]["spec"]["selector"]["matchLabels"] == labels
    assert base["network-policy"]["spec"]["podSelector"]["matchLabels"] == labels
    assert base["autoscaler"]["spec"]["scaleTargetRef"]["name"] == "modemap"
    assert "replicas" not in base["deployment"]["spec"]
    least = base["autoscaler"]["spec"]["minReplicas"]
    assert least > base["disruption-budget"]["spec"]["minAvailable"]
    claim = _read(FOLDER / "components" / "worker" / "volume.yaml")["metadata"]["name"]
    for workload in WORKLOADS.values():
        spec = workload["spec"]["template"]["spec"]
        assert spec["serviceAccountName"] == base["service-account"]["metadata"]["name"]
        for volume in spec["volumes"]:
            assert volume.get("persistentVolumeClaim", {"claimName": claim})["claimName"] == claim


def test_the_page_names_the_hosts_that_callers_use(tiny_release):
    """With its setting the service answers under the name of the Service, without it 421."""
    from starlette.testclient import TestClient

    (block,) = re.findall(r"```yaml\n(\s*serve:.*?)```", PAGE, re.DOTALL)
    hosts = YAML(typ="safe").load(textwrap.dedent(block))["serve"]["allowed_hosts"]
    name = _read(FOLDER / "base" / "service.yaml")["metadata"]["name"]

    codes = [
        TestClient(_app(tiny_release, allowed))
        .get("/v1/models", headers={"host": host})
        .status_code
        for allowed in (tuple(hosts), ("localhost",))
        for host in (f"{name}:8080", f"{name}.default.svc:8080")
    ]

    assert codes == [200, 200, 421, 421]


def test_the_page_names_folders_and_commands_that_there_are():
    """Each kustomization, the hosting image, and each address."""
    for folder in re.findall(r"deploy/[\w/]+", PAGE):
        assert (CHECKOUT / folder).exists(), folder
    for path in KUSTOMIZATIONS:
        if path.parent.parent.name != "components":
            assert f"deploy/kubernetes/{_name(path.parent)}" in PAGE
    assert "modemap.access/service" in PAGE
    assert "modemap.access/service" in (FOLDER / "base" / "network-policy.yaml").read_text()


def test_the_hosting_image_answers_as_platforms_ask(tiny_release, tmp_path):
    """Started with an argument of theirs and a folder of theirs; `/ping`, then `/invocations`."""
    entry = json.loads(re.search(r"^ENTRYPOINT (.+)$", HOSTING, re.MULTILINE)[1])
    assert re.search(r"^ARG IMAGE=modemap:(.+)$", HOSTING, re.MULTILINE)[1] == __version__
    port = free_port()
    command = [word.replace("--port=8080", f"--port={port}") for word in entry]
    command = [word.replace("--host=0.0.0.0", "--host=127.0.0.1") for word in command]
    environment = os.environ | {
        "MODEL_FOLDER": str(tiny_release),
        "PATH": f"{TOOLS}:{os.environ['PATH']}",
    }
    child = subprocess.Popen([*command, "serve"], cwd=tmp_path, env=environment)
    try:
        url = f"http://127.0.0.1:{port}"
        assert wait_until_healthy(f"{url}/ping", alive=lambda: child.poll() is None)

        said = asked(url, "invocations", {"instances": [{"delay": 1.0, "distance": 500.0}] * 2})
        ready = asked(url, "ping")
    finally:
        child.terminate()
        child.wait(60)

    assert len(said["predictions"]) == 2
    assert ready["digest"] == release_digest(tiny_release)
