"""Parts of a source that it would not give while it gave the rest: what is missed of each, and what is to be read again once it is given."""

from collections.abc import Mapping

import msgspec
from msgspec.structs import replace

from rollout_metrics.domain.time import Instant


class Missed(msgspec.Struct, frozen=True, omit_defaults=True):
    """A part, of which [since, until) of the vendor's change time has not been read. `message`: why not, with the remedy."""

    since: Instant
    until: Instant
    message: str
    given: bool = False
    """It is given by now; what was missed is still to be read."""


Missing = Mapping[str, Missed]
"""Part -> what is known of it."""


def with_refused(missing: Missing, start: Instant, end: Instant, refused: Mapping[str, str]) -> Missing:
    """What is missed after a page of the stretch [start, end) that told of refusals (part -> why)."""
    known = {part: missing.get(part, Missed(start, end, message)) for part, message in refused.items()}
    return {**missing, **{part: Missed(min(start, one.since), max(end, one.until), refused[part]) for part, one in known.items()}}


def with_given(missing: Missing, start: Instant, end: Instant, refused: Mapping[str, str]) -> Missing:
    """What is missed after the whole of the stretch [start, end): what it was not refused is given, and so far read."""
    left = {part: one if part in refused else _without(one, start, end) for part, one in missing.items()}
    return {part: one for part, one in left.items() if one.since < one.until}


def again(missing: Missing) -> Missed | None:
    """Of what is given and still to be read, what begins first."""
    return min((one for one in missing.values() if one.given), key=lambda one: (one.since, one.until), default=None)


def _without(one: Missed, start: Instant, end: Instant) -> Missed:
    """What is left of it where [start, end) has been read; a stretch within cuts nothing off."""
    since = max(one.since, end) if start <= one.since else one.since
    until = min(one.until, start) if end >= one.until else one.until
    return replace(one, since=since, until=until, given=True)
