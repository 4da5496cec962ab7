"""Compiling ahead of time."""

import importlib
import os
import pkgutil
import subprocess
import sys

import modemap.kernels
from modemap.kernels.compilation import Kernel


def kernels() -> dict[str, Kernel]:
    """Return every kernel of the package by its name."""
    modules = [
        importlib.import_module(f"modemap.kernels.{found.name}")
        for found in pkgutil.iter_modules(modemap.kernels.__path__)
    ]
    return {
        name: value
        for module in modules
        for name, value in vars(module).items()
        if isinstance(value, Kernel)
    }


def test_every_kernel_is_compiled(tmp_path):
    """The cache folder holds the machine code of each kernel of the package."""
    environment = os.environ | {"NUMBA_CACHE_DIR": str(tmp_path)}

    subprocess.run([sys.executable, "-m", "modemap.kernels.warm"], env=environment, check=True)

    compiled = {path.name.split(".")[1].split("-")[0] for path in tmp_path.rglob("*.nbc")}
    assert compiled == set(kernels())
