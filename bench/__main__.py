"""All of the allocator's figures: the core beside Kubernetes' own, then the running service.

make bench
"""

from __future__ import annotations

import sys

from bench import allocator, service


def main() -> int:
    if not allocator.has_inputs():
        return 1
    met, total, wrong = allocator.printed(allocator.Inputs())
    print("\nthe running service; kube-scheduler schedules some hundreds of pods a second\n", flush=True)
    also_met, more = service.printed()
    print(f"targets met: {met + also_met} of {total + more}")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
