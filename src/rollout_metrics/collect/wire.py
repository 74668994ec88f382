"""Protobuf's wire format (protobuf.dev, encoding): the fields of a message one after the other; what nobody asks for is stepped over and never built."""

import struct
from collections.abc import Iterator

VARINT, FIXED64, LENGTH, FIXED32 = 0, 1, 2, 5
"""Wire types."""

Field = tuple[int, int, int]
"""The tag, and where in the data the value stands: first byte and end. Of a varint: the value, and the end."""


class WireError(ValueError):
    """This is no message in protobuf."""


def tag(number: int, kind: int) -> int:
    """A field's number and wire type, as they are written."""
    return number << 3 | kind


def fields(data: bytes, start: int, end: int) -> Iterator[Field]:
    """The fields of the message in `data[start:end]`. Raises `WireError` where there is none, or not whole."""
    at = start
    while at < end:
        key, at = (data[at], at + 1) if data[at] < 128 else _varint(data, at, end)
        kind = key & 7
        if key < 8:
            raise WireError("a field without a number")
        if kind == LENGTH:
            if at >= end:
                raise WireError("a field breaks off")
            size, at = (data[at], at + 1) if data[at] < 128 else _varint(data, at, end)
        elif kind == VARINT:
            value, at = _varint(data, at, end)
            yield key, value, at
            continue
        elif kind in (FIXED64, FIXED32):
            size = 8 if kind == FIXED64 else 4
        else:
            raise WireError(f"wire type {kind} is not used any more")
        if size > end - at:
            raise WireError("a field breaks off")
        yield key, at, at + size
        at += size


def signed(value: int) -> int:
    """A varint as a number of 64 bits with a sign."""
    value &= (1 << 64) - 1
    return value - (1 << 64) if value >> 63 else value


def unsigned64(data: bytes, start: int) -> int:
    """A whole number in eight bytes."""
    return int.from_bytes(data[start : start + 8], "little")


def double(data: bytes, start: int) -> float:
    """A floating-point number in eight bytes."""
    found: float = struct.unpack_from("<d", data, start)[0]
    return found


def _varint(data: bytes, at: int, end: int) -> tuple[int, int]:
    """A number of seven bits a byte, least first, and where it ends."""
    value = shift = 0
    while at < end and shift < 70:
        byte = data[at]
        at += 1
        value |= (byte & 127) << shift
        if byte < 128:
            return value, at
        shift += 7
    raise WireError("a number breaks off")
