"""Write every generated file, or, with --check, say which ones are not what their source makes of them."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from generate_dashboard import dashboard
from generate_grpc import generated as generated_grpc
from generate_metrics import page as metrics_page

from slicewire.common import asyncapi

ROOT = Path(__file__).parent.parent
VERSION = "0.1.0"


def generated() -> dict[Path, bytes]:
    """Every generated file's path and what belongs in it."""
    document = json.dumps(asyncapi.document(VERSION), indent=2, ensure_ascii=False)
    return {
        ROOT / "docs" / "asyncapi.json": f"{document}\n".encode(),
        ROOT / "docs" / "messages.md": asyncapi.page().encode(),
        ROOT / "docs" / "metrics.md": metrics_page().encode(),
        ROOT / "deploy/k8s/components/monitoring/dashboard.json": dashboard().encode(),
        **generated_grpc(),
    }


def main(check: bool) -> int:
    changed = [path for path, data in generated().items() if not path.exists() or path.read_bytes() != data]
    for path in changed:
        if not check:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(generated()[path])
        print(f"{'out of date' if check else 'written'}: {path.relative_to(ROOT)}")
    if check and changed:
        print("run `make generate` and commit what it writes")
    return 1 if check and changed else 0


if __name__ == "__main__":
    sys.exit(main("--check" in sys.argv[1:]))
