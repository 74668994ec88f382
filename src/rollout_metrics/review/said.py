"""What a review says, as plain values: they are what is signed, kept, compared and shown. Nothing here names a person."""

from collections.abc import Mapping
from enum import StrEnum

import msgspec

from rollout_metrics.catalog import METRICS
from rollout_metrics.derive.gates import Gate, Proposal
from rollout_metrics.domain.events import CaseKey, EventRef
from rollout_metrics.domain.time import Instant
from rollout_metrics.overview import Tone, written
from rollout_metrics.overview.figure import Figure

NOT_ENOUGH = "not enough evidence"
"""Said in so many words wherever there is too little to tell."""


class Number(msgspec.Struct, frozen=True, kw_only=True):
    """A figure: the metric's key, the labels that tell its series apart, value (None: no sample), bounds, and how many cases it rests on."""

    key: str
    labels: Mapping[str, str] = {}
    value: float | None = None
    lower: float | None = None
    upper: float | None = None
    n: float | None = None

    @property
    def figure(self) -> Figure:
        """The same as every other surface shows it."""
        return Figure(metric=METRICS[self.key], labels=self.labels, value=self.value, lower=self.lower, upper=self.upper, n=self.n)

    @property
    def title(self) -> str:
        """What it is, in words."""
        figure = self.figure
        return f"{figure.title} ({figure.which})" if figure.which else figure.title


class Movement(StrEnum):
    """How a figure moved from the quarter before."""

    ROSE = "rose"
    FELL = "fell"
    STEADY = "no clear change"
    UNKNOWN = NOT_ENOUGH
    COUNTED = ""
    """A count: the numbers speak for themselves."""


class Line(msgspec.Struct, frozen=True):
    """A figure of the quarter beside that of the one before."""

    now: Number
    before: Number
    movement: Movement
    tone: Tone = Tone.PLAIN


class Passage(msgspec.Struct, frozen=True):
    """One section: its title, its figures, and sentences."""

    title: str
    lines: tuple[Line, ...] = ()
    notes: tuple[str, ...] = ()


class Recommended(msgspec.Struct, frozen=True):
    """What the gates propose, in words, and why; `level` in force and the one it leads to."""

    proposal: Proposal
    said: str
    why: str
    level: str
    to: str
    thin: bool
    """Whether what keeps it from a higher level is only that there is not enough evidence."""


class LevelMove(msgspec.Struct, frozen=True):
    """A change of level. `forced`: None where no gates were frozen for it."""

    at: Instant
    before: str
    after: str
    by: str
    forced: bool | None
    why: str


class Deployed(msgspec.Struct, frozen=True):
    """A deployment of the quarter, and what became of it."""

    at: Instant
    change: str
    title: str
    kind: str
    version: str | None
    state: str
    tone: Tone
    started_at: Instant | None = None
    recovered_at: Instant | None = None
    evidence: tuple[str, ...] = ()


class Trouble(msgspec.Struct, frozen=True):
    """An incident of the quarter. `url`: where it can be looked at."""

    at: Instant
    incident: str
    link: str
    change: str | None
    ended_at: Instant | None
    url: str | None


class Sighting(msgspec.Struct, frozen=True):
    """A warning sign at the end of the quarter: seen, not seen, or (None) too little to tell; and at the end of the one before."""

    sign: str
    seen: bool | None
    before: bool | None
    said: str


class Rise(msgspec.Struct, frozen=True, kw_only=True):
    """A spike: from when to when it was seen (None: still is), what was observed where what was expected, and what had been changed."""

    signal: str
    since: Instant
    until: Instant | None
    events: int
    cases: int
    expected: float | None
    changes: tuple[str, ...]


class Saving(msgspec.Struct, frozen=True, kw_only=True):
    """Operators' time saved, in hours, on one basis, and the money it stands for where a rate is configured."""

    basis: str
    hours: float | None
    lower: float | None
    upper: float | None
    cases: int
    money: float | None
    before: float | None
    """Hours of the quarter before."""


class Span(msgspec.Struct, frozen=True):
    """A stretch of a chart: numerator and denominator of a rate in (start, end]."""

    start: Instant
    end: Instant
    count: int
    total: int


class Course(msgspec.Struct, frozen=True):
    """How a rate went over the quarter and the one before."""

    key: str
    title: str
    spans: tuple[Span, ...]


class Fact(msgspec.Struct, frozen=True):
    """An event behind a receipt."""

    ref: EventRef
    at: Instant
    activity: str
    actor: str
    attribute: str | None
    reason: str | None
    url: str | None


class Exhibit(msgspec.Struct, frozen=True):
    """A receipt: one case that counts for a figure, with its events."""

    about: str
    case: CaseKey
    at: Instant | None
    counted: str
    events: tuple[Fact, ...]
    url: str | None


class Covered(msgspec.Struct, frozen=True):
    """What there is to know of the data: coverage as of the quarter's end, and in words what is missing."""

    numbers: tuple[Line, ...]
    gaps: tuple[str, ...]


class Findings(msgspec.Struct, frozen=True, kw_only=True):
    """One workflow's quarter. `as_of`: the instant everything holds at; before `end` while the quarter is `running`; None while nothing was read."""

    workflow: str
    owner: str
    workflow_type: str
    risk_tier: str
    start: Instant
    end: Instant
    as_of: Instant | None
    running: bool = False
    mode: str = "live"
    recommended: Recommended | None = None
    gates: tuple[Gate, ...] = ()
    staying: tuple[Gate, ...] = ()
    passages: tuple[Passage, ...] = ()
    savings: tuple[Saving, ...] = ()
    economy: tuple[str, ...] = ()
    levels: tuple[LevelMove, ...] = ()
    deployed: tuple[Deployed, ...] = ()
    troubles: tuple[Trouble, ...] = ()
    signs: tuple[Sighting, ...] = ()
    rises: tuple[Rise, ...] = ()
    courses: tuple[Course, ...] = ()
    marks: tuple[tuple[Instant, str], ...] = ()
    """Deployments and changes of level of both quarters, for the charts."""
    covered: Covered = Covered((), ())
    exhibits: tuple[Exhibit, ...] = ()

    def line(self, key: str) -> Line | None:
        """A figure by its metric, where it has only one series here."""
        return next((line for passage in self.passages for line in passage.lines if line.now.key == key), None)


class Signature(msgspec.Struct, frozen=True):
    """Who signed a review, and when."""

    by: str
    at: Instant


class Review(msgspec.Struct, frozen=True, kw_only=True):
    """A quarter's review of every workflow in it."""

    quarter: str
    definitions: int
    currency: str
    pages_url: str
    findings: tuple[Findings, ...]

    @property
    def running(self) -> bool:
        """Whether the quarter is not over, for some workflow."""
        return any(item.running for item in self.findings)

    def only(self, workflows: frozenset[str]) -> "Review":
        """The same of these workflows."""
        return msgspec.structs.replace(self, findings=tuple(item for item in self.findings if item.workflow in workflows))


def level_said(level: int, name: str) -> str:
    """A level in words: `2 assisted`."""
    return f"{level} {written.name(name.lower())}"
