"""The shapes of core kinds, as far as devices and their claims touch them; the rest of them is kept open."""

from __future__ import annotations

from tests.kubeapi.schema import Items, Leaf, Record, Shape, Table

TEXT, WHOLE, FLAG, AMOUNT, TIME, ANY, RAW = Leaf
TEXTS = Items(TEXT)

OWNER_REFERENCE = Record(
    {
        "apiVersion": TEXT,
        "kind": TEXT,
        "name": TEXT,
        "uid": TEXT,
        "controller": FLAG,
        "blockOwnerDeletion": FLAG,
    }
)
METADATA = Record(
    {
        "name": TEXT,
        "generateName": TEXT,
        "namespace": TEXT,
        "uid": TEXT,
        "resourceVersion": TEXT,
        "generation": WHOLE,
        "creationTimestamp": TIME,
        "deletionTimestamp": TIME,
        "deletionGracePeriodSeconds": WHOLE,
        "labels": Table(TEXT),
        "annotations": Table(TEXT),
        "finalizers": Items(TEXT, is_set=True),
        "ownerReferences": Items(OWNER_REFERENCE, keys=("uid",), merge_key="uid"),
        "managedFields": Items(RAW),
        "selfLink": TEXT,
    }
)
HEADER: dict[str, Shape] = {"apiVersion": TEXT, "kind": TEXT, "metadata": METADATA}
CONDITION = Record(
    {
        "type": TEXT,
        "status": TEXT,
        "reason": TEXT,
        "message": TEXT,
        "lastTransitionTime": TIME,
        "observedGeneration": WHOLE,
    }
)

NODE_REQUIREMENT = Record({"key": TEXT, "operator": TEXT, "values": TEXTS})
NODE_TERM = Record({"matchExpressions": Items(NODE_REQUIREMENT), "matchFields": Items(NODE_REQUIREMENT)})
NODE_SELECTOR = Record({"nodeSelectorTerms": Items(NODE_TERM)}, atomic=True)
TAINT = Record({"key": TEXT, "value": TEXT, "effect": TEXT, "timeAdded": TIME})
TOLERATION = Record(
    {"key": TEXT, "operator": TEXT, "value": TEXT, "effect": TEXT, "tolerationSeconds": WHOLE}
)


def _named(*keys: str) -> Items:
    """A list of core objects that merges by its key; the objects themselves are not described."""
    return Items(Record({}, open=True), keys=keys, merge_key=keys[0])


POD = Record(
    {
        **HEADER,
        "spec": Record(
            {
                "nodeName": TEXT,
                "schedulerName": TEXT,
                "nodeSelector": Table(TEXT),
                "containers": _named("name"),
                "initContainers": _named("name"),
                "volumes": _named("name"),
                "resourceClaims": Items(
                    Record({"name": TEXT, "resourceClaimName": TEXT, "resourceClaimTemplateName": TEXT}),
                    keys=("name",),
                    merge_key="name",
                ),
                "schedulingGates": Items(Record({"name": TEXT}), keys=("name",), merge_key="name"),
                "tolerations": Items(TOLERATION),
            },
            open=True,
        ),
        "status": Record(
            {
                "phase": TEXT,
                "conditions": _named("type"),
                "resourceClaimStatuses": Items(
                    Record({"name": TEXT, "resourceClaimName": TEXT}), keys=("name",), merge_key="name"
                ),
            },
            open=True,
        ),
    }
)
NODE = Record(
    {
        **HEADER,
        "spec": Record({"taints": Items(TAINT), "unschedulable": FLAG}, open=True),
        "status": Record(
            {
                "capacity": Table(AMOUNT),
                "allocatable": Table(AMOUNT),
                "conditions": _named("type"),
                "addresses": _named("type"),
            },
            open=True,
        ),
    }
)
NAMESPACE = Record(
    {
        **HEADER,
        "spec": Record({"finalizers": TEXTS}),
        "status": Record({"phase": TEXT, "conditions": _named("type")}),
    }
)
CONFIG_MAP = Record({**HEADER, "data": Table(TEXT), "binaryData": Table(TEXT), "immutable": FLAG})
SECRET = Record({**HEADER, "type": TEXT, "data": Table(TEXT), "stringData": Table(TEXT), "immutable": FLAG})
LEASE = Record(
    {
        **HEADER,
        "spec": Record(
            {
                "holderIdentity": TEXT,
                "leaseDurationSeconds": WHOLE,
                "acquireTime": TEXT,
                "renewTime": TEXT,
                "leaseTransitions": WHOLE,
                "strategy": TEXT,
                "preferredHolder": TEXT,
            }
        ),
    }
)
OPEN = Record(HEADER, open=True)
"""Events and service accounts: their header is checked, the rest is kept as it came."""
