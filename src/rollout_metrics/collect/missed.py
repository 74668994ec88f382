"""Parts of a source that it would not give while it gave the rest: since when each is missed, and from when on it is to be read again once it is given."""

from collections.abc import Mapping

import msgspec
from msgspec.structs import replace

from rollout_metrics.domain.time import Instant


class Missed(msgspec.Struct, frozen=True, omit_defaults=True):
    """A part that has not been read since an instant of the vendor's change time. `message`: why not, with the remedy."""

    since: Instant
    message: str
    given: bool = False
    """It is given by now; what was missed is still to be read."""


Missing = Mapping[str, Missed]
"""Part -> what is known of it."""


def with_refused(missing: Missing, start: Instant, refused: Mapping[str, str]) -> Missing:
    """What is missed after a page of a stretch from `start` on that told of refusals (part -> why)."""
    since = {part: min(start, missing[part].since) if part in missing else start for part in refused}
    return {**missing, **{part: Missed(since[part], message) for part, message in refused.items()}}


def with_given(missing: Missing, start: Instant, refused: Mapping[str, str], *, to_now: bool) -> Missing:
    """What is missed after the whole of a stretch from `start` on: what it was not refused is given, and read if the stretch holds all that was missed."""
    given = {part: replace(one, given=True) for part, one in missing.items() if part not in refused and not (to_now and start <= one.since)}
    return {**{part: one for part, one in missing.items() if part in refused}, **given}


def again_from(missing: Missing) -> Instant | None:
    """From when on to read again, because what was missed is given now; None: from nowhere."""
    return min((one.since for one in missing.values() if one.given), default=None)
