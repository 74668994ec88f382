"""Every figure of sections 4 to 8 of the definitions, written down once more from their text alone: plain, slow, and sharing no code with what it checks.

Only the outcomes of recommendations and acts (section 3) are asked of the product; another oracle checks them.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from fractions import Fraction
from math import exp, log, sqrt
from typing import Any
from zoneinfo import ZoneInfo

from scipy.stats import t as student

from builders import Plain
from oracle.section_8 import Deployments
from rollout_metrics.config.load import Configuration
from rollout_metrics.config.workflow import WorkflowOptions
from rollout_metrics.config.working_time import DAYS, minutes_of
from rollout_metrics.derive.acts import acts
from rollout_metrics.derive.history import read
from rollout_metrics.derive.recommendations import recommendations
from rollout_metrics.domain.changes import Change
from rollout_metrics.domain.events import Event, members_of, order, resolve, text_value
from rollout_metrics.domain.facts import Recommendation
from rollout_metrics.domain.policy import action_of

Z = 1.959964
SECOND, MINUTE = 1_000_000, 60_000_000
DAY = 24 * 60 * MINUTE
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
ACTS = {"changed", "commented", "executed", "created", "closed", "reopened", "absorbed", "deleted", "approved", "rejected"}
DOES = {"changed", "commented", "executed", "created", "closed", "reopened", "absorbed", "deleted", "escalated"}
EXPLICIT = {1, 2, 4, 5, 6, 7}
LEVELS = ["off", "shadow", "assisted", "low_risk_autonomous", "broad_autonomous", "high_risk"]
BUCKETS = [1, 5, 15, 30, 60, 300, 900, 3600, 14400, 86400, 604800]
PERSONAL = (
    "review_latency_seconds",
    "review_latency_median_seconds",
    "review_effort_seconds",
    "rubber_stamp_ratio",
    "explicit_decisions",
    "glanced_decisions",
    "time_saved_",
)

Figures = dict[tuple[str, frozenset[tuple[str, str]]], float]


@dataclass
class Escalation:
    """One escalation of a case; instants, None while it is not so."""

    index: int
    raised: int
    reason: str | None
    acknowledged: int | None = None
    resolved: int | None = None
    ended: int | None = None


@dataclass
class Case:
    """One case as of T and what the definitions say of it."""

    key: tuple[str, str]
    events: list[Event]
    workflow: WorkflowOptions | None = None
    scoped: int = 0
    recommended: list[Recommendation] = field(default_factory=list)
    escalations: list[Escalation] = field(default_factory=list)
    handling: tuple[str, int] | None = None


def instant(moment: datetime | None) -> int | None:
    """Microseconds since 1970."""
    return None if moment is None else (moment - EPOCH) // timedelta(microseconds=1)


def says(number: int) -> str:
    """A window as a label."""
    for name, size in (("d", DAY), ("h", 60 * MINUTE), ("m", MINUTE)):
        if number % size == 0:
            return f"{number // size}{name}"
    raise ValueError(number)


class Oracle:
    """All events, the configuration, and T."""

    def __init__(self, configuration: Configuration, events: Iterable[Event], at: int) -> None:
        self.settings = configuration.settings
        self.company = configuration.company(Plain())
        self.t = at
        self.figures: Figures = {}
        self.anywhere = [e for e in resolve(list(events)) if e.occurred_at <= at]
        """Who was seen: events on cases that have ended as well."""
        self.cases = [Case(key, ended(events)) for key, events in sorted(grouped(e for e in resolve(list(events)) if e.occurred_at <= at).items())]
        for case in self.cases:
            self.place(case, self.t)
        self.changes = {w.name: [c for c in configuration.changes if c.workflow == w.name] for w in self.settings.workflows}
        self.every = [(case, e) for case in self.cases for e in case.events]
        self.began = {w.name: self.first_agent_event(w) for w in self.settings.workflows}
        for case in self.cases:
            if case.workflow is not None:
                case.recommended = self.recommendations(case.events, self.t)
                case.escalations = list(self.escalations(case))
        for case in self.cases:
            if case.workflow is not None:
                case.handling = self.handling(case)

    # Sections 1 to 3, as far as they are needed

    def kind(self, event: Event) -> str:
        """Who did it."""
        return str(self.company.kind_of(event).value)

    def is_agent_of(self, event: Event, workflow: WorkflowOptions) -> bool:
        """Whether it is an event of the workflow's agent."""
        return self.kind(event) == "agent" and workflow.name in [w.name for w in self.company.workflows_of_agent(event)]

    def place(self, case: Case, _at: int) -> None:
        """The first instant at which a workflow's scope matches, and the first such workflow in file order."""
        for at in sorted({e.occurred_at for e in case.events}):
            upto = sum(e.occurred_at <= at for e in case.events)
            for workflow in self.settings.workflows:
                if case.key[0] in workflow.sources and all(
                    members_of(value_after(case.events, upto, attribute)) & allowed for attribute, allowed in workflow.scope.items()
                ):
                    case.workflow, case.scoped = workflow, at
                    return

    def recommendations(self, events: list[Event], at: int) -> list[Recommendation]:
        """The product's word on section 3."""
        if not events:
            return []
        history = read(events, self.company, self.everywhere(at))
        return [] if history.workflow is None else recommendations(history, None)[0]  # type: ignore[arg-type]

    def everywhere(self, at: int) -> dict[str, int]:
        """The same T for all."""
        return {"": at} | {w.name: at for w in self.settings.workflows}

    def first_agent_event(self, workflow: WorkflowOptions) -> int | None:
        """The first agent event on a case of the workflow since that case's scoping."""
        return min(
            (e.occurred_at for case, e in self.every if case.workflow is workflow and e.occurred_at >= case.scoped and self.kind(e) == "agent"),
            default=None,
        )

    def level(self, workflow: WorkflowOptions, at: int) -> int:
        """The autonomy level at an instant."""
        if any(instant(p.start) <= at and (p.end is None or at < instant(p.end)) for p in workflow.pauses):  # type: ignore[operator]
            return 0
        deployed = [c for c in self.changes[workflow.name] if c.kind == "level" and production(c) and c.deployed_at <= at]  # type: ignore[operator]
        if deployed:
            return max(deployed, key=lambda c: c.deployed_at or 0).level or 0
        if len(workflow.levels) == 1 and workflow.levels[0].since is None:
            began = self.began[workflow.name]
            return 0 if began is None or at < began else LEVELS.index(workflow.levels[0].level)
        since = [(instant(entry.since), LEVELS.index(entry.level)) for entry in workflow.levels]
        reached = [entry for entry in since if entry[0] is not None and entry[0] <= at]
        return max(reached)[1] if reached else 0  # type: ignore[type-var]

    def first_assisted(self, workflow: WorkflowOptions) -> int | None:
        """When the level first was `assisted` or more: the least of all instants at which it can change."""
        moments = [instant(entry.since) for entry in workflow.levels] + [self.began[workflow.name]]
        moments += [c.deployed_at for c in self.changes[workflow.name]] + [instant(p.end) for p in workflow.pauses]
        return min((m for m in moments if m is not None and m <= self.t and self.level(workflow, m) >= 2), default=None)

    # Section 4

    def effort(self, case: Case, inside: list[Event]) -> tuple[str, Fraction]:
        """Operators' seconds over these of a case's events, and their basis."""
        workflow = case.workflow
        assert workflow is not None
        own = [e for e in inside if self.kind(e) == "operator"]
        logged = sum((Fraction(str(e.detail["seconds"])) for e in own if e.activity == "time_logged"), Fraction(0))
        if logged > 0:
            return "measured", logged
        total = 0
        for operator in {e.actor_id for e in own}:
            times = sorted(e.occurred_at for e in own if e.actor_id == operator)
            total += workflow.touch_seconds + sum(min(b - a, workflow.idle_cap) for a, b in zip(times, times[1:], strict=False))
        return "estimated", Fraction(total, SECOND)

    def explicit(self, case: Case) -> list[Recommendation]:
        """Live recommendations first decided by rows 1, 2, 4 to 7."""
        return [r for r in case.recommended if r.mode == "live" and r.row in EXPLICIT and r.first_decided_at is not None]

    def review(self, workflow: WorkflowOptions, mine: list[Case]) -> None:
        """Latency, wait, effort, rubber stamps."""
        name = workflow.name
        explicit = [(case, r) for case in mine for r in self.explicit(case)]
        latencies = [(r.first_decided_at, r.first_decided_at - r.opened_at) for _, r in explicit]
        if self.enough(workflow, max(workflow.windows)):
            for le in BUCKETS:
                self.put("review_latency_seconds_bucket", sum(d <= le * SECOND for _, d in latencies), workflow=name, le=f"{le}.0")
            self.put("review_latency_seconds_bucket", len(latencies), workflow=name, le="+Inf")
            self.put("review_latency_seconds_count", len(latencies), workflow=name)
            self.put("review_latency_seconds_sum", sum(d for _, d in latencies) / SECOND, workflow=name)
        waits = []
        for case in mine:
            for r in case.recommended:
                if r.mode == "live" and r.asked:
                    end, finished = self.wait_end(case, r)
                    waits.append((r.opened_at, end - r.opened_at, finished))
        efforts = []
        for case in mine:
            looked = self.explicit(case)
            if looked:
                inside = [e for e in case.events if any(r.opened_at < e.occurred_at <= r.first_decided_at for r in looked)]
                efforts.append((max(r.first_decided_at for r in looked), *self.effort(case, inside)))
        for w in workflow.windows:
            labels = {"workflow": name, "window": says(w)}
            self.survival("decision_wait_median_seconds", [(d, f) for at, d, f in waits if self.within(at, w)], Fraction(1, 2), **labels)
            if not self.enough(workflow, w):
                continue
            self.survival("review_latency_median_seconds", [(d, True) for at, d in latencies if self.within(at, w)], Fraction(1, 2), **labels)
            for basis in ("measured", "estimated"):
                self.put("review_effort_seconds", float(sum(s for at, b, s in efforts if b == basis and self.within(at, w))), basis=basis, **labels)
            decided = [(case, r) for case, r in explicit if self.within(r.first_decided_at, w)]
            glanced = sum(self.glanced(workflow, case, r) for case, r in decided)
            self.put("explicit_decisions", len(decided), **labels)
            self.put("glanced_decisions", glanced, **labels)
            self.ratio("rubber_stamp_ratio", glanced, len(decided), **labels)

    def wait_end(self, case: Case, r: Recommendation) -> tuple[int, bool]:
        """When the wait for a decision ended, and whether by one."""
        if r.outcome == "superseded":
            later = [o.opened_at for o in case.recommended if o.action == r.action and position(case, o.opened) > position(case, r.opened)]
            return min(later), False
        if r.outcome == "pending" or r.provisional or r.first_decided_at is None:
            return self.t, False
        return r.first_decided_at, r.row in (1, 2, 3, 4, 5, 6, 7, 9, 10, 11)

    def glanced(self, workflow: WorkflowOptions, case: Case, r: Recommendation) -> bool:
        """Whether the decision took less than a glance."""
        if r.row not in (2, 4):
            return False
        at = r.first_decided_at

        def same(key: tuple[str, str], actor: str | None) -> bool:
            return actor == r.decider and (actor is not None or key == case.key)

        looked = self.anywhere if r.decider is not None else case.events
        before = [e.occurred_at for e in looked if same(e.case, e.actor_id) and self.kind(e) == "operator" and e.occurred_at < at]
        cases = {other.key for other in self.cases for o in self.explicit(other) if o.first_decided_at == at and same(other.key, o.decider)}
        return Fraction(at - max([r.opened_at, *before]), len(cases)) < workflow.glance_seconds

    def closed_at(self, case: Case, at: int) -> int | None:
        """The first `closed` since the last `reopened`, as of `at`; one that came in closed is closed from then."""
        found = None
        for e in case.events:
            if e.occurred_at <= at:
                if e.activity == "reopened":
                    found = None
                elif e.activity == "closed" and found is None:
                    found = e.occurred_at
        return None if found is None else max(found, case.scoped)

    def case_effort(self, case: Case, closed: int) -> tuple[str, Fraction]:
        """Effort from scoping to the close."""
        return self.effort(case, [e for e in case.events if case.scoped <= e.occurred_at <= closed])

    def saved(self, workflow: WorkflowOptions, mine: list[Case]) -> None:
        """Time saved, by basis."""
        baselines: dict[str, list[float] | None] = {}
        if workflow.baseline_seconds is not None:
            baselines["assumed"] = None
        else:
            first = self.first_assisted(workflow)
            found = defaultdict(list)
            for case in mine if first is not None else ():
                closed = self.closed_at(case, first)
                involved = any(self.kind(e) == "agent" for e in case.events if e.occurred_at <= first)
                if closed is not None and first - 90 * DAY < closed <= first and not involved and case.scoped <= first:
                    basis, seconds = self.case_effort(case, closed)
                    found[basis].append(float(seconds))
            baselines = {basis: values for basis, values in found.items() if len(values) >= 30}
        assisted = []
        for case in mine:
            closed = self.closed_at(case, self.t)
            if closed is not None and case.handling is not None and case.handling[0] == "assisted":
                assisted.append((closed, *self.case_effort(case, closed)))
        for w in workflow.windows:
            for basis, baseline in baselines.items():
                values = [float(s) for at, b, s in assisted if self.within(at, w) and basis in (b, "assumed")]
                if not values or not self.enough(workflow, w):
                    continue
                labels = {"workflow": workflow.name, "window": says(w), "basis": basis}
                n = len(values)
                difference = (workflow.baseline_seconds if baseline is None else trimmed(baseline)[0]) - trimmed(values)[0]  # type: ignore[operator]
                self.put("time_saved_seconds", n * difference, **labels)
                self.put("time_saved_seconds_cases", n, **labels)
                half = yuen_half(values, baseline)
                if half is not None:
                    self.put("time_saved_seconds_lower", n * (difference - half), **labels)
                    self.put("time_saved_seconds_upper", n * (difference + half), **labels)
                self.put("time_saved_per_operator_seconds", n * difference / len(self.operators(workflow, w)), **labels)

    def flow(self, workflow: WorkflowOptions, mine: list[Case]) -> None:
        """Turnaround and dropped cases."""
        spans = []
        for case in mine:
            closed = self.closed_at(case, self.t)
            over = [e.occurred_at for e in case.events if e.activity in ("absorbed", "deleted")]
            end = closed if closed is not None else over[0] if over else self.t
            which = "assisted" if case.handling is not None and case.handling[0] == "assisted" else "other"
            spans.append((case.scoped, end - case.scoped, closed is not None, which))
        touched = {
            case.key: any(self.kind(e) in ("operator", "agent") and case.scoped <= e.occurred_at <= case.scoped + workflow.drop_after for e in case.events)
            for case in mine
        }
        for w in workflow.windows:
            labels = {"workflow": workflow.name, "window": says(w)}
            for which in ("assisted", "other"):
                chosen = [(d, f) for at, d, f, k in spans if k == which and self.within(at, w)]
                self.survival("turnaround_median_seconds", chosen, Fraction(1, 2), handling=which, **labels)
            cohort = [case for case in mine if self.within(case.scoped + workflow.drop_after, w)]
            dropped = sum(not touched[case.key] for case in cohort)
            self.put("drop_cohort_cases", len(cohort), **labels)
            self.put("dropped_cases", dropped, **labels)
            self.ratio("dropped_ratio", dropped, len(cohort), **labels)

    def operators(self, workflow: WorkflowOptions, w: int) -> set[str]:
        """Distinct operators with events on the workflow's cases in the window; of unknown ones nobody can say that they are distinct."""
        return {
            e.actor_id
            for case, e in self.every
            if case.workflow is workflow
            and e.occurred_at >= case.scoped
            and e.actor_id is not None
            and self.kind(e) == "operator"
            and self.within(e.occurred_at, w)
        }

    def enough(self, workflow: WorkflowOptions, w: int) -> bool:
        """Whether there are enough operators to publish."""
        return self.settings.privacy.operator_figures and len(self.operators(workflow, w)) >= self.settings.privacy.min_operators

    # Section 5

    def hands_over(self, event: Event, workflow: WorkflowOptions) -> bool:
        """Whether an agent's event escalates."""
        options = workflow.escalation
        if event.activity == "escalated" or (event.activity == "executed" and action_of(event) == "escalate"):
            return True
        if event.activity != "changed" or event.attribute not in options.attributes:
            return False
        if options.to is not None:
            return event.after in options.to
        return event.after is not None and event.after not in self.company.agents

    def escalations(self, case: Case) -> Iterator[Escalation]:
        """The case's escalations."""
        workflow = case.workflow
        assert workflow is not None
        raised = {e.occurred_at for e in case.events if e.occurred_at >= case.scoped and self.kind(e) == "agent" and self.hands_over(e, workflow)}
        opening = {r.opened for r in case.recommended if r.mode == "live" and r.opened_at not in raised}
        now: Escalation | None = None
        for index, e in enumerate(case.events):
            if e.occurred_at < case.scoped:
                continue
            raising = self.kind(e) == "agent" and self.hands_over(e, workflow)
            if now is None:
                if raising and self.level(workflow, e.occurred_at) != 1:
                    now = Escalation(index, e.occurred_at, e.detail.get("reason"))
                    yield now
                continue
            if self.kind(e) == "operator" and now.acknowledged is None:
                now.acknowledged = e.occurred_at
            if e.activity == "closed":
                now.resolved = e.occurred_at
            elif e.activity in ("absorbed", "deleted"):
                now.ended = e.occurred_at
            elif raising:
                now.reason = now.reason or e.detail.get("reason")
            elif e.ref in opening:
                now.resolved = e.occurred_at
            if now.resolved is not None or now.ended is not None:
                now = None

    def reason_of(self, case: Case, escalation: Escalation) -> str:
        """Why: as said, else as the attribute says when it was raised."""
        if escalation.reason:
            return escalation.reason
        attribute = case.workflow.escalation.reason_attribute if case.workflow else None
        upto = sum(e.occurred_at <= escalation.raised for e in case.events)
        return (value_after(case.events, upto, attribute) if attribute else None) or "unspecified"

    def hand_overs(self, workflow: WorkflowOptions, mine: list[Case]) -> None:
        """All series of escalations."""
        name, options = workflow.name, workflow.escalation
        found = [(case, x, self.reason_of(case, x)) for case in mine for x in case.escalations]
        standing = [(case, x) for case, x, _ in found if x.resolved is None and x.ended is None]
        owners = [value_after(case.events, len(case.events), options.owner_attribute) for case, _ in standing]
        self.put("escalations_open", len(standing), workflow=name)
        self.put("escalations_unowned", sum(owner is None or owner in self.company.agents for owner in owners), workflow=name)
        if standing:
            self.put("escalation_oldest_open_timestamp_seconds", min(x.raised for _, x in standing) / SECOND, workflow=name)
        shares, acknowledged, resolved = [], [], []
        for _, x, reason in found:
            path = options.paths.get(reason)
            target = path.target if path is not None and path.target is not None else options.target
            over = x.resolved if x.resolved is not None else x.ended if x.ended is not None else self.t
            until = over if x.acknowledged is None else x.acknowledged
            shares.append((x.raised, Fraction(worked(workflow, x.raised, until), target), x.acknowledged is not None))
            acknowledged.append((x.raised, until - x.raised, x.acknowledged is not None))
            resolved.append((x.raised, over - x.raised, x.resolved is not None))
        for w in workflow.windows:
            labels = {"workflow": name, "window": says(w)}
            counted = Counter(reason if reason in (*options.paths, "unspecified") else "other" for _, x, reason in found if self.within(x.raised, w))
            for reason, count in counted.items():
                self.put("escalations", count, reason=reason, **labels)
            half = Fraction(1, 2)
            self.survival("escalation_acknowledge_median_seconds", [(d, f) for at, d, f in acknowledged if self.within(at, w)], half, **labels)
            self.survival("escalation_resolve_median_seconds", [(d, f) for at, d, f in resolved if self.within(at, w)], half, **labels)
            chosen = [(d, f) for at, d, f in shares if self.within(at, w)]
            if chosen:
                curve = product_limit(chosen)
                s, lower, upper = next(((s, lo, up) for d, s, lo, up in reversed(curve) if d <= 1), (Fraction(1), None, None))
                self.put("escalation_within_target_ratio", float(1 - s), **labels)
                if upper is not None and lower is not None:
                    self.put("escalation_within_target_ratio_lower", 1 - upper, **labels)
                    self.put("escalation_within_target_ratio_upper", 1 - lower, **labels)
            self.put("escalation_within_target_ratio_cases", len(chosen), **labels)

    def first_handled(self, case: Case) -> int | None:
        """When the agent first handled it: a live recommendation or an escalation."""
        return min([r.opened_at for r in case.recommended if r.mode == "live"] + [x.raised for x in case.escalations], default=None)

    def cohorts(self, workflow: WorkflowOptions, mine: list[Case]) -> None:
        """Escalated and complaining cases of equal age; whether escalating was right."""
        age = workflow.cohort_age
        handled = [(case, at) for case in mine if (at := self.first_handled(case)) is not None]
        for w in workflow.windows:
            labels = {"workflow": workflow.name, "window": says(w)}
            cohort = [(case, at) for case, at in handled if self.within(at + age, w)]
            escalated = sum(any(x.raised <= at + age for x in case.escalations) for case, at in cohort)
            complaining = sum(self.complained(case, at, at + age) for case, at in cohort)
            self.put("handled_cohort_cases", len(cohort), **labels)
            self.put("escalated_cohort_cases", escalated, **labels)
            self.put("complaint_cohort_cases", complaining, **labels)
            self.ratio("escalation_ratio", escalated, len(cohort), **labels)
            self.ratio("complaint_ratio", complaining, len(cohort), **labels)
            judged = [(self.should(case), bool(case.escalations)) for case, at in handled if self.within(at, w)]
            right = sum(should is True and did for should, did in judged)
            answered = sum(should is not None and did for should, did in judged)
            wanted = sum(should is True for should, _ in judged)
            self.put("correctly_escalated_cases", right, **labels)
            self.put("judged_escalated_cases", answered, **labels)
            self.put("should_escalate_cases", wanted, **labels)
            self.ratio("escalation_precision_ratio", right, answered, **labels)
            self.ratio("escalation_recall_ratio", right, wanted, **labels)

    def should(self, case: Case) -> bool | None:
        """What the last operator said about escalating."""
        attribute = case.workflow.should_escalate_attribute if case.workflow else None
        said = [e.after for e in case.events if self.kind(e) == "operator" and attribute and e.attribute == attribute and e.activity == "changed"]
        last = said[-1] if said else None
        return True if last in ("true", "yes", "1") else False if last in ("false", "no", "0") else None

    # Section 6

    def sets_marker(self, case: Case, index: int, markers: dict[str, frozenset[str]]) -> bool:
        """Whether an event newly sets one of these."""
        e = case.events[index]
        if set(e.detail.get("via", ())) & markers.get("via", frozenset()):
            return True
        if e.activity == "created":
            initial = e.detail.get("attributes") or {}
            return any(members_of(text_value(initial.get(attribute))) & values for attribute, values in markers.items() if attribute != "via")
        if e.activity not in ("changed", "closed", "reopened") or e.attribute not in markers or e.attribute == "via":
            return False
        before = members_of(value_after(case.events, index, e.attribute))
        return bool((members_of(e.after) - before) & markers[e.attribute])

    def complained(self, case: Case, start: int, end: int) -> bool:
        """Whether the customer complained."""
        inside = [(i, e) for i, e in enumerate(case.events) if start <= e.occurred_at <= end]
        scores = [e.detail["score"] for _, e in inside if e.activity == "rated"]
        assert case.workflow is not None
        return bool(scores and scores[-1] == "bad") or any(self.sets_marker(case, i, case.workflow.complaints.markers) for i, _ in inside)

    def handling(self, case: Case) -> tuple[str, int] | None:
        """How an eligible case was handled, and when."""
        workflow = case.workflow
        assert workflow is not None
        options, decides = workflow.bypass, {d.action for d in workflow.decides}
        if self.level(workflow, case.scoped) < 2:
            return None
        since = [(i, e) for i, e in enumerate(case.events) if e.occurred_at >= case.scoped]
        by_agent = [position(case, r.opened) for r in case.recommended] + [x.index for x in case.escalations]
        doing = [i for i, e in since if self.kind(e) == "operator" and e.activity in DOES and action_of(e) in decides]
        by_operator = doing + [i for i, e in since if self.kind(e) == "operator" and e.activity == "closed"]
        if not by_agent and not by_operator:
            return None
        agent_first = bool(by_agent) and (not by_operator or min(by_agent) <= min(by_operator))
        index = min(by_agent + by_operator)
        at = case.events[index].occurred_at
        closes = [i for i, e in enumerate(case.events) if e.activity == "closed"]
        limit = closes[-1] if closes else len(case.events)
        if any(self.kind(e) == "operator" and self.sets_marker(case, i, options.markers) for i, e in enumerate(case.events) if i <= limit):
            return "marked", at
        if agent_first:
            decided = [r for r in case.recommended if r.acted_at is not None and r.outcome in ("accepted", "edited", "overridden")]
            undone = sum(r.outcome == "overridden" and r.how in ("undone", "changed", "reversed") for r in decided)
            acted = sum(e.activity in ACTS and action_of(e) in decides and self.is_agent_of(e, workflow) for _, e in since)
            if undone >= options.redo_actions and 2 * undone >= len(decided) and len(doing) >= acted:
                return "redone", at
            return "assisted", at
        if any(members_of(value_after(case.events, index + 1, attribute)) & values for attribute, values in options.side_channels.items()):
            return "side_channel", at
        start, end = case.scoped - options.agent_silence, max(at, case.scoped + options.agent_grace)
        if not any(start <= e.occurred_at <= end and self.is_agent_of(e, workflow) for e in self.anywhere):
            return "agent_absent", at
        if at < case.scoped + options.agent_grace:
            return "preempted", at
        return "unassisted", at

    def bypass(self, workflow: WorkflowOptions, mine: list[Case]) -> None:
        """Handlings and the bypass rate."""
        for w in workflow.windows:
            labels = {"workflow": workflow.name, "window": says(w)}
            counted = Counter(case.handling[0] for case in mine if case.handling is not None and self.within(case.handling[1], w))
            for kind, count in counted.items():
                self.put("handled_cases", count, handling=kind, **labels)
            around = sum(counted[kind] for kind in ("marked", "redone", "side_channel", "unassisted"))
            self.ratio("bypass_ratio", around, around + counted["assisted"], **labels)

    # Section 7

    def violations(self) -> None:
        """Violations, blocked acts and unused grants."""
        counted: Counter[tuple[str, str, int]] = Counter()
        blocked: Counter[tuple[str, str, int]] = Counter()
        windows = {w.name: w.windows for w in self.settings.workflows}
        everywhere = tuple(sorted({size for sizes in windows.values() for size in sizes}))
        for case, e in self.every:
            placed = case.workflow if case.workflow is not None and e.occurred_at >= case.scoped else None
            if e.activity == "blocked":
                theirs = [w.name for w in self.company.workflows_of_agent(e)]
                here = placed is not None and (self.kind(e) != "agent" or placed.name in theirs)
                name = placed.name if placed is not None and here else (theirs or [placed.name if placed else "none"])[0]
                for w in windows.get(name, everywhere):
                    blocked[name, "other" if e.detail.get("reason") not in (None, "", "unspecified") else "unspecified", w] += self.within(e.occurred_at, w)
            if self.kind(e) == "agent" and e.activity in ACTS and (found := self.violation(case, e, placed)) is not None:
                name, kind = found
                for w in windows.get(name, everywhere):
                    counted[name, kind, w] += self.within(e.occurred_at, w)
        for (name, kind, w), count in counted.items():
            self.put("violations", count, workflow=name, kind=kind, window=says(w))
        for (name, reason, w), count in blocked.items():
            self.put("blocked_actions", count, workflow=name, reason=reason, window=says(w))
        for workflow in self.settings.workflows:
            lists = self.lists(workflow, self.t)
            granted = {grant.action for grant in lists.automatic} if lists else set()
            used = {
                action_of(e)
                for case, e in self.every
                if case.workflow is workflow
                and e.occurred_at >= case.scoped
                and e.activity in ACTS
                and self.is_agent_of(e, workflow)
                and self.within(e.occurred_at, 28 * DAY)
            }
            self.put("unused_grants", len(granted - used), workflow=workflow.name)

    def lists(self, workflow: WorkflowOptions, at: int) -> Any:
        """The authority lists in force."""
        return max(
            (a for a in workflow.authority if a.since is None or instant(a.since) <= at),  # type: ignore[operator]
            key=lambda a: -1 if a.since is None else instant(a.since) or 0,
            default=None,
        )

    def violation(self, case: Case, e: Event, placed: WorkflowOptions | None) -> tuple[str, str] | None:
        """The one violation of an agent's act: where it counts, and its kind."""
        theirs = [w.name for w in self.company.workflows_of_agent(e)]
        if placed is None or placed.name not in theirs:
            return (theirs or [placed.name if placed else "none"])[0], "out_of_scope"
        if self.level(placed, e.occurred_at) < 2:
            return placed.name, "level"
        lists = self.lists(placed, e.occurred_at)
        if lists is None:
            return None
        action = action_of(e)

        def on(grants: Iterable[Any]) -> bool:
            return any(g.action == action and all(self.holds(case, e, text) for text in g.when) for g in grants)

        if on(lists.forbidden):
            return placed.name, "forbidden"
        if on(lists.approval):
            return None if self.approved(case, e) else (placed.name, "unapproved")
        return None if on(lists.automatic) else (placed.name, "unlisted")

    def holds(self, case: Case, e: Event, text: str) -> bool:
        """Whether a condition holds for an act."""
        attribute, operator, operand = text.split(" ", 2)
        value = e.detail.get(attribute)
        if value is None:
            value = value_after(case.events, case.events.index(e) + 1, attribute)
        said = text_value(value)

        def same(a: str | None, b: str) -> bool:
            words = {"yes": "true", "no": "false"}
            return a is not None and words.get(a, a) == words.get(b, b)

        if operator == "=":
            return same(said, operand)
        if operator == "!=":
            return not same(said, operand)
        if operator == "in":
            return any(same(said, part.strip()) for part in operand.split(","))
        try:
            number = float(said or "nothing")
        except ValueError:
            return False
        size = float(operand)
        return {"<": number < size, "<=": number <= size, ">": number > size, ">=": number >= size}[operator]

    def approved(self, case: Case, act: Event) -> bool:
        """Whether an operator approved this act, after what it continues was opened and after the act before it."""
        here = case.events.index(act)
        action = action_of(act)
        after = -1
        known = self.recommendations(case.events, self.t)
        if act.ref not in [r.opened for r in known]:
            opened = [p for r in known if r.action == action and (p := position(case, r.opened)) < here]
            after = max(opened, default=-1)
        earlier = [i for i, e in enumerate(case.events[:here]) if self.kind(e) == "agent" and e.activity in ACTS and action_of(e) == action]
        after = max([after, *earlier])
        for i in range(after + 1, here):
            e = case.events[i]
            if e.activity == "approved" and self.kind(e) == "operator":
                means, value = self.meaning(case, i)
                if means == action and (value is None or value_of(act) is None or value == value_of(act)):
                    return True
        return False

    def meaning(self, case: Case, index: int) -> tuple[str | None, tuple[str | None] | None]:
        """The action an approval means, and the value (wrapped; None: not known)."""
        e = case.events[index]
        own: tuple[str | None] | None = None
        if e.attribute is not None:
            own = (e.after,)
        elif e.detail.get("value") is not None:
            own = (e.detail["value"],)
        before = self.recommendations(case.events[:index], e.occurred_at)
        standing = [r for r in before if r.outcome == "pending" or r.provisional]
        named = e.detail.get("recommendation")
        if named is not None:
            for r in before:
                if named in {ref[1] for ref in self.parts(case, r)}:
                    return r.action, own or value_in(r)
        action = e.detail.get("action") or (f"set:{e.attribute}" if e.attribute is not None else None)
        if action is not None:
            same = [r for r in standing if r.action == action]
            return action, own or (value_in(same[-1]) if same else None)
        asking = [r for r in standing if self.event(case, r.opened).activity == "approval_requested"]
        meant = asking[0] if asking else standing[-1] if standing else None
        return (meant.action, own or value_in(meant)) if meant else (None, own)

    def parts(self, case: Case, r: Recommendation) -> Iterator[tuple[str, str]]:
        """The events that open and continue a recommendation."""
        start = position(case, r.opened)
        later = [p for o in self.recommendations(case.events, self.t) if o.action == r.action and (p := position(case, o.opened)) > start]
        yield r.opened
        for e in case.events[start + 1 : min(later, default=len(case.events))]:
            if self.kind(e) == "agent" and action_of(e) == r.action and case.workflow and self.is_agent_of(e, case.workflow):
                yield e.ref

    def event(self, case: Case, ref: tuple[str, str]) -> Event:
        """An event by its name."""
        return case.events[position(case, ref)]

    def errors(self, workflow: WorkflowOptions, mine: list[Case]) -> None:
        """Error categories."""
        found = [
            (r.decided_at, self.category(case, r)) for case in mine for r in case.recommended if r.mode == "live" and r.outcome in ("edited", "overridden")
        ]
        for w in workflow.windows:
            for category, count in Counter(category for at, category in found if self.within(at, w)).items():
                self.put("errors", count, workflow=workflow.name, window=says(w), category=category)

    def category(self, case: Case, r: Recommendation) -> str:
        """Why an operator changed the agent's work."""
        workflow = case.workflow
        assert workflow is not None and r.deciding is not None and r.decided_at is not None
        said = self.event(case, r.deciding).detail.get("reason") if r.how in ("rejected", "edited", "changed", "reversed") else None
        if not said and workflow.reason_attribute:
            near = [
                e.after
                for e in case.events
                if self.kind(e) == "operator"
                and e.attribute == workflow.reason_attribute
                and e.activity in ("changed", "closed", "reopened")
                and abs(e.occurred_at - r.decided_at) <= 10 * MINUTE
            ]
            said = near[-1] if near else None
        if not said or said == "uncategorised":
            return "uncategorised"
        return said if said in workflow.error_categories else "other"

    def evaluations(self) -> None:
        """Runs of the evaluation suite by workflow."""
        runs: dict[str, list[tuple[int, bool]]] = defaultdict(list)
        for case, e in self.every:
            if e.activity == "evaluated":
                inside = case.workflow is not None and e.occurred_at >= case.scoped
                names = [case.workflow.name] if inside and case.workflow else [w.name for w in self.company.workflows_of_agent(e)]
                for name in names:
                    runs[name].append((e.occurred_at, e.detail.get("passed") is True))
        for workflow in self.settings.workflows:
            for w in workflow.windows:
                for passed in (True, False):
                    count = sum(self.within(at, w) and p is passed for at, p in runs[workflow.name])
                    self.put("evaluations", count, workflow=workflow.name, window=says(w), passed=str(passed).lower())

    def reversals(self, workflow: WorkflowOptions, mine: list[Case]) -> None:
        """Time from an act to its reversal or undoing."""
        found = [
            (act.reversed_at, act.reversed_at - act.at)
            for case in mine
            for act in acts(read(case.events, self.company, self.everywhere(self.t)), None, case.recommended)  # type: ignore[arg-type]
            if act.reversed_at is not None
        ]
        for w in workflow.windows:
            chosen = [(d, True) for at, d in found if self.within(at, w)]
            self.survival("time_to_reverse_median_seconds", chosen, Fraction(1, 2), workflow=workflow.name, window=says(w))

    # Section 8

    def delivery(self, workflow: WorkflowOptions) -> None:
        """The five delivery metrics."""
        Deployments(self, workflow).put()

    def paused(self, workflow: WorkflowOptions, at: int) -> list[int]:
        """The first instants, from one on, at which each pause is in force."""
        stretches = [(instant(p.start) or 0, instant(p.end)) for p in workflow.pauses]
        return [max(start, at) for start, end in stretches if end is None or end > at]

    # Section 9, and putting down

    def within(self, at: int | None, w: int) -> bool:
        """Whether it lies in (T - w, T]."""
        return at is not None and self.t - w < at <= self.t

    def put(self, name: str, value: float, **labels: str) -> None:
        """One sample."""
        self.figures[name, frozenset(labels.items())] = value

    def ratio(self, name: str, k: int, n: int, **labels: str) -> None:
        """A ratio with Wilson's bounds."""
        if n:
            p = k / n
            middle, half = p + Z * Z / (2 * n), Z * sqrt(p * (1 - p) / n + Z * Z / (4 * n * n))
            self.put(name, p, **labels)
            self.put(f"{name}_lower", (middle - half) / (1 + Z * Z / n), **labels)
            self.put(f"{name}_upper", (middle + half) / (1 + Z * Z / n), **labels)

    def median(self, name: str, values: list[int], share: Fraction = Fraction(1, 2), **labels: str) -> None:
        """The least value that at least that share does not exceed."""
        self.put(f"{name}_cases", len(values), **labels)
        if values:
            self.put(name, min(v for v in values if sum(o <= v for o in values) >= share * len(values)) / SECOND, **labels)

    def survival(self, name: str, samples: list[tuple[int, bool]], share: Fraction, **labels: str) -> None:
        """The least t with S(t) at most the share, and its bounds."""
        curve = product_limit([(Fraction(d), f) for d, f in samples])
        self.put(f"{name}_cases", len(samples), **labels)
        for suffix, column in (("", 1), ("_lower", 2), ("_upper", 3)):
            found = [row[0] for row in curve if row[column] is not None and row[column] <= share]
            if found:
                self.put(name + suffix, float(found[0]) / SECOND, **labels)

    def all(self) -> Figures:
        """Every figure."""
        self.violations()
        self.evaluations()
        for workflow in self.settings.workflows:
            mine = [case for case in self.cases if case.workflow is workflow]
            for part in (self.review, self.saved, self.flow, self.hand_overs, self.cohorts, self.bypass, self.errors, self.reversals):
                part(workflow, mine)
            self.delivery(workflow)
        return self.figures


def grouped(events: Iterable[Event]) -> dict[tuple[str, str], list[Event]]:
    """By case, in order."""
    found: dict[tuple[str, str], list[Event]] = defaultdict(list)
    for e in events:
        found[e.case].append(e)
    return {key: sorted(each, key=order) for key, each in found.items()}


def ended(events: list[Event]) -> list[Event]:
    """Without what comes after the case has ended."""
    for i, e in enumerate(events):
        if e.activity in ("absorbed", "deleted"):
            return events[: i + 1]
    return events


def value_after(events: list[Event], upto: int, attribute: str | None) -> str | None:
    """An attribute's value after the first `upto` events."""
    changes = [(i, e) for i, e in enumerate(events) if e.attribute == attribute and e.activity in ("changed", "closed", "reopened")]
    past = [e.after for i, e in changes if i < upto]
    if past:
        return past[-1]
    for e in events:
        initial = e.detail.get("attributes") or {}
        if e.activity == "created" and attribute in initial:
            return text_value(initial[attribute])
    return changes[0][1].before if changes else None


def value_of(e: Event) -> tuple[str | None] | None:
    """The value of an act (wrapped; None: it has none)."""
    if (action_of(e) or "").startswith("set:"):
        return (e.after,)
    return None if e.detail.get("value") is None else (e.detail["value"],)


def value_in(r: Recommendation) -> tuple[str | None] | None:
    """The value of a recommendation."""
    if r.action.startswith("set:"):
        return (r.value,)
    return None if r.value is None else (r.value,)


def position(case: Case, ref: tuple[str, str]) -> int:
    """Where an event stands in its case."""
    return next(i for i, e in enumerate(case.events) if e.ref == ref)


def production(change: Change) -> bool:
    """Whether it was deployed where it counts."""
    return change.deployed_at is not None and change.environment == "production"


def product_limit(samples: list[tuple[Any, bool]]) -> list[tuple[Any, Fraction, float | None, float | None]]:
    """(t, S(t), lower, upper) at each instant of an event, by Kaplan-Meier; log-log Greenwood bounds."""
    rows, s, greenwood = [], Fraction(1), Fraction(0)
    for t in sorted({d for d, finished in samples if finished}):
        at_risk = sum(d >= t for d, _ in samples)
        died = sum(d == t and finished for d, finished in samples)
        s *= Fraction(at_risk - died, at_risk)
        lower = upper = None
        if 0 < s < 1:
            greenwood += Fraction(died, at_risk * (at_risk - died))
            wide = Z * sqrt(greenwood) / abs(log(s))
            lower, upper = float(s) ** exp(wide), float(s) ** exp(-wide)
        rows.append((t, s, lower, upper))
    return rows


def trimmed(values: list[float]) -> tuple[float, float, int]:
    """10 % trimmed mean, the squared standard error of Yuen's method, and the number that is left."""
    n = len(values)
    g = n // 10
    ranked = sorted(values)
    kept = ranked[g : n - g]
    winsorised = [min(max(v, kept[0]), kept[-1]) for v in ranked]
    mean = sum(winsorised) / n
    h = len(kept)
    return sum(kept) / h, (sum((v - mean) ** 2 for v in winsorised) / (h * (h - 1)) if h > 1 else 0.0), h


def yuen_half(values: list[float], baseline: list[float] | None) -> float | None:
    """Half the width of the interval of the difference of trimmed means."""
    _, d1, h1 = trimmed(values)
    if h1 < 2:
        return None
    if baseline is None:
        return float(student.ppf(0.975, h1 - 1) * sqrt(d1))
    _, d2, h2 = trimmed(baseline)
    if d1 + d2 == 0:
        return 0.0
    df = (d1 + d2) ** 2 / (d1**2 / (h1 - 1) + d2**2 / (h2 - 1))
    return float(student.ppf(0.975, df) * sqrt(d1 + d2))


_stretches: dict[Any, list[tuple[int, int]]] = {}


def _first(zone: ZoneInfo, day: date, minutes: int) -> int:
    """The first instant of a local day at which the clock there shows that time or, where it is skipped, a later one."""
    local = datetime(day.year, day.month, day.day) + timedelta(minutes=minutes)
    at = local.replace(tzinfo=zone).astimezone(UTC)
    if at.astimezone(zone).replace(tzinfo=None) != local:
        at -= timedelta(hours=4)
        while at.astimezone(zone).replace(tzinfo=None) < local:
            at += timedelta(minutes=1)
    return (at - EPOCH) // timedelta(microseconds=1)


def worked(workflow: WorkflowOptions, start: int, end: int) -> int:
    """Working time between two instants."""
    options = workflow.calendar
    if not options.hours:
        weekly = None
    else:
        weekly = {}
        for names, members in (("weekdays", DAYS[:5]), ("weekend", DAYS[5:])):
            weekly |= dict.fromkeys(members, options.hours[names]) if names in options.hours else {}
        weekly |= {day: stretches for day, stretches in options.hours.items() if day in DAYS}
    zone = ZoneInfo(options.time_zone)
    total = 0
    day = (EPOCH + timedelta(microseconds=start)).astimezone(zone).date() - timedelta(days=1)
    last = (EPOCH + timedelta(microseconds=end)).astimezone(zone).date() + timedelta(days=1)
    while day <= last:
        hours = ((0, 1440),) if weekly is None else [minutes_of(s) for s in weekly.get(DAYS[day.weekday()], ())]
        if day not in options.holidays:
            for opens, closes in hours:
                key = (zone.key, day, opens, closes)
                if key not in _stretches:
                    _stretches[key] = [(_first(zone, day, opens), _first(zone, day, closes))]
                for a, b in _stretches[key]:
                    total += max(0, min(b, end) - max(a, start))
        day += timedelta(days=1)
    return total
