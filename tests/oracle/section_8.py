"""Section 8 of the definitions, written down once more from their text alone: which deployments failed, by what, from when to when."""

from collections import Counter
from collections.abc import Iterable, Iterator
from fractions import Fraction
from math import lgamma, log
from typing import TYPE_CHECKING, Any

from rollout_metrics.config.workflow import WorkflowOptions
from rollout_metrics.domain.changes import Change, HarmMetric
from rollout_metrics.domain.events import Event

if TYPE_CHECKING:
    from oracle.sections_4_to_8 import Oracle

HOUR = 3_600_000_000
MINUTE = 60_000_000


def interval(k: int, n: int) -> tuple[float, float]:
    """All p with Beta(k + 1/2, n - k + 1/2) / Beta(1/2, 1/2) <= 20 p^k (1 - p)^(n - k), by halving."""

    def beta(a: float, b: float) -> float:
        return lgamma(a) + lgamma(b) - lgamma(a + b)

    least = beta(k + 0.5, n - k + 0.5) - beta(0.5, 0.5) - log(20)

    def inside(p: float) -> bool:
        likelihood = (k * log(p) if k else 0.0) + ((n - k) * log(1 - p) if n > k else 0.0)
        return likelihood >= least

    best = min(max(k / n, 1e-15), 1 - 1e-15)
    ends = []
    for far in (1e-15, 1 - 1e-15):
        out, within = far, best
        if inside(far):
            ends.append(round(far))
            continue
        for _ in range(200):
            middle = (out + within) / 2
            out, within = (out, middle) if inside(middle) else (middle, within)
        ends.append(within)
    return ends[0], ends[1]


def beyond(metric: HarmMetric, k: int, n: int) -> bool:
    """Whether the whole interval is."""
    if not n:
        return False
    lower, upper = interval(k, n)
    return (metric.at_most is not None and lower > metric.at_most) or (metric.at_least is not None and upper < metric.at_least)


def minute(at: int) -> int:
    """The end of the minute that holds an instant."""
    return -(-at // MINUTE) * MINUTE


class Deployments:
    """One workflow's deployments as of T."""

    def __init__(self, oracle: "Oracle", workflow: WorkflowOptions) -> None:
        self.oracle, self.workflow, self.t = oracle, workflow, oracle.t
        self.records = oracle.changes[workflow.name]
        live = [c for c in self.records if c.environment == "production" and c.deployed_at is not None and c.deployed_at <= self.t]
        self.deployed = sorted(live, key=lambda c: (c.deployed_at or 0, c.id))
        self.instants = sorted({self.at(c) for c in self.deployed})
        self.cases = [case for case in oracle.cases if case.workflow is workflow]
        self.opened = [r.opened_at for case in self.cases for r in case.recommended]
        self.incidents = list(self.of_sources())
        self.pools = self.pooled()

    def at(self, change: Change) -> int:
        """When it was deployed."""
        assert change.deployed_at is not None
        return change.deployed_at

    def time_is_up(self, at: int) -> int:
        """The observation window of what was deployed then, whatever comes next."""
        return at + max(c.harm.window or self.workflow.observation_window for c in self.deployed if self.at(c) == at)

    def own_end(self, at: int) -> int:
        """The same, ended by the next deployment."""
        return min([self.time_is_up(at), *(later for later in self.instants if later > at)])

    def pooled(self) -> dict[int, tuple[int, int]]:
        """By deployment, where the evidence of its pool begins and ends."""
        found, members = {}, []
        for at in self.instants:
            members.append(at)
            later = [other for other in self.instants if other > at]
            few = later and sum(minute(members[0]) < minute(r) <= minute(later[0]) for r in self.opened) < 20
            if not (few and later[0] <= self.time_is_up(at)):
                found |= dict.fromkeys(members, (members[0], self.own_end(at)))
                members = []
        return found

    def of_sources(self) -> Iterator[tuple[Any, int, int | None, str | None]]:
        """Incidents as cases of incident sources: case, start, end, the change that they name."""
        for case in self.oracle.cases:
            scope = self.workflow.incident_sources.get(case.key[0])
            if scope is None:
                continue
            now: dict[str, Any] = {}
            end = None
            for e in case.events:
                now |= (e.detail.get("attributes") or {}) if e.activity == "created" else {}
                now |= {e.attribute: e.after} if e.attribute else {}
                if e.activity in ("closed", "absorbed"):
                    end = e.occurred_at if end is None else end
                elif e.activity == "reopened":
                    end = None
            if case.events[-1].activity != "deleted" and all(now.get(a) in allowed for a, allowed in scope.items()):
                named = now.get(self.workflow.incident_link)
                yield case.key, case.events[0].occurred_at, end, named if named in {c.id for c in self.records} else None

    def failed_runs(self) -> Iterator[int]:
        """When a run of the version in production failed."""
        named = sorted((self.at(c), c.id, c.version) for c in self.deployed if c.version)
        for case, e in self.oracle.every:
            if e.activity == "evaluated" and e.detail.get("passed") is not True and self.workflow.name in self.belongs(case, e):
                in_force = [version for at, _, version in named if at < e.occurred_at]
                tried = e.detail.get("version")
                if not tried or not in_force or tried == in_force[-1]:
                    yield e.occurred_at

    def belongs(self, case: Any, e: Event) -> list[str]:
        """The workflows in which an agent's event counts."""
        if case.workflow is not None and e.occurred_at >= case.scoped:
            return [case.workflow.name]
        return [w.name for w in self.oracle.company.workflows_of_agent(e)]

    def moves(self, metric: HarmMetric) -> Iterable[tuple[int, int, int]]:
        """When a rate's counts move: instant, numerator, denominator."""
        age = self.workflow.cohort_age
        for case in self.cases:
            if metric.metric == "escalation_ratio":
                at = self.oracle.first_handled(case)
                if at is not None:
                    yield at + age, int(any(x.raised <= at + age for x in case.escalations)), 1
                continue
            for r in case.recommended:
                if r.mode == "live" and r.outcome in ("accepted", "edited", "overridden") and r.decided_at is not None:
                    wanted = r.outcome == "overridden" if metric.metric == "override_ratio" else r.how in ("approved", "applied", "progressed")
                    yield r.decided_at, int(wanted), 1

    def crossings(self, metric: HarmMetric, begun: int, end: int) -> Iterator[tuple[int, int | None]]:
        """From when to when the interval of all counts since the deployment lay wholly beyond the limit, at whole hours."""
        first = begun + (self.workflow.cohort_age if metric.metric == "escalation_ratio" else 0)
        hours: dict[int, list[int]] = {}
        for at, k, n in self.moves(metric):
            hour = -(-minute(at) // HOUR) * HOUR
            if minute(at) > minute(first) and hour <= self.t:
                counted = hours.setdefault(hour, [0, 0])
                counted[0], counted[1] = counted[0] + k, counted[1] + n
        k = n = 0
        since = None
        for hour in sorted(hours):
            k, n = k + hours[hour][0], n + hours[hour][1]
            if beyond(metric, k, n):
                if since is None and hour <= end:
                    since = hour
            elif since is not None:
                yield max(since - HOUR, begun), hour
                since = None
        if since is not None:
            yield max(since - HOUR, begun), None

    def causes(self, c: Change) -> list[tuple[str, int, int | None]]:
        """Cause, start, and its own end."""
        at, (begun, end) = self.at(c), self.pools[self.at(c)]
        told = {i.id for i in c.incidents}
        sources = {key[1]: (start, stop) for key, start, stop, change in self.incidents if change == c.id or key[1] in told}
        found: list[tuple[str, int, int | None]] = []
        for i in c.incidents:
            stop = i.ended_at if i.ended_at is not None else sources.get(i.id, (0, None))[1]
            found.append(("incident", i.started_at, stop))
        found += [("incident", start, stop) for number, (start, stop) in sources.items() if number not in told]
        found += [("intervention", i.at, None) for i in c.interventions]
        found += [("intervention", self.at(o), None) for o in self.deployed if o.reworks == c.id]
        found += [("evaluation", run, None) for run in self.failed_runs() if at < run <= self.own_end(at)]
        for metric in c.harm.metrics:
            crossed = self.crossings(metric, begun, min(end, self.t))
            found += [("harm", max(start, at), stop) for start, stop in crossed if stop is None or stop > at]
        return [cause for cause in found if cause[1] <= self.t]

    def failure(self, c: Change) -> tuple[str, int, int | None] | None:
        """First cause, start, recovery."""
        causes, ends = self.causes(c), self.ends(c)
        if not causes:
            return None
        order = ["evaluation", "harm", "incident", "intervention"]
        first = min(causes, key=lambda cause: (cause[1], order.index(cause[0])))
        return first[0], first[1], None if None in ends else max(m for m in ends if m is not None)

    def ends(self, c: Change) -> list[int | None]:
        """When each cause was over."""
        remedies = [i.in_force_at for i in c.interventions] + [self.at(o) for o in self.deployed if o.reworks == c.id] + [c.recovered_at]
        ends: list[int | None] = []
        for _, start, stop in self.causes(c):
            own = None if stop is None else max(stop, start)
            known = [m for m in [*remedies, own, *self.oracle.paused(self.workflow, start)] if m is not None and start <= m <= self.t]
            ends.append(min(known, default=None))
        return ends

    def links(self) -> list[tuple[int, str, int | None]]:
        """Every incident: start, link, and the deployment whose window it only falls into."""
        found: dict[Any, tuple[int, str, int | None]] = {}
        named = {i.id for c in self.records for i in c.incidents}
        told = {i.id: i.started_at for c in self.deployed for i in c.incidents if i.started_at <= self.t}
        found |= {("record", number): (start, "explicit", None) for number, start in told.items()}
        for key, start, _, change in self.incidents:
            if change is not None or key[1] in named:
                if key[1] not in told:
                    found[key] = (start, "explicit", None)
                continue
            last = max((at for at in self.instants if at < start), default=None)
            inside = last is not None and start <= self.own_end(last)
            found[key] = (start, "inferred" if inside else "unattributed", last if inside else None)
        return list(found.values())

    def put(self) -> None:
        """All figures."""
        failed = {c.id: self.failure(c) for c in self.deployed}
        links = self.links()
        beside = {max(c.id for c in self.deployed if self.at(c) == at) for _, _, at in links if at is not None}
        put, t = self.oracle.put, self.t
        put("open_failures", sum(f is not None and f[2] is None for f in failed.values()), workflow=self.workflow.name)
        harmed = [c for c in self.deployed if any(cause[0] == "harm" and end is None for cause, end in zip(self.causes(c), self.ends(c), strict=True))]
        put("harm_active", len(harmed), workflow=self.workflow.name)
        for w in self.workflow.windows:
            labels = {"workflow": self.workflow.name, "window": says(w)}
            inside = [c for c in self.deployed if t - w < self.at(c) <= t]
            over = [c for c in inside if self.pools[self.at(c)][1] <= t]
            causes_of = Counter(f[0] for c in over if (f := failed[c.id]) is not None)
            reworks = sum(self.rework(c) for c in inside)
            put("deployments", len(inside), **labels)
            put("judged_deployments", len(over), **labels)
            put("safe_deployments", len(over) - sum(causes_of.values()), **labels)
            put("rework_deployments", reworks, **labels)
            put("inferred_failed_deployments", sum(failed[c.id] is None and c.id in beside for c in over), **labels)
            for cause, count in causes_of.items():
                put("failed_deployments", count, cause=cause, **labels)
            counted = Counter(link for at, link, _ in links if at > t - w)
            for link in ("explicit", "inferred", "unattributed"):
                put("incidents", counted[link], link=link, **labels)
                self.oracle.ratio("incident_link_ratio", counted[link], counted.total(), link=link, **labels)
            self.oracle.ratio("change_fail_ratio", sum(causes_of.values()), len(over), **labels)
            self.oracle.ratio("deployment_rework_ratio", reworks, len(inside), **labels)
            approved = [c.approved_at - c.proposed_at for c in inside if c.approved_at is not None and c.approved_at <= t]
            delivered = [self.at(c) - c.proposed_at for c in inside]
            chosen = [((t if f[2] is None else f[2]) - f[1], f[2] is not None) for f in failed.values() if f is not None and f[1] > t - w]
            for rank, share in (("median", Fraction(1, 2)), ("p90", Fraction(9, 10))):
                self.oracle.median(f"change_lead_time_{rank}_seconds", approved, share, **labels)
                self.oracle.median(f"deployment_lead_time_{rank}_seconds", delivered, share, **labels)
                self.oracle.survival(f"failed_deployment_recovery_{rank}_seconds", chosen, 1 - share, **labels)

    def rework(self, c: Change) -> bool:
        """Whether it is a rollback or hotfix, or has one without a record of its own."""
        done = any(i.kind in ("rollback", "hotfix") and i.at <= self.t for i in c.interventions)
        return c.reworks is not None or (done and not any(o.reworks == c.id for o in self.deployed))


def says(w: int) -> str:
    """A window as a label."""
    return f"{w // (24 * HOUR)}d"
