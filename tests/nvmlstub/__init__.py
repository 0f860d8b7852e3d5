"""A libnvidia-ml.so.1 of our own, for the real room to load where there is no GPU.

`NVML_STUB_*` environment variables make it fail; library.c says how.
"""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

_SOURCE = Path(__file__).with_name("library.c")


def built(directory: Path) -> Path:
    """The path of the library; skips the test where there is no C compiler."""
    compiler = shutil.which("cc") or shutil.which("gcc") or shutil.which("clang")
    if compiler is None:
        pytest.skip("no C compiler to build the NVML stub with")
    library = directory / "libnvidia-ml.so.1"
    command = [compiler, "-shared", "-fPIC", "-Wall", "-Werror", "-o", str(library), str(_SOURCE)]
    subprocess.run(command, check=True)
    return library
