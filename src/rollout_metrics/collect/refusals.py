"""What vendors say when they refuse, in the several shapes their errors have."""

from collections.abc import Iterator
from typing import Any

import msgspec

WORDS = ("error", "errorCode", "code", "error_description", "description", "message", "policyName")
INNER = ("error", "errors")


def said(body: bytes) -> str:
    """The vendor's own words, on one line; nothing where the body is not one of the usual errors."""
    try:
        read = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return ""
    return " ".join(" ".join(_words(read)).split())


def _words(read: Any, depth: int = 0) -> Iterator[str]:
    """The words of an error object, or of the first one in a list, or of the one within."""
    if isinstance(read, list):
        read = read[0] if read else None
    if not isinstance(read, dict) or depth > 2:
        return
    for key in WORDS:
        if isinstance(read.get(key), str):
            yield read[key]
    for key in INNER:
        yield from _words(read.get(key), depth + 1)
