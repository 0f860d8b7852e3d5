"""Semantic versions: the grammar and the precedence of semver 2.0.0."""

from __future__ import annotations

from itertools import combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from slicewire.common.model.semver import BadSemver, Semver

# Section 11 of the specification, and what its rules imply.
IN_ORDER = (
    "0.0.0-0",
    "0.0.0",
    "0.0.1",
    "0.1.0",
    "1.0.0-0",
    "1.0.0-2",
    "1.0.0-10",
    "1.0.0-10.1",
    "1.0.0--",
    "1.0.0-10a",
    "1.0.0-Alpha",
    "1.0.0-alpha",
    "1.0.0-alpha.1",
    "1.0.0-alpha.1.0",
    "1.0.0-alpha.beta",
    "1.0.0-beta",
    "1.0.0-beta.2",
    "1.0.0-beta.11",
    "1.0.0-rc.1",
    "1.0.0",
    "1.0.1",
    "1.2.0",
    "1.10.0",
    "2.0.0",
    "2.1.0",
    "2.1.1",
    "10.0.0",
    "18446744073709551615.0.0",
)
identifiers = st.from_regex(r"0|[1-9][0-9]{0,8}|[0-9]{0,3}[A-Za-z-][0-9A-Za-z-]{0,5}", fullmatch=True)
dotted = st.lists(identifiers, min_size=1, max_size=4).map(".".join)


def test_the_precedence_of_the_specification() -> None:
    for lower, higher in combinations(IN_ORDER, 2):
        assert Semver(lower) < Semver(higher), (lower, higher)
        assert not Semver(higher) < Semver(lower), (lower, higher)
        assert Semver(lower) != Semver(higher), (lower, higher)


@given(dotted)
def test_a_prerelease_is_below_its_release_and_above_the_release_before(prerelease: str) -> None:
    assert Semver("1.2.2") < Semver(f"1.2.3-{prerelease}") < Semver("1.2.3")


@given(dotted, dotted)
def test_build_metadata_has_no_weight(left: str, right: str) -> None:
    assert Semver(f"1.0.0+{left}") == Semver(f"1.0.0+{right}") == Semver("1.0.0")
    assert hash(Semver(f"1.0.0-rc.1+{left}")) == hash(Semver("1.0.0-rc.1"))


def test_build_metadata_may_begin_with_zeros() -> None:
    assert Semver("1.0.0+001.-").text == "1.0.0+001.-"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "1",
        "1.2",
        "1.2.3.4",
        "v1.2.3",
        " 1.2.3",
        "1.2.3 ",
        "1.2.3\n",
        "01.2.3",
        "1.02.3",
        "1.2.03",
        "1.2.3-",
        "1.2.3+",
        "1.2.3-01",
        "1.2.3-a..b",
        "1.2.3-a_b",
        "1.2.3+a+b",
        "-1.2.3",
        "1.2.x",
        "1.2.3-\u00e9",
        "1\u0660.0.0",
        "\u0661.0.0",
        "1.0.0-1\u0660",
    ],
)
def test_a_text_that_is_no_semantic_version_is_named(text: str) -> None:
    with pytest.raises(BadSemver, match="is not a semantic version") as caught:
        Semver(text)
    assert repr(text) in str(caught.value)


@pytest.mark.parametrize("place", ["{}.0.0", "0.{}.0", "0.0.{}", "0.0.0-{}", "0.0.0-rc.{}"])
@pytest.mark.parametrize("number", [str(2**64), "9" * 20, "1" * 21, "1" * 5000])
def test_a_number_above_64_bits_is_refused_wherever_it_stands(place: str, number: str) -> None:
    with pytest.raises(BadSemver, match="above 18446744073709551615"):
        Semver(place.format(number))


@pytest.mark.parametrize("place", ["{}.0.0", "0.{}.0", "0.0.{}", "0.0.0-{}"])
def test_the_largest_number_is_one_of_64_bits(place: str) -> None:
    assert Semver(place.format(2**64 - 1)).text == place.format(2**64 - 1)


@pytest.mark.parametrize(
    ("text", "normal"),
    [
        ("v1", "1.0.0"),
        ("1.2", "1.2.0"),
        ("570.01", "570.1.0"),
        ("570.133.20", "570.133.20"),
        ("000.00.0", "0.0.0"),
        ("v12.08.01-rc.1+b7", "12.8.1-rc.1+b7"),
    ],
)
def test_a_loose_version_is_made_a_semantic_one(text: str, normal: str) -> None:
    assert Semver.normalized(text).text == normal


@pytest.mark.parametrize("text", ["", "v", "vv1", "1.2.3.4", "one", "1..2", ".1", "1.2.3-", "\u0661.2"])
def test_what_cannot_be_made_one_is_refused(text: str) -> None:
    with pytest.raises(BadSemver):
        Semver.normalized(text)


@pytest.mark.parametrize("text", ["1" * 5000, "1." + "2" * 5000])
def test_a_loose_version_with_thousands_of_digits_is_refused_in_our_words(text: str) -> None:
    with pytest.raises(BadSemver, match="above"):
        Semver.normalized(text)


def test_a_version_tells_its_parts_and_its_text() -> None:
    version = Semver("12.8.1-rc.1+b7")
    assert (version.major, version.minor, version.patch) == (12, 8, 1)
    assert (str(version), repr(version)) == ("12.8.1-rc.1+b7", "Semver('12.8.1-rc.1+b7')")


def test_a_version_is_not_equal_to_its_text() -> None:
    assert Semver("1.0.0") != "1.0.0"
