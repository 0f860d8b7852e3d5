"""`slicewire simulate-fault`: something befalls a simulated GPU, and what runs on it notices.

It changes the state file of a node that `slicewire up` simulates, and nothing else: no real GPU can be
hurt with it.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import msgspec
import typer

from slicewire.client import console, library
from slicewire.client.command import As, stop
from slicewire.common.nvml.condition import RecoveryAction
from slicewire.common.nvml.simulated import faults
from slicewire.common.nvml.simulated.fleet import STATE_FILE
from slicewire.common.nvml.simulated.profiles import MODELS
from slicewire.common.nvml.simulated.state import NVIDIA, BadState, NodeState, SimulatedGpu
from slicewire.common.nvml.simulated.statefile import StateFile


class FaultRow(msgspec.Struct, frozen=True):
    """A line of the table: a GPU of the node, as it is now."""

    gpu: str
    condition: str
    mig: str
    uuid: str


def simulate_fault(
    node: Annotated[
        str, typer.Argument(metavar="NODE", help="A node that `slicewire up` simulates: node-a.")
    ],
    gpu: Annotated[
        str,
        typer.Argument(metavar="GPU", help="Its device name, number or UUID: gpu-3, 3.", show_default=False),
    ] = "",
    fault: Annotated[
        str,
        typer.Argument(
            metavar="FAULT", help="What is to befall it: xid=79, or a word above.", show_default=False
        ),
    ] = "",
    state: Annotated[
        Path | None, typer.Option(help="The folder that `up --state` was given.", show_default=False)
    ] = None,
    output: As = None,
) -> None:
    """Let something befall a simulated GPU, or list a node's GPUs.

    \b
    xid=N         the driver reports XID N
    lost          it falls off the bus
    ecc           an error in its memory cannot be corrected
    remap         a row of its memory is to be replaced at the next reset
    remap-failed  and there is no spare row left
    thermal       it is too hot and slowed down
    recover       it is well again
    reset         it is reset: noted changes come true, partitions are gone
    remove, add   it is taken out of the machine, and put in again
    driver-away, driver-back   of its whole node
    """
    try:
        after = _befallen((state or library.state_folder()) / "nodes", node, gpu, fault)
    except BadState as error:
        stop(str(error), 1)
    rows = tuple(_row(after, one) for one in after.gpus)
    console.rows(rows, output or "", f"{node} has no GPU left.")


def _befallen(nodes: Path, node: str, gpu: str, fault: str) -> NodeState:
    """Raises `BadState`."""
    file = StateFile(nodes / node / STATE_FILE)
    if not file.path.is_file():
        known = sorted(found.parent.name for found in nodes.glob(f"*/{STATE_FILE}"))
        there_are = f"there are {', '.join(known)}" if known else "start some with `slicewire up --simulated`"
        raise BadState(f"no simulated node {node!r} in {nodes}; {there_are}")
    if not gpu:
        return file.read()
    if not fault:
        words = ", ".join(faults.WORDS)
        raise BadState(f"which fault is to befall {gpu}? There are xid=<number>, {words}")
    return file.change(lambda before: faults.befallen(before, _minor(before, gpu), fault))


def _minor(state: NodeState, name: str) -> int:
    """Raises `BadState`. A GPU that is not in the machine has a number, too: it can be added."""
    if (found := state.of_uuid(name)) is not None:
        return found.minor
    number = name.removeprefix("gpu-")
    if number.isascii() and number.isdigit():
        return int(number)
    known = ", ".join(f"gpu-{one.minor}" for one in state.gpus) or "none"
    raise BadState(f"node {state.node} has no GPU {name!r}; there are {known}")


def _row(state: NodeState, gpu: SimulatedGpu) -> FaultRow:
    told = [state.absent, gpu.fault, *_complaints(state, gpu)]
    return FaultRow(
        gpu=f"gpu-{gpu.minor}",
        condition="; ".join(text for text in told if text) or "well",
        mig=_mig(gpu),
        uuid=gpu.uuid,
    )


def _complaints(state: NodeState, gpu: SimulatedGpu) -> tuple[str, ...]:
    xids = [str(xid.code) for xid in state.xids if xid.gpu == gpu.uuid and xid.code]
    since = f" since XID {xids[-1]}" if xids else ""
    return (
        "" if gpu.recovery_action is RecoveryAction.NONE else f"to be reset{since}",
        f"uncorrected memory errors: {gpu.uncorrected_errors}" if gpu.uncorrected_errors else "",
        f"{gpu.temperature_celsius} °C, slowed down" if gpu.slowed_by else "",
        "a memory row waits for a reset" if gpu.remap_pending else "",
        "no spare memory row left" if gpu.remap_failed else "",
        "" if gpu.kernel_driver == NVIDIA else f"kernel driver {gpu.kernel_driver or 'none'} has it",
    )


def _mig(gpu: SimulatedGpu) -> str:
    if gpu.model not in MODELS or not MODELS[gpu.model].can_be_cut:
        return "none"
    if gpu.mig_pending is not None:
        return f"{'on' if gpu.mig_pending else 'off'} after a reset"
    if not gpu.mig_enabled:
        return "off"
    return f"on, {len(gpu.instances)} partitions"
