"""What NVIDIA's own DRA driver left on this node: its checkpoint, the CDI files of its claims, and the
folders of its MPS control daemons.

Two CDI files of one claim name the same devices, and a runtime then finds neither: a file of theirs goes when
there is one of ours, and no sooner. All of it blocks and raises `DiskFault`: call it in a thread.
"""

from __future__ import annotations

from pathlib import Path

from slicewire.common.model import ClaimUID, DeviceName
from slicewire.node_prep import files
from slicewire.node_prep.core import predecessor
from slicewire.node_prep.core.plan import PreparePlan
from slicewire.node_prep.core.predecessor import Left
from slicewire.node_prep.core.refusal import PrepareRefusal, Why
from slicewire.node_prep.core.steps import StartMps
from slicewire.node_prep.files import Kept

ASIDE = "nvidia"
"""What a checkpoint of theirs is called when it is set aside."""


class Predecessor:
    """`checkpoint` is where ours is, and theirs was; `boot` names this boot of the machine."""

    def __init__(self, checkpoint: Path, cdi_root: Path, boot: str) -> None:
        self._checkpoint = checkpoint
        self._cdi_root = cdi_root
        self._boot = boot

    def claims(self) -> frozenset[ClaimUID]:
        """Those that may still have something on this node."""
        by_file = map(predecessor.claim_of, files.names(self._cdi_root))
        return frozenset(uid for uid in by_file if uid) | frozenset(self._left().claims)

    def devices(self, uid: ClaimUID) -> tuple[DeviceName, ...]:
        data = files.read(self._file(uid))
        named = () if data is None else predecessor.devices_in(uid, data)
        return named or self._left().claims.get(uid, ())

    def has_file(self, uid: ClaimUID) -> bool:
        return self._file(uid).exists()

    def delete_file(self, uid: ClaimUID) -> None:
        files.delete(self._file(uid), Kept.UNTIL_A_POWER_CUT)

    def obstacle(self, plan: PreparePlan) -> PrepareRefusal | None:
        """A control daemon of theirs has the GPU for as long as its Deployment is there: no other can."""
        uid, root = plan.claim.uid, self._checkpoint.parent / "mps"
        if not any(isinstance(step, StartMps) for step in plan.steps):
            return None
        found = next((name for name in files.names(root) if name.startswith(f"{uid}-")), None)
        if found is None:
            return None
        return PrepareRefusal(
            Why.BUSY,
            f"claim {plan.claim}: NVIDIA's driver has prepared it and runs its MPS control daemon"
            f" (Deployment mps-control-daemon-{found}): end the pods of the claim, delete that Deployment"
            f" and {root / found}",
        )

    def _file(self, uid: ClaimUID) -> Path:
        return self._cdi_root / predecessor.file_name(uid)

    def _left(self) -> Left:
        """On this boot: another one has taken all of it."""
        found = Left({})
        for path in sorted(self._checkpoint.parent.glob(f"{self._checkpoint.name}.{ASIDE}-*")):
            data = files.read(path)
            known = None if data is None else predecessor.left(data)
            if known is not None and known.boot and known.boot == self._boot:
                found = Left({**found.claims, **known.claims}, known.boot)
        return found
