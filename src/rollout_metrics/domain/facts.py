"""What derivation yields for a case. Facts carry all a figure needs, so that counting never looks at events again.

Every fact names its `evidence`: the events that prove it, the deciding one last. Instants are microseconds UTC.
Facts of one case are ordered by `(kind, opening instant, evidence)`; equal histories give equal facts.
"""

from enum import StrEnum

import msgspec

from rollout_metrics.domain.choices import choices
from rollout_metrics.domain.events import CaseKey, EventRef
from rollout_metrics.domain.time import Instant, Span

Evidence = tuple[EventRef, ...]

NO_WORKFLOW = "none"
"""The `workflow` of what belongs to none."""

UNSPECIFIED = "unspecified"
"""The reason of an escalation or a block for which none was given."""

UNCATEGORISED = "uncategorised"
"""The error category of a decision for which nobody gave a reason."""


@choices
class Outcome(StrEnum):
    """What became of a recommendation."""

    PENDING = "pending"
    ACCEPTED = "accepted"
    EDITED = "edited"
    OVERRIDDEN = "overridden"
    ESCALATED = "escalated"
    UNREVIEWED = "unreviewed"
    IGNORED = "ignored"
    SUPERSEDED = "superseded"
    VOID = "void"


DECIDED = frozenset((Outcome.ACCEPTED, Outcome.EDITED, Outcome.OVERRIDDEN))
EXPLICIT_ROWS = frozenset((1, 2, 4, 5, 6, 7))
"""Rows of the outcome table in which an operator looked: review latency, effort and rubber stamp count these."""


@choices
class Mode(StrEnum):
    """`shadow` if that was the level when the recommendation was opened, else `live`."""

    SHADOW = "shadow"
    LIVE = "live"


class Recommendation(msgspec.Struct, frozen=True, gc=False, tag="recommendation", array_like=True):
    """A recommendation and its outcome as of T.

    `how` is the table's word, `timeout`, `reversed`, or `newer` for superseded; None while pending. `row` is the row of
    the first decision (0: none yet), `first_decided_at` its instant, `decider` the operator who made it. `asked`: it asked for a
    decision (had not acted when opened). `provisional`: decided by a timeout that may still be beaten. `settled_at`: when it settled, None while it can change.
    `ended_at`: when the wait for a decision ended without one (superseded, void, escalated, ignored), for censoring. `category`: error category
    of an edited or overridden decision. `stranger_before`: where an operator whom the source does not name explicitly decided first, that operator's
    previous event at an earlier instant; on one case all such are one. `given`: in shadow, the value that a person gave instead of an overridden one, as far
    as values are compared as wholes. `opened` and `deciding` are the event refs; `deciding` None for timeouts.
    """

    workflow: str
    action: str
    opened: EventRef
    opened_at: Instant
    mode: Mode
    asked: bool
    acted_at: Instant | None
    outcome: Outcome
    how: str | None
    row: int
    provisional: bool
    decided_at: Instant | None
    first_decided_at: Instant | None
    ended_at: Instant | None
    settled_at: Instant | None
    decider: str | None
    deciding: EventRef | None
    version: str | None
    category: str | None
    value: str | None
    standing: str | None
    evidence: Evidence
    stranger_before: Instant | None = None
    given: str | None = None


class Act(msgspec.Struct, frozen=True, gc=False, tag="act", array_like=True):
    """An agent's live event that acts (`reversible: false` actions and shadow stay out), judged as of `at + cohort_age` (`judged_at`), at most T.

    `corrected`: an operator replaced (no progress, dissimilar), undid or rejected it by then, or a customer reopened after its close; `edited`:
    replaced by something similar.
    `reversed_at`: when its reversal or undoing happened at any time up to T (time to reverse), else None.
    """

    workflow: str
    action: str
    at: Instant
    judged_at: Instant
    corrected: bool
    edited: bool
    reversed_at: Instant | None
    evidence: Evidence


class ReferenceValue(msgspec.Struct, frozen=True, gc=False, tag="reference", array_like=True):
    """The first value an operator or system gave to a decided attribute on a case with no agent event by `judged_at` (`at + cohort_age`)."""

    workflow: str
    action: str
    at: Instant
    judged_at: Instant
    corrected: bool
    evidence: Evidence


@choices
class EscalationState(StrEnum):
    """Where an escalation stands at T."""

    WAITING = "waiting"
    ACKNOWLEDGED = "acknowledged"
    RESOLVED = "resolved"
    ENDED = "ended"


class Escalated(msgspec.Struct, frozen=True, gc=False, tag="escalation", array_like=True):
    """One escalation as of T.

    `target` is its path's (or the workflow's) target, working time. `worked`: working time from raising to acknowledgement, or to the end where it ended
    unacknowledged; None while waiting (then it runs on with T). `breach_at`: the instant at which the target is or was over. `owned`: somebody who is
    no agent owns it at T.
    """

    workflow: str
    raised_at: Instant
    reason: str
    owned: bool
    owner_team: str | None
    target: Span
    acknowledged_at: Instant | None
    resolved_at: Instant | None
    ended_at: Instant | None
    state: EscalationState
    worked: Span | None
    breach_at: Instant
    evidence: Evidence


@choices
class HandlingKind(StrEnum):
    """How an eligible case was handled first (definitions, section 6)."""

    MARKED = "marked"
    REDONE = "redone"
    ASSISTED = "assisted"
    SIDE_CHANNEL = "side_channel"
    AGENT_ABSENT = "agent_absent"
    PREEMPTED = "preempted"
    UNASSISTED = "unassisted"


class Handling(msgspec.Struct, frozen=True, gc=False, tag="handling", array_like=True):
    """The handling of an eligible case; `at` is the handling instant.

    `presence`: the inclusive stretch that was asked for agent events, None where it did not matter. `bypassed_early`: whether it was a bypass as seen
    `spike_age` after `at`, None where it was outside the rate. `cleaned`: the agent was first, and operators redid the case or reversed a recommendation on it.
    """

    workflow: str
    handling: HandlingKind
    at: Instant
    scoped_at: Instant
    presence: tuple[Instant, Instant] | None
    evidence: Evidence
    bypassed_early: bool | None = None
    cleaned: bool = False


class Effort(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """Operator effort in seconds with its basis: `measured` (logged time) or `estimated` (from events)."""

    seconds: float
    basis: str


class Closing(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """A time that a case stood closed without the agent: from `at` to before `until`, when it was reopened or an agent came.

    `effort`: from `scoped_at` to `at`.
    """

    at: Instant
    until: Instant
    effort: Effort


@choices
class Verdict(StrEnum):
    """What operators thought of the agent's work on a case."""

    ACCEPTED = "accepted"
    FAILED = "failed"


class CaseSummary(msgspec.Struct, frozen=True, gc=False, tag="case", array_like=True):
    """What counts once per case.

    `handled_at`: first live recommendation or escalation; the case is agent-handled from then. `escalated_in_cohort`, `complained_in_cohort`: within
    `cohort_age` of it
    (`judged_at` = handled_at + cohort_age), at most T. `closed_at`: first `closed` since the last `reopened` as of T, None while open; `ended_at`:
    absorbed or deleted.
    `effort`: operators' from `scoped_at` to `closed_at`, None while open. `review_effort` belongs to `reviewed_at`. `touched`: an operator or agent
    event within `drop_after` of `scoped_at`;
    `drop_judged_at` = scoped_at + drop_after. `agent_involved`: any agent event up to T. `assisted`: the handling is `assisted` (section 6).
    `should_escalate`: what operators filled in, None if not;
    `unaided`: the times it stood closed without the agent that are over by T, for baselines that are frozen as of an instant in one of them.
    `operators`: each operator's last event on the case at or before T. `first_agent_at`: first event of an agent, whosever, since `scoped_at`.
    `escalated_early`, `complained_early`: as in the cohort, but within `spike_age`. `comments`: how many, since `scoped_at`. `concluded_at`: the last live
    decision on the case, None where nothing is decided; `verdict`: then `failed` if any was overridden, else `accepted` if any was accepted, else None.
    `names`: the attributes and values that configuration names which appeared on the case by `drop_judged_at`.
    """

    workflow: str
    scoped_at: Instant
    handled_at: Instant | None
    judged_at: Instant | None
    escalated_in_cohort: bool
    complained_in_cohort: bool
    escalated: bool
    closed_at: Instant | None
    ended_at: Instant | None
    effort: Effort | None
    review_effort: Effort | None
    reviewed_at: Instant | None
    touched: bool
    drop_judged_at: Instant
    agent_involved: bool
    assisted: bool
    should_escalate: bool | None
    operators: tuple[tuple[str, Instant], ...]
    first_agent_at: Instant | None
    evidence: Evidence
    unaided: tuple[Closing, ...] = ()
    escalated_early: bool = False
    complained_early: bool = False
    comments: int = 0
    verdict: Verdict | None = None
    concluded_at: Instant | None = None
    names: tuple[str, ...] = ()


@choices
class ViolationKind(StrEnum):
    """How an act left its authority."""

    OUT_OF_SCOPE = "out_of_scope"
    LEVEL = "level"
    FORBIDDEN = "forbidden"
    UNAPPROVED = "unapproved"
    UNLISTED = "unlisted"


class Violation(msgspec.Struct, frozen=True, gc=False, tag="violation", array_like=True):
    """One act outside its authority; `workflow` may be `none`."""

    workflow: str
    kind: ViolationKind
    action: str
    at: Instant
    evidence: Evidence


class Blocked(msgspec.Struct, frozen=True, gc=False, tag="blocked", array_like=True):
    """A guardrail or missing permission refused the agent: there it worked."""

    workflow: str
    reason: str
    action: str | None
    at: Instant
    evidence: Evidence


class Used(msgspec.Struct, frozen=True, gc=False, tag="used", array_like=True):
    """An action on an automatic list was used: the last act of it on the case, whatever the lists said of that act."""

    workflow: str
    action: str
    at: Instant
    evidence: Evidence


class Evaluated(msgspec.Struct, frozen=True, gc=False, tag="evaluation", array_like=True):
    """One run of the evaluation suite."""

    workflow: str
    passed: bool
    at: Instant
    version: str | None
    evidence: Evidence


class IncidentSeen(msgspec.Struct, frozen=True, gc=False, tag="incident", array_like=True):
    """An incident that an incident source of the workflow tells of. `case`: where it stands; `change`: the change it names as its cause.

    `ended_at`: when it was closed, None while it is open at T. The first event of `evidence` is the one that began it.
    """

    workflow: str
    case: CaseKey
    change: str | None
    at: Instant
    ended_at: Instant | None
    evidence: Evidence


class Unrecorded(msgspec.Struct, frozen=True, gc=False, tag="unrecorded", array_like=True):
    """An event of the agent that carries a version which no record deployed by then names."""

    workflow: str
    version: str
    at: Instant
    evidence: Evidence


class Reported(msgspec.Struct, frozen=True, gc=False, tag="reported", array_like=True):
    """How many events of a case another source than its own reported, the first of them `at`. `linked`: the case's own source knows it."""

    workflow: str
    linked: bool
    events: int
    at: Instant
    evidence: Evidence


Fact = (
    Recommendation | Act | ReferenceValue | Escalated | Handling | CaseSummary | Violation | Blocked | Used | Evaluated | IncidentSeen | Unrecorded | Reported
)


class CaseFacts(msgspec.Struct, frozen=True):
    """All facts of one case as of T, and the next instant at which they can change by time alone (None: never).

    `lived`: the instants of its first and its last event up to T; None where there is none yet, or the case never counted anything.
    """

    case: CaseKey
    workflow: str | None
    scoped_at: Instant | None
    facts: tuple[Fact, ...]
    next_change_at: Instant | None
    lived: tuple[Instant, Instant] | None = None
