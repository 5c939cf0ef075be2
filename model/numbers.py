"""DynamoDB's Number: an exact decimal of up to 38 significant digits, carried as text.

Magnitudes run from 1E-130 to 9.9999999999999999999999999999999999999E+125 (AWS developer guide, "Constraints",
data types). The canonical text is the one that AWS returns: plain decimal notation without exponent, plus
sign, leading or trailing zeros; so two numbers are equal exactly when their canonical texts are.

Encoded form, whose byte order is the numbers' order:

    negative   01, then everything below inverted
    zero       02
    positive   03, exponent of the first significant digit + 130 in one byte, the significant digits as one
               nibble each (digit + 1), then one or two zero nibbles that fill the last byte

The zero nibble ends the digits and sorts before every digit, so no encoded number is a prefix of another.
"""

from __future__ import annotations

import re
from decimal import Context, Decimal, Inexact

from kvorum.model.errors import ApiError
from kvorum.model.faults import ValueFault
from kvorum.model.limits import NUMBER_DIGITS_MAX

EXPONENT_MAX = 125
EXPONENT_MIN = -130

_TEXT = re.compile(r"([+-]?)([0-9]*)(?:\.([0-9]*))?(?:[eE]([+-]?)([0-9]+))?")
_EXPONENT_DIGITS_MAX = 19  # AWS reads exponents as 64-bit integers; more digits cannot be one
_INT64_MAX = 2**63 - 1
_INT32_MAX = 2**31 - 1

# Wide enough for the exact sum of the largest and the smallest number.
_EXACT = Context(prec=EXPONENT_MAX - EXPONENT_MIN + 4, traps=[Inexact])

_TOO_PRECISE = "Attempting to store more than 38 significant digits in a Number"
_TOO_LARGE = "Number overflow. Attempting to store a number with magnitude larger than supported range"

_ZERO = b"\x02"
_DIGITS = "0123456789"
_POSITIVE_NIBBLES = str.maketrans(_DIGITS, "123456789a")
_NEGATIVE_NIBBLES = str.maketrans(_DIGITS, "edcba98765")
_FROM_POSITIVE = str.maketrans("123456789a", _DIGITS)
_FROM_NEGATIVE = str.maketrans("edcba98765", _DIGITS)


def canonical(text: str) -> str:
    """The form that AWS stores and returns. Raises ValidationException for what is not a number, or lies
    outside the range, or has more than 38 significant digits.

    >>> canonical("+1.50E+3"), canonical("-0.0"), canonical("007")
    ('1500', '0', '7')
    """
    if text.isdigit() and len(text) <= NUMBER_DIGITS_MAX and text[0] != "0" and text.isascii():
        return text
    return "0" if text == "0" else _canonical(text)


def _canonical(text: str, too_precise: str = _TOO_PRECISE) -> str:
    match = _TEXT.fullmatch(text)
    if match is None:
        raise _not_a_number(text)
    sign, integer, fraction, exponent_sign, exponent_digits = match.groups(default="")
    written = integer + fraction
    exponent_digits = exponent_digits.lstrip("0")
    if not written or len(exponent_digits) > _EXPONENT_DIGITS_MAX:
        raise _not_a_number(text)
    exponent = int(exponent_digits or "0")
    if exponent > _INT64_MAX:
        raise _not_a_number(text)
    if exponent_sign == "-":
        exponent = -exponent
    scale = len(fraction) - exponent
    significant = written.lstrip("0")
    # Zero is held to the range by the exponent that it is written with.
    magnitude = (len(significant) or 1) - scale
    if not EXPONENT_MIN < magnitude <= EXPONENT_MAX + 1:
        raise _out_of_range(text, magnitude, (exponent, scale))
    digits = significant.rstrip("0")
    if not digits:
        return "0"
    if len(digits) > NUMBER_DIGITS_MAX:
        raise ValueFault(too_precise)
    return _write("-" if sign == "-" else "", digits, magnitude)


def _not_a_number(text: str) -> ApiError:
    problem = "The parameter cannot be converted to a numeric value"
    return ValueFault(f"{problem}: {text}", None if text else problem)


def _out_of_range(text: str, magnitude: int, read: tuple[int, int]) -> ApiError:
    """`magnitude`: digits in front of the point. `read`: the exponent, and digits behind the point. The older
    validation has 32 bits for each of them: it does not read what needs more, and the magnitude wraps."""
    older = _not_a_number(text).message
    if all(-_INT32_MAX - 1 <= number <= _INT32_MAX for number in read):
        older = _range_problem((magnitude + _INT32_MAX + 1) % (1 << 32) - _INT32_MAX - 1)
    return ValueFault(_range_problem(magnitude), older)


def _range_problem(magnitude: int) -> str:
    if magnitude > 0:
        return _TOO_LARGE
    return "Number underflow. Attempting to store a number with magnitude smaller than supported range"


def _write(sign: str, digits: str, point: int) -> str:
    """Plain notation of 0.`digits` × 10^`point`."""
    if point <= 0:
        return f"{sign}0.{'0' * -point}{digits}"
    if point >= len(digits):
        return sign + digits + "0" * (point - len(digits))
    return f"{sign}{digits[:point]}.{digits[point:]}"


def _significant(magnitude: str) -> tuple[str, int]:
    """The inverse of `_write` for a canonical number without its sign."""
    if "." not in magnitude:
        return magnitude.rstrip("0"), len(magnitude)
    integer, _, fraction = magnitude.partition(".")
    if integer != "0":
        return integer + fraction, len(integer)
    digits = fraction.lstrip("0")
    return digits, len(digits) - len(fraction)


def to_decimal(text: str) -> Decimal:
    """Exact. `text`: a canonical number, as for every function below."""
    return Decimal(text)


def compare(a: str, b: str) -> int:
    """-1, 0 or 1 as a is less than, equal to or greater than b."""
    if a == b:
        return 0
    return -1 if Decimal(a) < Decimal(b) else 1


def add(a: str, b: str) -> str:
    """a + b, canonical. Raises ValidationException when DynamoDB cannot hold the exact sum."""
    if "." in a or "." in b:
        return _calculated(format(_EXACT.add(Decimal(a), Decimal(b)), "f"))
    return _calculated(str(int(a) + int(b)))


def subtract(a: str, b: str) -> str:
    """a - b, canonical. Raises ValidationException when DynamoDB cannot hold the exact difference."""
    if "." in a or "." in b:
        return _calculated(format(_EXACT.subtract(Decimal(a), Decimal(b)), "f"))
    return _calculated(str(int(a) - int(b)))


def _calculated(text: str) -> str:
    """Of a result with too many digits, too, AWS says that it is too large (ScyllaDB's tests of Alternator)."""
    if text.isdigit() and len(text) <= NUMBER_DIGITS_MAX:
        return text
    return _canonical(text, _TOO_LARGE)


def encode(text: str) -> bytes:
    """a < b as numbers exactly when encode(a) < encode(b) as bytes; self-delimiting. 4 to 22 bytes, 1 for 0."""
    if text == "0":
        return _ZERO
    if text[0] != "-":
        digits, point = _significant(text)
        end = "0" if len(digits) & 1 else "00"
        return bytes.fromhex(f"03{point - 1 - EXPONENT_MIN:02x}{digits.translate(_POSITIVE_NIBBLES)}{end}")
    digits, point = _significant(text[1:])
    end = "f" if len(digits) & 1 else "ff"
    return bytes.fromhex(f"01{EXPONENT_MAX - point + 1:02x}{digits.translate(_NEGATIVE_NIBBLES)}{end}")


def hashed(text: str) -> bytes:
    """What AWS hashes of a canonical number: Oracle's NUMBER, one byte for the exponent and one for each base-100 digit,
    and a last one for a negative of fewer than 20 (dynalite's tests)."""
    if text == "0":
        return b"\x80"
    negative = text[0] == "-"
    digits, point = _significant(text[1:] if negative else text)
    if point & 1:
        digits, point = "0" + digits, point + 1
    if len(digits) & 1:
        digits += "0"
    exponent = point // 2 + 192
    pairs = [int(digits[place : place + 2]) for place in range(0, len(digits), 2)]
    if not negative:
        return bytes([exponent, *[pair + 1 for pair in pairs]])
    return bytes([255 - exponent, *[101 - pair for pair in pairs], *([102] if len(pairs) < 20 else [])])


def decode(data: bytes) -> str:
    """The canonical number that `encode` wrote as exactly `data`."""
    if data == _ZERO:
        return "0"
    nibbles = data[2:].hex()
    if data[0] == 3:
        digits = nibbles.rstrip("0").translate(_FROM_POSITIVE)
        return _write("", digits, data[1] + EXPONENT_MIN + 1)
    digits = nibbles.rstrip("f").translate(_FROM_NEGATIVE)
    return _write("-", digits, EXPONENT_MAX - data[1] + 1)


def encoded_end(data: bytes, start: int) -> int:
    """Where the encoded number that begins at `start` ends."""
    if data[start] == _ZERO[0]:
        return start + 1
    terminator = 0x0 if data[start] == 3 else 0xF
    position = start + 2
    while data[position] & 0xF != terminator:
        position += 1
    return position + 1


def size(text: str) -> int:
    """Bytes as AWS counts a number: one, one for each base-100 digit (pairs are aligned at the decimal point;
    zero pairs at either end do not count), and one for a minus sign.

    The developer guide ("DynamoDB item sizes and formats") only approximates. This rule gives what was
    measured at the 400 KB limit: 1 for 0, 2 for 12, 3 for 123, 1.5 and -42, 4 for 100.5, 5 for 3.14159.
    """
    if text.isdigit():
        if text == "0":
            return 1
        length = len(text)
        return 1 + (length + 1) // 2 - (length - len(text.rstrip("0"))) // 2
    if text[0] == "-":
        return 1 + size(text[1:])
    digits, point = _significant(text)
    return 1 + (point + 1) // 2 - (point - len(digits)) // 2
