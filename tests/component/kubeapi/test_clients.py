"""The small API as `kubernetes_asyncio` sees it: models, raw responses, watches, leader election."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from kubernetes_asyncio import client, config, watch

from tests.kubeapi.examples import a_node, a_slice
from tests.kubeapi.server import KubeApi, serving


@pytest.fixture
async def api() -> AsyncIterator[KubeApi]:
    async with serving() as started:
        yield started


@pytest.fixture
async def connection(api: KubeApi, tmp_path: Path) -> AsyncIterator[Any]:
    settings = client.Configuration()
    kubeconfig = api.write_kubeconfig(tmp_path / "kubeconfig")
    await config.load_kube_config(str(kubeconfig), client_configuration=settings)
    async with client.ApiClient(settings) as opened:
        yield opened


async def test_models_go_there_and_back(connection: Any) -> None:
    resources: Any = client.ResourceV1Api(connection)
    wanted = client.V1ResourceSlice(
        metadata=client.V1ObjectMeta(generate_name="00000-gpu.example.com-"),
        spec=client.V1ResourceSliceSpec(
            driver="gpu.example.com",
            node_name="node-1",
            pool=client.V1ResourcePool(name="node-1", generation=1, resource_slice_count=1),
            devices=[client.V1Device(name="gpu-0", attributes={"index": client.V1DeviceAttribute(int=0)})],
        ),
    )
    created = await resources.create_resource_slice(wanted)
    listed = await resources.list_resource_slice(field_selector="spec.driver=gpu.example.com")
    assert [item.metadata.name for item in listed.items] == [created.metadata.name]
    assert listed.items[0].spec.devices[0].attributes["index"].int == 0

    listed.items[0].spec.devices = []
    replaced = await resources.replace_resource_slice(created.metadata.name, listed.items[0])
    assert replaced.metadata.generation == 2
    with pytest.raises(client.ApiException) as refused:
        await resources.replace_resource_slice(created.metadata.name, created)
    assert (refused.value.status, json.loads(refused.value.body or "{}")["reason"]) == (409, "Conflict")


async def test_raw_lists_and_watches_are_read_as_json(connection: Any) -> None:
    resources: Any = client.ResourceV1Api(connection)
    core: Any = client.CoreV1Api(connection)
    await core.create_node(a_node())
    await resources.create_resource_slice(a_slice("first"))
    response = await resources.list_resource_slice(_preload_content=False)
    listed = json.loads(await response.read())
    assert listed["kind"] == "ResourceSliceList"

    stream = await resources.list_resource_slice(
        watch=True,
        resource_version=listed["metadata"]["resourceVersion"],
        allow_watch_bookmarks=True,
        _preload_content=False,
    )
    await resources.create_resource_slice(a_slice("second"))
    event = json.loads(await stream.content.readline())
    assert (event["type"], event["object"]["metadata"]["name"]) == ("ADDED", "second")
    stream.close()


async def test_the_client_s_own_watch_goes_on_after_it_was_told_its_version_is_gone(
    api: KubeApi, connection: Any
) -> None:
    resources: Any = client.ResourceV1Api(connection)
    await resources.create_resource_slice(a_slice("one"))
    async with watch.Watch() as watching:
        events = watching.stream(resources.list_resource_slice)
        assert (await anext(events))["object"].metadata.name == "one"
        api.watches.expire()
        await resources.create_resource_slice(a_slice("two"))
        assert (await anext(events))["object"].metadata.name == "two"
    assert [call.verb for call in api.calls if call.verb == "watch"] == ["watch"] * 2


async def test_a_lease_is_held_by_whoever_wrote_last_and_knew_it(connection: Any) -> None:
    leases = client.CoordinationV1Api(connection)
    spec = client.V1LeaseSpec(holder_identity="a", lease_duration_seconds=15)
    lease = client.V1Lease(metadata=client.V1ObjectMeta(name="publisher"), spec=spec)
    created = await leases.create_namespaced_lease("default", lease)
    created.spec.holder_identity = "b"
    await leases.replace_namespaced_lease("publisher", "default", created)
    with pytest.raises(client.ApiException) as refused:
        await leases.replace_namespaced_lease("publisher", "default", created)
    assert refused.value.status == 409
