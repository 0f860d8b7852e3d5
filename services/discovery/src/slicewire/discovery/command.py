"""The command line of discovery: help, and one look without a bus."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import Any, Literal, assert_never

import msgspec

from slicewire.common.messages import PoolObserved
from slicewire.common.model import ObjectMeta, ResourcePool, ResourceSlice, ResourceSliceSpec, wire
from slicewire.common.model.slicing import SliceContent, cut_into_slices
from slicewire.common.settings import described
from slicewire.discovery.settings import PART, Settings

Form = Literal["fact", "resourceslices"]

_ABOUT = """\
Looks at the GPUs of this node (NVML and sysfs) and keeps the bus told of its pool: on start, on an
NVML event, and on a timer; tells only what changed. It never interprets claims and has no
Kubernetes credentials."""


class Arguments(msgspec.Struct, frozen=True, kw_only=True):
    """What the command line says; empty where it says nothing and the settings hold."""

    once: bool = False
    form: Form = "fact"
    nvml_library: str = ""
    profile: str = ""
    policy: str = ""


def parsed(arguments: Sequence[str]) -> Arguments:
    """Exits with usage on a wrong one, with help when asked."""
    parser = _parser()
    given = Arguments(**vars(parser.parse_args(arguments)))
    if not given.once and (given.nvml_library or given.profile):
        parser.error("--nvml-library and --profile are for --once; the settings say where a service looks")
    return given


def _parser() -> argparse.ArgumentParser:
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
    parser.add_argument("--policy", default="", metavar="FILE", help="the node policy, before the settings'")
    where = parser.add_mutually_exclusive_group()
    where.add_argument(
        "--nvml-library", default="", metavar="PATH", help="with --once: look through this NVML"
    )
    where.add_argument("--profile", default="", metavar="MODEL", help="with --once: look at a simulated node")
    return parser


def shown(pool: PoolObserved, form: Form) -> str:
    """JSON for people and for `kubectl diff`."""
    match form:
        case "fact":
            document = wire.to_builtins(pool)
        case "resourceslices":
            contents = cut_into_slices(pool.devices, pool.shared_counters)
            document = {
                "apiVersion": ResourceSlice.API_VERSION,
                "kind": "ResourceSliceList",
                "items": [_slice(pool, place, contents) for place in range(len(contents))],
            }
        case never:
            assert_never(never)
    return msgspec.json.format(wire.encode(document), indent=2).decode()


def _slice(pool: PoolObserved, place: int, contents: Sequence[SliceContent]) -> dict[str, Any]:
    found = wire.document(
        ResourceSlice(
            metadata=ObjectMeta(name=f"{place:05x}-{pool.driver}-{pool.node}"),
            spec=ResourceSliceSpec(
                driver=pool.driver,
                pool=ResourcePool(name=pool.pool),
                node_name=pool.node,
                devices=contents[place].devices,
                shared_counters=contents[place].shared_counters,
            ),
        )
    )
    # The API requires what the model leaves out as its default.
    found["spec"]["pool"] |= {"generation": pool.generation, "resourceSliceCount": len(contents)}
    return found
