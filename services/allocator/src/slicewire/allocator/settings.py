"""What an operator may choose for the allocator."""

from slicewire.common.messages import SLICEWIRE
from slicewire.common.settings import CommonSettings


class Settings(CommonSettings, frozen=True):
    """Environment names: `SLICEWIRE_ALLOCATOR_<FIELD>`."""

    instance: str = "allocator"
    """The name of this replica in traces and in the source of its facts."""
    untold_nodes: str = SLICEWIRE
    """Who allocates nodes that no publisher told about: `slicewire` (without Kubernetes) or
    `kube-scheduler` (set in deploy/k8s, so that nothing is allocated before the publisher spoke)."""
