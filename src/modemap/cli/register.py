"""`modemap register`."""

from pathlib import Path

import typer

__all__ = ["register"]


def register() -> None:
    """Register the evaluated release in models/release as a version.

    The same release is registered once, however often this is called.

    Example: modemap register
    """
    from modemap.lifecycle.register import register as register_release  # noqa: PLC0415

    version = register_release(Path.cwd())
    typer.echo(f"version {version.number}: release {version.digest}")
