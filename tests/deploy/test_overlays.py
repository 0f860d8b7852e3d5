"""What the manifests say to the services is what the services understand."""

from __future__ import annotations

import os
import tomllib
from pathlib import Path
from typing import Any

import pytest

from slicewire.allocator.settings import Settings as AllocatorSettings
from slicewire.common.settings import CommonSettings, from_environ
from slicewire.discovery.policyfile import PolicyFile
from slicewire.discovery.settings import Settings as DiscoverySettings
from slicewire.node_prep.settings import Settings as NodePrepSettings
from slicewire.publisher.settings import Settings as PublisherSettings
from tests.deploy.manifests import DEPLOY, OVERLAYS, Container, built, containers, of_kind, one, overlay

pytestmark = pytest.mark.slow

_ROOT = DEPLOY.parent
_SETTINGS: dict[str, tuple[type[CommonSettings], str]] = {
    "discovery": (DiscoverySettings, "DISCOVERY"),
    "allocator": (AllocatorSettings, "ALLOCATOR"),
    "node-prep": (NodePrepSettings, "NODE_PREP"),
    "publisher": (PublisherSettings, "PUBLISHER"),
}
_FROM_THE_POD = {
    "metadata.name": "slicewire-part-x7k2p",
    "metadata.namespace": "slicewire-system",
    "metadata.uid": "0b2f6f0e-8a53-4c0e-9f0d-3b2c7a1d5e11",
    "spec.nodeName": "node-a",
}


@pytest.fixture(params=OVERLAYS)
def objects(request: pytest.FixtureRequest) -> tuple[dict[str, Any], ...]:
    return overlay(request.param)


def as_started(container: Container) -> dict[str, str]:
    """The environment that the kubelet would make, without the password in it."""
    environ = {}
    for name, each in container.environ.items():
        source = each.get("valueFrom", {}).get("fieldRef", {}).get("fieldPath")
        environ[name] = _FROM_THE_POD[source] if source else each.get("value", "")
    return environ


def test_there_is_an_overlay_to_try_it_one_to_live_on_and_one_to_switch() -> None:
    assert OVERLAYS == ("kind", "nvidia-swap", "prod")


def test_every_part_starts_with_the_settings_it_is_given(objects: tuple[dict[str, Any], ...]) -> None:
    started = {}
    for container in containers(objects):
        if container.spec["name"] in _SETTINGS:
            settings, part = _SETTINGS[container.spec["name"]]
            started[container.spec["name"]] = from_environ(settings, part, as_started(container))
    assert started.keys() == _SETTINGS.keys()
    assert all(each.health_port == 8080 for each in started.values())
    assert isinstance(allocator := started["allocator"], AllocatorSettings)
    assert allocator.untold_nodes == "kube-scheduler"


def test_no_service_link_becomes_a_setting(objects: tuple[dict[str, Any], ...]) -> None:
    """`SLICEWIRE_NATS_SERVICE_HOST`, which Kubernetes would add, is no setting and would stop every start."""
    assert {each.pod["enableServiceLinks"] for each in containers(objects)} == {False}


def test_every_command_is_a_program_of_the_image(objects: tuple[dict[str, Any], ...]) -> None:
    for container in containers(objects):
        part = container.spec["image"].rpartition(":")[0].removeprefix("slicewire/")
        assert container.spec["command"][0] in programs(part) | {"python"}, container.label


def programs(part: str) -> set[str]:
    if part == "nats":
        return {"nats-server"}
    project: dict[str, Any] = tomllib.loads((_ROOT / "services" / part / "pyproject.toml").read_text())
    return set(project["project"]["scripts"])


def test_images_are_of_one_version_and_it_is_the_code_s(objects: tuple[dict[str, Any], ...]) -> None:
    project = tomllib.loads((_ROOT / "pyproject.toml").read_text())["project"]
    versions = {each.spec["image"].rpartition(":")[2] for each in containers(objects)}
    assert versions == {project["version"]}


def test_the_kubelet_and_node_prep_mean_the_same_folders(objects: tuple[dict[str, Any], ...]) -> None:
    (found,) = [each for each in containers(objects) if each.spec["name"] == "node-prep"]
    settings = from_environ(NodePrepSettings, "NODE_PREP", as_started(found))
    paths = {each["name"]: each["hostPath"]["path"] for each in found.pod["volumes"] if "hostPath" in each}
    mounted = {each["mountPath"]: paths.get(each["name"]) for each in found.spec["volumeMounts"]}
    for folder in (settings.plugin_dir, settings.registry_dir, settings.cdi_root):
        assert mounted[folder] == folder
    if settings.host_root != "/":
        assert mounted[settings.host_root] == "/"


def test_both_agents_see_one_simulated_node() -> None:
    found = {each.spec["name"]: each for each in containers(overlay("kind"))}
    states = {
        found[part].environ[f"SLICEWIRE_{name}_NVML_STATE"]["value"]
        for part, name in (("discovery", "DISCOVERY"), ("node-prep", "NODE_PREP"))
    }
    assert len(states) == 1
    folder = str(Path(states.pop()).parent)
    for part in ("discovery", "node-prep"):
        assert folder in {each["mountPath"] for each in found[part].spec["volumeMounts"]}


def test_an_upgrade_leaves_nobody_without_an_answer(objects: tuple[dict[str, Any], ...]) -> None:
    prep = one(objects, "DaemonSet", "slicewire-node-prep")["spec"]
    assert prep["updateStrategy"]["rollingUpdate"] == {"maxSurge": 1, "maxUnavailable": 0}
    (found,) = [each for each in containers(objects) if each.spec["name"] == "node-prep"]
    instance = found.environ["SLICEWIRE_NODE_PREP_INSTANCE"]["valueFrom"]["fieldRef"]["fieldPath"]
    assert instance == "metadata.uid", "two instances would fight for one socket"
    assert (
        one(objects, "DaemonSet", "slicewire-discovery")["spec"]["updateStrategy"]["rollingUpdate"][
            "maxSurge"
        ]
        == 0
    )


def test_the_policy_of_nodes_is_one_that_discovery_takes(
    objects: tuple[dict[str, Any], ...], tmp_path: Path
) -> None:
    file = tmp_path / "policy.yaml"
    file.write_text(one(objects, "ConfigMap", "slicewire-node-policy")["data"]["policy.yaml"])
    assert PolicyFile(file).read().unseen == ()


def test_the_classes_are_those_of_the_examples(objects: tuple[dict[str, Any], ...]) -> None:
    shipped = {each["metadata"]["name"]: each["spec"] for each in of_kind(objects, "DeviceClass")}
    assert sorted(shipped) == ["gpu.nvidia.com", "mig.nvidia.com", "vfio.gpu.nvidia.com"]
    assert shipped["gpu.nvidia.com"]["extendedResourceName"] == "nvidia.com/gpu"


def test_production_survives_one_of_anything() -> None:
    objects = overlay("prod")
    wanted = {
        ("StatefulSet", "slicewire-nats"): 3,
        ("Deployment", "slicewire-allocator"): 3,
        ("Deployment", "slicewire-publisher"): 2,
    }
    for (kind, name), replicas in wanted.items():
        spec = one(objects, kind, name)["spec"]
        assert spec["replicas"] == replicas
        pod = spec["template"]["spec"]
        assert pod["priorityClassName"] == "slicewire-control"
        labels = {"app.kubernetes.io/name": name}
        assert all(
            each["labelSelector"]["matchLabels"] == labels for each in pod["topologySpreadConstraints"]
        )
        assert one(objects, "PodDisruptionBudget", name)["spec"]["selector"]["matchLabels"] == labels
    makers = [each for each in containers(objects) if "SLICEWIRE_NATS_REPLICAS" in each.environ]
    assert {each.workload for each in makers} == {"slicewire-allocator", "slicewire-publisher"}
    assert {each.environ["SLICEWIRE_NATS_REPLICAS"]["value"] for each in makers} == {"3"}


def test_in_production_nobody_speaks_to_the_bus_in_the_clear() -> None:
    for container in containers(overlay("prod")):
        if "SLICEWIRE_NATS_URL" in container.environ:
            said = {name: each.get("value", "") for name, each in container.environ.items()}
            assert said["SLICEWIRE_NATS_URL"] == "tls://slicewire-nats.slicewire-system.svc:4222"
            mounted = {each["mountPath"]: each["name"] for each in container.spec["volumeMounts"]}
            sources = {each["name"]: each for each in container.pod["volumes"]}
            authority = sources[mounted[str(Path(said["SLICEWIRE_NATS_CA"]).parent)]]
            assert authority["configMap"]["name"] == "slicewire-bus-authority"
            identity = sources[mounted[str(Path(said["SLICEWIRE_NATS_CREDENTIALS"]).parent)]]
            if container.namespace == "slicewire-nodes":
                assert "secret" not in identity, "a Secret would give each node every node's name"
                assert identity["hostPath"] == {"path": "/etc/slicewire/bus", "type": "Directory"}
            else:
                part = container.spec["name"]
                assert identity["secret"]["secretName"] == f"slicewire-bus-{part}"


def test_the_switch_leaves_the_checkpoint_of_nvidia_s_driver_alone() -> None:
    (found,) = [each for each in containers(overlay("nvidia-swap")) if each.spec["name"] == "node-prep"]
    paths = {each["hostPath"]["path"] for each in found.pod["volumes"] if "hostPath" in each}
    assert "/var/lib/kubelet/plugins/gpu.nvidia.com" not in paths


def test_classes_for_mig_profiles_take_one_more_right(tmp_path: Path) -> None:
    (tmp_path / "kustomization.yaml").write_text(
        f"resources: [{_relative('overlays/kind', tmp_path)}]\n"
        f"components: [{_relative('components/mig-classes', tmp_path)}]\n"
    )
    rules = one(built(str(tmp_path)), "ClusterRole", "slicewire-publisher")["rules"]
    assert {"apiGroups": ["resource.k8s.io"], "resources": ["deviceclasses"], "verbs": ["create"]} in rules


def _relative(folder: str, start: Path) -> str:
    return os.path.relpath(DEPLOY / "k8s" / folder, start)
