"""python -m tests.jaeger build | run: a Jaeger of this machine's own, until Ctrl-C"""

from __future__ import annotations

import os
import signal
import sys
import tempfile
from contextlib import suppress
from pathlib import Path

from tests.jaeger import binary, server
from tests.jaeger.binary import CannotRun


def build() -> None:
    _say(f"Jaeger {binary.VERSION} is at {binary.build(_say)}")


def run() -> None:
    """`JAEGER_UI` names a folder with Jaeger's built user interface."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # as Ctrl-C
    with (
        suppress(KeyboardInterrupt),
        tempfile.TemporaryDirectory(prefix="jaeger-") as folder,
        server.running(Path(folder) / "jaeger.log", os.environ.get("JAEGER_UI", "")) as jaeger,
    ):
        _say(f"Jaeger {binary.VERSION} is up; everything it holds ends with it (Ctrl-C)")
        _say(f"  slicewire up --simulated --otlp {jaeger.endpoint}")
        _say(f"  slicewire trace CLAIM --jaeger {jaeger.url}")
        signal.pause()


def _say(text: str) -> None:
    print(text, flush=True)


def main(arguments: list[str]) -> int:
    commands = {"build": build, "run": run}
    if len(arguments) != 1 or arguments[0] not in commands:
        print(f"usage: python -m tests.jaeger {{{'|'.join(commands)}}}", file=sys.stderr)
        return 2
    try:
        commands[arguments[0]]()
    except CannotRun as reason:
        print(f"no Jaeger: {reason}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
