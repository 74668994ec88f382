"""What every Zendesk ticket goes through, whatever the workflow: opening, replies, solving, rating, coming back, closing for good."""

from collections.abc import Callable, Mapping

from rollout_metrics.domain.time import DAY, HOUR, Instant
from rollout_metrics.simulate import words
from rollout_metrics.simulate.cast import BRAND, CUSTOMERS, LANGUAGE, SECONDS_TOTAL, SYSTEM
from rollout_metrics.simulate.draft import Draft, Value


def opens(draft: Draft, at: Instant, form: int, group: int, values: Mapping[str | int, Value] | None = None) -> Instant:
    """A customer writes; a trigger notes the language."""
    customer = draft.random.choice(CUSTOMERS)
    channel = draft.random.choices(("web", "email", "mobile"), (5, 4, 1))[0]
    initial: dict[str | int, Value] = {
        "subject": words.request(draft.random),
        "status": "new",
        "type": "question",
        "requester_id": customer,
        "group_id": group,
        "brand_id": BRAND,
        "ticket_form_id": form,
        "tags": (f"from_{channel}",),
    }
    at = draft.create(at, customer, channel, initial | dict(values or {}), comment=words.request(draft.random))
    draft.save(at, SYSTEM, {LANGUAGE: draft.random.choice(("en", "en", "de", "fr"))}, via="rule")
    return at


def requester(draft: Draft) -> int:
    """The customer who wrote."""
    customer = draft.values["requester_id"]
    assert isinstance(customer, int)
    return customer


def takes(draft: Draft, at: Instant, operator: int, values: Mapping[str | int, Value] | None = None) -> Instant:
    """An operator assigns the ticket to themselves and opens it, with whatever else they set."""
    return draft.save(at, operator, {**(values or {}), "assignee_id": operator, "status": "open"})


def solves(draft: Draft, at: Instant, operator: int, *, comment: str | None = None, values: Mapping[str | int, Value] | None = None) -> Instant:
    """An operator solves the ticket, often logging the time it took; what the agent did and nobody touched is kept, what it only proposed is ignored."""
    changes = dict(values or {})
    if draft.chance(0.45):
        spent = draft.random.randint(60, 700)
        total = draft.values.get(SECONDS_TOTAL) or "0"
        changes[SECONDS_TOTAL] = str(int(str(total)) + spent)
    at = draft.save(at, operator, changes | {"status": "solved"}, comment=comment, public=comment is not None)
    for decision in draft.plans.decisions:
        if decision.undecided and decision.action != "close":
            decision.becomes(at, *(("accepted", "kept") if decision.acted else ("ignored", "ignored")))
    draft.closes(at)
    afterwards(draft, at)
    return at


def afterwards(draft: Draft, solved_at: Instant, *, bad: float = 0.1) -> None:
    """The customer may rate, and think again; after four days an automation closes the ticket for good."""
    if draft.chance(0.3):
        first = "bad" if draft.chance(bad) else "good"
        rated_at = solved_at + draft.seconds(3600, 40 * 3600)
        draft.then(rated_at, lambda at: rates(draft, at, first))
        if draft.chance(0.08):
            draft.then(rated_at + 5 * HOUR, lambda at: rates(draft, at, "good" if first == "bad" else "bad"))
    draft.then(solved_at + 4 * DAY, lambda at: _for_good(draft, at, solved_at))


def rates(draft: Draft, at: Instant, score: str) -> None:
    """The customer gives a score."""
    draft.save(at, requester(draft), score=score)


def comes_back(draft: Draft, solved_at: Instant, then: Callable[[Instant], object]) -> None:
    """The customer answers a solved ticket, which opens it again; `then` follows."""

    def reopen(at: Instant) -> None:
        if not draft.closed:
            return
        at = draft.save(at, requester(draft), {"status": "open"}, via="email", comment=words.request(draft.random), public=True)
        draft.reopens()
        for decision in draft.plans.decisions:
            if decision.action == "close" and decision.undecided:
                decision.becomes(at, "overridden", "undone")
        then(at)

    draft.then(solved_at + draft.seconds(4 * 3600, 84 * 3600), reopen)


def _for_good(draft: Draft, at: Instant, solved_at: Instant) -> None:
    if draft.closed and draft.closed_at == solved_at:
        draft.save(at, SYSTEM, {"status": "closed"}, via="rule")
