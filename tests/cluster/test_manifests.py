"""Every overlay before a real API server, which keeps nothing of it."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from tests.cluster.kubectl import Kubectl
from tests.deploy.manifests import DEPLOY, OVERLAYS

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(120)]
_NAMESPACES = ("slicewire-system", "slicewire-nodes")


@pytest.fixture(scope="module")
def namespaces(kubectl: Kubectl) -> Iterator[None]:
    """What is in a namespace can be shown only where it is there."""
    made = [name for name in _NAMESPACES if kubectl.tried("create", "namespace", name).returncode == 0]
    yield
    for name in made:
        kubectl("delete", "namespace", name, "--wait=false")


@pytest.mark.parametrize("overlay", OVERLAYS)
@pytest.mark.usefixtures("namespaces")
def test_the_api_server_takes_every_object_of_an_overlay(kubectl: Kubectl, overlay: str) -> None:
    folder = str(DEPLOY / "k8s/overlays" / overlay)
    how = ("--server-side", "--dry-run=server", "--field-manager=test", "--force-conflicts")
    done = kubectl.tried("apply", *how, "-k", folder)
    assert done.returncode == 0, done.stderr
    wanted = kubectl("kustomize", folder).count("\nkind: ")
    assert done.stdout.count("serverside-applied") >= wanted > 30


@pytest.mark.usefixtures("namespaces")
def test_the_publisher_s_account_may_not_read_secrets(kubectl: Kubectl) -> None:
    account = "system:serviceaccount:slicewire-system:slicewire-publisher"
    review = {
        "apiVersion": "authorization.k8s.io/v1",
        "kind": "SubjectAccessReview",
        "spec": {"user": account, "resourceAttributes": {"resource": "secrets", "verb": "list"}},
    }
    answer = json.loads(kubectl("create", "-f", "-", "-o", "json", given=json.dumps(review)))
    assert answer["status"]["allowed"] is False
