"""What an installation as pods needs of the cluster, and of the machine: images, folders, names.

The manifests name the folders of a kubelet that lives in `/var/lib/kubelet`. Ours lives elsewhere, to be
nobody's rival; while a test lasts, links lead from the one place to the other.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from tests.cluster import network, node
from tests.cluster.kubectl import EXAMPLES, SECONDS, Kubectl
from tests.cluster.partimages import PARTS, ROOT, Kitchen
from tests.cluster.places import Cache, CannotRun, Home

KIND = str(ROOT / "deploy/k8s/overlays/kind")
VERSION, NEXT = "0.1.0", "0.1.0-next"
PARTS_OF = {
    "nats": "slicewire-system statefulset/slicewire-nats",
    "allocator": "slicewire-system deployment/slicewire-allocator",
    "publisher": "slicewire-system deployment/slicewire-publisher",
    "discovery": "slicewire-nodes daemonset/slicewire-discovery",
    "node-prep": "slicewire-nodes daemonset/slicewire-node-prep",
}
"""Where each part is."""
NODE_STATE = Path("/var/lib/slicewire")


@contextmanager
def ready(cache: Cache, home: Home) -> Iterator[None]:
    """A cluster that can be installed on as docs/install.md says. Raises `CannotRun`."""
    kitchen = Kitchen(cache)
    for part in PARTS:
        kitchen.layer(part)
    with ExitStack() as stack:
        stack.enter_context(_alone())
        stack.enter_context(_folders(home))
        stack.enter_context(network.services(cache, home))
        for part in PARTS:
            archive = kitchen.image(part, (VERSION, NEXT), home.root)
            node.import_image(cache, home, archive)
            archive.unlink()
        yield


def await_rolled_out(kubectl: Kubectl) -> None:
    """Until every part is what it was last told to be, and ready. What is said of pods is in the failure."""
    for where in PARTS_OF.values():
        namespace, workload = where.split()
        of = ("-n", namespace)
        done = kubectl.tried("rollout", "status", *of, workload, f"--timeout={SECONDS}s")
        assert done.returncode == 0, f"{done.stderr}{kubectl('describe', 'pods', *of)}"


def removed(kubectl: Kubectl) -> None:
    """No trace of Slicewire, be it of this overlay or of the accounts of another test; no class, no slice."""
    kubectl("delete", "pods,resourceclaims,resourceclaimtemplates", "--all", "--timeout=60s")
    kubectl("delete", "-k", KIND, "--ignore-not-found")
    kubectl("delete", "deviceclasses,resourceslices", "--all")


def classes_of_the_examples(kubectl: Kubectl) -> None:
    """What the tests beside these count on."""
    kubectl("apply", "-f", str(EXAMPLES / "deviceclasses.yaml"))


def pods(kubectl: Kubectl) -> list[dict[str, Any]]:
    """Of Slicewire, those that are on their way out aside."""
    found = kubectl.get("pods", "-A", "-l", "app.kubernetes.io/part-of=slicewire")["items"]
    return [each for each in found if "deletionTimestamp" not in each["metadata"]]


def upgrade(folder: Path) -> Path:
    """A folder of one's own, with the next images and a setting changed."""
    images = "".join(f"- {{name: slicewire/{part}, newTag: {NEXT}}}\n" for part in PARTS)
    (folder / "kustomization.yaml").write_text(
        f"resources: [{os.path.relpath(KIND, folder)}]\nimages:\n{images}"
        "patches:\n- target: {kind: DaemonSet, name: slicewire-node-prep}\n  patch: |\n"
        "    - op: add\n      path: /spec/template/spec/containers/0/env/-\n"
        "      value: {name: SLICEWIRE_LOG_FORMAT, value: text}\n"
    )
    return folder


@contextmanager
def _alone() -> Iterator[None]:
    """The links are the machine's, whatever clusters it has: one installation at a time."""
    with Path("/run/lock/slicewire-install.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


@contextmanager
def _folders(home: Home) -> Iterator[None]:
    kubelet, state = Path("/var/lib/kubelet"), home.root / "node-state"
    links = {
        kubelet / "plugins": home.plugins,
        kubelet / "plugins_registry": home.registry,
        Path("/var/run/cdi"): home.cdi,
        NODE_STATE: state,
    }
    state.mkdir(exist_ok=True)
    kubelet.mkdir(exist_ok=True)
    made = []
    try:
        for link, target in links.items():
            if link.is_symlink():
                link.unlink()
            elif link.exists():
                raise CannotRun(f"{link} is there already: a kubelet or a Slicewire of this machine uses it")
            link.symlink_to(target)
            made.append(link)
        yield
    finally:
        for link in made:
            link.unlink()
