"""Random histories of one case for the laws: small alphabets of values and instants, so that everything collides."""

from typing import Any

from builders import DAY, HOUR, MINUTE, company, ev
from hypothesis import strategies as st

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


@st.composite
def events(draw: st.DrawFn, size: int = 14, first: int = 0, initial: bool = True) -> list[Event]:
    """A case's events: a creation that reads every initial value, then whatever anyone may do on whole and half hours, in 12 hours."""
    count = draw(st.integers(0, size))
    made = [_event(draw, f"e{first + n:03d}") for n in range(count)]
    created = ev(0, "customer-1", "created", id=f"c{first:03d}", attributes={name: draw(st.sampled_from(_texts(name))) for name in VALUES} if initial else {})
    return [created, *made]


def _texts(name: str) -> tuple[str | None, ...]:
    return tuple(ev(0, None, "changed", name, value).after for value in VALUES[name])


def _event(draw: st.DrawFn, event_id: str) -> Event:
    actor = draw(st.sampled_from(("bot", "bot", "bot", "op-1", "op-1", "op-2", "customer-1", "rule-1", "other-bot", None)))
    at = draw(st.integers(0, 24)) * HOUR // 2
    agent = actor in ("bot", "other-bot")
    detail: dict[str, Any] = {}
    if draw(st.integers(0, 9)) == 0:
        detail["recommendation"] = f"e{draw(st.integers(0, 13)):03d}"
    if draw(st.integers(0, 9)) == 0:
        detail["reason"] = "wrong"
    activity = draw(st.sampled_from(_AGENT if agent else _OTHERS))
    if activity in ("recommended", "approval_requested", "executed") or (activity in ("approved", "rejected") and draw(st.booleans())):
        action = draw(st.sampled_from(ACTIONS))
        if action.startswith("set:"):
            attribute = action[4:]
            return ev(at, actor, activity, attribute, draw(st.sampled_from(VALUES[attribute])), id=event_id, kind=_kind(actor), action=action, **detail)
        value = draw(st.sampled_from((*TEXTS, None)))
        return ev(at, actor, activity, None, value, id=event_id, kind=_kind(actor), action=action, **detail)
    if activity == "changed":
        attribute = draw(st.sampled_from(tuple(VALUES)))
        return ev(at, actor, activity, attribute, draw(st.sampled_from(VALUES[attribute])), id=event_id, kind=_kind(actor), **detail)
    if activity == "commented":
        return ev(at, actor, activity, None, draw(st.sampled_from(TEXTS)), id=event_id, kind=_kind(actor), public=draw(st.booleans()), **detail)
    return ev(at, actor, activity, id=event_id, kind=_kind(actor), **detail)


def _kind(actor: str | None) -> str | None:
    return "operator" if actor is None else None


_AGENT = ("changed",) * 5 + ("recommended",) * 5 + ("approval_requested",) * 3 + ("executed", "executed", "commented", "closed", "closed", "escalated", "approved", "absorbed")
_OTHERS = ("changed",) * 6 + ("approved",) * 3 + ("rejected",) * 2 + ("executed", "commented", "commented", "closed", "closed", "reopened", "escalated", "deleted", "rated")

__all__ = ["DAY", "HOUR", "MINUTE", "events", "full_company"]
