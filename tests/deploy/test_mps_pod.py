"""The component `mps-pod`: a keeper of MPS daemons beside each node-prep, and no right in Kubernetes."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from slicewire.common.settings import from_environ
from slicewire.node_prep.mpsoffer import mps_here
from slicewire.node_prep.settings import PART, Settings
from tests.deploy.manifests import DEPLOY, Container, built, containers, of_kind, one, overlay
from tests.deploy.test_overlays import as_started, programs

pytestmark = pytest.mark.slow
Objects = tuple[dict[str, Any], ...]
REAL = ("prod", "nvidia-swap")


@pytest.fixture(params=REAL)
def name(request: pytest.FixtureRequest) -> str:
    found: str = request.param
    return found


@pytest.fixture
def objects(name: str, tmp_path: Path) -> Objects:
    """An overlay of somebody's own, with the keeper."""
    base, component = (
        os.path.relpath(DEPLOY / "k8s" / path, tmp_path)
        for path in (f"overlays/{name}", "components/mps-pod")
    )
    (tmp_path / "kustomization.yaml").write_text(f"resources: [{base}]\ncomponents: [{component}]\n")
    return built(str(tmp_path))


def _container(objects: Objects, name: str) -> Container:
    (found,) = [each for each in containers(objects) if each.spec["name"] == name]
    return found


def _settings(container: Container) -> Settings:
    return from_environ(Settings, PART, as_started(container))


def test_node_prep_and_the_keeper_meet_at_one_socket_and_mean_one_driver(objects: Objects) -> None:
    prep, keeper = _container(objects, "node-prep"), _container(objects, "mps-keeper")
    asks, answers = _settings(prep), _settings(keeper)
    assert asks.mps == "pod"
    assert mps_here(asks).keeper is not None
    assert (asks.plugin_dir, asks.driver_root) == (answers.plugin_dir, answers.driver_root)
    for each in (prep, keeper):
        paths = {one["name"]: one["hostPath"]["path"] for one in each.pod["volumes"] if "hostPath" in one}
        mounts = {one["mountPath"]: one for one in each.spec["volumeMounts"]}
        assert paths[mounts[asks.plugin_dir]["name"]] == asks.plugin_dir
        assert paths[mounts["/host"]["name"]] == "/"
        assert each.pod["hostPID"] is True
    propagated = {one["mountPath"]: one.get("mountPropagation") for one in keeper.spec["volumeMounts"]}
    assert propagated[asks.plugin_dir] == propagated["/host"] == "HostToContainer"


def test_the_keeper_is_a_program_of_node_preps_image_and_version_on_the_same_nodes(objects: Objects) -> None:
    prep, keeper = _container(objects, "node-prep"), _container(objects, "mps-keeper")
    assert keeper.spec["command"][0] in programs("node-prep")
    assert keeper.spec["image"] == prep.spec["image"]
    assert keeper.pod["affinity"] == prep.pod["affinity"]
    assert keeper.pod["tolerations"] == prep.pod["tolerations"]


def test_an_upgrade_of_slicewire_leaves_the_keeper_and_its_daemons_alone(objects: Objects) -> None:
    assert one(objects, "DaemonSet", "slicewire-mps-keeper")["spec"]["updateStrategy"] == {"type": "OnDelete"}


def test_it_has_no_token_and_nobody_gets_a_right_through_it(objects: Objects, name: str) -> None:
    keeper = _container(objects, "mps-keeper")
    assert keeper.pod["automountServiceAccountToken"] is False
    assert not any(each["automountServiceAccountToken"] for each in of_kind(objects, "ServiceAccount"))
    for kind in ("ClusterRole", "Role", "ClusterRoleBinding", "RoleBinding", "NetworkPolicy"):
        assert of_kind(objects, kind) == of_kind(overlay(name), kind)


def test_it_is_bounded_as_the_others_are(objects: Objects) -> None:
    keeper = _container(objects, "mps-keeper")
    assert keeper.namespace == "slicewire-nodes"
    assert keeper.spec["resources"]["limits"]["memory"]
    assert keeper.security["readOnlyRootFilesystem"] is True
    assert keeper.security["seccompProfile"] == {"type": "RuntimeDefault"}
    assert keeper.pod["enableServiceLinks"] is False
