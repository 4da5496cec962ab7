"""A release is loaded and tried in a process that sees nothing of the current folder."""

import signal
import sys

import pytest

from modemap.errors import ReleaseError
from modemap.lifecycle.evidence import clean_load
from modemap.release import release_digest


def test_a_release_that_never_answers_is_stopped_in_time(release):
    """Loading is given up after a while."""
    with pytest.raises(ReleaseError, match=r"no answer within 0\.01 s"):
        clean_load.load_cleanly(release, release_digest(release), seconds=0.01)


@pytest.mark.parametrize("printed", ["", "fine", "[]", '{"digest": "another"}'])
def test_only_the_promised_report_counts_as_an_answer(release, monkeypatch, tmp_path, printed):
    """A process that ends well without the report of this digest has not loaded it."""
    fake = tmp_path / "python"
    fake.write_text(f"#!/bin/sh\necho '{printed}'\n")
    fake.chmod(0o755)
    monkeypatch.setattr(clean_load.sys, "executable", str(fake))

    with pytest.raises(ReleaseError, match=r"a report on|no report but"):
        clean_load.load_cleanly(release, release_digest(release))


def _python_that_dies_by(number, folder, monkeypatch):
    fake = folder / "python"
    # SIGINT is ignored from the start where this runs in the background of a shell.
    dies = f"s.signal(s.SIGINT, s.SIG_DFL); os.kill(os.getpid(), {number:d})"
    fake.write_text(f"#!/bin/sh\nexec '{sys.executable}' -c 'import os, signal as s; {dies}'\n")
    fake.chmod(0o755)
    monkeypatch.setattr(clean_load.sys, "executable", str(fake))


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interruption_says_nothing_of_the_release(release, monkeypatch, tmp_path, number):
    """Ctrl-C and the system's request to end reach the clean process as well."""
    _python_that_dies_by(number, tmp_path, monkeypatch)

    with pytest.raises(KeyboardInterrupt):
        clean_load.load_cleanly(release, release_digest(release))


@pytest.mark.parametrize("number", [signal.SIGSEGV, signal.SIGKILL])
def test_a_process_that_dies_by_itself_has_not_loaded_it(release, monkeypatch, tmp_path, number):
    """A crash, or the system's want of memory, is the release's fault."""
    _python_that_dies_by(number, tmp_path, monkeypatch)

    with pytest.raises(ReleaseError, match=f"exit -{number:d}"):
        clean_load.load_cleanly(release, release_digest(release))


def test_the_clean_process_does_not_see_the_current_folder(release, tmp_path, monkeypatch):
    """A module in the project's folder does not stand in for one of ours."""
    (tmp_path / "json.py").write_text("raise SystemExit(3)")
    monkeypatch.chdir(tmp_path)

    report = clean_load.load_cleanly(release, release_digest(release))

    assert report["digest"] == release_digest(release)


def test_candidate_and_champion_are_measured_alike(release, releases):
    """The report has the same costs of both, and what the candidate alone was tried for."""
    champion = releases["larger map"]

    report = clean_load.load_cleanly(
        release, release_digest(release), (champion, release_digest(champion))
    )

    assert report["behaviour"] == {
        "row_order": None, "duplicated_rows": None, "rescaled_units": None,
    }  # fmt: skip
    assert set(report["champion"]) == {"latency_ms", "answer_memory_mib", "size_mib"}
    for name, cost in report["champion"].items():
        assert report[name] > 0
        assert cost > 0
    size = sum(path.stat().st_size for path in champion.iterdir())
    assert report["champion"]["size_mib"] == size / 2**20


def test_a_champion_that_does_not_load_is_told_beside_the_candidate(release, releases):
    """It is the champion's failure, not the candidate's."""
    report = clean_load.load_cleanly(
        release, release_digest(release), (releases["larger map"], "e" * 64)
    )

    assert "digest must be eeee" in report["champion"]["failure"]
    assert report["latency_ms"] > 0
