"""Kubernetes' own types: quantities and versions, addresses and URLs, formats."""

from __future__ import annotations

import pytest

from tests.unit.allocator.cel.asking import ask


@pytest.mark.parametrize(
    ("expression", "answer"),
    [
        ("cap.memory.isGreaterThan(quantity('79Gi')) && cap.memory.isLessThan(quantity('1Ti'))", True),
        (
            "cap.memory.compareTo(quantity('80Gi')) == 0 && quantity('1').compareTo(quantity('2')) == -1",
            True,
        ),
        ("cap.memory == quantity('81920Mi') && cap.memory != quantity('80G')", True),
        ("sign(quantity('-1')) == -1 && sign(quantity('0')) == 0 && sign(cap.memory) == 1", True),
        ("cap.memory.isInteger() && !cap.share.isInteger() && !quantity('100E').isInteger()", True),
        ("quantity('2k').asInteger() == 2000", True),
        ("cap.share.asInteger() == 1", "cannot convert value to integer"),
        ("cap.share.asApproximateFloat() == 1.5", True),
        (
            "quantity('1').add(quantity('500m')) == cap.share && quantity('1Ki').add(1) == quantity('1025')",
            True,
        ),
        (
            "quantity('2').sub(quantity('500m')) == cap.share && quantity('1Ki').sub(24) == quantity('1k')",
            True,
        ),
        ("isQuantity('1.5Gi') && !isQuantity('lots') && !isQuantity('')", True),
    ],
)
def test_quantities_are_exact(expression: str, answer: bool | str) -> None:
    assert ask(expression) == answer


def test_a_text_that_is_no_quantity_is_named() -> None:
    assert str(ask("quantity('lots') == quantity('1')")).startswith("cannot parse quantity: 'lots'")
    assert "longer than 1024" in str(
        ask(f"isQuantity('{'1' * 2000}') || quantity('{'1' * 2000}') == cap.memory")
    )


@pytest.mark.parametrize(
    "expression",
    [
        "attr.driverVersion.isGreaterThan(semver('570.86.2'))",
        "attr.driverVersion.isLessThan(semver('571.0.0'))",
        "attr.driverVersion == semver('570.86.15')",
        "attr.driverVersion.compareTo(semver('570.86.15+other.build')) == 0",
        "attr.driverVersion.major() == 570 && attr.driverVersion.minor() == 86",
        "attr.driverVersion.patch() == 15",
        "semver('1.0.0-rc.1').isLessThan(semver('1.0.0'))",
        "semver('1.0.0-2').isLessThan(semver('1.0.0-10'))",
        "semver('v1.02', true) == semver('1.2.0') && semver('570.05.01', true) == semver('570.5.1')",
        "isSemver('1.2.3') && !isSemver('v1.2.3') && isSemver('v1', true) && !isSemver('1.2-rc', true)",
    ],
)
def test_versions_compare_by_precedence(expression: str) -> None:
    assert ask(expression) is True


@pytest.mark.parametrize("text", ["'1.0'", "'v1.0.0'", "'1.0.0-01', true", "'1-rc', true", "''"])
def test_a_text_that_is_no_version_is_refused(text: str) -> None:
    assert str(ask(f"semver({text}) == semver('1.0.0')")).startswith("cannot parse semantic version")


def test_a_part_of_a_version_beyond_an_int_is_an_error() -> None:
    assert ask("semver('9223372036854775808.0.0').major() > 0") == "integer overflow"


@pytest.mark.parametrize(
    "expression",
    [
        "ip('10.0.0.1').family() == 4 && ip('fd00::1').family() == 6",
        "ip('127.0.0.1').isLoopback() && ip('::').isUnspecified() && ip('169.254.0.1').isLinkLocalUnicast()",
        "ip('224.0.0.1').isLinkLocalMulticast() && ip('ff02::1').isLinkLocalMulticast()",
        "ip('10.0.0.1').isGlobalUnicast() && !ip('255.255.255.255').isGlobalUnicast()",
        "ip.isCanonical('fd00::1') && !ip.isCanonical('fd00:0::1')",
        "isIP('10.0.0.1') && !isIP('10.0.0') && !isIP('fe80::1%eth0') && !isIP('::ffff:10.0.0.1')",
        "string(ip('FD00::1')) == 'fd00::1' && ip('fd00::1') == ip('FD00:0::1')",
        "cidr('10.1.2.3/8').masked() == cidr('10.0.0.0/8') && cidr('10.1.2.3/8').ip() == ip('10.1.2.3')",
        "cidr('10.0.0.0/8').containsIP('10.9.9.9') && !cidr('10.0.0.0/8').containsIP(ip('11.0.0.1'))",
        "cidr('10.0.0.0/8').containsCIDR('10.1.0.0/16')",
        "!cidr('10.1.0.0/16').containsCIDR(cidr('10.0.0.0/8'))",
        "!cidr('10.0.0.0/8').containsIP('fd00::1') && cidr('fd00::/8').prefixLength() == 8",
        "isCIDR('10.0.0.0/8') && !isCIDR('10.0.0.0') && !isCIDR('10.0.0.0/33') && !isCIDR('10.0.0.0/08')",
        "string(cidr('10.0.0.0/8')) == '10.0.0.0/8'",
    ],
)
def test_addresses_and_networks(expression: str) -> None:
    assert ask(expression) is True


@pytest.mark.parametrize(
    "expression",
    [
        "url('https://me@gpu.example.com:8443/a%20b?q=1&q=2#top').getHost() == 'gpu.example.com:8443'",
        "url('https://gpu.example.com:8443/').getHostname() == 'gpu.example.com'",
        "url('https://gpu.example.com:8443/').getPort() == '8443' && url('https://x/').getPort() == ''",
        "url('https://[fd00::1]:80/').getHostname() == 'fd00::1' && url('HTTPS://x').getScheme() == 'https'",
        "url('https://x/a%20b?q').getEscapedPath() == '/a%20b' && url('/å').getEscapedPath() == '/%C3%A5'",
        "url('/?a=1&a=2&b=x+y').getQuery() == {'a': ['1', '2'], 'b': ['x y']}",
        "url('/?bad=%zz&c;d=1&ok').getQuery() == {'ok': ['']}",
        "isURL('/rel') && isURL('https://x') && !isURL('x') && !isURL('') && !isURL('https://a b/')",
        "!isURL('https://x:port/') && !isURL('/%zz') && url('/a') == url('/a')",
    ],
)
def test_urls_in_their_parts(expression: str) -> None:
    assert ask(expression) is True


@pytest.mark.parametrize(
    ("name", "good", "bad"),
    [
        ("dns1123Label", "gpu-0", "GPU"),
        ("dns1123Subdomain", "gpu.example.com", "gpu..com"),
        ("dns1035Label", "gpu-0", "0gpu"),
        ("qualifiedName", "gpu.example.com/model", "-/x"),
        ("dns1123LabelPrefix", "gpu-", "GPU-"),
        ("dns1123SubdomainPrefix", "gpu.a-", ".-"),
        ("dns1035LabelPrefix", "gpu-", "0-"),
        ("labelValue", "A_1", "_"),
        ("uri", "https://x/", "x"),
        ("uuid", "123e4567-e89b-12d3-a456-426614174000", "123"),
        ("byte", "aGk=", "a"),
        ("date", "2024-02-29", "2023-02-29"),
        ("datetime", "2024-02-29T01:02:03Z", "2024-02-29"),
    ],
)
def test_a_format_accepts_the_good_and_says_what_is_wrong_with_the_bad(
    name: str, good: str, bad: str
) -> None:
    assert ask(f"!format.{name}().validate('{good}').hasValue()") is True
    assert ask(f"format.named('{name}').value().validate('{bad}').value().all(why, why != '')") is True


def test_an_unknown_format_is_none() -> None:
    assert ask("!format.named('colour').hasValue() && format.uuid() == format.named('uuid').value()") is True
    assert ask(f"format.dns1123Label().validate('{'a' * 64}').value()[0].contains('63')") is True
