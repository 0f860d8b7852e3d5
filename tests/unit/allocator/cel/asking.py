"""One device to put questions to, and two ways to put them."""

from __future__ import annotations

import re

from slicewire.allocator.core.cel import CompileFault, Environment, Program, compile_selector
from slicewire.common.model import Device, DeviceAttribute, DeviceCapacity, DeviceName, Quantity

DRIVER = "gpu.nvidia.com"
EVERYTHING = Environment()
GPU = Device(
    name=DeviceName("gpu-0"),
    attributes={
        "productName": DeviceAttribute(string="NVIDIA H100"),
        "index": DeviceAttribute(int_value=3),
        "healthy": DeviceAttribute(bool_value=True),
        "driverVersion": DeviceAttribute(version="570.86.15+open"),
        "profiles": DeviceAttribute(strings=("1g.10gb", "2g.20gb")),
        "cores": DeviceAttribute(ints=(3, 1, 2)),
        "resource.kubernetes.io/pcieRoot": DeviceAttribute(string="pci0000:00"),
    },
    capacity={
        "memory": DeviceCapacity(value=Quantity("80Gi")),
        "share": DeviceCapacity(value=Quantity("1500m")),
    },
)
_SHORT = re.compile(r"\b(attr|cap)\.")
_LONG = {"attr": f'device.attributes["{DRIVER}"].', "cap": f'device.capacity["{DRIVER}"].'}


def written_out(expression: str) -> str:
    """Selectors are long: the tests write `attr.index` and `cap.memory`."""
    return _SHORT.sub(lambda match: _LONG[match[1]], expression)


def program(expression: str, environment: Environment = EVERYTHING) -> Program:
    compiled = compile_selector(written_out(expression), environment)
    assert isinstance(compiled, Program), f"{expression}: {compiled}"
    return compiled


def ask(expression: str, device: Device = GPU) -> bool | str:
    """The answer for the device, or the message of the fault. Metered or not must be the same."""
    compiled = program(expression)
    answer = compiled.matches(device, DRIVER)
    if isinstance(answer, bool):
        metered = compiled.matches(device, DRIVER, cost_limit=compiled.max_cost - 1)
        assert metered is answer or "cost limit" in getattr(metered, "message", "")
        return answer
    return answer.message


def refusal(expression: str, environment: Environment = EVERYTHING) -> CompileFault:
    """Why the expression does not compile."""
    fault = compile_selector(written_out(expression), environment)
    assert isinstance(fault, CompileFault), f"{expression} compiles"
    return fault
