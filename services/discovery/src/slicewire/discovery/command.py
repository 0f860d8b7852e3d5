"""The command line of discovery: help, and one look without a bus."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import Any, Literal, assert_never

import msgspec

from slicewire.common.messages import PoolObserved
from slicewire.common.model import ObjectMeta, ResourcePool, ResourceSlice, ResourceSliceSpec, wire
from slicewire.common.settings import described
from slicewire.discovery.settings import PART, Settings

Form = Literal["fact", "resourceslices"]

_ABOUT = """\
Looks at the GPUs of this node (NVML and sysfs) and keeps the bus told of its pool: on start, on an
NVML event, and on a timer; tells only what changed. It never interprets claims and has no
Kubernetes credentials."""


class Arguments(msgspec.Struct, frozen=True):
    once: bool
    form: Form


def parsed(arguments: Sequence[str]) -> Arguments:
    """Exits with usage on a wrong one, with help when asked."""
    parser = argparse.ArgumentParser(
        prog="slicewire-discovery",
        description=_ABOUT,
        epilog=described(Settings, PART),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--once", action="store_true", help="look once, print what is seen as JSON, and exit")
    parser.add_argument(
        "-o",
        dest="form",
        choices=("fact", "resourceslices"),
        default="fact",
        help="what --once prints: the fact as told on the bus, or a ResourceSlice list (default: fact)",
    )
    given = parser.parse_args(arguments)
    return Arguments(once=given.once, form=given.form)


def shown(pool: PoolObserved, form: Form) -> str:
    """JSON for people and for `kubectl diff`."""
    match form:
        case "fact":
            document = wire.to_builtins(pool)
        case "resourceslices":
            document = {
                "apiVersion": ResourceSlice.API_VERSION,
                "kind": "ResourceSliceList",
                "items": [_slice(pool)],
            }
        case never:
            assert_never(never)
    return msgspec.json.format(wire.encode(document), indent=2).decode()


def _slice(pool: PoolObserved) -> dict[str, Any]:
    """A pool of full GPUs fits into one slice (128 devices)."""
    found = wire.document(
        ResourceSlice(
            metadata=ObjectMeta(name=f"{pool.node}-{pool.driver}"),
            spec=ResourceSliceSpec(
                driver=pool.driver,
                pool=ResourcePool(name=pool.pool),
                node_name=pool.node,
                devices=pool.devices,
            ),
        )
    )
    # The API requires what the model leaves out as its default.
    found["spec"]["pool"] |= {"generation": pool.generation, "resourceSliceCount": 1}
    return found
