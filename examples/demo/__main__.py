"""The closed loop on real months of flights, with real servers: `make demo`.

January's champion answers. February arrives, and nothing follows. July arrives: drift is found, its
event starts a retraining, the gate judges, a canary takes a share of the requests and becomes
champion. Rows are asked for all the time; the log of the answers is checked at the end.
"""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from examples.demo.picture import draw
from examples.demo.traffic import N_ROWS, PER_SECOND, Traffic, champion, faults, share_of_canary
from examples.demo.upkeep import Upkeep, kept_up
from modemap.data.flights import packaged_months
from modemap.files import staged_file
from modemap.lifecycle.monitor.findings import Finding, read_findings
from modemap.orchestration.environment import tool_environment
from modemap.orchestration.servers import Command, free_port, mlflow_command, prefect_command

SHARE = 0.3
SETTINGS = f"""
monitor: {{source: flights, k: 1, n: 1, cooldown_hours: 0.025, daily_maximum: 9}}

serve: # windows of seconds, so that the story can be told in minutes
  follow_seconds: 0.5
  rollout: {{share: {SHARE}, window_seconds: 2, min_requests: 30, hold_seconds: 6}}
"""
KEY = ("time_hour", "carrier", "flight")
LOOK = ("modemap", "run", "--flow", "flows/monitor.py")
COLUMNS = [*KEY, "origin", "dest", "dep_minutes", "dep_delay", "arr_delay", "air_time", "distance"]
AGAIN = 4  # times that a command may meet a server that was killed
AGAIN_SECONDS = 2.0
GONE = {8, 9}  # exit codes of the registry and of Prefect's server, away
PATIENCE = 100.0  # seconds without an answer to a finding until it is told of again
SECONDS = 600.0  # for the whole of what follows drift
LOG = Path(".modemap", "demo.log")
DRIFTED = 4  # the exit code


class Story:
    """A project, its servers, and what has happened."""

    def __init__(self, root: Path, upkeep: Upkeep) -> None:
        self.root, self.upkeep = root, upkeep
        self.environment = tool_environment(root)
        self.moments: list[tuple[float, str]] = []
        self._began = time.monotonic()

    def say(self, text: str, moment: str = "") -> None:
        """Print what happened and when; ``moment`` names it in the picture."""
        minutes, seconds = divmod(int(time.monotonic() - self._began), 60)
        print(f"{minutes}:{seconds:02}  {text}", flush=True)
        if moment:
            self.moments.append((time.time(), moment))

    def call(self, *words: str, codes: tuple[int, ...] = (0,)) -> int:
        """Run a command as a person would, again where a server it needs was gone."""
        for _ in range(AGAIN):
            with (self.root / LOG).open("a") as log:
                print("$", *words, file=log, flush=True)
                code = subprocess.run(
                    words, cwd=self.root, env=self.environment, stdout=log, stderr=log, check=False
                ).returncode
            if code in codes:
                return code
            if code not in GONE:
                break
            time.sleep(AGAIN_SECONDS)
        said = (self.root / LOG).read_text().splitlines()[-20:]
        raise SystemExit("\n".join([f"{' '.join(words)} ended with {code}:", *said]))

    def until(self, found: Callable[[], Any], what: str, seconds: float = SECONDS) -> Any:
        """Return what ``found`` returns once it is something."""
        deadline = time.monotonic() + seconds
        while not (something := found()):
            if time.monotonic() > deadline:
                raise SystemExit(f"no {what} within {seconds:g} s: see {self.root / LOG}")
            time.sleep(0.5)
        return something


def main(root: Path) -> int:
    """Tell the story in the folder ``root``, which must not be there yet; return the exit code."""
    root.mkdir(parents=True)
    root = root.resolve()
    with ExitStack() as stack:
        story = Story(root, stack.enter_context(kept_up(root)))
        _make_project(story)
        _train_first(story)
        url = _serve(story)
        traffic = Traffic(url, _rows(root, 1))
        traffic.start()
        stack.callback(traffic.stop)
        _watch(story, traffic)
        _follow(story, url)
        answers = traffic.stop()
        traffic.write(root / "requests.csv")
    draw(answers, story.moments, root / "reports" / "demo.png")
    return _conclude(story, traffic)


def _make_project(story: Story) -> None:
    root = story.root
    story.call("git", "init", "-q")  # a project of its own, though it lies within a checkout
    n = _arrive(root, 1)
    for make in (prefect_command, mlflow_command):
        command = story.upkeep.start(make(root, free_port()))
        story.say(f"{command.name:8} {command.url}")
        name = {"Prefect": "PREFECT_API_URL", "MLflow": "MLFLOW_TRACKING_URI"}[command.name]
        story.environment[name] = command.url + ("/api" if command.name == "Prefect" else "")
    keys = [word for name in KEY for word in ("--key", name)]
    story.call("modemap", "init", "flights", *keys)
    with (root / "params.yaml").open("a") as params:
        params.write(SETTINGS)
    story.call("git", "commit", "-qam", "Watch new flights, roll out by canary")
    story.say(f"modemap init: a project of {n:,} flights of January")


def _train_first(story: Story) -> None:
    story.call("modemap", "run")
    story.say("modemap run: version 1 has passed the gate and is the champion")


def _serve(story: Story) -> str:
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    words = ["modemap", "serve", "--port", str(port)]
    service = _command(story, "service", words, url, f"{url}/readyz")
    story.upkeep.start(service)
    story.call("modemap", "deploy")
    api = f"{story.environment['PREFECT_API_URL']}/health"
    words = [sys.executable, "-m", "prefect", "worker", "start", "--pool", "flights"]
    story.upkeep.start(_command(story, "worker", words, "", api))
    story.call(*LOOK)  # January is no news; the service starts meanwhile
    story.upkeep.wait(service)
    story.say(f"service  {url}: version 1 answers {PER_SECOND} requests a second", "served")
    return url


def _command(story: Story, name: str, words: list[str], url: str, health: str) -> Command:
    quick = {"PREFECT_WORKER_QUERY_SECONDS": "1"}
    return Command(name, words, story.environment | quick, url, health)


def _watch(story: Story, traffic: Traffic) -> None:
    """Let February and July arrive, and look at them."""
    for month, name, code in ((2, "February", 0), (7, "July", DRIFTED)):
        n = _arrive(story.root, month)
        traffic.rows = _rows(story.root, month)
        story.say(f"{name} arrives, {n:,} flights", name)
        story.call(*LOOK, codes=(code,))
        if code == 0:
            story.say("the flow monitor: no drift")
    finding = read_findings(story.root)[-1]
    drifted = ", ".join([*finding.window["columns"], *finding.window["joint"]])
    story.say(f"the flow monitor: drift of {drifted}; finding {finding.id}", "drift")


def _follow(story: Story, url: str) -> None:
    """Wait for the retraining that the finding's event starts, and for what becomes of it."""
    story.until(lambda: _found(story).named, "retraining", PATIENCE)
    story.say("its event has started retrain/drift on the worker")
    told = time.monotonic()

    def closed() -> Mapping[str, Any] | None:
        nonlocal told
        if time.monotonic() - told > PATIENCE:  # the run was lost: the finding is told of again
            story.call(*LOOK)
            told = time.monotonic()
        return _found(story).closed

    answer = story.until(closed, "answer to the finding")
    if answer["outcome"] not in {"rolled out", "promoted"}:
        raise SystemExit(f"the finding was closed as {answer['outcome']}: {answer['why']}")
    said = f"the gate has passed version {answer['version']}"
    story.say(f"{said}: {answer['why']}", "canary")
    version = answer["version"]
    story.until(lambda: champion(url) == version, "promotion")
    story.say(f"the service has promoted version {version}", "promoted")
    story.call("modemap", "report")


def _found(story: Story) -> Finding:
    return read_findings(story.root)[-1]


def _conclude(story: Story, traffic: Traffic) -> int:
    answers = traffic.answers
    versions = sorted({answer.version for answer in answers})
    wrong = faults(answers, versions[-1], SHARE)
    n, of = share_of_canary(answers, versions[-1])
    counts = {v: sum(a.version == v for a in answers) for v in versions}
    story.say(
        f"{len(answers):,} requests of {N_ROWS} rows, {sum(a.status == 200 for a in answers):,} "  # noqa: PLR2004  # HTTP's OK
        f"answered 200: {', '.join(f'{count:,} by version {v}' for v, count in counts.items())}"
    )
    if of:
        story.say(f"the canary of {SHARE:.0%} answered {n} of {of} beside the champion")
    for fault in wrong:
        story.say(f"error: {fault}")
    root = os.path.relpath(story.root)
    print(
        f"look at\n  {root}/reports/demo.png    the answers, second by second"
        f"\n  {root}/reports/index.html  version {versions[-1]}: map, modes, gate, history"
        f"\n  {root}/reports/drift.html  what drifted in July"
        f"\n  {root}/requests.csv        every answer"
        f"\n  cd {root} && modemap ui    the runs, in Prefect and MLflow"
    )
    return 1 if wrong else 0


def _arrive(root: Path, month: int) -> int:
    """Let a month of flights arrive; return how many."""
    ((_, table),) = packaged_months([month])
    (root / "flights").mkdir(exist_ok=True)
    with staged_file(root / "flights" / f"2013-{month:02}.parquet") as path:
        pq.write_table(table.select(COLUMNS), path)
    return len(table)


def _rows(root: Path, month: int) -> list[dict[str, Any]]:
    """Return the flights of a month that lack nothing, as a caller would send them."""
    table: pa.Table = pq.read_table(root / "flights" / f"2013-{month:02}.parquet").drop_null()
    rows = table.to_pylist()
    return list(json.loads(json.dumps(rows, default=lambda moment: moment.isoformat())))


if __name__ == "__main__":
    if len(sys.argv) != 2:  # noqa: PLR2004  # the folder
        sys.exit("usage: python -m examples.demo FOLDER")
    sys.exit(main(Path(sys.argv[1])))
