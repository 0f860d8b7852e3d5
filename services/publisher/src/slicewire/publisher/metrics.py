"""What the publisher measures: what it asks of Kubernetes and is answered, what it writes, who leads.

Refuses to name an object in a label: of a path there is the resource alone.
"""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sized
from contextlib import asynccontextmanager, contextmanager

from slicewire.common.bus.port import BusUnavailable
from slicewire.common.metrics import OTHER, Counter, Gauge, Histogram, Label, Part
from slicewire.publisher import watched
from slicewire.publisher.apifaults import ApiConflict, ApiNotFound, ApiRejected, ApiUnavailable, NotLeading
from slicewire.publisher.cluster import Cluster
from slicewire.publisher.worklist import Again

UNANSWERED = "none"
DISCOVERY = "discovery"
_VERBS = {"POST": "create", "PUT": "update", "PATCH": "patch", "DELETE": "delete", "GET": "get"}
_VERB = Label("verb", (*_VERBS.values(), "watch"))
_RESOURCES = (
    "resourceslices",
    "resourceclaims",
    "deviceclasses",
    "devicetaintrules",
    "nodes",
    "pods",
    "leases",
    "events",
    DISCOVERY,
    OTHER,
)
_KIND = Label(
    "kind",
    (
        *(kind.name for kind in (watched.NODES, watched.PODS)),
        *(kinds[0].name for kinds in (watched.CLASSES, watched.CLAIMS, watched.SLICES, watched.TAINT_RULES)),
    ),
)
_RESULTS: tuple[tuple[type[Exception], str], ...] = (
    (ApiConflict, "outrun"),
    (ApiNotFound, "outrun"),
    (ApiUnavailable, "unanswered"),
    (BusUnavailable, "unanswered"),
    (NotLeading, "notLeading"),
    (ApiRejected, "rejected"),
)

REQUESTS = Counter(
    "slicewire_publisher_requests_total",
    "Requests to the Kubernetes API; 409 is a conflict: another has written since",
    _VERB,
    Label("resource", _RESOURCES, "`discovery`: what the server serves"),
    Label("code", says="of HTTP; `none` where no answer came"),
)
REQUEST_SECONDS = Histogram(
    "slicewire_publisher_request_seconds", "Until the Kubernetes API has answered, or not", _VERB
)
LISTS = Counter("slicewire_publisher_lists_total", "How often all objects of a kind were listed", _KIND)
INTERRUPTIONS = Counter(
    "slicewire_publisher_watch_interruptions_total",
    "How often a list or watch failed and was begun anew",
    _KIND,
)
SLICE_WRITES = Counter(
    "slicewire_publisher_slice_writes_total",
    "ResourceSlices that were written",
    Label("change", ("create", "update", "delete")),
)
LOOKS = Counter(
    "slicewire_publisher_looks_total",
    "Looks at one object by what came of them: all but done are looked at again",
    Label("result", ("done", *dict.fromkeys(word for _, word in _RESULTS), OTHER), "`other` is a bug"),
)
LEADER = Gauge("slicewire_publisher_leader", "1 while this process leads and writes, else 0", otherwise=0)
BACKLOG = Gauge("slicewire_publisher_backlog", "Objects that wait to be looked at")
GATED_PODS = Gauge("slicewire_publisher_gated_pods", "Pods that wait behind our gate for devices")
POOLS = Gauge(
    "slicewire_publisher_pools",
    "Pools that were told of, and of those the ones whose agents have fallen silent",
    Label("state", ("told", "silent")),
)
PART = Part(
    "publisher",
    (
        REQUESTS,
        REQUEST_SECONDS,
        LISTS,
        INTERRUPTIONS,
        SLICE_WRITES,
        LOOKS,
        LEADER,
        BACKLOG,
        GATED_PODS,
        POOLS,
    ),
)


@contextmanager
def requesting(method: str, path: str, query: Mapping[str, str] | None) -> Iterator[Callable[[int], None]]:
    """One request: whoever makes it says how it was answered."""
    verb = "watch" if (query or {}).get("watch") else _VERBS[method]
    codes = [UNANSWERED]
    begun = time.monotonic()
    try:
        yield lambda code: codes.append(str(code))
    finally:
        REQUEST_SECONDS.observe(time.monotonic() - begun, verb)
        REQUESTS.add(verb, resource_of(path), codes[-1])


def resource_of(path: str) -> str:
    """`resourceclaims` of `/apis/resource.k8s.io/v1/namespaces/default/resourceclaims/train/status`."""
    words = path.strip("/").split("/")
    rest = words[2:] if words[0] == "api" else words[3:]
    if rest[:1] == ["namespaces"] and len(rest) > 2:
        rest = rest[2:]
    return rest[0] if rest else DISCOVERY


@contextmanager
def looking() -> Iterator[None]:
    """One look at one object, by how it ends; one that is to come again at its time has ended well."""
    result = OTHER
    try:
        yield
        result = "done"
    except Again:
        result = "done"
        raise
    except Exception as error:
        result = next((word for kind, word in _RESULTS if isinstance(error, kind)), OTHER)
        raise
    finally:
        LOOKS.add(result)


@asynccontextmanager
async def shown(cluster: Cluster, leads: Callable[[], bool], backlog: Sized) -> AsyncIterator[None]:
    """What this publisher knows, while open."""
    with (
        LEADER.shown(lambda: [((), float(leads()))]),
        BACKLOG.shown(lambda: [((), len(backlog))]),
        GATED_PODS.shown(lambda: [((), len(cluster.waiting.pods.values()))]),
        POOLS.shown(lambda: [(("told",), len(cluster.pools)), (("silent",), _silent(cluster))]),
    ):
        yield


def _silent(cluster: Cluster) -> int:
    """Agents that have taken back what they told, or answer no more."""
    unanswering = cluster.attendance.silent if cluster.attendance is not None else frozenset()
    return len(unanswering | cluster.forgotten)
