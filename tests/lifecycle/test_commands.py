"""The commands say what they did, and exit with the documented codes."""

import json
import os
import shutil
import subprocess
import sys
from importlib.metadata import version

import pytest
from mlflow.tracking._tracking_service.utils import _artifact_repos_cache

from modemap import cli
from modemap.errors import RegistryError
from modemap.lifecycle.rules import RULES
from modemap.lifecycle.status import status
from modemap.orchestration.summary import closing_lines
from modemap.tracking import store_is_gone

pytestmark = pytest.mark.workflow


def _main(monkeypatch, capsys, project, *arguments):
    """Run the command line in this process; return exit code, output and errors."""
    monkeypatch.chdir(project.root)
    monkeypatch.setattr(sys, "argv", ["modemap", *arguments])
    with pytest.raises(SystemExit) as caught:
        cli.main()
    captured = capsys.readouterr()
    return caught.value.code, captured.out, captured.err


@pytest.fixture
def modemap(monkeypatch, capsys, project):
    """Return the command line in a project in which nothing is registered yet."""
    return lambda *arguments: _main(monkeypatch, capsys, project, *arguments)


def test_from_registration_to_status(modemap):
    """Four commands lead from an evaluated release to a champion that a program can read."""
    registered, judged, promoted, told = (
        modemap(*command) for command in (["register"], ["gate"], ["promote"], ["status", "--json"])
    )

    assert [code for code, _, _ in (registered, judged, promoted, told)] == [0] * 4, judged[1]
    assert registered[1].startswith("version 1: release ")
    assert "quantization_error  passed" in judged[1]
    assert "version 1 passed" in judged[1]
    assert "version 1 is now the champion" in promoted[1]
    champion = json.loads(told[1])["champion"]
    assert champion["version"] == 1
    assert champion["digest"] in registered[1]
    assert champion["metrics"]["n_rows"] == 500
    assert "T" in champion["since"]
    assert [errors for _, _, errors in (registered, judged, promoted, told)] == [""] * 4


def test_a_variable_forbids_promoting_as_the_option_does(modemap, monkeypatch):
    """MODEMAP_PROMOTE=false is what the workflows set; the flow gets the same parameters."""
    asked = []
    monkeypatch.setattr("modemap.orchestration.run.run", lambda *given: asked.append(given) or 0)

    assert modemap("run", "--no-promote")[0] == 0
    monkeypatch.setenv("MODEMAP_PROMOTE", "false")
    assert modemap("run")[0] == 0

    assert asked[0] == asked[1]
    assert asked[0][2] == {"promoting": False}


def test_no_champion_yet(modemap):
    """Neither people nor programs get an error for asking early."""
    code, out, err = modemap("status")
    assert (code, out, err) == (0, "no champion yet: `modemap run` trains and promotes one\n", "")

    code, out, err = modemap("status", "--json")
    assert (code, json.loads(out), err) == (0, {"champion": None}, "")


def test_who_interrupts_is_told_that_nothing_is_lost(modemap, monkeypatch):
    """One line and the exit code of an interruption, from the gate as from a run."""

    def interrupted(*_, **__):
        raise KeyboardInterrupt

    said = "interrupted; run again: it goes on where it stopped\n"
    monkeypatch.setattr("modemap.lifecycle.gate.gate", interrupted)
    assert modemap("gate") == (130, "", said)
    monkeypatch.setattr("modemap.orchestration.run.run", lambda *_: 130)
    assert modemap("run") == (130, "", said)


@pytest.mark.usefixtures("in_process")
def test_a_refusal_exits_with_6_and_names_the_rule(modemap, project, tiny_release):
    """The table shows every rule, the message the one that stopped it and the next step."""
    project.install(tiny_release, stability=None)
    modemap("register")

    code, out, err = modemap("gate")

    assert code == 6
    assert "metrics             failed" in out
    assert "contract            passed" in out
    assert err.startswith(
        "error: version 1: must pass every rule of the gate\n  found: metrics failed"
    )
    assert "stability" in err
    assert "\n  hint: " in err
    code, _, err = modemap("promote")
    assert code == 6
    assert "found: a refusal" in err


@pytest.mark.usefixtures("in_process")
def test_promoting_twice_says_so(modemap):
    """The second promotion is no error and no change."""
    for command in ("register", "gate", "promote"):
        assert modemap(command)[0] == 0

    code, out, _ = modemap("promote", "1")

    assert code == 0
    assert "version 1 is the champion already" in out
    assert "since" in modemap("status")[1]


def test_a_moved_alias_is_shown(monkeypatch, capsys, promoted):
    """Status warns of an alias that another hand moved."""
    registry = promoted.registry
    registry.store.client.create_model_version("flights", "runs:/x/y")
    registry.set_alias(2)

    code, out, _ = _main(monkeypatch, capsys, promoted, "status")

    assert code == 0
    assert "champion  flights version 1" in out
    assert "alias `champion` names version 2" in out


def test_the_history_is_told(monkeypatch, capsys, replaced):
    """Who promoted what and why, as lines, as JSON, and as the champion of a time."""
    code, out, _ = _main(monkeypatch, capsys, replaced, "history")
    assert code == 0
    assert len(out.splitlines()) == 2
    assert "promotion of version 2 in place of version 1" in out

    code, out, _ = _main(monkeypatch, capsys, replaced, "history", "--json")
    document = json.loads(out)
    assert document["champion"]["to"] == "2"
    assert [entry["number"] for entry in document["entries"]] == [1, 2]

    code, out, _ = _main(monkeypatch, capsys, replaced, "history", "--at", "2020-01-01")
    assert out == "no champion at 2020-01-01\n"
    code, out, _ = _main(monkeypatch, capsys, replaced, "history", "--at", "2999-01-01")
    assert out.startswith("2  ")


def test_a_time_of_another_form_exits_with_2(modemap):
    """The hint says how to write one."""
    code, _, err = modemap("history", "--at", "yesterday")

    assert code == 2
    assert "write it as 2026-11-24" in err


@pytest.mark.usefixtures("in_process")
def test_a_rollback_is_one_command(monkeypatch, capsys, replaced):
    """It says which version serves again; without a reason it is refused."""
    code, out, _ = _main(monkeypatch, capsys, replaced, "rollback", "--why", "complaints")
    assert code == 0
    assert "version 1 is the champion again" in out

    code, out, _ = _main(monkeypatch, capsys, replaced, "history")
    assert "rollback of version 1 in place of version 2" in out
    assert _main(monkeypatch, capsys, replaced, "rollback")[0] == 2


def test_damage_is_named_and_exits_with_8(monkeypatch, capsys, replaced):
    """A sound registry is called so, with its anchor; what is damaged is listed."""
    code, out, _ = _main(monkeypatch, capsys, replaced, "verify")
    assert code == 0
    assert out.startswith("sound: 2 entries, 2 versions, 0 of 7 outputs in DVC's cache\n")
    assert "not in DVC's cache: data/raw, reports/validate.json, data/prepared," in out
    (replaced.artifacts(1) / "release" / "som.npz").write_bytes(b"")

    code, out, err = _main(monkeypatch, capsys, replaced, "verify")

    assert code == 8
    assert out.startswith("version 1, ")
    assert "som.npz" in err


def test_a_damaged_release_exits_with_7(modemap, project):
    """The message names file, rule, finding and next step."""
    (project.root / "models" / "release" / "som.npz").write_bytes(b"")

    code, _, err = modemap("register")

    assert code == 7
    assert "som.npz: the manifest says" in err
    assert "\n  found: " in err
    assert "\n  hint: restore it with `dvc checkout`" in err


def test_a_store_that_is_none_exits_with_8(modemap, project):
    """The message names the store."""
    (project.root / "mlruns" / "mlflow.db").write_text("not a database, " * 100)

    code, _, err = modemap("status")

    assert code == 8
    assert "mlflow.db: the tracking store must answer" in err


def test_wrong_params_exit_with_2(modemap, project):
    """Every command reads params.yaml by the same rules."""
    (project.root / "params.yaml").write_text("projekt: flights\n")

    code, _, err = modemap("status")

    assert code == 2
    assert "unknown key" in err


def test_a_missing_extra_is_named(modemap, monkeypatch):
    """Who installed the core alone is told what to install."""
    monkeypatch.setitem(sys.modules, "modemap.lifecycle.status", None)
    monkeypatch.setattr(cli, "EXTRAS", {"modemap": "workflow"})

    code, _, err = modemap("status")

    assert code == 2
    assert "needs the extra `workflow`" in err
    assert "pip install 'modemap[workflow]'" in err


def test_another_missing_module_is_a_bug(monkeypatch):
    """A broken installation is not explained away."""
    monkeypatch.setattr(sys, "argv", ["modemap", "status"])
    monkeypatch.setitem(sys.modules, "modemap.lifecycle.status", None)

    with pytest.raises(ModuleNotFoundError, match="modemap"):
        cli.main()


def test_an_error_is_one_message_and_its_code(monkeypatch, capsys):
    """No traceback for what a person can act on."""

    def fail(prog_name):
        raise RegistryError(
            f"the place of {prog_name}", "the rule", found="the finding", hint="the hint"
        )

    monkeypatch.setattr(cli, "app", fail)

    with pytest.raises(SystemExit) as caught:
        cli.main()

    assert caught.value.code == 8
    assert capsys.readouterr().err == (
        "error: the place of modemap: the rule\n  found: the finding\n  hint: the hint\n"
    )


def test_help_imports_nothing_heavy(project):
    """Help answers before a person notices: no slow package is behind it."""
    code = (
        "import sys\nfrom modemap.cli import main\ntry:\n    main()\n"
        "except SystemExit:\n    heavy = {'mlflow', 'numba', 'numpy', 'prefect', 'sklearn'}\n"
        "    sys.exit(', '.join(heavy & set(sys.modules)))\n"
    )

    done = subprocess.run(
        [sys.executable, "-c", code, "--help"],
        cwd=project.root,
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.stderr.strip() == ""
    assert "status" in done.stdout


def test_the_version_is_told_and_no_command_runs(modemap):
    """It is the installed package's, which the params of a project name."""
    code, said, errors = modemap("--version")

    assert (code, said, errors) == (0, f"modemap {version('modemap')}\n", "")
    assert modemap("--version", "status")[1] == said


def test_a_release_is_judged_where_it_lies(modemap):
    """`gate --here` prints the table and registers nothing."""
    code, said, _ = modemap("gate", "--here")

    assert code == 0, said
    assert "loads" in said
    assert "passed; nothing was registered" in said
    assert modemap("gate", "1")[0] == 8


@pytest.mark.usefixtures("in_process")
def test_every_rule_is_explained(modemap):
    """`gate --explain` says of each rule what it asks, its value, its bound and why."""
    modemap("register")

    code, said, _ = modemap("gate", "--explain")

    assert code == 0
    assert said.count("  asks   Stop") == len(RULES)
    assert "stability: passed\n  asks   Stop segments that another seed" in said
    assert "  value  0.9\n  bound  0.1\n" in said


@pytest.mark.usefixtures("in_process")
def test_explaining_changes_nothing(monkeypatch, capsys, replaced):
    """The champion's verdict, its card and the last one of the checkout stay as they were."""

    def kept():
        version = replaced.registry.get(2)
        artifacts = [path for path in replaced.artifacts(2).rglob("*") if path.is_file()]
        files = [*artifacts, replaced.root / "reports" / "verdict.json"]
        return dict(version.tags), {path: path.read_bytes() for path in files}

    before = kept()

    code, said, _ = _main(monkeypatch, capsys, replaced, "gate", "--explain")

    assert code == 0
    assert "the release is the champion" not in said
    assert "version 2 passed; kept with it; `modemap gate 2` judges anew" in said
    assert kept() == before
    reason = ("--accept-change", "a test")
    code, said, _ = _main(monkeypatch, capsys, replaced, "gate", "--explain", *reason)
    assert "version 2 passed; nothing kept" in said
    assert kept() == before


@pytest.mark.usefixtures("in_process")
def test_the_champion_keeps_the_verdict_it_was_promoted_on(monkeypatch, capsys, replaced):
    """Judged again it would be compared with itself."""
    before = replaced.registry.get(2)

    assert _main(monkeypatch, capsys, replaced, "gate", "2")[0] == 0

    assert replaced.registry.get(2) == before
    assert replaced.registry.read_verdict(before)["champion"] == 1


@pytest.mark.usefixtures("in_process")
def test_a_kept_refusal_is_explained(modemap, project, tiny_release):
    """The exit code is the refusal's."""
    project.install(tiny_release, stability=None)
    modemap("register")
    modemap("gate")

    code, said, errors = modemap("gate", "--explain")

    assert code == 6
    assert "metrics: failed\n  asks   Stop unless every metric" in said
    assert "version 1: must pass every rule" in errors


@pytest.mark.parametrize(
    "asked",
    [
        ("compare", "1", "99"),
        ("score", "data/prepared/test/*.parquet", "scores.parquet", "--version", "99"),
        ("drift", "99", "rows.parquet"),
    ],
)
def test_who_names_no_version_is_told_those_there_are(monkeypatch, capsys, replaced, asked):
    """Registering another one would not help."""
    code, _, errors = _main(monkeypatch, capsys, replaced, *asked)

    assert code == 8
    assert "version 99 must be registered" in errors
    assert "hint: name one of 1, 2\n" in errors


def test_the_end_of_a_run_speaks_of_an_environment_that_is_there(promoted):
    """Where modemap was installed elsewhere there is nothing to source."""
    champion = status(promoted.root)
    assert "next" in closing_lines(promoted.root, champion)

    (promoted.root / ".venv").mkdir()

    lines = closing_lines(promoted.root, champion)
    assert "next      (after: source .venv/bin/activate)" in lines


def test_what_lies_here_has_no_version(modemap):
    """A number beside `--here` is refused."""
    code, _, errors = modemap("gate", "--here", "3")

    assert code == 2
    assert "--here takes no version" in errors


def test_the_summary_is_printed_and_its_facts_written(modemap, project):
    """Markdown for people, JSON for the job that comments."""
    code, said, _ = modemap("summary", "--json", "summary.json")

    assert code == 0
    assert said.startswith("## The release was not judged")
    assert project.read("summary.json")["candidate"]["metrics"]["n_rows"] == 500


def test_a_store_that_was_removed_is_missed(monkeypatch, capsys, replaced):
    """A champion that is gone is not one that never was; a fresh checkout lacks nothing."""
    shutil.rmtree(replaced.root / "mlruns")

    code, said, _ = _main(monkeypatch, capsys, replaced, "status")
    assert (code, said.split(";")[0]) == (0, "no champion: mlruns/mlflow.db is gone")
    code, said, errors = _main(monkeypatch, capsys, replaced, "doctor")
    assert code == 8
    assert "mlruns/mlflow.db: is gone" in said
    assert "`modemap restore FILE`" in errors

    shutil.rmtree(replaced.root / ".modemap")  # which whoever makes a store leaves

    assert "no champion yet" in _main(monkeypatch, capsys, replaced, "status")[1]
    assert _main(monkeypatch, capsys, replaced, "doctor")[0] == 0


def test_a_store_elsewhere_is_not_missed_here(replaced, monkeypatch):
    """The checkout's own is of no account where the environment names another."""
    shutil.rmtree(replaced.root / "mlruns")
    assert store_is_gone(replaced.root)

    monkeypatch.setenv("MLFLOW_TRACKING_URI", "sqlite:///elsewhere.db")

    assert not store_is_gone(replaced.root)


@pytest.mark.parametrize(
    ("options", "outputs"), [((), "dvc checkout"), (("--no-cache",), "dvc pull")]
)
def test_who_restores_is_told_how_the_outputs_come_back(
    monkeypatch, capsys, replaced, options, outputs
):
    """The champion's dvc.lock comes first: the commit may hold another or none."""
    replaced.cache_all()
    _main(monkeypatch, capsys, replaced, "backup", "store.tar.gz", *options)
    shutil.rmtree(replaced.root / "mlruns")
    _artifact_repos_cache.clear()

    code, said, _ = _main(monkeypatch, capsys, replaced, "restore", "store.tar.gz")

    assert code == 0
    assert said.splitlines()[-1] == (
        "next: `modemap checkout 2` for the dvc.lock of the champion, "
        f"then `{outputs}` for its outputs"
    )


def test_a_backup_is_made_and_never_replaces_a_store(modemap, project):
    """`backup` names the digest; `restore` refuses a checkout that has a store."""
    code, said, _ = modemap("backup", "--no-cache", "store.tar.gz")
    assert code == 0
    assert (project.root / "store.tar.gz.sha256").read_text().split()[0] in said

    code, _, errors = modemap("restore", "store.tar.gz")

    assert code == 8
    assert "must not be replaced" in errors


def test_the_doctor_exits_with_8_until_all_is_mended(modemap):
    """What is found has four parts, for people and for programs; then all is healthy."""
    code, out, err = modemap("doctor")  # the project was copied, so its store is of another place
    assert code == 8
    assert out.startswith("found   mlruns/mlflow.db: its files are recorded below ")
    assert "\n        consequence: " in out
    assert "\n        mending: " in out
    assert "hint: `modemap doctor --mend` mends it" in err

    code, out, err = modemap("doctor", "--mend", "--json")
    (found,) = json.loads(out)["findings"]
    assert (code, err) == (0, "")
    assert sorted(found) == ["consequence", "mended", "mending", "place", "what"]
    assert found["mended"] is True

    assert modemap("doctor") == (0, "healthy: nothing is left of killed processes\n", "")


def test_garbage_is_listed_with_its_bytes(modemap, project):
    """A dry run says what could be freed, the call itself what was."""
    stale = project.root / ".dvc/cache/files/md5/ab/cdef"
    stale.parent.mkdir(parents=True)
    stale.write_bytes(b"x" * 2048)
    os.utime(stale, (0, 0))

    listed = modemap("gc", "--keep-days", "30", "--dry-run")
    as_json = modemap("gc", "--keep-days", "30", "--dry-run", "--json")
    freed = modemap("gc", "--keep-days", "30")

    line = "DVC         2.0 KiB  .dvc/cache/files/md5/ab/cdef\n"
    assert listed == (0, f"{line}could be freed: 1 things, 2.0 KiB\n", "")
    assert json.loads(as_json[1])["bytes"] == 2048
    assert freed == (0, f"{line}freed: 1 things, 2.0 KiB\n", "")
    assert modemap("gc", "--keep-days", "-1")[0] == 2
