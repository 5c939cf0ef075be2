from __future__ import annotations

from decimal import ROUND_FLOOR, Context, Decimal, localcontext

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kvorum.model import numbers
from kvorum.model.errors import ApiError

OVERFLOW = "Number overflow. Attempting to store a number with magnitude larger than supported range"
UNDERFLOW = "Number underflow. Attempting to store a number with magnitude smaller than supported range"
TOO_PRECISE = "Attempting to store more than 38 significant digits in a Number"
NOT_A_NUMBER = "The parameter cannot be converted to a numeric value: "


@st.composite
def decimals(draw: st.DrawFn, digits_max: int = 38) -> Decimal:
    """Any number that DynamoDB can hold; near neighbours are likely."""
    if draw(st.integers(0, 9)) == 0:
        return Decimal(0)
    digits = draw(
        st.one_of(
            st.text("0123456789", min_size=1, max_size=digits_max), st.text("019", min_size=1, max_size=4)
        )
    )
    significand = digits.lstrip("0") or "1"
    exponent = draw(
        st.one_of(
            st.integers(-3, 3), st.integers(numbers.EXPONENT_MIN + len(significand), numbers.EXPONENT_MAX)
        )
    )
    sign = draw(st.sampled_from(("", "-")))
    return Decimal(f"{sign}{significand}E{exponent - len(significand) + 1}")


def canonical(value: Decimal) -> str:
    return numbers.canonical(str(value))


def refusal(text: str) -> str:
    with pytest.raises(ApiError) as caught:
        numbers.canonical(text)
    assert caught.value.code == "ValidationException"
    return caught.value.message


@given(decimals(), st.sampled_from(("{}", "{:E}", "{:f}", "{:+f}", "{:e}", "{:+E}")))
def test_canonical_keeps_the_value_and_does_not_depend_on_how_it_was_written(
    value: Decimal, notation: str
) -> None:
    text = numbers.canonical(notation.format(value))
    assert Decimal(text) == value
    assert text == canonical(value)
    assert numbers.canonical(text) == text


@given(decimals())
def test_canonical_is_plain_and_trimmed(value: Decimal) -> None:
    text = canonical(value)
    magnitude = text.removeprefix("-")
    assert set(magnitude) <= set("0123456789.")
    if "." in magnitude:
        assert not magnitude.endswith(("0", "."))
    if text != "0":
        assert not magnitude.startswith("0") or magnitude.startswith("0.")
    assert text != "-0"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1E+3", "1000"),
        ("1e3", "1000"),
        ("-0", "0"),
        ("-0.00E5", "0"),
        ("1.50", "1.5"),
        ("0042.1200", "42.12"),
        ("+5", "5"),
        ("5.", "5"),
        (".5", "0.5"),
        ("-.5e-0001", "-0.05"),
        ("0e125", "0"),
        ("0e-130", "0"),
        ("1E125", "1" + "0" * 125),
        ("1e-130", "0." + "0" * 129 + "1"),
        ("1" + "0" * 100, "1" + "0" * 100),
        ("9.9999999999999999999999999999999999999E+125", "9" * 38 + "0" * 88),
        ("0" * 500 + "7", "7"),
    ],
)
def test_canonical_examples(text: str, expected: str) -> None:
    assert numbers.canonical(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        *("", " 1", "1 ", "1\n", "abc", "1.2.3", "0x10", "1e", "e1", ".", "-", "+-1", "--1", "1_0", "NaN"),
        *("Infinity", "١", "²", "1e9223372036854775808", "1e" + "9" * 5000, "1e" + "0" * 400_000 + "x"),
    ],
)
def test_what_is_no_number_is_refused(text: str) -> None:
    assert refusal(text) == NOT_A_NUMBER + text


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("1e126", OVERFLOW),
        ("-1e126", OVERFLOW),
        ("1" + "0" * 126, OVERFLOW),
        ("1e2147483648", OVERFLOW),
        ("1e9223372036854775807", OVERFLOW),
        ("0e126", OVERFLOW),
        ("1e-131", UNDERFLOW),
        ("-1e-131", UNDERFLOW),
        ("1e-99999999999", UNDERFLOW),
        ("0e-131", UNDERFLOW),
        ("1" * 39, TOO_PRECISE),
        ("-1.23456789012345678901234567890123456789", TOO_PRECISE),
    ],
)
def test_what_dynamodb_cannot_hold_is_refused(text: str, message: str) -> None:
    assert refusal(text) == message


@given(decimals(), decimals())
def test_compare_agrees_with_decimal(a: Decimal, b: Decimal) -> None:
    assert numbers.compare(canonical(a), canonical(b)) == (a > b) - (a < b)


@given(decimals(), decimals())
def test_sums_are_exact_or_refused(a: Decimal, b: Decimal) -> None:
    with localcontext(Context(prec=600)):
        expected = {numbers.add: a + b, numbers.subtract: a - b}
    for operation, exact in expected.items():
        try:
            result = operation(canonical(a), canonical(b))
        except ApiError as error:
            expected_message = refusal(str(exact)).replace(TOO_PRECISE, OVERFLOW)
            assert error.message == expected_message  # noqa: PT017 - the other outcome is checked too
        else:
            assert Decimal(result) == exact
            assert result == canonical(exact)


@pytest.mark.parametrize("other", ["99" + "0" * 124, "1", "0.1"])
def test_a_sum_beyond_the_range_or_the_digits_overflows(other: str) -> None:
    for operation in (numbers.add, numbers.subtract):
        with pytest.raises(ApiError) as refused:
            operation("-99" + "0" * 124 if operation is numbers.subtract else "99" + "0" * 124, other)
        assert refused.value.message == OVERFLOW


@given(decimals(), decimals())
def test_encoding_keeps_the_order(a: Decimal, b: Decimal) -> None:
    first, second = numbers.encode(canonical(a)), numbers.encode(canonical(b))
    assert (first < second) == (a < b)
    assert (first == second) == (a == b)


@given(decimals(), decimals())
def test_no_encoded_number_is_a_prefix_of_another(a: Decimal, b: Decimal) -> None:
    if a != b:
        assert not numbers.encode(canonical(a)).startswith(numbers.encode(canonical(b)))


@given(decimals(), st.binary(max_size=4), st.binary(max_size=4))
def test_encoding_round_trips_and_knows_its_end(value: Decimal, before: bytes, behind: bytes) -> None:
    text = canonical(value)
    data = numbers.encode(text)
    assert numbers.decode(data) == text
    assert numbers.encoded_end(before + data + behind, len(before)) == len(before) + len(data)
    assert len(data) <= 22


def test_encoding_is_what_is_on_disk() -> None:
    texts = ("-10.5", "-1", "0", "0.01", "1", "10", "12345")
    encoded = [numbers.encode(text).hex() for text in texts]
    assert encoded == ["017cde9f", "017ddf", "02", "038020", "038220", "038320", "0386234560"]
    assert encoded == sorted(encoded)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        *(("0", 1), ("-0", 1), ("1", 2), ("12", 2), ("123", 3), ("1234", 3), ("0042", 2), ("100", 2)),
        *(("1010", 3), ("0.0000001", 2), ("1E125", 2), ("1E-100", 2), ("1.5", 3), ("15", 2), ("1.200", 3)),
        *(("1.234", 4), ("3.14159", 5), ("123456", 4), ("100.5", 4), ("0.15", 2), ("-42", 3)),
        ("12345678901234567890123456789012345678", 20),
    ],
)
def test_sizes_that_were_measured_on_aws(text: str, expected: int) -> None:
    assert numbers.size(numbers.canonical(text)) == expected


@given(decimals())
def test_size_counts_base_100_digits(value: Decimal) -> None:
    remaining = value.copy_abs()  # abs() would round to the default context's 28 digits
    pairs = 0
    with localcontext(Context(prec=600)):
        if remaining:
            while remaining == remaining.to_integral_value():
                remaining /= 100
            while remaining != remaining.to_integral_value():
                remaining *= 100
        while remaining:
            remaining = (remaining / 100).to_integral_value(ROUND_FLOOR)
            pairs += 1
    assert numbers.size(canonical(value)) == 1 + pairs + (value < 0)
