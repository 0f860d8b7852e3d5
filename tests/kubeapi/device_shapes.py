"""The shapes of `resource.k8s.io` with the features 1.36 has on by default.

Fields of features that are off (lists as attributes, node allocatable resources) are missing here, so they
are dropped in silence, as a real server drops them.
"""

from __future__ import annotations

from tests.kubeapi.schema import Items, Leaf, Record, Shape, Table
from tests.kubeapi.shapes import CONDITION, HEADER, METADATA, NODE_SELECTOR, TAINT, TOLERATION

TEXT, WHOLE, FLAG, AMOUNT, TIME, _, RAW = Leaf
TEXTS = Items(TEXT)

ATTRIBUTE = Record({"int": WHOLE, "bool": FLAG, "string": TEXT, "version": TEXT})
REQUEST_POLICY = Record(
    {
        "default": AMOUNT,
        "validValues": Items(AMOUNT),
        "validRange": Record({"min": AMOUNT, "max": AMOUNT, "step": AMOUNT}),
    }
)
COUNTERS = Table(Record({"value": AMOUNT}))
DEVICE = Record(
    {
        "name": TEXT,
        "attributes": Table(ATTRIBUTE),
        "capacity": Table(Record({"value": AMOUNT, "requestPolicy": REQUEST_POLICY})),
        "consumesCounters": Items(Record({"counterSet": TEXT, "counters": COUNTERS})),
        "nodeName": TEXT,
        "nodeSelector": NODE_SELECTOR,
        "allNodes": FLAG,
        "taints": Items(TAINT),
        "bindsToNode": FLAG,
        "bindingConditions": TEXTS,
        "bindingFailureConditions": TEXTS,
        "allowMultipleAllocations": FLAG,
    }
)
SLICE = Record(
    {
        **HEADER,
        "spec": Record(
            {
                "driver": TEXT,
                "pool": Record({"name": TEXT, "generation": WHOLE, "resourceSliceCount": WHOLE}),
                "nodeName": TEXT,
                "nodeSelector": NODE_SELECTOR,
                "allNodes": FLAG,
                "perDeviceNodeSelection": FLAG,
                "devices": Items(DEVICE),
                "sharedCounters": Items(Record({"name": TEXT, "counters": COUNTERS})),
            }
        ),
    }
)

SELECTORS = Items(Record({"cel": Record({"expression": TEXT})}))
OPAQUE = Record({"driver": TEXT, "parameters": RAW})
SUBREQUEST_FIELDS: dict[str, Shape] = {
    "deviceClassName": TEXT,
    "selectors": SELECTORS,
    "allocationMode": TEXT,
    "count": WHOLE,
    "tolerations": Items(TOLERATION),
    "capacity": Record({"requests": Table(AMOUNT)}),
}
REQUEST = Record(
    {
        "name": TEXT,
        "exactly": Record({**SUBREQUEST_FIELDS, "adminAccess": FLAG}),
        "firstAvailable": Items(Record({**SUBREQUEST_FIELDS, "name": TEXT})),
    }
)
CLAIM_SPEC = Record(
    {
        "devices": Record(
            {
                "requests": Items(REQUEST),
                "constraints": Items(
                    Record({"requests": TEXTS, "matchAttribute": TEXT, "distinctAttribute": TEXT})
                ),
                "config": Items(Record({"requests": TEXTS, "opaque": OPAQUE})),
            }
        )
    }
)
RESULT = Record(
    {
        "request": TEXT,
        "driver": TEXT,
        "pool": TEXT,
        "device": TEXT,
        "adminAccess": FLAG,
        "tolerations": Items(TOLERATION),
        "bindingConditions": TEXTS,
        "bindingFailureConditions": TEXTS,
        "shareID": TEXT,
        "consumedCapacity": Table(AMOUNT),
    }
)
ALLOCATION = Record(
    {
        "devices": Record(
            {
                "results": Items(RESULT),
                "config": Items(Record({"source": TEXT, "requests": TEXTS, "opaque": OPAQUE})),
            }
        ),
        "nodeSelector": NODE_SELECTOR,
        "allocationTimestamp": TIME,
    }
)
DEVICE_STATUS = Record(
    {
        "driver": TEXT,
        "pool": TEXT,
        "device": TEXT,
        "shareID": TEXT,
        "conditions": Items(CONDITION, keys=("type",)),
        "data": RAW,
        "networkData": Record({"interfaceName": TEXT, "ips": TEXTS, "hardwareAddress": TEXT}),
    }
)
CONSUMER = Record({"apiGroup": TEXT, "resource": TEXT, "name": TEXT, "uid": TEXT})
CLAIM = Record(
    {
        **HEADER,
        "spec": CLAIM_SPEC,
        "status": Record(
            {
                "allocation": ALLOCATION,
                "reservedFor": Items(CONSUMER, keys=("uid",), merge_key="uid"),
                "devices": Items(DEVICE_STATUS, keys=("driver", "device", "pool", "shareID")),
            }
        ),
    }
)
CLAIM_TEMPLATE = Record({**HEADER, "spec": Record({"metadata": METADATA, "spec": CLAIM_SPEC})})
DEVICE_CLASS = Record(
    {
        **HEADER,
        "spec": Record(
            {
                "selectors": SELECTORS,
                "config": Items(Record({"opaque": OPAQUE})),
                "extendedResourceName": TEXT,
            }
        ),
    }
)
TAINT_RULE = Record(
    {
        **HEADER,
        "spec": Record(
            {
                "deviceSelector": Record({"driver": TEXT, "pool": TEXT, "device": TEXT}),
                "taint": TAINT,
            }
        ),
        "status": Record({"conditions": Items(CONDITION, keys=("type",))}),
    }
)
