"""What a perfect observer would say of the simulated company as of T: the planted truth of all cases, to hold against what the product finds."""

from bisect import bisect_left
from collections import Counter
from collections.abc import Iterator
from math import lgamma, log

from rollout_metrics.domain.time import HOUR, MINUTE, Instant, parse_instant
from rollout_metrics.simulate.cast import CONTRACT_BOT, CONTRACTS, LEADS, REFUND_BOT, REFUNDS, ROUTER_APP, RUNTIME, TRIAGE, TRIAGE_BOT, WORKFLOWS
from rollout_metrics.simulate.deployments import HARM_LIMIT, HARM_WINDOW, UNRECORDED, records
from rollout_metrics.simulate.feed import evaluations
from rollout_metrics.simulate.truth import Breach, Case, Decision, Handover
from rollout_metrics.simulate.world import World

_BOTS = {REFUND_BOT: REFUNDS, TRIAGE_BOT: TRIAGE, CONTRACT_BOT: CONTRACTS, ROUTER_APP: LEADS}
_SILENCE, _GRACE = HOUR, 10 * MINUTE


def decisions(world: World, as_of: Instant) -> dict[tuple[Case, str, Instant], Decision]:
    """Every recommendation opened by T, by case, action and opening."""
    return {(item.case, item.action, item.opened_at): item for case in world.cases(as_of) for item in case.plans.decisions if item.opened_at <= as_of}


def handlings(world: World, as_of: Instant) -> dict[Case, tuple[str, str, Instant]]:
    """How each eligible case was handled: workflow, handling, handling instant."""
    present = agent_instants(world, as_of)
    found = {}
    for case in world.cases(as_of):
        handled = case.plans.handled
        kind = handled.kind(as_of) if handled is not None else None
        if handled is None or kind is None:
            continue
        if kind in ("unassisted", "preempted"):
            seen = present[handled.workflow]
            place = bisect_left(seen, handled.scoped_at - _SILENCE)
            if place == len(seen) or seen[place] > max(handled.at, handled.scoped_at + _GRACE):
                kind = "agent_absent"
        found[handled.case] = (handled.workflow, kind, handled.at)
    return found


def handovers(world: World, as_of: Instant) -> Iterator[Handover]:
    """Every escalation raised by T."""
    return (item for case in world.cases(as_of) for item in case.plans.handovers if item.raised_at <= as_of)


def breaches(world: World, as_of: Instant) -> set[Breach]:
    """Every act outside authority by T."""
    return {item for case in world.cases(as_of) for item in case.plans.breaches if item.at <= as_of}


def blocked(world: World, as_of: Instant) -> set[tuple[Case, Instant, str]]:
    """Every act that a guardrail refused by T, with its reason."""
    return {((case.system, str(case.id)), at, reason) for case in world.cases(as_of) for at, reason in case.plans.blocked if at <= as_of}


def drift(world: World, as_of: Instant) -> set[tuple[Case, Instant, str]]:
    """Every report by T of a version that nobody had recorded."""
    return {
        ((case.system, str(case.id)), report.at, UNRECORDED)
        for case in world.cases(as_of)
        for report in case.reports
        if report.at <= as_of and report.detail.get("version") == UNRECORDED
    }


def failures(world: World, as_of: Instant) -> dict[str, tuple[str, Instant, Instant | None]]:
    """By change, what its failure began with, when, and when it was over, as known at T."""
    failed_at, rolled_back_at = world.plot.refunds_failure()
    began_at = failed_at + 5 * HOUR
    found: dict[str, tuple[str, Instant, Instant | None]] = {}
    if began_at <= as_of:
        found["CHG-104"] = ("incident", began_at, rolled_back_at if rolled_back_at <= as_of else None)
    for record in records(world.plot):
        harmed = harm(world, record["workflow"], parse_instant(record["deployed_at"]), as_of) if "harm" in record else None
        if harmed is not None:
            found[record["id"]] = ("harm", *harmed)
    return found


def harm(world: World, workflow: str, deployed_at: Instant, as_of: Instant) -> tuple[Instant, Instant | None] | None:
    """From when to when (None: it still does) too much was overridden since a deployment, looked at by the hour; None where it never was in its window.

    Several stretches: from the first to the end of the last. Too much: the evidence against the limit is 20 to 1, by the likelihood mixed over all rates.
    """
    decided = sorted(
        (held[-1][0], held[-1][1] == "overridden")
        for item in decisions(world, as_of).values()
        if item.workflow == workflow and item.mode == "live" and (held := [state for state in item.states if state[0] <= as_of])
        if held[-1][0] > deployed_at and held[-1][1] in ("accepted", "edited", "overridden")
    )
    stretches: list[tuple[Instant, Instant | None]] = []
    since: Instant | None = None
    for hour in range(deployed_at // HOUR * HOUR + HOUR, as_of // HOUR * HOUR + 1, HOUR):
        known = [overridden for at, overridden in decided if at <= hour]
        beyond = _beyond(sum(known), len(known))
        if since is None and beyond and hour <= deployed_at + HARM_WINDOW:
            since = max(hour - HOUR, deployed_at)
        elif since is not None and not beyond:
            stretches.append((since, hour))
            since = None
    stretches += [(since, None)] if since is not None else []
    return (stretches[0][0], None if since is not None else stretches[-1][1]) if stretches else None


def _beyond(count: int, total: int) -> bool:
    if total == 0 or count / total <= HARM_LIMIT:
        return False
    mixed = lgamma(count + 0.5) + lgamma(total - count + 0.5) - lgamma(total + 1) - 2 * lgamma(0.5)
    return mixed > log(20) + count * log(HARM_LIMIT) + (total - count) * log(1 - HARM_LIMIT)


def outcomes(world: World, workflow: str, start: Instant, end: Instant, as_of: Instant) -> Counter[str]:
    """Outcomes as of T of the workflow's recommendations decided in (start, end]; those undecided are left out."""
    counted: Counter[str] = Counter()
    for item in decisions(world, as_of).values():
        held = [state for state in item.states if state[0] <= as_of]
        if item.workflow == workflow and held and start < held[-1][0] <= end:
            counted[held[-1][1]] += 1
    return counted


def override_ratio(world: World, workflow: str, start: Instant, end: Instant, as_of: Instant) -> tuple[float, int]:
    """Overridden among decided, by deciding instant in (start, end], and how many were decided."""
    counted = outcomes(world, workflow, start, end, as_of)
    decided = counted["accepted"] + counted["edited"] + counted["overridden"]
    return (counted["overridden"] / decided if decided else 0.0), decided


def bypass_ratio(world: World, workflow: str, start: Instant, end: Instant, as_of: Instant) -> tuple[float, int]:
    """Bypassed among bypassed and assisted cases handled in (start, end], and how many that were."""
    kinds = Counter(kind for name, kind, at in handlings(world, as_of).values() if name == workflow and start < at <= end)
    bypass = kinds["marked"] + kinds["redone"] + kinds["side_channel"] + kinds["unassisted"]
    eligible = bypass + kinds["assisted"]
    return (bypass / eligible if eligible else 0.0), eligible


def agent_instants(world: World, as_of: Instant) -> dict[str, list[Instant]]:
    """Workflow -> when its agent did or reported anything at all by T, in order."""
    found: dict[str, list[Instant]] = {workflow: [] for workflow in WORKFLOWS}
    for case in world.cases(as_of):
        for save in case.saves:
            if save.actor in _BOTS and save.at <= as_of:
                found[_BOTS[save.actor]].append(save.at)
        if case.workflow is not None:
            found[case.workflow] += [report.at for report in case.reports if report.source == RUNTIME and report.at <= as_of]
    for at, workflow, _ in evaluations(world.plot, world.start, as_of):
        found[workflow].append(at)
    for instants in found.values():
        instants.sort()
    return found
