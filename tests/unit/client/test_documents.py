"""Kubernetes YAML as people write it: what is found in it, and what is said about what is wrong."""

from __future__ import annotations

from pathlib import Path

import pytest

from slicewire.client import documents
from slicewire.client.documents import BadDocument, Documents

ROOT = Path(__file__).parents[3]
EXAMPLES = sorted((ROOT / "examples").glob("*.yaml"))
CLAIM = """
apiVersion: resource.k8s.io/v1
kind: ResourceClaim
metadata: {name: shared}
spec: {devices: {requests: [{name: gpu, exactly: {deviceClassName: gpu.nvidia.com}}]}}
"""
TEMPLATE = """
apiVersion: resource.k8s.io/v1
kind: ResourceClaimTemplate
metadata: {name: one-gpu}
spec:
  metadata: {labels: {team: ml}, annotations: {note: mine}}
  spec: {devices: {requests: [{name: gpu, exactly: {deviceClassName: gpu.nvidia.com, count: 2}}]}}
"""


def pod(name: str, *claims: str, namespace: str = "default") -> str:
    return f"""
apiVersion: v1
kind: Pod
metadata: {{name: {name}, namespace: {namespace}}}
spec:
  containers: [{{name: main, image: cuda, resources: {{claims: [{{name: gpu}}]}}}}]
  resourceClaims: [{", ".join(claims)}]
"""


OF_TEMPLATE = "{name: gpu, resourceClaimTemplateName: one-gpu}"
SHARED = "{name: gpu, resourceClaimName: shared}"


def read(*texts: str) -> Documents:
    return documents.read("\n---\n".join(texts), "file.yaml")


def refused(*texts: str) -> str:
    with pytest.raises(BadDocument) as caught:
        documents.groups(read(*texts))
    return str(caught.value)


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.name)
def test_every_example_reads_and_nothing_in_it_is_set_aside(path: Path) -> None:
    found = documents.read(path.read_text(), path.name)
    assert found.set_aside == ()
    assert found.classes or list(documents.every_claim(found))


def test_there_are_examples() -> None:
    assert len(EXAMPLES) >= 7


def test_the_classes_of_slicewire_up_read() -> None:
    text = (ROOT / "libs/client/src/slicewire/client/classes.yaml").read_text()
    names = [found.metadata.name for found in documents.read(text, "classes.yaml").classes]
    assert names == ["gpu.nvidia.com", "mig.nvidia.com", "vfio.gpu.nvidia.com"]


def test_a_claim_without_a_namespace_is_in_default_and_a_class_in_none() -> None:
    found = read(CLAIM, CLAIM.replace("{name: shared}", "{name: a, namespace: team}"), a_class())
    assert [claim.label for claim in found.claims] == ["default/shared", "team/a"]
    assert found.classes[0].metadata.namespace == ""


def a_class(version: str = "resource.k8s.io/v1") -> str:
    return f"apiVersion: {version}\nkind: DeviceClass\nmetadata: {{name: gpu.nvidia.com}}\nspec: {{}}\n"


def test_v1beta2_is_read_as_v1() -> None:
    assert read(CLAIM.replace("io/v1", "io/v1beta2")).claims == read(CLAIM).claims


def test_a_template_becomes_one_claim_for_each_pod_that_names_it() -> None:
    first, second = documents.groups(read(TEMPLATE, pod("a", OF_TEMPLATE), pod("b", OF_TEMPLATE)))
    assert (first.owner, second.owner) == ("pod default/a", "pod default/b")
    (made,) = first.claims
    assert made.label == "default/a-gpu"
    assert dict(made.metadata.labels) == {"team": "ml"}
    assert dict(made.metadata.annotations) == {"note": "mine", "resource.kubernetes.io/pod-claim-name": "gpu"}
    exactly = made.spec.devices.requests[0].exactly
    assert exactly is not None
    assert exactly.count == 2


def test_the_claims_of_a_pod_are_one_group_and_claims_of_no_pod_stand_alone() -> None:
    other = CLAIM.replace("shared", "other")
    both = pod("a", SHARED, "{name: more, resourceClaimTemplateName: one-gpu}")
    of_pod, alone = documents.groups(read(CLAIM, other, TEMPLATE, both))
    assert [claim.label for claim in of_pod.claims] == ["default/shared", "default/a-more"]
    assert [claim.label for claim in alone.claims] == ["default/other"]


def test_a_claim_that_two_pods_share_is_in_both_groups_and_once_among_all_claims() -> None:
    found = read(
        CLAIM, TEMPLATE, pod("a", SHARED), pod("b", SHARED, "{name: x, resourceClaimTemplateName: one-gpu}")
    )
    assert [len(group.claims) for group in documents.groups(found)] == [1, 2]
    assert [claim.label for claim in documents.every_claim(found)] == ["default/shared", "default/b-x"]


def test_a_claim_that_the_file_does_not_hold_is_named() -> None:
    (group,) = documents.groups(read(CLAIM, pod("a", "{name: gpu, resourceClaimName: elsewhere}", SHARED)))
    assert group.known == ("default/elsewhere",)
    other_namespace = pod("a", SHARED, namespace="team")
    assert [g.known for g in documents.groups(read(CLAIM, other_namespace))] == [("team/shared",), ()]


def test_a_template_without_a_pod_asks_for_nothing() -> None:
    assert documents.groups(read(TEMPLATE)) == ()


def test_a_template_that_is_not_there_is_named_with_its_pod() -> None:
    said = refused(pod("a", OF_TEMPLATE))
    assert said == (
        "pod default/a: spec.resourceClaims 'gpu' names the template 'one-gpu', which is not in the file"
    )
    assert "'one-gpu'" in refused(TEMPLATE, pod("a", OF_TEMPLATE, namespace="team"))


@pytest.mark.parametrize(
    "entry", ["{name: gpu}", "{name: gpu, resourceClaimName: a, resourceClaimTemplateName: b}"]
)
def test_a_pod_must_say_whether_it_means_a_claim_or_a_template(entry: str) -> None:
    said = refused(pod("a", entry))
    assert said.startswith("pod default/a: spec.resourceClaims 'gpu' must name either")


def test_kinds_that_say_nothing_about_claims_are_set_aside_by_name() -> None:
    deployment = "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: web}\nspec: {replicas: 2}"
    secret = "kind: Secret\nmetadata: {name: s}\ndata: {x: !!binary aGk=, at: 2026-01-01}"
    found = read(deployment, CLAIM, secret, "kind: Odd\nmetadata: text", "kind: Bare")
    assert found.set_aside == ("Deployment/web", "Secret/s", "Odd/", "Bare/")
    assert len(found.claims) == 1


def test_empty_documents_count_for_nothing() -> None:
    assert read("", "# a comment", CLAIM, "---") == read(CLAIM)
    assert read("") == Documents()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (CLAIM.replace("exactly", "exactley"), "unknown field `exactley` - at `$.spec.devices.requests[0]`"),
        (CLAIM.replace("spec:", "sepc:"), "unknown field `sepc` - at `$`"),
        (CLAIM.replace("deviceClassName: gpu.nvidia.com", "count: two"), "Expected `int`, got `str`"),
        (CLAIM.replace("io/v1", "io/v1alpha3"), "apiVersion 'resource.k8s.io/v1alpha3' of ResourceClaim"),
        (CLAIM.replace("apiVersion: resource.k8s.io/v1\n", ""), "apiVersion None of ResourceClaim"),
        (CLAIM.replace("{name: shared}", "{}"), "metadata.name is missing"),
        (CLAIM.replace("{name: shared}", "text"), "Expected `object`, got `str` - at `$.metadata`"),
        (CLAIM.replace("{name: shared}", "{name: x, labels: {a: 1}}"), "Expected `str`, got `int`"),
        (CLAIM.replace("name: gpu", "nmae: gpu"), "unknown field `nmae`"),
        (a_class().replace("{name: gpu.nvidia.com}", "{}"), "metadata.name is missing"),
        (a_class("v1"), "apiVersion 'v1' of DeviceClass"),
        ("kind: Pod\nspec: {}", "metadata.name is missing"),
        ("just text", "not a Kubernetes object, it has no kind"),
        ("[1, 2]", "not a Kubernetes object"),
        ("kind: 7", "not a Kubernetes object"),
        ("metadata: {name: x}", "not a Kubernetes object"),
    ],
)
def test_what_is_wrong_is_said_with_the_file_the_document_and_the_field(text: str, said: str) -> None:
    told = refused(a_class(), text)
    assert told.startswith("file.yaml, document 2")
    assert said in told


@pytest.mark.parametrize(
    "value",
    [
        "2026-13-45",
        "!!int x",
        "!!float x",
        "!!bool maybe",
        "!!timestamp soon",
        "'open",
        "{a: b: c}",
        "{[1]: 2}",
        "*gone",
        "1" * 5000,
        "[" * 20_000,
        "\x07",
        "!!python/object:os.system x",
    ],
    ids=range(13),
)
def test_what_is_not_yaml_is_refused_with_the_name_of_the_file(value: str) -> None:
    assert refused(f"kind: Pod\nmetadata: {value}").startswith("file.yaml is not YAML: ")


@pytest.mark.parametrize("value", ["!!binary aGk=", "!!set {a}", ".nan", ".inf", '"\\ud800"'])
def test_what_json_cannot_say_is_refused(value: str) -> None:
    said = refused(f"kind: Pod\nmetadata: {{name: a, extra: {value}}}")
    assert said.startswith("file.yaml, document 1 (Pod): ")
    assert said.endswith("cannot be said in JSON")


def test_a_document_that_holds_itself_is_refused() -> None:
    assert "document 1 (Pod)" in refused("&me {kind: Pod, metadata: {name: a}, spec: *me}")


def test_a_bare_timestamp_is_text_as_in_the_api() -> None:
    stamped = CLAIM.replace("{name: shared}", "{name: shared, creationTimestamp: 2026-01-02T03:04:05Z}")
    assert read(stamped).claims[0].metadata.creation_timestamp == "2026-01-02T03:04:05+00:00"


def test_a_claim_is_given_a_uid_of_its_own_or_the_one_it_is_known_by() -> None:
    (claim,) = read(CLAIM).claims
    first, second = documents.with_uid(claim), documents.with_uid(claim)
    assert first.uid
    assert first.uid != second.uid
    assert documents.with_uid(claim, "u-1").uid == "u-1"
    assert first.spec == claim.spec


def test_what_kubectl_prints_is_read_lists_and_bookkeeping_included() -> None:
    text = """
apiVersion: v1
kind: List
items:
- apiVersion: resource.k8s.io/v1
  kind: ResourceClaim
  metadata: {name: one, managedFields: [{manager: kubectl}]}
  spec: {devices: {requests: [{name: gpu, exactly: {deviceClassName: gpu.nvidia.com}}]}}
- {apiVersion: v1, kind: ConfigMap, metadata: {name: other}}
"""
    found = documents.read(text, "list.yaml")
    assert [claim.label for claim in found.claims] == ["default/one"]
    assert found.set_aside == ("ConfigMap/other",)


def test_a_bad_item_of_a_list_is_named_by_its_number() -> None:
    text = "{kind: List, items: [{kind: DeviceClass, apiVersion: v9}]}"
    with pytest.raises(documents.BadDocument, match=r"list.yaml, document 1, item 1: apiVersion 'v9'"):
        documents.read(text, "list.yaml")
