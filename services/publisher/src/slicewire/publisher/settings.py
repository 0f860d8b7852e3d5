"""What an operator may choose for the publisher."""

from typing import Annotated

import msgspec

from slicewire.common.settings import CommonSettings

PART = "PUBLISHER"
_Seconds = Annotated[int, msgspec.Meta(ge=0, le=3600)]


class Settings(CommonSettings, frozen=True, kw_only=True):
    instance: str = "publisher"
    """The name of this replica in traces, in its lease and in the source of its facts."""
    kubeconfig: str = ""
    """Path of a kubeconfig; empty: the service account of the pod."""
    context: str = ""
    """A context of the kubeconfig; empty: its current one."""
    workers: Annotated[int, msgspec.Meta(ge=1, le=256)] = 8
    """How many pools, claims and pods are worked on at once."""
    requests_a_second: Annotated[float, msgspec.Meta(ge=0)] = 100.0
    """How many requests Kubernetes gets a second, watches aside; 0: as many as there are."""
    request_burst: Annotated[int, msgspec.Meta(ge=1)] = 200
    """How many may go at once after a quiet time."""
    lease_seconds: _Seconds = 15
    """How long a leader that is dead or cut off is waited for; 0: no election, this one writes."""
    lease_namespace: Annotated[str, msgspec.Meta(min_length=1)] = "kube-system"
    """Where the lease is kept; the namespace must exist."""
    lease_name: Annotated[str, msgspec.Meta(min_length=1)] = "slicewire-publisher"
    """Publishers of one cluster share one name."""
    device_classes: bool = True
    """Whether classes for the fleet's devices and MIG profiles are created where they are missing."""
    gang_seconds: Annotated[float, msgspec.Meta(gt=0)] = 30.0
    """How long a gang may collect devices before it gives them back and the next has its turn."""
    silent_seconds: _Seconds = 300
    """How long the devices of a pool stay published, tainted, after its agent fell silent."""
    roll_call_seconds: Annotated[float, msgspec.Meta(ge=0)] = 30.0
    """How often each agent is asked whether it is there; silent after three rounds. 0: none is asked."""
