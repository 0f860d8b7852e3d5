"""A libnvidia-ml.so.1 of our own, for the real room to load where there is no GPU.

It remembers how its GPU was cut, as the driver does. `NVML_STUB_*` environment variables make it
fail; library.c and cut.c say how.
"""

from __future__ import annotations

import functools
import shutil
import subprocess
import tempfile
from pathlib import Path

import pytest

_FOLDER = Path(__file__).parent


def built(directory: Path) -> Path:
    """The path of a library of its own, with nothing cut; skips the test where there is no C compiler."""
    compiler = shutil.which("cc") or shutil.which("gcc") or shutil.which("clang")
    if compiler is None:
        pytest.skip("no C compiler to build the NVML stub with")
    library = directory / "libnvidia-ml.so.1"
    library.write_bytes(_compiled(compiler))
    return library


@functools.cache
def _compiled(compiler: str) -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        library = Path(folder) / "stub.so"
        sources = [str(_FOLDER / "library.c"), str(_FOLDER / "cut.c")]
        command = [compiler, "-shared", "-fPIC", "-Wall", "-Werror", "-o", str(library), *sources]
        subprocess.run(command, check=True)
        return library.read_bytes()
