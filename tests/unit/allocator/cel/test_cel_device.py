"""The device as an expression sees it."""

from __future__ import annotations

import pytest

from slicewire.allocator.core.cel import Program, compile_selector
from slicewire.common.model import Device, DeviceAttribute, DeviceCapacity, DeviceName, Quantity
from tests.unit.allocator.cel.asking import DRIVER, GPU, ask, program

OTHER = "resource.kubernetes.io"


def a_device(attribute: DeviceAttribute) -> Device:
    return Device(name=DeviceName("gpu-0"), attributes={"it": attribute})


@pytest.mark.parametrize(
    "expression",
    [
        f'device.driver == "{DRIVER}"',
        f'device.attributes["{DRIVER}"].index == 3',
        f'device.attributes["{DRIVER}"]["index"] == 3',
        f'device.attributes["{OTHER}"].pcieRoot == "pci0000:00"',
        f'device.capacity["{DRIVER}"].memory == quantity("80Gi")',
        f'"index" in device.attributes["{DRIVER}"] && "{OTHER}" in device.attributes',
        "!device.allowMultipleAllocations",
        "has(attr.index) && !has(attr.nope)",
        f'device.attributes.map(d, d) == ["{DRIVER}", "{OTHER}"]',
        'dyn(device).driver == device.driver && dyn(device)["driver"] == device.driver',
    ],
)
def test_names_without_a_domain_are_the_drivers_own(expression: str) -> None:
    assert ask(expression) is True


@pytest.mark.parametrize(
    ("expression", "answer"),
    [
        ('device.attributes["no.such"].size() == 0', True),
        ('device.attributes["no.such"] == {}', True),
        ('device.attributes[?"no.such"].hasValue()', True),
        ('"no.such" in device.attributes', False),
        ('device.attributes["no.such"].x == 1', "no such key: x"),
        ('device.capacity["no.such"]["x"] == quantity("1")', "no such key: x"),
        ("attr.nope == 1", "no such key: nope"),
        ('attr.?nope.orValue("none") == "none"', True),
    ],
)
def test_an_unknown_domain_is_empty_and_an_unknown_id_is_an_error(
    expression: str, answer: bool | str
) -> None:
    assert ask(expression) == answer


@pytest.mark.parametrize(
    ("attribute", "expression"),
    [
        (DeviceAttribute(string="a"), "attr.it == 'a'"),
        (DeviceAttribute(int_value=-1), "attr.it == -1"),
        (DeviceAttribute(bool_value=False), "!attr.it"),
        (DeviceAttribute(version="1.2.3"), "attr.it == semver('1.2.3')"),
        (DeviceAttribute(strings=("a", "b")), "attr.it == ['a', 'b']"),
        (DeviceAttribute(ints=(1, 2)), "attr.it == [1, 2]"),
        (DeviceAttribute(bools=(True,)), "attr.it == [true]"),
        (DeviceAttribute(versions=("1.0.0", "2.0.0")), "attr.it[1].isGreaterThan(attr.it[0])"),
    ],
)
def test_every_kind_of_attribute_has_its_value(attribute: DeviceAttribute, expression: str) -> None:
    assert ask(expression, a_device(attribute)) is True


def test_an_attribute_without_a_value_fails_even_if_unused() -> None:
    assert (
        ask("device.driver != ''", a_device(DeviceAttribute())) == "attribute it: unsupported attribute value"
    )


def test_a_version_that_is_none_fails_even_if_unused() -> None:
    message = ask("device.driver != ''", a_device(DeviceAttribute(version="v1")))
    assert isinstance(message, str)
    assert message.startswith("attribute it: parse semantic version: 'v1'")


def test_only_a_bool_selects() -> None:
    assert ask("attr.healthy") is True
    assert ask("attr.productName") == (
        "CEL result of type string could not be converted to bool:"
        " type conversion error from string to 'bool'"
    )


def test_the_same_object_under_another_driver_is_seen_anew() -> None:
    own = program(f'device.attributes["{DRIVER}"].index == 3')
    assert own.matches(GPU, DRIVER) is True
    assert own.matches(GPU, "other.example.com") is not True
    assert own.matches(GPU, DRIVER) is True


def test_more_devices_than_are_remembered_are_still_seen_right() -> None:
    compiled = program("cap.memory.isGreaterThan(quantity('4095'))")
    devices = [
        Device(name=DeviceName(f"gpu-{n}"), capacity={"memory": DeviceCapacity(value=Quantity(n))})
        for n in range(9000)
    ]
    answers = [compiled.matches(device, DRIVER) for device in devices]
    assert answers == [n > 4095 for n in range(9000)]


def test_a_device_that_may_be_shared_says_so() -> None:
    shared = Device(name=DeviceName("gpu-0"), allow_multiple_allocations=True)
    assert ask("device.allowMultipleAllocations", shared) is True


def test_a_false_part_is_quoted_with_its_brackets() -> None:
    found = compile_selector("device.driver != '' && !(device.driver == 'gpu.example.com')")
    assert isinstance(found, Program)
    device = Device(name=DeviceName("d"))
    assert found.false_part(device, "gpu.example.com") == "!(device.driver == 'gpu.example.com')"


WAYS = (
    f'device.attributes["{DRIVER}"]',
    f"device . attributes [ '{DRIVER}' ]",
    f'(device).attributes["{DRIVER}"]',
    f'(device.attributes)["{DRIVER}"]',
    f'.device.attributes[("{DRIVER}")]',
    f'device["attributes"]["{DRIVER}"]',
)


@pytest.mark.parametrize("domain", WAYS[:-1])
def test_however_it_is_written_it_is_read_and_costs_the_same(domain: str) -> None:
    for expression in (f"{domain}.index == 3", f"{domain}['index'] == 3", f"has({domain}.index)"):
        plain, other = program(expression.replace(domain, WAYS[0])), program(expression)
        assert other.matches(GPU, DRIVER) is True
        assert other.cost(GPU, DRIVER) == plain.cost(GPU, DRIVER)
        assert (other.max_cost, other.reads) == (plain.max_cost, plain.reads)


def test_a_field_of_the_device_is_no_key() -> None:
    fault = compile_selector(f"{WAYS[-1]}.index == 3")
    assert "no matching overload" in getattr(fault, "message", "")


@pytest.mark.parametrize(
    "expression",
    [
        '[{"attributes": {"x": {"index": 9}}}].all(device, device.attributes["x"].index == 9)',
        'cel.bind(device, {"capacity": {"x": {"y": 9}}}, device.capacity["x"]["y"] == 9)',
        'optional.of({"attributes": {"x": {"y": 9}}}).optMap(device, device.attributes["x"].y).value() == 9',
        '{"driver": 9}.transformMap(i, device, device).driver == 9',
        'cel.bind(device, {"driver": 9}, device.driver == 9)',
    ],
)
def test_a_variable_may_be_called_device(expression: str) -> None:
    assert ask(expression) is True


def test_an_id_with_a_slash_is_nobodys() -> None:
    device = Device(name=DeviceName("gpu-0"), attributes={"a/b/c": DeviceAttribute(int_value=1)})
    assert ask('device.attributes["a/b"].c == 1', device) is True
    assert ask('device.attributes["a"]["b/c"] == 1', device) == "no such key: b/c"


def test_of_a_name_published_twice_the_last_counts() -> None:
    one, two = DeviceAttribute(int_value=1), DeviceAttribute(int_value=2)
    for attributes, last in (({"it": one, f"{DRIVER}/it": two}, 2), ({f"{DRIVER}/it": two, "it": one}, 1)):
        device = Device(name=DeviceName("gpu-0"), attributes=attributes)
        assert ask(f"attr.it == {last}", device) is True
        assert ask(f"device.attributes.all(d, device.attributes[d] == {{'it': {last}}})", device) is True
