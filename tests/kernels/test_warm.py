"""Compiling ahead of time."""

import importlib
import os
import pkgutil
import subprocess
import sys

import pytest
from numba.core.dispatcher import Dispatcher

import modemap.kernels
from modemap.kernels.compilation import Kernel


def kernels() -> set[str]:
    """Return the name of every function of the package that numba compiles."""
    modules = [
        importlib.import_module(found.name)
        for found in pkgutil.walk_packages(modemap.kernels.__path__, "modemap.kernels.")
    ]
    return {
        value.__name__
        for module in modules
        for value in vars(module).values()
        if isinstance(value, Kernel | Dispatcher)
    }


@pytest.mark.slow
def test_every_kernel_is_compiled(tmp_path):
    """The cache folder holds the machine code of each kernel of the package."""
    environment = os.environ | {"NUMBA_CACHE_DIR": str(tmp_path)}

    subprocess.run([sys.executable, "-m", "modemap.kernels.warm"], env=environment, check=True)

    compiled = {path.name.split(".")[1].split("-")[0] for path in tmp_path.rglob("*.nbc")}
    assert compiled == kernels()
