"""What a person wrote, without what mail programs and ticketing systems put around it: quoted mail, reply markers, signatures, markup."""

import html
import re
from typing import Any

_TAGS = re.compile(r"<[^<>]{1,2000}>")
_INLINE = re.compile(r"</?(?:a|b|code|em|font|i|s|small|span|strong|u)\b[^<>]{0,2000}>", re.IGNORECASE)
_BREAKS = re.compile(r"<(?:br|/p|/div|/li)\b[^<>]{0,200}>", re.IGNORECASE)
_CUTS = re.compile(
    r"^(?:"
    r"-- ?$"  # signature, RFC 3676
    r"|_{5,}\s*$"
    r"|-{2,} ?(?:Original|Forwarded|Urspr|Message d|Mensaje)[^\n]{0,60}-{2,}"
    r"|##- .{0,200} -##"
    r"|On [^\n]{4,200}\bwrote:\s*$"
    r"|Am [^\n]{4,200}\bschrieb\b[^\n]{0,200}:\s*$"
    r"|Le [^\n]{4,200}\ba écrit\s?:\s*$"
    r"|El [^\n]{4,200}\bescribió:\s*$"
    r"|Sent from my [^\n]{1,40}$"
    r"|From: [^\n]{1,200}\n(?:Sent|Date|To): "
    r")",
    re.MULTILINE,
)


def own_words(text: str) -> str:
    """The part of a message its author wrote: everything before the first quotation or signature, without quoted lines."""
    cut = _CUTS.search(text)
    if cut is not None and text[: cut.start()].strip():
        text = text[: cut.start()]
    if ">" in text:
        text = "\n".join(line for line in text.split("\n") if not line.lstrip().startswith(">"))
    return text.strip()


def without_markup(text: str) -> str:
    """Plain text of an HTML fragment."""
    return html.unescape(_TAGS.sub(" ", _BREAKS.sub("\n", _INLINE.sub("", text))))


def plain(text: str) -> str:
    """A text that may be an HTML fragment, without the markup."""
    return without_markup(text) if text.lstrip().startswith("<") else text


def said(text: str, *, public: bool) -> dict[str, Any]:
    """The details of a comment: whether customers see it, and what its author wrote, if that is anything."""
    words = own_words(text)
    return {"public": public, "value": words} if words else {"public": public}
