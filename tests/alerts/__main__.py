"""python -m tests.alerts build: Prometheus, where the machine has none"""

from __future__ import annotations

import sys

from tests.alerts import binary


def main(arguments: list[str]) -> int:
    if arguments != ["build"]:
        sys.stderr.write("usage: python -m tests.alerts build\n")
        return 2
    try:
        binary.build(lambda text: print(text, flush=True))
    except binary.CannotRun as reason:
        sys.stderr.write(f"no Prometheus: {reason}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
