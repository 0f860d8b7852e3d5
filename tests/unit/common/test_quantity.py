"""Quantities: every notation Kubernetes has, and never a digit lost."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from slicewire.common.model.quantity import BadQuantity, Quantity, canonical

NANO = 10**9
amounts = st.integers(-(10**40), 10**40).map(lambda nanos: Fraction(nanos, NANO))


@pytest.mark.parametrize(
    ("text", "amount"),
    [
        ("0", 0),
        ("-0", 0),
        ("+7", 7),
        ("007", 7),
        ("5.", 5),
        (".5", Fraction(1, 2)),
        ("-1.5", Fraction(-3, 2)),
        ("1Ki", 1024),
        ("1Mi", 1024**2),
        ("40Gi", 40 * 1024**3),
        ("1Ti", 1024**4),
        ("1Pi", 1024**5),
        ("1Ei", 1024**6),
        ("0.5Ki", 512),
        ("1k", 1000),
        ("1M", 10**6),
        ("1G", 10**9),
        ("1T", 10**12),
        ("1P", 10**15),
        ("1E", 10**18),
        ("100m", Fraction(1, 10)),
        ("1u", Fraction(1, 10**6)),
        ("1n", Fraction(1, NANO)),
        ("1e3", 1000),
        ("1E3", 1000),
        ("1e+3", 1000),
        ("25E-2", Fraction(1, 4)),
        ("9223372036854775808", 2**63),
    ],
)
def test_a_notation_has_its_exact_amount(text: str, amount: int | Fraction) -> None:
    assert Quantity(text).value == amount


def test_a_whole_amount_is_an_int_and_a_broken_one_a_fraction() -> None:
    assert type(Quantity("1.50Ki").value) is int
    assert type(Quantity("0.5").value) is Fraction


def test_what_a_float_would_lose_is_kept() -> None:
    assert Quantity("9007199254740993").value == 2**53 + 1
    assert Quantity("0.1").value + Quantity("0.2").value == Quantity("0.3").value


@pytest.mark.parametrize(
    "text",
    [
        "",
        " ",
        "1 Gi",
        " 1",
        "1\n",
        "Gi",
        ".",
        "-",
        "+-1",
        "1K",
        "1gi",
        "1mi",
        "1KI",
        "1e",
        "1e1.5",
        "1e3Ki",
        "1_000",
        "1,5",
        "0x10",
        "NaN",
        "inf",
        "--1",
        "1Kii",
        "1e1000",
        "\u0661Gi",
        "\uff11",
        "1\u00b2",
    ],
)
def test_a_text_that_is_no_quantity_is_named(text: str) -> None:
    with pytest.raises(BadQuantity, match="is not a quantity") as caught:
        Quantity(text)
    assert repr(text) in str(caught.value)


def test_true_is_no_quantity() -> None:
    with pytest.raises(BadQuantity, match="'True'"):
        Quantity(True)


@pytest.mark.parametrize("text", ["9" * 5000, "1" + "0" * 100_000, "0." + "0" * 5000 + "1"])
def test_a_text_of_thousands_of_digits_is_refused_in_our_words_and_not_repeated_whole(text: str) -> None:
    with pytest.raises(BadQuantity, match="longer than 1024 characters") as caught:
        Quantity(text)
    assert len(str(caught.value)) < 100


@pytest.mark.parametrize(
    ("text", "nanos"),
    [("0.1n", 1), ("1.1n", 2), ("-0.1n", -1), ("-1.1n", -2), ("1e-12", 1), ("0.0000000011", 2), ("1n", 1)],
)
def test_finer_than_a_nano_is_rounded_away_from_zero(text: str, nanos: int) -> None:
    assert Quantity(text).value == Fraction(nanos, NANO)


@given(st.fractions(min_value=-(10**12), max_value=10**12, max_denominator=10**15))
def test_rounding_moves_a_value_by_less_than_a_nano_and_never_toward_zero(exact: Fraction) -> None:
    scaled = exact * 10**15
    shown = Fraction(int(scaled), 10**15)
    rounded = Fraction(Quantity(f"{int(scaled)}e-15").value)
    assert abs(shown) <= abs(rounded) < abs(shown) + Fraction(1, NANO)


@given(amounts)
def test_an_amount_written_canonically_reads_as_the_same_amount(amount: Fraction) -> None:
    written = Quantity.of(amount)
    assert Quantity(written.text).value == amount
    assert Quantity(written.text) == written


@given(amounts)
def test_canonical_text_does_not_change_when_it_is_read_and_written_again(amount: Fraction) -> None:
    once = canonical(amount)
    assert canonical(Quantity(once).value) == once


@given(amounts, amounts)
def test_quantities_are_ordered_as_their_amounts_are(left: Fraction, right: Fraction) -> None:
    a, b = Quantity.of(left), Quantity.of(right)
    assert (a < b, a <= b, a == b, a > b, a >= b) == (
        left < right,
        left <= right,
        left == right,
        left > right,
        left >= right,
    )


@pytest.mark.parametrize(
    ("amount", "text"),
    [
        (0, "0"),
        (1, "1"),
        (1023, "1023"),
        (1024, "1Ki"),
        (-1024, "-1Ki"),
        (80 * 1024**3, "80Gi"),
        (3 * 1024**6, "3Ei"),
        (1000, "1000"),
        (Fraction(1, 10), "100m"),
        (Fraction(-3, 2), "-1500m"),
        (Fraction(1, NANO), "1n"),
        (Fraction(8, 4), "2"),
    ],
)
def test_the_canonical_text(amount: int | Fraction, text: str) -> None:
    assert Quantity.of(amount).text == text


def test_an_amount_finer_than_a_nano_is_a_bug_and_never_written_as_another_amount() -> None:
    with pytest.raises(AssertionError, match="finer than a nano"):
        Quantity.of(Fraction(1, 3))


def test_equal_amounts_are_equal_whatever_the_notation_and_keep_their_own_words() -> None:
    assert Quantity("1Ki") == Quantity("1024") == Quantity(1024) == Quantity("1.024k")
    assert len({Quantity("1Ki"), Quantity("1024"), Quantity("1024000m")}) == 1
    assert str(Quantity("1.024k")) == "1.024k"
    assert repr(Quantity("1Ki")) == "Quantity('1Ki')"


def test_a_quantity_is_not_equal_to_a_number() -> None:
    assert Quantity("1") != 1
