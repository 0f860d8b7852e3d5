"""IP addresses and CIDR ranges. No zones, and no IPv4 hidden in IPv6."""

from __future__ import annotations

import ipaddress
import math
import re
from collections.abc import Callable
from typing import Any

from slicewire.allocator.core.cel.cost.prices import NOMINAL, Estimate, Operand, Price, fixed, traversal
from slicewire.allocator.core.cel.cost.ranges import PER_CHARACTER, saturated, scaled
from slicewire.allocator.core.cel.faults import Failed
from slicewire.allocator.core.cel.overload import Overload, overload
from slicewire.allocator.core.cel.values import register, size_of

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Interface | ipaddress.IPv6Interface

register(ipaddress.IPv4Address, "net.IP")
register(ipaddress.IPv6Address, "net.IP")
register(ipaddress.IPv4Interface, "net.CIDR")
register(ipaddress.IPv6Interface, "net.CIDR")

_PREFIX = re.compile(r"[^/]+/(?:0|[1-9][0-9]{0,2})")
_ADDRESS_BYTES = 16


def _address(text: str) -> Address:
    if "%" in text:
        raise Failed(f"IP address {text!r} with zone value is not allowed")
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        raise Failed(f"IP Address {text!r} parse error during conversion from string") from None
    if address.version == 6 and address.ipv4_mapped is not None:
        raise Failed(f"IPv4-mapped IPv6 address {text!r} is not allowed")
    return address


def _network(text: str) -> Network:
    if not _PREFIX.fullmatch(text) or "%" in text:
        raise Failed(f"network address parse error during conversion from string: {text!r}")
    try:
        network = ipaddress.ip_interface(text)
    except ValueError:
        raise Failed(f"network address parse error during conversion from string: {text!r}") from None
    if network.version == 6 and network.ip.ipv4_mapped is not None:
        raise Failed(f"IPv4-mapped IPv6 address {text!r} is not allowed")
    return network


def _readable(parse: Callable[[str], Any]) -> Callable[[str], bool]:
    def run(text: str) -> bool:
        try:
            parse(text)
        except Failed:
            return False
        return True

    return run


def _contains_address(network: Network, address: Address) -> bool:
    return network.version == address.version and address in network.network


def _contains_network(network: Network, inner: Network) -> bool:
    return (
        network.version == inner.version
        and network.network.prefixlen <= inner.network.prefixlen
        and inner.ip in network.network
    )


def _is_global_unicast(address: Address) -> bool:
    """As Go: everything but unspecified, loopback, multicast, link-local and the IPv4 broadcast address."""
    return not (
        address.is_unspecified
        or address.is_loopback
        or address.is_multicast
        or _is_link_local_unicast(address)
        or address == ipaddress.IPv4Address(2**32 - 1)
    )


_LINK_LOCAL = (ipaddress.ip_network("169.254.0.0/16"), ipaddress.ip_network("fe80::/10"))
_LINK_LOCAL_MULTICAST = ipaddress.ip_network("224.0.0.0/24")


def _is_link_local_unicast(address: Address) -> bool:
    return any(address.version == network.version and address in network for network in _LINK_LOCAL)


def _is_link_local_multicast(address: Address) -> bool:
    if address.version == 4:
        return address in _LINK_LOCAL_MULTICAST
    return address.packed[0] == 0xFF and address.packed[1] & 0x0F == 0x02


def _is_canonical(text: str) -> bool:
    return str(_address(text)) == text


def _containment(*, network: bool, text: bool) -> Price:
    """Comparing addresses byte by byte, once more for a network, after reading the text if it is one."""

    def price(size: int, inner: int) -> int:
        cost = scaled(2 * size, PER_CHARACTER)
        cost += scaled(size, PER_CHARACTER) + 1 if network else 0
        return saturated(cost + (scaled(inner, PER_CHARACTER) if text else 0))

    def estimate(operands: tuple[Operand, ...]) -> Estimate:
        return Estimate(price(_ADDRESS_BYTES, operands[1].size.most))

    def charge(values: tuple[Any, ...], _: Any) -> int:
        return price(math.ceil(values[0].network.prefixlen / 8), size_of(values[1]))

    return Price(estimate, charge)


_PREDICATES: dict[str, Callable[[Any], bool]] = {
    "isUnspecified": lambda address: address.is_unspecified,
    "isLoopback": lambda address: address.is_loopback,
    "isLinkLocalMulticast": _is_link_local_multicast,
    "isLinkLocalUnicast": _is_link_local_unicast,
    "isGlobalUnicast": _is_global_unicast,
}


def _containing() -> tuple[Overload, ...]:
    return (
        overload(
            "Cidr.containsIP(string) -> bool",
            lambda network, text: _contains_address(network, _address(text)),
            _containment(network=False, text=True),
        ),
        overload("Cidr.containsIP(Ip) -> bool", _contains_address, _containment(network=False, text=False)),
        overload(
            "Cidr.containsCIDR(string) -> bool",
            lambda network, text: _contains_network(network, _network(text)),
            _containment(network=True, text=True),
        ),
        overload(
            "Cidr.containsCIDR(Cidr) -> bool", _contains_network, _containment(network=True, text=False)
        ),
    )


def _masked(network: Network) -> Network:
    return ipaddress.ip_interface(network.network)


OVERLOADS = (
    overload("ip(string) -> Ip", _address, traversal()),
    overload("isIP(string) -> bool", _readable(_address), traversal()),
    overload("ip.isCanonical(string) -> bool", _is_canonical, traversal(times=2)),
    overload("Ip.family() -> int", lambda address: address.version),
    *(overload(f"Ip.{name}() -> bool", run) for name, run in _PREDICATES.items()),
    overload("string(Ip) -> string", str, NOMINAL),
    overload("cidr(string) -> Cidr", _network, traversal()),
    overload("isCIDR(string) -> bool", _readable(_network), traversal()),
    overload("Cidr.ip() -> Ip", lambda network: network.ip, fixed(1)),
    overload("Cidr.prefixLength() -> int", lambda network: network.network.prefixlen),
    overload("Cidr.masked() -> Cidr", _masked),
    overload("string(Cidr) -> string", str, NOMINAL),
    *_containing(),
)
