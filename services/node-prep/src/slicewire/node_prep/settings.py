"""What node-prep can be told from outside."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec

from slicewire.common.model import DriverName
from slicewire.common.model.naming import NVIDIA_DRIVER
from slicewire.common.nvml.settings import NodeAgentSettings

PART = "NODE_PREP"


class Settings(NodeAgentSettings, frozen=True, kw_only=True):
    driver: DriverName = NVIDIA_DRIVER
    """Name of the DRA driver that the devices belong to."""
    kubelet: bool = True
    """False where there is no kubelet: then only the bus is answered."""
    plugin_dir: str = "/var/lib/kubelet/plugins/gpu.nvidia.com"
    """Where the checkpoint is and the kubelet asks; the kubelet must see it under the same path."""
    registry_dir: str = "/var/lib/kubelet/plugins_registry"
    """Where the kubelet looks for plugins."""
    cdi_root: str = "/var/run/cdi"
    """Where container runtimes look for CDI specs."""
    mps: Literal["process", "pod", "off"] = "process"
    """How MPS control daemons run: as processes that this one starts, in the pod of `slicewire-mps-keeper`,
    or not at all."""
    ledger_wait_seconds: Annotated[float, msgspec.Meta(ge=0)] = 5.0
    """How long a question waits for the ledger to have its claim."""
    instance: Annotated[str, msgspec.Meta(pattern=r"^([A-Za-z0-9][A-Za-z0-9.-]*)?$", max_length=253)] = ""
    """Names this process' sockets where two live at once while one replaces the other, such as the UID of
    its pod; empty: there is one alone."""
    grpc_probe_port: Annotated[int, msgspec.Meta(ge=0, le=65535)] = 0
    """Port of gRPC probes, on all addresses; 0: the driver's own socket answers them only."""
    kubeconfig: str = ""
    """Where claims are read from Kubernetes while the bus is away: path of a kubeconfig, or `in-cluster`
    for the pod's service account. Empty: nowhere, the node needs no credentials."""
    host_driver_root: str = ""
    """Where it is installed as seen from the host; empty: at the same place."""
    host_root: str = "/"
    """The root of the host as seen from here: its `modprobe` loads vfio-pci where it is not loaded yet, and
    its /dev is used where the driver's root has none."""
    cdi_hook: str = ""
    """NVIDIA's hook for container runtimes, nvidia-cdi-hook, as the host has it; empty: looked for in the
    driver's root; `none`: not used."""
    device_metadata: bool = False
    """Whether containers can read the published attributes of their devices in files: an alpha format of
    Kubernetes (KEP-5304)."""
    vfio_wait_seconds: Annotated[float, msgspec.Meta(ge=0, le=60)] = 60.0
    """How long a GPU for a virtual machine is waited for while somebody uses it; others do not wait."""
    nodes: str = ""
    """Names of the simulated nodes that this process serves, with commas between them; `nvml_state` is then
    the folder that holds a folder of each. Empty: the one node `node_name`."""
