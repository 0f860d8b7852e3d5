"""A GPU that was here and is gone is not forgotten."""

from __future__ import annotations

from slicewire.common.nvml.facts import GpuFacts, Unseen
from slicewire.discovery.core.inventory import Inventory
from slicewire.discovery.core.policy import Choice
from slicewire.discovery.core.vanished import Seen
from tests.unit.discovery.builders import DYNAMIC, GPU, VFIO, a_gpu, a_mig, a_node, a_place, seen


def _look(*gpus: GpuFacts, unseen: tuple[Unseen, ...] = ()) -> Inventory:
    return seen(a_node(*gpus, unseen=unseen))


BOTH = _look(a_gpu(0), a_gpu(1))
ONLY_FIRST = _look(a_gpu(0))


def test_at_the_first_look_nothing_is_missed() -> None:
    assert Seen().completed(ONLY_FIRST) == ONLY_FIRST


def test_a_gpu_that_is_gone_is_said_until_it_is_back() -> None:
    known = Seen().with_look(BOTH).with_look(ONLY_FIRST)
    (gone,) = known.completed(ONLY_FIRST).unseen
    assert gone.what == "gpu-1"
    assert "GPU-1 at 0000:1b:00.0 was here and is gone" in gone.reason
    assert known.completed(BOTH) == BOTH


def test_a_gpu_that_nvml_speaks_of_is_not_gone() -> None:
    lost = _look(a_gpu(0), unseen=(Unseen("GPU 1", "GPU is lost", "00000000:1B:00.0"),))
    assert Seen().with_look(BOTH).completed(lost) == lost


def test_a_gpu_put_in_its_place_makes_the_old_one_forgotten() -> None:
    replaced = _look(a_gpu(0), a_gpu(1, uuid="GPU-new"))
    known = Seen().with_look(BOTH)
    assert known.completed(replaced) == replaced
    (gone,) = known.with_look(replaced).completed(ONLY_FIRST).unseen
    assert "GPU-new" in gone.reason


def test_a_gpu_put_elsewhere_is_here_and_later_missed_once() -> None:
    moved = _look(a_gpu(0), a_gpu(1, pci_bus_id="00000000:CB:00.0"))
    known = Seen().with_look(BOTH)
    assert known.completed(moved) == moved
    (gone,) = known.with_look(moved).completed(ONLY_FIRST).unseen
    assert "0000:cb:00.0" in gone.reason


def test_a_gpu_in_many_partitions_is_missed_once() -> None:
    cut = seen(a_node(a_gpu(0, mig=a_mig())), choice=DYNAMIC)
    (gone,) = Seen().with_look(cut).completed(_look()).unseen
    assert gone.what == "gpu-0"


def test_a_gpu_that_went_to_a_virtual_machine_is_not_gone() -> None:
    both = Choice(offer=(GPU, VFIO))
    before = seen(a_node(a_gpu(0)), a_place(), choice=both)
    during = seen(a_node(), a_place(driver="vfio-pci"), choice=both, names=before.names)
    assert Seen().with_look(before).completed(during) == during
