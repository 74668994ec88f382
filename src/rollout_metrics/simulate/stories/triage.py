"""`triage`, the one that spikes: the agent sets priority, team and tags; after a prompt change people correct it three times as often."""

from rollout_metrics.domain.time import MINUTE, SECOND, Instant
from rollout_metrics.simulate import words
from rollout_metrics.simulate.cast import (
    FORM_GENERAL,
    FORM_OTHER,
    GROUP_INTAKE,
    REASON,
    RUNTIME,
    RUNTIME_AGENTS,
    SUPPORT_DESK,
    TRIAGE,
    TRIAGE_BOT,
    TRIAGE_GROUPS,
    Plot,
    at_work,
    later,
)
from rollout_metrics.simulate.deployments import Versions
from rollout_metrics.simulate.draft import Draft, Value
from rollout_metrics.simulate.stories.desk import comes_back, opens, requester, solves, takes

_PRIORITIES = ("low", "normal", "high", "urgent")
_TOPICS = ("billing", "login", "delivery", "bug", "feature", "account", "invoice", "mobile_app", "security", "export")
_REASONS = ("wrong_team", "wrong_priority", "policy_misread", "stale_knowledge")
_HANDOVERS = ("angry_customer", "security", "legal_threat", "other", "unclear_request")
_AGENT = RUNTIME_AGENTS[TRIAGE]
_SETS = {"priority": "set:priority", "group_id": "set:group", "tags": "set:tags"}
"""Zendesk's field -> the action it is."""


def general(draft: Draft, at: Instant, plot: Plot, versions: Versions) -> None:
    """One ticket of the general form, from arrival to the end."""
    draft.workflow = TRIAGE
    at = opens(draft, at, FORM_GENERAL, GROUP_INTAKE)
    operator = draft.random.choice(SUPPORT_DESK)
    silence = plot.triage_silence()
    if silence[0] <= at < silence[1]:
        draft.then(later(at, draft.random, 60, least=11), lambda then: _by_hand(draft, then, operator, "unassisted"))
    elif draft.chance(0.02) and at_work(at + 5 * MINUTE, draft.random) == at + 5 * MINUTE:
        draft.then(at + draft.seconds(120, 540), lambda then: _by_hand(draft, then, operator, "preempted"))
    elif draft.chance(0.05):
        draft.then(later(at, draft.random, 60, least=11), lambda then: _by_hand(draft, then, operator, "unassisted"))
    else:
        draft.then(at + draft.seconds(15, 70), lambda then: _sorts(draft, then, operator, plot, versions))


def other(draft: Draft, at: Instant, plot: Plot, versions: Versions) -> None:
    """A ticket of a form that is in no workflow; now and then the triage agent meddles."""
    at = opens(draft, at, FORM_OTHER, GROUP_INTAKE)
    operator = draft.random.choice(SUPPORT_DESK)
    if draft.chance(0.02):
        draft.then(at + draft.seconds(15, 70), lambda then: _meddles(draft, then))
    draft.then(later(at, draft.random, 120), lambda then: solves(draft, then, operator, comment=words.own(draft.random)))


def _meddles(draft: Draft, at: Instant) -> None:
    at = draft.save(at, TRIAGE_BOT, {"priority": "high"}, via="api")
    draft.breaches(at, "out_of_scope", "set:priority", workflow=TRIAGE)


def _by_hand(draft: Draft, at: Instant, operator: int, kind: str) -> None:
    """An operator sorts the ticket without the agent."""
    at = takes(draft, at, operator, {"priority": draft.random.choice(_PRIORITIES), "group_id": draft.random.choice(TRIAGE_GROUPS)})
    draft.handled(at, kind)
    draft.then(later(at, draft.random, 150), lambda then: solves(draft, then, operator, comment=words.own(draft.random)))


def _sorts(draft: Draft, at: Instant, operator: int, plot: Plot, versions: Versions) -> None:
    """The agent sets all three; sometimes it changes its mind, hands over, or oversteps."""
    values: dict[str | int, Value] = {
        "priority": draft.random.choice(_PRIORITIES),
        "group_id": draft.random.choice(TRIAGE_GROUPS),
        "tags": _tags(draft, *draft.random.sample(_TOPICS, 2)),
    }
    at = draft.save(at, TRIAGE_BOT, values, via="api")
    version = versions.at(TRIAGE, at)
    for field, value in values.items():
        draft.recommends(_SETS[str(field)], at, value=value, acted=True, version=version)
    draft.handled(at, "assisted")
    picked_up_at = later(at, draft.random, 75)
    if draft.chance(0.05):
        _hands_over(draft, at + 5 * SECOND, operator)
        return
    if plot.day(58) <= at < plot.day(60) and draft.chance(0.12):
        _closes_unasked(draft, at + 4 * SECOND, operator)
        return
    if draft.chance(0.04) and picked_up_at - at > 30 * MINUTE:
        draft.then(at + draft.seconds(300, 1500), lambda then: _changes_its_mind(draft, then, version))
    lot = draft.random.random()
    if lot < 0.012:
        draft.then(picked_up_at, lambda then: _deletes(draft, then, operator))
    elif lot < 0.03 and draft.neighbour is not None:
        draft.then(picked_up_at, lambda then: _merges(draft, then, operator))
    else:
        draft.then(picked_up_at, lambda then: _picks_up(draft, then, operator, spoilt=at >= plot.triage_prompt()))


def _tags(draft: Draft, *more: str) -> tuple[str, ...]:
    present = draft.values["tags"]
    assert isinstance(present, tuple)
    return tuple(sorted({*present, *more}))


def _changes_its_mind(draft: Draft, at: Instant, version: str) -> None:
    """The customer adds something, and the agent sets another priority: the older one is superseded."""
    if draft.closed or any(decision.states for decision in draft.plans.decisions):
        return
    at = draft.save(at, requester(draft), via="email", comment=words.request(draft.random), public=True)
    priority = draft.random.choice([p for p in _PRIORITIES if p != draft.values["priority"]])
    at = draft.save(at + draft.seconds(5, 30), TRIAGE_BOT, {"priority": priority}, via="api")
    for decision in draft.plans.decisions:
        if decision.action == "set:priority":
            decision.becomes(at, "superseded", "newer")
    draft.recommends("set:priority", at, value=priority, acted=True, version=version)


def _hands_over(draft: Draft, at: Instant, operator: int) -> None:
    reason = None if draft.chance(0.2) else draft.random.choice(_HANDOVERS)
    at = draft.report(at, RUNTIME, "escalated", _AGENT, "agent", reason=reason)
    draft.escalates(at, reason)
    if draft.chance(0.5):
        draft.save(at + 2 * SECOND, TRIAGE_BOT, {"assignee_id": operator}, via="api")
    draft.then(later(at, draft.random, 90), lambda then: _answers(draft, then, operator))


def _answers(draft: Draft, at: Instant, operator: int) -> None:
    at = draft.save(at, operator, {"status": "pending", "assignee_id": operator}, comment=words.own(draft.random), public=True)
    draft.then(later(at, draft.random, 400), lambda then: solves(draft, then, operator))


def _closes_unasked(draft: Draft, at: Instant, operator: int) -> None:
    """The agent solves tickets, which it is forbidden to: a runaway of two days."""
    at = draft.save(at, TRIAGE_BOT, {"status": "solved"}, via="api")
    draft.breaches(at, "forbidden", "close")
    draft.decide_rest(at, "unreviewed", "closed")
    draft.closes(at)
    draft.then(later(at, draft.random, 200), lambda then: _reopens(draft, then, operator))


def _reopens(draft: Draft, at: Instant, operator: int) -> None:
    at = takes(draft, at, operator)
    draft.reopens()
    draft.then(later(at, draft.random, 100), lambda then: solves(draft, then, operator, comment=words.own(draft.random)))


def _deletes(draft: Draft, at: Instant, operator: int) -> None:
    at = draft.save(at, operator, {}, ending="deleted")
    draft.decide_rest(at, "void", "void")


def _merges(draft: Draft, at: Instant, operator: int) -> None:
    at = draft.save(at, operator, {}, ending=f"merged:{draft.neighbour}")
    draft.decide_rest(at, "void", "void")


def _picks_up(draft: Draft, at: Instant, operator: int, *, spoilt: bool) -> None:
    """The first look of an operator: what is wrong is put right at once."""
    changes: dict[str | int, Value] = {}
    fates: dict[str, tuple[str, str]] = {}
    hopeless = draft.chance(0.012)
    if hopeless or draft.chance(0.42 if spoilt else 0.07):
        changes["priority"] = draft.random.choice([p for p in _PRIORITIES if p != draft.values["priority"]])
        fates["set:priority"] = ("overridden", "changed")
    if hopeless or draft.chance(0.55 if spoilt else 0.08):
        changes["group_id"] = draft.random.choice([g for g in TRIAGE_GROUPS if g != draft.values["group_id"]])
        fates["set:group"] = ("overridden", "changed")
    if hopeless or draft.chance(0.1 if spoilt else 0.01):
        changes["tags"] = tuple(sorted(draft.random.sample(("vip", "sales_lead", "duplicate_account", "chargeback"), 2)))
        fates["set:tags"] = ("overridden", "changed")
    elif draft.chance(0.07):
        changes["tags"] = _tags(draft, "checked")
        fates["set:tags"] = ("edited", "edited")
    wrong = sum(outcome == "overridden" for outcome, _ in fates.values())
    redone = wrong >= 2 and len(fates) >= len(draft.plans.decisions)  # as many decided actions as the agent acted, most of them against it
    reason = None
    if fates and draft.chance(0.7):
        weights = (6, 2, 1, 1) if spoilt else (2, 2, 1, 1)
        reason = draft.random.choices(_REASONS, weights)[0]
        changes[REASON] = reason
    at = takes(draft, at, operator, changes)
    for decision in draft.plans.decisions:
        if decision.undecided and decision.action in fates:
            decision.becomes(at, *fates[decision.action])
            decision.category = reason
    if redone:
        draft.handled(at, "redone")
    draft.then(later(at, draft.random, 120, least=11), lambda then: _finishes(draft, then, operator))


def _finishes(draft: Draft, at: Instant, operator: int) -> None:
    at = solves(draft, at, operator, comment=words.own(draft.random))
    if draft.chance(0.03):
        comes_back(draft, at, lambda then: _second_round(draft, then, operator))


def _second_round(draft: Draft, at: Instant, operator: int) -> None:
    """A solved ticket came back: with luck the same team answers, else it was the wrong one all along."""
    draft.then(later(at, draft.random, 60), lambda then: _moves_or_solves(draft, then, operator))


def _moves_or_solves(draft: Draft, at: Instant, operator: int) -> None:
    kept = [d for d in draft.plans.decisions if d.action == "set:group" and d.states and d.states[-1][1:] == ("accepted", "kept")]
    corrected = sum(d.states[-1][1] != "accepted" for d in draft.plans.decisions if d.states)
    if kept and corrected == 0 and draft.chance(0.6):
        group = draft.random.choice([g for g in TRIAGE_GROUPS if g != draft.values["group_id"]])
        at = takes(draft, at, operator, {"group_id": group})
        kept[-1].becomes(at, "overridden", "reversed")
        kept[-1].category = None
    draft.then(at + draft.seconds(1200, 7200), lambda then: solves(draft, then, operator, comment=words.own(draft.random)))
