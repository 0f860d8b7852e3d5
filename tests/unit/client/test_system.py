"""What `slicewire up` starts: every process, and settings that each of them knows."""

from __future__ import annotations

import os
from pathlib import Path
from typing import get_args

import msgspec
import pytest

from slicewire.allocator.settings import Settings as AllocatorSettings
from slicewire.client.local.processes import Command, find_program
from slicewire.client.local.system import Plan, commands, node_names, shards
from slicewire.client.upcommand import Profile
from slicewire.common.nvml.simulated.profiles import MODELS
from slicewire.common.settings import CommonSettings, from_environ
from slicewire.discovery import many
from slicewire.discovery.settings import Settings as DiscoverySettings
from slicewire.node_prep import many as prep_many
from slicewire.node_prep.settings import Settings as NodePrepSettings
from slicewire.publisher.settings import Settings as PublisherSettings

URL = "nats://127.0.0.1:4999"
FOLDER = Path("/state")
SETTINGS: dict[str, tuple[type[CommonSettings], str]] = {
    "slicewire-allocator": (AllocatorSettings, "ALLOCATOR"),
    "slicewire-discovery": (DiscoverySettings, "DISCOVERY"),
    "slicewire-node-prep": (NodePrepSettings, "NODE_PREP"),
    "slicewire-publisher": (PublisherSettings, "PUBLISHER"),
}
PLAN = Plan(folder=FOLDER, nodes=("node-a", "node-b"))
FULL = msgspec.structs.replace(
    PLAN, kubeconfig=Path("/kube"), kubelet=True, otlp_endpoint="http://127.0.0.1:4318", gpus=4, profile="t4"
)
REAL = msgspec.structs.replace(PLAN, nodes=("this-one",), real=True)


def by_name(plan: Plan) -> dict[str, Command]:
    return {command.name: command for command in commands(plan, URL)}


def settings(command: Command) -> CommonSettings:
    kind, part = SETTINGS[command.program]
    return from_environ(kind, part, command.environ)


def test_two_allocators_and_two_agents_a_node_are_started() -> None:
    assert [(command.name, command.program) for command in commands(PLAN, URL)] == [
        ("allocator-1", "slicewire-allocator"),
        ("allocator-2", "slicewire-allocator"),
        ("discovery@node-a", "slicewire-discovery"),
        ("node-prep@node-a", "slicewire-node-prep"),
        ("discovery@node-b", "slicewire-discovery"),
        ("node-prep@node-b", "slicewire-node-prep"),
    ]


def test_a_publisher_is_started_where_there_is_a_kubernetes_and_then_it_decides_untold_nodes() -> None:
    assert "publisher" not in by_name(PLAN)
    told, untold = by_name(FULL), by_name(PLAN)
    published = settings(told["publisher"])
    assert isinstance(published, PublisherSettings)
    assert published.kubeconfig == "/kube"
    for found, mode in ((told, "kube-scheduler"), (untold, "slicewire")):
        allocator = settings(found["allocator-1"])
        assert isinstance(allocator, AllocatorSettings)
        assert allocator.untold_nodes == mode


@pytest.mark.parametrize("plan", [PLAN, FULL, REAL], ids=["plain", "full", "real"])
def test_every_part_knows_every_variable_it_is_given(plan: Plan) -> None:
    for command in commands(plan, URL):
        assert all(name.startswith("SLICEWIRE_") for name in command.environ)
        _, part = SETTINGS[command.program]
        others = {other for _, other in SETTINGS.values()} - {part}
        assert not [
            name for name in command.environ for other in others if name.startswith(f"SLICEWIRE_{other}_")
        ]
        found = settings(command)
        assert found.nats_url == URL
        assert found.log_format == "text"


def test_the_parts_tell_each_other_apart() -> None:
    first, second = (settings(by_name(PLAN)[f"allocator-{number}"]) for number in (1, 2))
    assert isinstance(first, AllocatorSettings)
    assert isinstance(second, AllocatorSettings)
    assert (first.instance, second.instance) == ("allocator-1", "allocator-2")
    assert settings(by_name(PLAN)["discovery@node-b"]).node_name == "node-b"
    logs = [command.log for command in commands(PLAN, URL)]
    assert len(set(logs)) == len(logs)
    assert {log.parent for log in logs} == {FOLDER / "logs"}


def test_both_agents_of_a_node_see_the_same_simulated_gpus_and_other_nodes_see_others() -> None:
    seen = {}
    for name in ("discovery@node-a", "node-prep@node-a", "discovery@node-b"):
        found = settings(by_name(FULL)[name])
        assert isinstance(found, DiscoverySettings | NodePrepSettings)
        seen[name] = found.nvml
    assert seen["discovery@node-a"] == seen["node-prep@node-a"]
    assert seen["discovery@node-a"].state != seen["discovery@node-b"].state
    assert (seen["discovery@node-a"].gpus, seen["discovery@node-a"].profile) == (4, "t4")


def test_real_gpus_are_never_simulated() -> None:
    for name in ("discovery@this-one", "node-prep@this-one"):
        found = settings(by_name(REAL)[name])
        assert isinstance(found, DiscoverySettings | NodePrepSettings)
        assert (found.nvml.room, found.nvml.state) == ("real", "")


def test_node_prep_keeps_its_files_below_the_folder_of_its_node() -> None:
    found = settings(by_name(FULL)["node-prep@node-b"])
    assert isinstance(found, NodePrepSettings)
    assert found.kubelet
    below = PLAN.node_folder("node-b")
    for folder in (found.plugin_dir, found.registry_dir, found.cdi_root):
        assert Path(folder).is_relative_to(below)


def test_spans_go_where_the_plan_says_or_where_opentelemetry_is_told() -> None:
    inherited = {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://otel:4318"}
    endpoints = []
    for plan in (FULL, PLAN):
        command = by_name(plan)["discovery@node-a"]
        found = from_environ(DiscoverySettings, "DISCOVERY", {**inherited, **command.environ})
        endpoints.append(found.otlp_endpoint)
    assert endpoints == ["http://127.0.0.1:4318", "http://otel:4318"]


@pytest.mark.parametrize(
    ("count", "first", "last"),
    [(1, "node-a", "node-a"), (26, "node-a", "node-z"), (27, "node-0001", "node-0027")],
)
def test_nodes_have_letters_and_numbers_where_letters_run_out(count: int, first: str, last: str) -> None:
    names = node_names(count)
    assert (len(set(names)), names[0], names[-1]) == (count, first, last)


def test_what_is_started_is_installed_with_the_client() -> None:
    for command in commands(FULL, URL):
        assert os.access(find_program(command.program), os.X_OK)


FLEET = msgspec.structs.replace(PLAN, nodes=node_names(1000), profile="gb200", gpus=4)


def test_the_nodes_of_a_fleet_share_processes_and_none_is_left_out_or_there_twice() -> None:
    parts = [command for command in commands(FLEET, URL) if command.program == "slicewire-discovery"]
    assert [command.name for command in parts] == [
        "discovery@node-0001-to-node-0250",
        "discovery@node-0251-to-node-0500",
        "discovery@node-0501-to-node-0750",
        "discovery@node-0751-to-node-1000",
    ]
    served = [node for command in parts for node in many.names(discovery_settings(command))]
    assert served == list(FLEET.nodes)


def discovery_settings(command: Command) -> DiscoverySettings:
    found = settings(command)
    assert isinstance(found, DiscoverySettings)
    return found


def test_one_node_prep_answers_for_a_fleet_and_finds_the_gpus_that_discovery_sees() -> None:
    (command,) = (each for each in commands(FLEET, URL) if each.program == "slicewire-node-prep")
    found = settings(command)
    assert isinstance(found, NodePrepSettings)
    assert set(prep_many.names(found)) == set(FLEET.nodes)
    discovery = discovery_settings(by_name(FLEET)["discovery@node-0001-to-node-0250"])
    node = FLEET.nodes[7]
    assert prep_many.of_node(found, node).nvml == many.of_node(discovery, node).nvml
    assert Path(prep_many.of_node(found, node).nvml_state).parent == FLEET.node_folder(node)


@pytest.mark.parametrize(
    ("count", "most", "sizes"),
    [(17, 250, [17]), (250, 250, [250]), (251, 250, [125, 126]), (1000, 250, [250] * 4), (7, 3, [2, 2, 3])],
)
def test_parts_are_as_few_and_as_even_as_can_be(count: int, most: int, sizes: list[int]) -> None:
    nodes = node_names(count)
    parts = shards(nodes, most)
    assert [len(part) for part in parts] == sizes
    assert tuple(node for part in parts for node in part) == nodes


def test_a_few_nodes_have_agents_of_their_own() -> None:
    few, more = (msgspec.structs.replace(PLAN, nodes=node_names(count)) for count in (16, 17))
    assert sum(command.program == "slicewire-node-prep" for command in commands(few, URL)) == 16
    assert sum(command.program == "slicewire-node-prep" for command in commands(more, URL)) == 1


def test_every_model_that_can_be_simulated_can_be_chosen() -> None:
    assert set(get_args(Profile)) == set(MODELS)
