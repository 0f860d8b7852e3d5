"""The generated half of node-prep's kubelet messages, from the `.proto` files beside it.

Only messages are generated: node_prep/kubelet.py names the services and methods itself. Needs
grpcio-tools 1.76: what newer generators write refuses to run on protobuf 6.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

SOURCES = Path(__file__).parent.parent / "services/node-prep/src"
API = Path("slicewire/node_prep/api")


def generated() -> dict[Path, bytes]:
    """Every generated file and what it should hold."""
    with tempfile.TemporaryDirectory() as folder:
        protos = sorted(str(path.relative_to(SOURCES)) for path in (SOURCES / API).glob("*.proto"))
        command = [sys.executable, "-m", "grpc_tools.protoc", f"-I{SOURCES}"]
        subprocess.run([*command, f"--python_out={folder}", f"--pyi_out={folder}", *protos], check=True)
        return {
            SOURCES / API / path.name: path.read_bytes() for path in sorted((Path(folder) / API).iterdir())
        }


def generate_grpc(check: bool) -> list[Path]:
    """The files that are not as they should be; unless `check`, they are now."""
    changed = [
        (path, text) for path, text in generated().items() if not path.exists() or path.read_bytes() != text
    ]
    if not check:
        for path, text in changed:
            path.write_bytes(text)
    return [path for path, _ in changed]


if __name__ == "__main__":
    for path in generate_grpc(check="--check" in sys.argv):
        print(path)
