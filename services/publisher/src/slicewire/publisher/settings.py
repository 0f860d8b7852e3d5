"""What an operator may choose for the publisher."""

from slicewire.common.settings import CommonSettings

PART = "PUBLISHER"


class Settings(CommonSettings, frozen=True, kw_only=True):
    instance: str = "publisher"
    """The name of this replica in traces and in the source of its facts."""
    kubeconfig: str = ""
    """Path of a kubeconfig; empty: the service account of the pod."""
    context: str = ""
    """A context of the kubeconfig; empty: its current one."""
    workers: int = 8
    """How many pools, claims and pods are worked on at once."""
