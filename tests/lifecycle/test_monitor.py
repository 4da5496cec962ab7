"""The loop up to its event: windows, findings, and what never asks for a retraining."""

from datetime import UTC, datetime, timedelta

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from modemap.errors import DataError, ParamsError
from modemap.files import sha256_file
from modemap.lifecycle.history import PROMOTION, History, describe
from modemap.lifecycle.monitor.findings import (
    FINDINGS,
    Finding,
    add_finding,
    close_finding,
    due,
    name_finding,
    note_emitted,
    read_finding,
    read_findings,
)
from modemap.lifecycle.monitor.look import PAGE, monitor
from modemap.lifecycle.monitor.windows import WINDOWS
from modemap.params import MonitorParams
from modemap.serving.prediction_log import PredictionLog
from tests.lifecycle.conftest import CHECKOUT, copy_of
from tests.lifecycle.test_drift import release_with_reference  # noqa: F401  # a fixture

pytestmark = pytest.mark.workflow

SUITE = """
key: [key]
expectations:
  - type: expect_column_values_to_be_between
    kwargs: {column: distance, min_value: -1000, max_value: 10000}
    why: distances are of this world
"""
SETTINGS = """
monitor: {source: new, k: 2, n: 3}
"""


@pytest.fixture(scope="session")
def watched(after_promotion, release_with_reference, tmp_path_factory):  # noqa: F811
    """Return a project whose champion keeps a reference, and which watches the folder `new`."""
    project = copy_of(after_promotion, tmp_path_factory.mktemp("watched"))
    registry = project.registry
    version = registry.register(release_with_reference, tags={}, metrics={}, evidence={}, note="")
    history = History(registry)
    entry = describe(version, kind=PROMOTION, verdict="v", why="a test")
    history.promote(history.head(), entry)
    (project.root / "suite.yaml").write_text(SUITE)
    text = (CHECKOUT / "params.yaml").read_text().replace("project: modemap", "project: flights")
    text = text.replace("expectations/flights.yaml", "suite.yaml")
    (project.root / "params.yaml").write_text(text + SETTINGS)
    return project


class Watched:
    """A project into which rows arrive."""

    def __init__(self, root, rows):
        self.root, self.rows, self.n_batches = root, rows, 0

    def arrive(self, shift=0.0, n_rows=500, name=None):
        """Put a batch where the project watches, moved by ``shift``; return its path."""
        self.n_batches += 1
        picked = np.random.default_rng(self.n_batches).choice(len(self.rows), n_rows)
        X = self.rows[picked] + shift
        path = self.root / "new" / (name or f"{self.n_batches:03d}.parquet")
        path.parent.mkdir(exist_ok=True)
        delay = pa.array(X[:, 0], mask=np.arange(n_rows) % 36 == 0)  # as often as in training
        columns = {"key": np.arange(n_rows), "delay": delay, "distance": X[:, 1]}
        pq.write_table(pa.table(columns), path)
        return path

    def look(self, *shifts):
        """Look once after each batch; return the answers."""
        answers = []
        for shift in shifts:
            self.arrive(shift)
            answers.append(monitor(self.root).answer)
        return answers


@pytest.fixture
def project(watched, rows, tmp_path):
    """Return a copy of the watched project."""
    return Watched(copy_of(watched, tmp_path).root, rows)


def test_rows_like_those_of_training_are_no_drift(project):
    """Each file is judged once: the second look finds nothing new, also under another name."""
    path = project.arrive()

    looked, again = monitor(project.root), monitor(project.root)
    path.rename(path.with_name("renamed.parquet"))

    assert (looked.answer, looked.exit_code, looked.said) == (False, 0, "drift: no")
    assert looked.window["files"] == ["001.parquet"]
    assert looked.window["n_rows"] == 500
    assert (project.root / PAGE).is_file()
    assert (again.exit_code, again.window, again.said) == (0, None, "nothing new in new")
    assert monitor(project.root).window is None
    assert read_findings(project.root) == []


def test_one_window_that_drifts_is_no_finding(project):
    """Drift that comes and goes is told, and asks for nothing."""
    assert project.look(0, 400, 0, 0, 400) == [False, True, False, False, True]

    assert read_findings(project.root) == []


def test_enough_windows_make_one_finding(project):
    """Two of three: a record with window, digest, columns and champion; further ones add none."""
    project.look(400, 0)
    path = project.arrive(400)

    looked = monitor(project.root)

    (finding,) = read_findings(project.root)
    assert (looked.answer, looked.exit_code) == (True, 4)
    assert looked.said == f"drift: yes; finding {finding.id}"
    assert finding.version == 2
    assert finding.window["answer"] is True
    assert set(finding.window["columns"]) == {"delay", "distance"}
    assert finding.window["files"] == [path.name]
    assert len(finding.window["digest"]) == 64
    assert sha256_file(path) != finding.window["digest"]
    assert finding.is_open
    project.arrive(400)
    assert f"finding {finding.id} is open" in monitor(project.root).said
    assert read_findings(project.root) == [finding]


def test_a_kill_before_the_window_is_kept_makes_no_second_finding(project):
    """The same rows against the same champion are the same finding."""
    project.look(400, 400)
    before = read_findings(project.root)
    (project.root / WINDOWS).unlink()

    monitor(project.root)

    assert read_findings(project.root) == before


@pytest.mark.parametrize("broken", ["cut", "contract", "excluded", "column"])
def test_a_broken_window_never_asks_for_a_retraining(project, broken):
    """Cut, against the contract, excluded, without a column: not checkable, and not drift."""
    project.look(400)
    path = project.arrive(400)
    if broken == "cut":
        path.write_bytes(path.read_bytes()[:-100])
    elif broken == "contract":
        table = pq.read_table(path)
        pq.write_table(table.set_column(2, "distance", pa.array(np.full(500, 1e6))), path)
    elif broken == "column":
        pq.write_table(pq.read_table(path).drop_columns("delay"), path)
    else:
        params = project.root / "params.yaml"
        digest = _ingested(project, path)
        params.write_text(params.read_text().replace("exclude: []", f"exclude: ['{digest}']"))

    looked = monitor(project.root)

    assert (looked.answer, looked.exit_code) == (None, 5)
    assert looked.check.why
    assert read_findings(project.root) == []
    assert monitor(project.root).window is None


def _ingested(project, path):
    from modemap.data.batches import write_batches
    from modemap.data.sources import source_pieces

    (batch,) = write_batches(project.root / "ingested", source_pieces(str(path))).batches
    return batch.digest


def test_sound_files_beside_a_broken_one_are_looked_at_the_next_time(project):
    """Only the broken file is done with."""
    project.arrive(0)
    path = project.arrive(0)
    path.write_bytes(b"no table")

    first, second = monitor(project.root), monitor(project.root)

    assert first.answer is None
    assert path.name in first.said
    assert (second.answer, second.window["files"]) == (False, ["001.parquet"])


def test_few_rows_wait_for_others(project):
    """Windows too small to judge are not used up."""
    project.arrive(n_rows=30)
    small = monitor(project.root)
    project.arrive(n_rows=30)

    both = monitor(project.root)

    assert (small.exit_code, small.said) == (5, "not checkable: 30 new rows, they wait for others")
    assert both.window["n_rows"] == 60
    assert both.window["n_files"] == 2


def test_the_prediction_log_is_a_source(project, rows, release_with_reference):  # noqa: F811
    """Its files are read as they are, without the contract of batches."""
    from prometheus_client import CollectorRegistry

    from modemap.params import LogParams
    from modemap.serving.rows import Rows
    from modemap.serving.served import load_served

    served = load_served(release_with_reference, 2)
    log = PredictionLog(LogParams(folder=str(project.root / "log")), CollectorRegistry())
    answers = []
    for shift in (0, 500):
        X = rows + shift
        log.put(served, Rows(X), served.release.score(X), None)
        assert log.flush()
        answers.append(monitor(project.root, "log").answer)

    assert answers == [False, True]


def test_without_a_source_or_a_champion_it_is_told(project, evaluated, tmp_path):
    """Neither is a drift; the first is an error of the params."""
    params = project.root / "params.yaml"
    params.write_text(params.read_text().replace("source: new, ", ""))

    with pytest.raises(ParamsError, match=r"monitor\.source: must say where new rows are"):
        monitor(project.root)
    nobody = copy_of(evaluated, tmp_path / "nobody")
    looked = monitor(nobody.root, "new")
    assert (looked.exit_code, looked.said) == (5, "not checkable: there is no champion yet")


def test_a_finding_of_an_earlier_champion_is_closed(project):
    """Somebody has promoted another release: what drifted from the old one is told no longer."""
    add_finding(project.root, 1, "another", {"id": "abc", "digest": "d"})

    monitor(project.root)

    closed = read_finding(project.root, "abc").closed
    assert (closed["outcome"], closed["version"]) == ("superseded", 2)


NOW = datetime(2026, 1, 10, 12, tzinfo=UTC)


def _finding(name="a", named_hours_ago=None, closed=None):
    when = None
    if named_hours_ago is not None:
        when = (NOW - timedelta(hours=named_hours_ago)).isoformat()
    named = when and {"run": "r", "when": when}
    return Finding(name, "2026-01-01", 1, "d", {}, named=named, closed=closed)


DONE = {"outcome": "refused", "version": 2, "why": "", "when": ""}


@pytest.mark.parametrize(
    ("findings", "settings", "told", "why"),
    [
        ([_finding()], {}, ["a"], ""),
        ([_finding(closed=DONE)], {}, [], ""),
        ([_finding(named_hours_ago=1)], {}, [], ""),  # a retraining is at it
        ([_finding(named_hours_ago=25)], {}, ["a"], ""),  # and was lost
        ([_finding("b", 5, DONE), _finding()], {}, [], "a retraining began less than 24 hours ago"),
        ([_finding("b", 25, DONE), _finding()], {}, ["a"], ""),
        (
            [_finding("b", 5, DONE), _finding()],
            {"cooldown_hours": 1.0},
            [],
            "1 retrainings began within a day, as many as may",
        ),
        (
            [_finding("b", 5, DONE), _finding()],
            {"cooldown_hours": 1.0, "daily_maximum": 2},
            ["a"],
            "",
        ),
        (
            [_finding()],
            {"daily_maximum": 0},
            [],
            "0 retrainings began within a day, as many as may",
        ),
    ],
)
def test_how_often_a_retraining_is_asked_for(findings, settings, told, why):
    """Again and again until it is named, but for the cool-down and the daily maximum."""
    found, said = due(findings, MonitorParams(**settings), NOW)

    assert [finding.id for finding in found] == told
    assert said == why


def test_one_flow_run_answers_a_finding(tmp_path):
    """Another one is told that it is taken; the same may come back; once closed nobody may."""
    add_finding(tmp_path, 1, "d", {"id": "abc"})

    assert name_finding(tmp_path, "abc", "first", 24.0).named["run"] == "first"
    assert name_finding(tmp_path, "abc", "second", 24.0) is None
    assert name_finding(tmp_path, "abc", "first", 24.0) is not None
    assert name_finding(tmp_path, "abc", "second", 0.0).named["run"] == "second"
    close_finding(tmp_path, "abc", "refused", 3, "worse")
    assert name_finding(tmp_path, "abc", "second", 24.0) is None
    closed = read_finding(tmp_path, "abc").closed
    assert (closed["outcome"], closed["version"], closed["why"]) == ("refused", 3, "worse")


def test_what_is_emitted_is_counted_and_takes_nothing_back(tmp_path):
    """The count stands beside who has named the finding."""
    add_finding(tmp_path, 1, "d", {"id": "abc"})
    name_finding(tmp_path, "abc", "run", 24.0)

    note_emitted(tmp_path, "abc")

    assert read_finding(tmp_path, "abc").n_emitted == 1
    assert read_finding(tmp_path, "abc").named["run"] == "run"


def test_a_finding_that_is_none_is_told(tmp_path):
    """Unknown names, and files that somebody has changed."""
    add_finding(tmp_path, 1, "d", {"id": "abc"})

    for name in ("xyz", "../abc", ""):
        with pytest.raises(ParamsError, match="finding: must be one that is recorded"):
            read_finding(tmp_path, name)
    (tmp_path / FINDINGS / "abc.json").write_text("{}")
    with pytest.raises(DataError, match=r"abc\.json: must be a finding in format 1"):
        read_findings(tmp_path)


def test_damaged_memory_of_windows_is_told(project):
    """The message says what to do; nothing is judged twice in silence."""
    path = project.root / WINDOWS
    path.parent.mkdir(parents=True)
    path.write_text("{")

    with pytest.raises(DataError, match=r"judged\.json: must list windows"):
        monitor(project.root)


def test_settings_that_cannot_be_are_refused():
    """More windows than there are."""
    with pytest.raises(ValueError, match="k must not exceed n = 3"):
        MonitorParams(k=4)
