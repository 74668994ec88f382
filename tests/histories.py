"""Random histories of one case for the laws: small alphabets of values and instants, so that everything collides."""

from collections.abc import Sequence
from typing import Any, Protocol

from hypothesis import strategies as st

from builders import HOUR, company, ev
from rollout_metrics.domain.events import Event
from rollout_metrics.domain.policy import Company

STAGES = ("new", "open", "pending", "done")
TEXTS = ("we will refund you", "we will not refund you", "please wait", "refund we will you")
ACTIONS = ("set:priority", "set:stage", "set:tags", "set:note", "comment:public", "close", "refund")
VALUES: dict[str, tuple[Any, ...]] = {
    "priority": ("low", "high", None),
    "stage": (*STAGES, None),
    "tags": (["a"], ["a", "b"], ["a", "b", "c"], ["z"], None),
    "note": (*TEXTS, None),
    "reason": ("tone", "facts", None),
    "group": ("tier1", "tier2"),
}


def full_company(**options: Any) -> Company:
    """One workflow `w` that decides an action of every kind, with short deadlines that random instants hit."""
    return company(
        {
            "decides": [
                "set:priority",
                {"action": "set:stage", "progress": [["new", "open", "done"], ["open", "pending"]]},
                "set:tags",
                {"action": "set:note", "reversible": False},
                "comment:public",
                "close",
                "refund",
            ],
            "attribute_types": {"tags": "multi", "note": "text"},
            "settle_after": "2h",
            "settle_after_approval": "5h",
            "expire_after": "9h",
            "reversal_window": "4h",
            "cohort_age": "3h",
            "reason_attribute": "reason",
            "escalation": {"attributes": ["group"], "to": ["tier2"]},
            **options,
        },
        {"name": "elsewhere", "sources": ["other"], "agents": ["other-bot"]},
    )


class Choose(Protocol):
    """Takes one of several: Hypothesis draws and shrinks, a seeded `random.Random().choice` is fast and spreads wider."""

    def __call__(self, options: Sequence[Any], /) -> Any: ...


@st.composite
def events(draw: st.DrawFn, size: int = 14, first: int = 0, initial: bool = True) -> list[Event]:
    """A case's events as `history_of` makes them."""
    return history_of(lambda options: draw(st.sampled_from(options)), size=size, first=first, initial=initial)


def history_of(choose: Choose, *, size: int = 14, first: int = 0, initial: bool = True) -> list[Event]:
    """A creation that reads every initial value, then whatever anyone may do on whole and half hours, in 12 hours.

    Most of it is about one or two actions, so that events meet.
    """
    about = (choose(ACTIONS), choose(ACTIONS))
    made = [_event(choose, f"e{first + n:03d}", about) for n in range(choose(range(size + 1)))]
    attributes = {name: choose(_texts(name)) for name in VALUES} if initial else {}
    return [ev(0, "customer-1", "created", id=f"c{first:03d}", attributes=attributes), *made]


def _texts(name: str) -> tuple[str | None, ...]:
    return tuple(ev(0, None, "changed", name, value, kind="system").after for value in VALUES[name])


def _event(choose: Choose, event_id: str, about: tuple[str, ...]) -> Event:
    actor = choose(ACTORS)
    at = choose(range(25)) * HOUR // 2
    kind = "operator" if actor is None else None
    detail: dict[str, Any] = {}
    if choose(range(10)) == 9:
        detail["recommendation"] = f"e{choose(range(14)):03d}"
    if choose(range(10)) == 9:
        detail["reason"] = "wrong"
    activity = choose(_AGENT if actor in ("bot", "other-bot") else _OTHERS)
    action = choose(about * 4 + ACTIONS)
    if activity == "does":
        activity, attribute = _DOING.get(action, ("executed", None)) if not action.startswith("set:") else ("changed", action[4:])
        if choose(range(8)) == 7:
            activity, attribute = "changed", choose(("reason", "group"))
    elif action.startswith("set:"):
        attribute = action[4:]
    else:
        attribute = None
    if activity in ("recommended", "approval_requested", "executed") or (activity in ("approved", "rejected") and choose((False, True))):
        detail["action"] = action
        value = choose(VALUES[attribute] if attribute else (*TEXTS, None))
        if activity in ("approved", "rejected") and choose((False, True)):
            attribute = value = None
        return ev(at, actor, activity, attribute, value, id=event_id, kind=kind, **detail)
    if activity == "changed":
        attribute = attribute or "group"
        return ev(at, actor, activity, attribute, choose(VALUES[attribute]), id=event_id, kind=kind, **detail)
    if activity == "commented":
        return ev(at, actor, activity, None, choose(TEXTS), id=event_id, kind=kind, public=choose(range(5)) > 0, **detail)
    return ev(at, actor, activity, id=event_id, kind=kind, **detail)


ACTORS = ("bot", "bot", "bot", "op-1", "op-1", "op-2", "customer-1", "rule-1", "other-bot", None)
_DOING = {"comment:public": ("commented", None), "close": ("closed", None)}
_AGENT = ("does",) * 6 + ("recommended",) * 4 + ("approval_requested",) * 3 + ("executed", "closed", "escalated", "approved", "absorbed")
_OTHERS = ("does",) * 9 + ("approved",) * 3 + ("rejected",) * 2 + ("commented", "closed", "closed", "reopened", "escalated", "rated", "deleted")

__all__ = ["events", "full_company", "history_of"]
