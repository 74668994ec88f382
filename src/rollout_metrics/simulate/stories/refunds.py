"""`refunds`, the healthy one: the agent asks before it pays, later pays small amounts by itself; one bad deployment on the way."""

import msgspec

from rollout_metrics.domain.time import MINUTE, SECOND, Instant
from rollout_metrics.simulate import words
from rollout_metrics.simulate.cast import (
    AMOUNT,
    APPROVALS,
    FORM_REFUND,
    GROUP_REFUNDS,
    GROUP_TIER2,
    HANDOVER,
    REFUND_BOT,
    REFUND_DESK,
    REFUND_LEADS,
    REFUNDS,
    RUNTIME,
    RUNTIME_AGENTS,
    Plot,
    at_work,
    later,
)
from rollout_metrics.simulate.deployments import Versions
from rollout_metrics.simulate.draft import Draft
from rollout_metrics.simulate.stories.desk import afterwards, comes_back, opens, solves, takes
from rollout_metrics.simulate.truth import Decision

_AGENT = RUNTIME_AGENTS[REFUNDS]
_REASONS = ("wrong_amount", "not_entitled", "fraud_suspected", "policy_misread")
_HANDOVERS = ("suspected_fraud", "angry_customer", "missing_invoice", "other")


class _Request(msgspec.Struct, frozen=True):
    """What every step of a refund needs to know."""

    draft: Draft
    amount: int
    operator: int
    plot: Plot
    versions: Versions


def refund(draft: Draft, at: Instant, plot: Plot, versions: Versions) -> None:
    """One refund request, from arrival to the end."""
    draft.workflow = REFUNDS
    amount = max(5, min(900, round(draft.random.lognormvariate(3.5, 0.9))))
    at = opens(draft, at, FORM_REFUND, GROUP_REFUNDS, {"priority": "normal", AMOUNT: str(amount)})
    operator = draft.random.choice(REFUND_DESK)
    request = _Request(draft, amount, operator, plot, versions)
    pause = plot.refund_pause()
    if pause[0] - 10 * MINUTE <= at < pause[1]:
        draft.then(later(at, draft.random, 60, least=11), lambda then: _by_hand(draft, then, operator, None if at >= pause[0] else "unassisted"))
    elif draft.chance(0.02) and at_work(at + 5 * MINUTE, draft.random) == at + 5 * MINUTE:
        draft.then(at + draft.seconds(120, 540), lambda then: _by_hand(draft, then, operator, "preempted"))
    elif draft.chance(0.025):
        draft.then(later(at, draft.random, 60, least=11), lambda then: _by_hand(draft, then, operator, "unassisted"))
    elif amount > 500:
        draft.then(at + draft.seconds(20, 90), lambda then: _blocked(draft, then, amount, versions))
    elif amount <= 50 and at >= plot.refunds_autonomous():
        draft.then(at + draft.seconds(20, 60), lambda then: _autonomous(request, then))
    else:
        failed = plot.refunds_failure()
        share = 0.5 if failed[0] <= at < failed[1] else 0.03
        draft.then(at + draft.seconds(20, 90), lambda then: _asks(request, then, share))


def _by_hand(draft: Draft, at: Instant, operator: int, kind: str | None) -> None:
    """An operator answers without the agent; `kind` None: the agent was off."""
    at = draft.save(at, operator, {"status": "pending", "assignee_id": operator}, comment=words.own(draft.random), public=True)
    if kind is not None:
        draft.handled(at, kind)
    draft.then(later(at, draft.random, 200), lambda then: solves(draft, then, operator))


def _blocked(draft: Draft, at: Instant, amount: int, versions: Versions) -> None:
    """Too much for the agent: its guardrail stops it and it hands over."""
    at = draft.report(
        at, RUNTIME, "blocked", _AGENT, "agent", action="refund", value="full", reason="over_limit", amount=amount, version=versions.at(REFUNDS, at)
    )
    draft.plans.blocked.append((at, "over_limit"))
    _hands_over(draft, at + 2 * SECOND, "over_limit")


def _hands_over(draft: Draft, at: Instant, reason: str | None) -> None:
    at = draft.save(at, REFUND_BOT, {HANDOVER: reason, "group_id": GROUP_TIER2}, via="api", comment=words.draft(draft.random), public=False)
    draft.escalates(at, reason)
    if draft.plans.handled is None:
        draft.handled(at, "assisted")
    lead = draft.random.choice(REFUND_LEADS)
    if draft.chance(0.1):
        draft.then(later(at, draft.random, 400), lambda then: solves(draft, then, lead, comment=words.own(draft.random)))
    else:
        draft.then(later(at, draft.random, 70), lambda then: _takes_over(draft, then, lead))


def _takes_over(draft: Draft, at: Instant, lead: int) -> None:
    at = takes(draft, at, lead)
    draft.then(later(at, draft.random, 300), lambda then: solves(draft, then, lead, comment=words.own(draft.random)))


def _asks(request: _Request, at: Instant, rejected: float) -> None:
    """The agent asks to pay and drafts the reply; an operator decides both."""
    draft, amount, operator = request.draft, request.amount, request.operator
    version = request.versions.at(REFUNDS, at)
    text = words.draft(draft.random)
    at = draft.report(at, RUNTIME, "approval_requested", _AGENT, "agent", action="refund", value="full", amount=amount, version=version)
    pay = draft.recommends("refund", at, value="full", acted=False, days=30, version=version)
    draft.handled(at, "assisted")
    at = draft.report(at + 2 * SECOND, RUNTIME, "recommended", _AGENT, "agent", action="comment:public", value=text, version=version)
    reply = draft.recommends("comment:public", at, value=text, acted=False, version=version)
    draft.save(at + 2 * SECOND, REFUND_BOT, via="api", comment=words.draft(draft.random), public=False)
    if draft.chance(0.004):
        at = draft.report(at + 4 * SECOND, RUNTIME, "executed", _AGENT, "agent", action="change_bank_account", version=version)
        draft.breaches(at, "forbidden", "change_bank_account")
    if draft.chance(0.004):
        draft.then(at + 8 * SECOND, lambda then: _pays_unasked(request, then, pay, version))
        draft.then(later(at + 10 * SECOND, draft.random, 35), lambda then: _replies(draft, then, operator, reply, text, own=False))
        return
    if draft.chance(0.04):
        _hands_over(draft, at + 6 * SECOND, None if draft.chance(0.06) else draft.random.choice(_HANDOVERS))
        return
    decided_at = later(at + 10 * SECOND, draft.random, 35)
    if draft.chance(0.015):
        draft.then(decided_at, lambda then: _replies(draft, then, operator, reply, text, own=True))
        return
    draft.then(decided_at, lambda then: _decides(request, then, pay, rejected))
    draft.then(decided_at + draft.seconds(70, 400), lambda then: _replies(draft, then, operator, reply, text, own=pay.at(then)[0] == "overridden"))


def _pays_unasked(request: _Request, at: Instant, pay: Decision, version: str) -> None:
    """The agent does not wait for the approval it asked for; nobody notices."""
    at = request.draft.report(at, RUNTIME, "executed", _AGENT, "agent", action="refund", value="full", amount=request.amount, version=version)
    request.draft.breaches(at, "unapproved", "refund")
    pay.acted = True


def _decides(request: _Request, at: Instant, pay: Decision, rejected: float) -> None:
    draft, operator = request.draft, request.operator
    pause = request.plot.refund_pause()
    lot = draft.random.random()
    person = str(operator)
    pays_at = at + draft.seconds(5, 40)
    if pause[0] <= pays_at < pause[1]:
        pays_at = pause[1] + draft.seconds(60, 1800)
    if lot < rejected:
        reason = draft.random.choice(_REASONS)
        at = draft.report(at, APPROVALS, "rejected", person, "operator", action="refund", reason=reason)
        pay.becomes(at, "overridden", "rejected")
        pay.category = reason
        return
    if lot < rejected + 0.03:
        at = draft.report(at, APPROVALS, "approved", person, "operator", action="refund", value="partial", reason="wrong_amount")
        pay.becomes(at, "overridden", "changed")
        pay.category = "wrong_amount"
        draft.then(pays_at, lambda then: _pays(request, then, "partial", opens_another=True))
        return
    at = draft.report(at, APPROVALS, "approved", person, "operator", action="refund", value="full")
    pay.becomes(at, "accepted", "approved")
    draft.then(pays_at, lambda then: _pays(request, then, "full", opens_another=False))
    if draft.chance(0.01):
        draft.then(at_work(at + draft.seconds(86_400, 6 * 86_400), draft.random), lambda then: _takes_back(draft, then, operator, pay))


def _pays(request: _Request, at: Instant, value: str, *, opens_another: bool) -> None:
    """The agent does what was approved; another amount than it asked for is a recommendation of its own."""
    draft, version = request.draft, request.versions.at(REFUNDS, at)
    amount = request.amount if value == "full" else request.amount // 2
    at = draft.report(at, RUNTIME, "executed", _AGENT, "agent", action="refund", value=value, amount=amount, version=version)
    if opens_another:
        draft.recommends("refund", at, value=value, acted=True, version=version)


def _takes_back(draft: Draft, at: Instant, operator: int, pay: Decision) -> None:
    """The refund was wrong after all."""
    at = draft.report(at, APPROVALS, "rejected", str(operator), "operator", action="refund", reason="not_entitled")
    pay.becomes(at, "overridden", "reversed")
    pay.category = "not_entitled"


def _replies(draft: Draft, at: Instant, operator: int, reply: Decision, text: str, *, own: bool) -> None:
    """The operator sends the agent's draft, a touched-up one, or their own words; most tickets are solved by that."""
    lot = draft.random.random()
    if own or lot < 0.05:
        sent, outcome, how = words.own(draft.random), "overridden", "changed"
    elif lot < 0.3:
        sent, outcome, how = words.touched_up(text, draft.random), "edited", "edited"
    else:
        sent, outcome, how = text, "accepted", "applied"
    tagged = draft.values["tags"]
    assert isinstance(tagged, tuple)
    if draft.chance(0.01):
        tagged = tuple(sorted((*tagged, "complaint")))
    elif draft.chance(0.01):
        tagged = tuple(sorted((*tagged, "no_agent")))
    if draft.chance(0.65):
        at = solves(draft, at, operator, comment=sent, values={"assignee_id": operator, "tags": tagged})
    else:
        at = draft.save(at, operator, {"status": "pending", "assignee_id": operator, "tags": tagged}, comment=sent, public=True)
        draft.then(later(at, draft.random, 500), lambda then: solves(draft, then, operator))
    if "no_agent" in tagged:
        draft.handled(at, "marked")
    reply.states.clear()
    reply.becomes(at, outcome, how)
    if draft.closed and draft.chance(0.04):
        comes_back(draft, at, lambda then: _answers_again(draft, then, operator))


def _answers_again(draft: Draft, at: Instant, operator: int) -> None:
    draft.then(later(at, draft.random, 60), lambda then: solves(draft, then, operator, comment=words.own(draft.random)))


def _autonomous(request: _Request, at: Instant) -> None:
    """The agent pays, answers and solves; now and then it is not the end of it."""
    draft, amount, operator = request.draft, request.amount, request.operator
    version = request.versions.at(REFUNDS, at)
    at = draft.report(at, RUNTIME, "executed", _AGENT, "agent", action="refund", value="full", amount=amount, version=version)
    pay = draft.recommends("refund", at, value="full", acted=True, version=version)
    draft.handled(at, "assisted")
    text = words.draft(draft.random)
    at = draft.save(at + 3 * SECOND, REFUND_BOT, {"status": "solved"}, via="api", comment=text, public=True)
    draft.recommends("comment:public", at, value=text, acted=True, version=version)
    draft.recommends("close", at, acted=True, version=version)
    draft.decide_rest(at, "unreviewed", "closed", but="close")
    draft.closes(at)
    afterwards(draft, at, bad=0.07)
    if draft.chance(0.035):
        comes_back(draft, at, lambda then: _answers_again(draft, then, operator))
    elif draft.chance(0.012):
        draft.then(later(at, draft.random, 600), lambda then: _checks(draft, then, operator))
    elif draft.chance(0.012):
        draft.then(at_work(at + draft.seconds(86_400, 9 * 86_400), draft.random), lambda then: _takes_back(draft, then, operator, pay))


def _checks(draft: Draft, at: Instant, operator: int) -> None:
    """An operator opens the ticket again because the answer will not do."""
    if not draft.closed:
        return
    at = draft.save(at, operator, {"status": "open", "assignee_id": operator}, comment=words.own(draft.random), public=False)
    draft.reopens()
    for decision in draft.plans.decisions:
        if decision.action == "close" and decision.undecided:
            decision.becomes(at, "overridden", "undone")
    draft.then(at + draft.seconds(300, 3 * 3600), lambda then: solves(draft, then, operator, comment=words.own(draft.random)))
