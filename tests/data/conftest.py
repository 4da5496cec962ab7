"""Small tables and suites for tests of the data layer."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from modemap.data.batches import write_batches
from modemap.data.suite import Suite, read_suite
from modemap.files import write_bytes


@pytest.fixture
def write_raw(tmp_path: Path) -> Callable[..., Path]:
    """Return a function that writes tables as the batches of a raw folder."""

    def write(*tables: dict[str, Any] | pa.Table) -> Path:
        named = [(f"part-{i}", pa.table(table)) for i, table in enumerate(tables)]
        write_batches(tmp_path / "raw", named)
        return tmp_path / "raw"

    return write


@pytest.fixture
def write_suite(tmp_path: Path) -> Callable[..., Suite]:
    """Return a function that writes lines of YAML as a suite's file and reads it."""

    def write(*lines: str) -> Suite:
        path = tmp_path / "suite.yaml"
        write_bytes(path, "\n".join(lines).encode())
        return read_suite(path)

    return write
