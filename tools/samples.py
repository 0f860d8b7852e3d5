"""Write the samples of today's facts: tests/samples/<version>/<kind>.json, one for each kind.

A sample that is there is never written over: facts of that version are on somebody's stream.
"""

from __future__ import annotations

import sys
from pathlib import Path

import msgspec

from slicewire.common.messages import CATALOGUE, SCHEMA_VERSION
from slicewire.common.model import wire
from slicewire.common.samples import sample

FOLDER = Path(__file__).parent.parent / "tests" / "samples" / SCHEMA_VERSION


def main() -> int:
    FOLDER.mkdir(parents=True, exist_ok=True)
    refused = [channel.kind for channel in CATALOGUE if not _written(channel.kind, channel.fact)]
    for kind in refused:
        print(f"{kind} is no longer what version {SCHEMA_VERSION} told, and its sample is kept")
    if refused:
        print("raise the minor of SCHEMA_VERSION (messages/channels.py) and run this again; a version")
        print("that was never released may be mended instead: delete its sample and run this again")
    return 1 if refused else 0


def _written(kind: str, fact: type) -> bool:
    path = FOLDER / f"{kind}.json"
    text = msgspec.json.format(wire.encode(sample(fact)), indent=2) + b"\n"
    if path.exists():
        return path.read_bytes() == text
    path.write_bytes(text)
    print(f"written: {path.relative_to(FOLDER.parents[2])}")
    return True


if __name__ == "__main__":
    sys.exit(main())
