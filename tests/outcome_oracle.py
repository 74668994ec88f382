"""A second, slow reading of the outcome table: every question is answered from scratch by looking back, nothing is carried along.

It shares no code with the derivation but the prepared history (order, actors, actions, attribute values).
"""

from collections import Counter
from functools import cache
from typing import NamedTuple

from rollout_metrics.derive.history import History
from rollout_metrics.domain.events import members_of
from rollout_metrics.domain.policy import Decides

ACTING = {"changed", "commented", "executed", "created", "closed", "reopened", "absorbed", "deleted", "approved", "rejected"}
DOING = (ACTING | {"escalated"}) - {"approved", "rejected"}
MISSING = object()


class Verdict(NamedTuple):
    """What the oracle says of one recommendation."""

    opened: str
    outcome: str
    how: str | None
    row: int
    acted: bool
    provisional: bool
    decided_at: int | None
    first_decided_at: int | None
    settled_at: int | None


class Oracle:
    """Outcomes of one history."""

    def __init__(self, history: History) -> None:
        assert history.workflow is not None
        self.history, self.workflow, self.steps = history, history.workflow, history.steps
        self.role = cache(self._role)
        self.ruling = cache(self._ruling)
        self.meant = cache(self._meant)

    def kind(self, n: int) -> str:
        return str(self.steps[n].kind)

    def activity(self, n: int) -> str:
        return str(self.steps[n].event.activity)

    def action(self, n: int) -> str | None:
        return self.steps[n].action

    def at(self, n: int) -> int:
        return self.steps[n].event.occurred_at

    def policy(self, r: int) -> Decides:
        return self.workflow.decides[self.action(r) or ""]

    def value(self, n: int, action: str) -> object:
        event = self.steps[n].event
        if action.startswith("set:"):
            return event.after
        return MISSING if event.detail.get("value") is None else event.detail["value"]

    def proposes(self, n: int) -> bool:
        if not self.steps[n].own or self.at(n) < (self.history.scoped_at or 0) or self.action(n) not in self.workflow.decides:
            return False
        return self.activity(n) in ACTING | {"recommended", "approval_requested"}

    def similarity(self, r: int, one: object, other: object) -> float:
        if one == other:
            return 1
        if one is None or other is None or one is MISSING or other is MISSING:
            return 0
        kind = str(self.policy(r).type)
        if kind == "text":
            a, b = Counter(str(one).lower().split()), Counter(str(other).lower().split())
            return 2 * sum(min(a[w], b[w]) for w in a) / (sum(a.values()) + sum(b.values()))
        if kind == "multi":
            left, right = members_of(str(one)), members_of(str(other))
            return len(left & right) / len(left | right)
        return 0

    def agree(self, r: int, one: object, other: object) -> bool:
        return one is MISSING or other is MISSING or self.similarity(r, one, other) == 1

    def progress(self, r: int, one: object, other: object) -> bool:
        return any(one in stages and other in stages and stages.index(one) < stages.index(other) for stages in self.policy(r).progress)

    def _role(self, n: int) -> int | None:
        """The recommendation (by its opening's number) that event n opens or continues."""
        if not self.proposes(n):
            return None
        action = str(self.action(n))
        for r in reversed([r for r in range(n) if self.role(r) == r and self.action(r) == action]):
            if not self.agree(r, self.value(r, action), self.value(n, action)):
                continue
            if self.is_open(r, n):
                return r
            ruling = self.ruling(r, n)
            if (
                ruling is not None
                and ruling[0] in (2, 4)
                and self.reversal(r, n) is None
                and self.at(n) - self.at(ruling[2]) <= self.policy(r).reversal_window
                and not self.decided_since(action, ruling[2], r, n)
            ):
                return r
        return n

    def decided_since(self, action: str, place: int, besides: int, n: int) -> bool:
        for r in range(n):
            if r != besides and self.role(r) == r and self.action(r) == action:
                ruling, reversal = self.ruling(r, n), self.reversal(r, n)
                if (ruling is not None and ruling[1] in ("accepted", "edited", "overridden") and ruling[2] > place) or (
                    reversal is not None and reversal > place
                ):
                    return True
        return False

    def events_of(self, r: int, n: int) -> list[int]:
        """The events before n that opened or continued r."""
        return [i for i in range(r, n) if self.role(i) == r]

    def acted(self, r: int, n: int) -> bool:
        return any(self.activity(i) in ACTING for i in self.events_of(r, n))

    def is_open(self, r: int, n: int) -> bool:
        """Whether r is open (or provisional) when event n comes."""
        return self.role(r) == r and r < n and self.at(n) <= self.at(r) + self.policy(r).expire_after and self.ruling(r, n) is None

    def _ruling(self, r: int, n: int) -> tuple[int, str, int, str] | None:
        """(row, outcome, event, how) of the first event between r and n (exclusive) that decides r."""
        for e in range(r + 1, n):
            if self.at(e) > self.at(r) + self.policy(r).expire_after:
                return None
            if self.role(e) == e and self.action(e) == self.action(r):
                return (0, "superseded", e, "newer")
            row = self.row(r, e)
            if row is not None:
                return (row[0], row[1], e, row[2])
        return None

    def row(self, r: int, e: int) -> tuple[int, str, str] | None:
        action, policy = str(self.action(r)), self.policy(r)
        operator, activity, kind = self.kind(e) == "operator", self.activity(e), self.kind(e)
        value = self.value(r, action)
        acted = self.acted(r, e + 1)
        attribute = action[4:] if action.startswith("set:") else None
        event = self.steps[e].event
        does = operator and activity in DOING and self.action(e) == action
        theirs = self.value(e, action) if does else MISSING
        approves = operator and activity == "approved" and r in self.meant(e)
        if approves:
            given = event.after if event.after is not None else event.detail.get("value")
            theirs = MISSING if given is None else given
        by_value = not (action.startswith("comment:") and acted)

        if operator and activity == "rejected" and r in self.meant(e):
            return (1, "overridden", "rejected")
        if approves and self.agree(r, value, theirs):
            return (2, "accepted", "approved")
        if kind in ("operator", "customer") and activity == "reopened" and action == "close" and acted:
            return (3, "overridden", "undone")
        if by_value and does and self.agree(r, value, theirs) and not self.in_place(r, e):
            return (4, "accepted", "applied")
        if by_value and does and self.progress(r, value, theirs):
            return (5, "accepted", "progressed")
        if by_value and (does or approves) and not self.agree(r, value, theirs):
            return (6, "edited", "edited") if self.similarity(r, value, theirs) >= policy.edit_similarity else (7, "overridden", "changed")
        if kind == "agent" and self.escalates(e):
            return (8, "escalated", "escalated")
        if activity == "closed" and action != "close":
            if operator:
                now = None if attribute is None else self.history.value_at(attribute, self.steps[e])
                equal = attribute is not None and self.agree(r, value, now)
                if acted and (attribute is None or equal):
                    return (9, "accepted", "kept")
                if not acted and equal:
                    return (10, "accepted", "matched")
                if attribute is not None and not equal and self.last_set_by(attribute, e) == "operator":
                    return (11, "overridden", "mismatch")
                return (12, "ignored", "ignored")
            return (13, "unreviewed" if acted else "ignored", "closed")
        if activity in ("absorbed", "deleted"):
            return (14, "void", "void")
        return None

    def in_place(self, r: int, e: int) -> bool:
        action = str(self.action(r))
        if action.startswith("set:"):
            before = self.history.values.after(action[4:], e - 1)
            return self.similarity(r, self.value(r, action), before) == 1
        states = [self.activity(i) for i in range(e) if self.activity(i) in ("closed", "reopened")]
        return bool(states) and states[-1] == {"close": "closed", "reopen": "reopened"}.get(action)

    def last_set_by(self, attribute: str, e: int) -> str | None:
        setters = [i for i in range(e + 1) if self.steps[i].event.attribute == attribute and self.activity(i) in ("changed", "closed", "reopened")]
        return self.kind(setters[-1]) if setters else None

    def escalates(self, e: int) -> bool:
        event, escalation = self.steps[e].event, self.workflow.escalation
        if self.activity(e) == "escalated" or (self.activity(e) == "executed" and self.action(e) == "escalate"):
            return True
        if self.activity(e) != "changed" or event.attribute not in escalation.attributes:
            return False
        if escalation.to is None:
            return event.after is not None and event.after not in self.history.company.agents
        return event.after in escalation.to

    def _meant(self, e: int) -> list[int]:
        detail, event = self.steps[e].event.detail, self.steps[e].event
        roots = [r for r in range(e) if self.role(r) == r]
        named = detail.get("recommendation")
        if named is not None:
            found = [r for r in roots if any(self.steps[i].event.event_id == named for i in self.events_of(r, e))]
            if found:
                return found
        action = detail.get("action") or (f"set:{event.attribute}" if event.attribute else None)
        if action is not None:
            return [r for r in roots if self.action(r) == action]
        if named is not None:
            return []
        opened = [r for r in roots if self.is_open(r, e)]
        asking = [r for r in opened if any(self.activity(i) == "approval_requested" for i in self.events_of(r, e))]
        return asking[:1] or opened[-1:]

    def reversal(self, r: int, n: int) -> int | None:
        ruling = self.ruling(r, n)
        policy = self.policy(r)
        if ruling is None or ruling[1] not in ("accepted", "edited", "unreviewed") or not policy.reversible:
            return None
        action = str(self.action(r))
        standing = self.value(r, action)
        if ruling[0] in (5, 6):
            event = self.steps[ruling[2]].event
            standing = self.value(ruling[2], action)
            if self.activity(ruling[2]) == "approved":
                standing = event.after if event.after is not None else event.detail.get("value")
        for e in range(r + 1, n):
            if self.role(e) == e and self.action(e) == action:
                return None
            if e <= ruling[2] or self.at(e) > self.at(ruling[2]) + policy.reversal_window:
                continue
            operator, activity = self.kind(e) == "operator", self.activity(e)
            if operator and activity == "rejected" and r in self.meant(e):
                return e
            if activity == "reopened" and action == "close" and self.kind(e) in ("operator", "customer") and self.acted(r, e + 1):
                return e
            if operator and activity in DOING and self.action(e) == action and not action.startswith("comment:"):
                theirs = self.value(e, action)
                if (
                    not self.agree(r, standing, theirs)
                    and not self.progress(r, standing, theirs)
                    and self.similarity(r, standing, theirs) < policy.edit_similarity
                ):
                    return e
        return None

    def verdicts(self) -> list[Verdict]:
        """Every recommendation with its outcome as of T."""
        end, now = len(self.steps), self.history.as_of
        found = []
        for r in range(end):
            if self.role(r) != r:
                continue
            policy, opened_at = self.policy(r), self.at(r)
            acted, ruling, reversal = self.acted(r, end), self.ruling(r, end), self.reversal(r, end)
            name = self.steps[r].event.event_id
            if ruling is None:
                settle = opened_at + (policy.settle_after_approval if self.activity(r) == "approval_requested" else policy.settle_after)
                expire = opened_at + policy.expire_after
                timed = "unreviewed" if acted else "ignored"
                if now >= expire:
                    found.append(Verdict(name, timed, "timeout", 0, acted, False, expire, expire, expire))
                elif now >= settle:
                    found.append(Verdict(name, timed, "timeout", 0, acted, True, settle, settle, None))
                else:
                    found.append(Verdict(name, "pending", None, 0, acted, False, None, None, None))
                continue
            row, outcome, e, how = ruling
            first = decided = self.at(e)
            if reversal is not None:
                outcome, how, decided = "overridden", "reversed", self.at(reversal)
            settles = decided + (policy.reversal_window if outcome in ("accepted", "edited", "unreviewed") else 0)
            found.append(Verdict(name, outcome, how, row, acted, False, decided, first, settles if settles <= now else None))
        return found
