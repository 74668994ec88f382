"""The full change record (definitions, section 8): what a change is meant to do, who answers for it, and who has signed it off.

What is None or empty is what the record does not say; lists that may rightly be empty are None where they are not given.
"""

from collections.abc import Iterator, Mapping
from enum import StrEnum
from typing import Any

import msgspec

from rollout_metrics.domain.changes import Change, Harm
from rollout_metrics.domain.policy import Grant
from rollout_metrics.domain.time import Instant, Span


class SignOff(StrEnum):
    """What is signed off: each by the side that answers for it."""

    SEMANTICS = "semantics"
    AUTHORITY = "authority"
    RUNTIME = "runtime"
    INCIDENT_PATH = "incident_path"
    LEGAL = "legal"


class AuthorityList(StrEnum):
    """The three lists of what an agent may do."""

    AUTOMATIC = "automatic"
    APPROVAL = "approval"
    FORBIDDEN = "forbidden"


class Signature(msgspec.Struct, frozen=True):
    """Who signed, and when."""

    by: str | None = None
    at: Instant | None = None

    @property
    def given(self) -> bool:
        """Whether both are known."""
        return bool(self.by) and self.at is not None


class Roles(msgspec.Struct, frozen=True):
    """Whose work changes; an empty list says nobody's."""

    gain_work: tuple[str, ...] | None = None
    lose_work: tuple[str, ...] | None = None


class Lists(msgspec.Struct, frozen=True):
    """The authority lists that the record states; an empty list says that nothing is on it."""

    automatic: tuple[Grant, ...] | None = None
    approval: tuple[Grant, ...] | None = None
    forbidden: tuple[Grant, ...] | None = None

    @property
    def stated(self) -> bool:
        """Whether all three are."""
        return self.automatic is not None and self.approval is not None and self.forbidden is not None

    def of(self, which: AuthorityList) -> tuple[Grant, ...]:
        """The grants on a list."""
        return getattr(self, which) or ()


class HumanInTheLoop(msgspec.Struct, frozen=True):
    """Who reviews the agent's work where, what they can do about it, and when the agent stops asking."""

    reviewer: str | None = None
    review_surface: str | None = None
    override_power: str | None = None
    correction_capture: str | None = None
    stops_asking: str | None = None


class Traces(msgspec.Struct, frozen=True):
    """The traces that prove behaviour, and how long they are kept."""

    proof: tuple[str, ...] = ()
    kept_for: Span | None = None


class Control(msgspec.Struct, frozen=True):
    """A guardrail, a means of observability or of governance."""

    name: str | None = None
    owner: str | None = None
    system: str | None = None
    threshold: str | None = None
    audit_trail: str | None = None


class Rollback(msgspec.Struct, frozen=True):
    """How to go back."""

    owner: str | None = None
    plan: str | None = None
    last_rehearsed_at: Instant | None = None


class Links(msgspec.Struct, frozen=True):
    """Where the evidence is."""

    pull_request: str | None = None
    evaluation_report: str | None = None
    trace_sample: str | None = None
    permission_difference: str | None = None


class Record(msgspec.Struct, frozen=True, kw_only=True):
    """A change with all that its record says; `change` is the part the numbers need."""

    change: Change
    owner: str | None = None
    roles: Roles = Roles()
    systems: tuple[str, ...] = ()
    audience: str | None = None
    authority: Lists = Lists()
    harm: Harm = Harm()
    human_in_the_loop: HumanInTheLoop = HumanInTheLoop()
    traces: Traces = Traces()
    guardrails: tuple[Control, ...] = ()
    observability: tuple[Control, ...] = ()
    governance: tuple[Control, ...] = ()
    rollback: Rollback = Rollback()
    sign_offs: Mapping[SignOff, Signature] = {}
    links: Links = Links()
    retention: Span | None = None
    approval_given: Instant | None = None
    """`approved_at` where the record gives it itself."""


class ChangeReading(msgspec.Struct, frozen=True):
    """What a system says of one change, in the shape of a record in YAML; a later `revision` holds. `record` None: it is no change record any more."""

    change_id: str
    revision: int
    record: Mapping[str, Any] | None

    def signatures(self) -> Iterator[dict[str, Any]]:
        """Its sign-offs that name a person."""
        given = (self.record or {}).get("sign_offs")
        if isinstance(given, Mapping):
            yield from (item for item in given.values() if isinstance(item, dict) and item.get("by"))
