"""What the command says about itself."""

from __future__ import annotations

import pytest

from tests.component.client.command import Slicewire

pytestmark = pytest.mark.slow

OPTIONS = {
    "inventory": ("--watch", "-w", "--at", "--output", "-o", "--nats-url"),
    "claim": ("--filename", "-f", "--prepare", "--no-prepare", "--output", "--nats-url"),
    "claims": ("--output", "--nats-url"),
    "release": ("NAME", "--nats-url"),
    "explain": ("NAME", "--filename", "--at", "--output", "--nats-url"),
    "whatif": ("--filename", "--releasing", "--at", "--output", "--nats-url"),
    "capacity": ("--class", "--node", "--at", "--output", "--nats-url"),
    "taint": ("--filename", "-f", "--nats-url"),
    "untaint": ("NAME", "--nats-url"),
    "simulate": ("files", "exit status"),
    "simulate-fault": ("NODE", "GPU", "FAULT", "xid=N", "recover", "--state", "--output"),
    "cel": ("expression", "--device", "--class", "exit status"),
    "doctor": ("--node", "--bus", "--kubeconfig", "--output", "--nats-url"),
    "backup": ("FILE", "--nats-url"),
    "restore": ("FILE", "--nats-url"),
    "credentials": ("init", "node", "reader", "list", "rotate", "revoke", "push", "kubernetes"),
    "events": ("--new", "--kind", "--nats-url"),
    "top": ("--once", "--interval", "--sort", "--only", "--node", "--most", "--output", "--nats-url"),
    "trace": ("NAME", "--jaeger", "SLICEWIRE_CLIENT_JAEGER_URL", "--output", "--nats-url"),
    "up": (
        "--nodes",
        "--gpus",
        "--profile",
        "--simulated",
        "--allocators",
        "--kubeconfig",
        "--port",
        "--state",
        "--otlp",
        "--trace-sample",
    ),
}


@pytest.mark.parametrize("command", OPTIONS)
async def test_help_of_a_command_names_its_options(command: str, slicewire: Slicewire) -> None:
    ended = await slicewire(command, "-h")
    assert (ended.status, ended.err) == (0, "")
    assert not [option for option in OPTIONS[command] if option not in ended.out]


async def test_help_names_every_command_of_the_table_above_and_no_other(slicewire: Slicewire) -> None:
    ended = await slicewire("--help")
    listed = ended.out.partition("Commands:")[2].splitlines()
    assert {line.split()[0] for line in listed if line.strip()} == set(OPTIONS)


async def test_a_port_that_is_none_is_refused(slicewire: Slicewire) -> None:
    ended = await slicewire("up", "--simulated", "--port", "70000")
    assert ended.status == 2
    assert "Invalid value for '--port'" in ended.err
