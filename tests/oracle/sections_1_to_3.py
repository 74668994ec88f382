"""A second reading of sections 1 to 3 of the definitions: slow, literal, and written from the text alone; it imports nothing of the product.

Events are the JSON records of the event format, workflows the options a person writes. `figures` gives every number of the sections as of T.
"""

import json
import math
import re
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from typing import Any

Options = Mapping[str, Any]
Figures = dict[tuple[str, tuple[tuple[str, str], ...]], float]

SECOND = 1_000_000
UNITS = {"ms": 1000, "s": SECOND, "m": 60 * SECOND, "h": 3600 * SECOND, "d": 86400 * SECOND, "w": 604800 * SECOND}
ACTS = {"changed", "commented", "executed", "created", "closed", "reopened", "absorbed", "deleted", "approved", "rejected"}
PROPOSES = {"recommended", "approval_requested"}
DOES = {"changed", "commented", "executed", "created", "closed", "reopened", "absorbed", "deleted", "escalated"}
CHANGES = {"changed", "closed", "reopened"}
RANK = {"created": 0, "closed": 2, "reopened": 2, "absorbed": 3, "deleted": 3}
VERBS = {
    "created": "create",
    "closed": "close",
    "reopened": "reopen",
    "absorbed": "absorb",
    "deleted": "delete",
    "escalated": "escalate",
    "approved": "approve",
    "rejected": "reject",
}
DEFAULTS = {
    "settle_after": "7d",
    "settle_after_approval": "30d",
    "expire_after": "90d",
    "reversal_window": "14d",
    "edit_similarity": 0.6,
    "cohort_age": "3d",
}
LEVELS = ("off", "shadow", "assisted", "low_risk_autonomous", "broad_autonomous", "high_risk")
OUTCOMES = ("pending", "accepted", "edited", "overridden", "escalated", "unreviewed", "ignored", "superseded", "void")
EXPLICIT = {"approved", "applied", "progressed"}
Z = 1.959964


def span(text: str) -> int:
    """Microseconds of `1h30m`."""
    return sum(int(number) * UNITS[unit] for number, unit in re.findall(r"(\d+)(ms|s|m|h|d|w)", text))


def instant(text: str) -> int:
    """Microseconds since 1970."""
    return (datetime.fromisoformat(text) - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)


def text_of(value: Any) -> str | None:
    """An attribute's value as text: null = unset = "" = [], lists sorted JSON arrays."""
    if value in (None, "", [], "[]"):
        return None
    if isinstance(value, list):
        return json.dumps(sorted({str(item) for item in value}), separators=(",", ":"), ensure_ascii=False)
    if isinstance(value, str) and value.startswith("["):
        return text_of(json.loads(value))
    return value if isinstance(value, str) else json.dumps(value)


def members(value: str | None) -> set[str]:
    """The members of a multi-valued attribute."""
    if value is None:
        return set()
    return set(json.loads(value)) if value.startswith("[") else {value}


def words(text: str | None) -> Counter[str]:
    """Maximal runs of letters, digits and _ after NFC, case-folding, NFC; the first 2,000."""
    folded = unicodedata.normalize("NFC", unicodedata.normalize("NFC", text or "").casefold())
    return Counter(re.findall(r"\w+", folded)[:2000])


class Event:
    """One reading of one event."""

    def __init__(self, record: Mapping[str, Any], source: str) -> None:
        detail = {key: value for key, value in (record.get("detail") or {}).items() if value is not None}
        self.source = source
        self.case = (record.get("case_source") or source, record["case_id"])
        self.id: str = record["event_id"]
        self.revision: int = record.get("revision", 0)
        self.at = instant(record["occurred_at"])
        self.actor: str | None = record.get("actor_id")
        self.given_kind: str = record["actor_kind"]
        self.kind = self.given_kind
        self.activity: str = record["activity"]
        self.attribute: str | None = record.get("attribute")
        self.before, self.after = text_of(record.get("before")), text_of(record.get("after"))
        self.detail = detail
        self.value = text_of(detail.get("value"))
        self.initial = {name: text_of(value) for name, value in detail.get("attributes", {}).items()}
        if self.attribute is None and str(detail.get("action", "")).startswith("set:"):  # the event format allows this
            self.attribute, self.after = detail["action"][4:], self.value

    def canonical(self) -> bytes:
        """RFC 8785 bytes (the tests use no numbers and no keys for which plain sorted JSON differs)."""
        detail = dict(self.detail)
        if "value" in detail:
            detail["value"] = self.value
        if "attributes" in detail:
            detail["attributes"] = self.initial
        if "via" in detail:
            detail["via"] = sorted(set(detail["via"]))
        fields = {
            "source": self.source,
            "case_source": self.case[0],
            "case_id": self.case[1],
            "event_id": self.id,
            "occurred_at": self.at,
            "activity": self.activity,
            "actor_kind": self.given_kind,
            "actor_id": self.actor,
            "attribute": self.attribute,
            "before": self.before,
            "after": self.after,
            "detail": detail,
            "revision": self.revision,
        }
        return json.dumps(fields, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()

    @property
    def action(self) -> str | None:
        """`detail.action` wins; else by activity; else `set:` and the attribute."""
        if "action" in self.detail:
            return str(self.detail["action"])
        if self.activity == "commented":
            return "comment:public" if self.detail.get("public") else "comment:internal"
        if self.activity in VERBS:
            return VERBS[self.activity]
        return None if self.attribute is None else f"set:{self.attribute}"

    @property
    def acts(self) -> bool:
        """Whether it acts, if it is an agent's."""
        return self.activity in ACTS

    def order(self) -> tuple[int, int, str, str]:
        """Order within a case."""
        return (self.at, RANK.get(self.activity, 1), self.id, self.source)


class Company:
    """What a person wrote, and the records of each source."""

    def __init__(self, options: Options, records: Mapping[str, Sequence[Mapping[str, Any]]], changes: Sequence[Mapping[str, Any]] = ()) -> None:
        self.workflows: list[Options] = list(options["workflows"])
        self.changes = changes
        named = [*self.workflows, *options["sources"].values()]
        self.agents = {actor for item in named for actor in item.get("agents", ())}
        self.agent_markers = {marker for item in named for marker in item.get("agent_markers", ())}
        self.systems = {actor for item in options["sources"].values() for actor in item.get("systems", ())}
        self.system_markers = {marker for item in options["sources"].values() for marker in item.get("system_markers", ())}
        held: dict[tuple[str, str], Event] = {}
        for source, items in records.items():
            for record in items:
                event = Event(record, source)
                other = held.get((source, event.id))
                if other is None or (event.revision, event.canonical()) > (other.revision, other.canonical()):
                    held[source, event.id] = event
        self.events = sorted(held.values(), key=Event.order)
        for event in self.events:
            via = set(event.detail.get("via", ()))
            if event.actor in self.agents or via & self.agent_markers:
                event.kind = "agent"
            elif event.actor in self.systems or via & self.system_markers:
                event.kind = "system"

    def cases_at(self, at: int) -> Iterator[list[Event]]:
        """Each case's events at or before T, up to its end."""
        cases: dict[tuple[str, str], list[Event]] = defaultdict(list)
        for event in self.events:
            case = cases[event.case]
            if event.at <= at and not any(earlier.activity in ("absorbed", "deleted") for earlier in case):
                case.append(event)
        yield from (case for case in cases.values() if case)

    def workflows_of(self, event: Event) -> list[Options]:
        """The workflows of an agent's event."""
        via = set(event.detail.get("via", ()))
        naming = [w for w in self.workflows if event.actor in w.get("agents", ()) or via & set(w.get("agent_markers", ()))]
        return naming or [w for w in self.workflows if event.source in w["sources"] or event.case[0] in w["sources"]]


def attribute_value(case: list[Event], attribute: str, place: int) -> str | None:
    """The attribute's value after the event at a place; -1: before all."""
    changes = [(number, event) for number, event in enumerate(case) if event.activity in CHANGES and event.attribute == attribute]
    done = [event for number, event in changes if number <= place]
    if done:
        return done[-1].after
    for event in case:
        if event.activity == "created" and attribute in event.initial:
            return event.initial[attribute]
    return changes[0][1].before if changes else None


def belongs(company: Company, case: list[Event]) -> tuple[Options, int] | None:
    """The case's workflow and `scoped_at`."""
    for at in sorted({event.at for event in case}):
        place = max(number for number, event in enumerate(case) if event.at <= at)
        for workflow in company.workflows:
            matches = all(members(attribute_value(case, name, place)) & set(allowed) for name, allowed in workflow.get("scope", {}).items())
            if case[0].case[0] in workflow["sources"] and matches:
                return workflow, at
    return None


class Rule:
    """One decided action with the parameters that judge it."""

    def __init__(self, workflow: Options, options: Options) -> None:
        def own(name: str) -> Any:
            return options.get(name, workflow.get(name, DEFAULTS[name]))

        self.action: str = options["action"]
        self.attribute = self.action[4:] if self.action.startswith("set:") else None
        self.comment = self.action.startswith("comment:")
        default = "text" if self.comment else workflow.get("attribute_types", {}).get(self.attribute, "single")
        self.type: str = options.get("type", default)
        self.progress: list[list[str]] = options.get("progress", [])
        self.reversible: bool = options.get("reversible", True)
        self.edit_similarity = Fraction(str(own("edit_similarity")))
        self.settle_after, self.settle_after_approval = span(own("settle_after")), span(own("settle_after_approval"))
        self.expire_after, self.reversal_window = span(own("expire_after")), span(own("reversal_window"))

    def value(self, event: Event) -> str | None:
        """`after` for `set:` actions, else `detail.value`."""
        return event.after if self.attribute else event.value

    def similarity(self, one: str | None, other: str | None) -> Fraction:
        """By the configured type."""
        if self.type == "single":
            return Fraction(one == other)
        if self.type == "multi":
            a, b = members(one), members(other)
            return Fraction(len(a & b), len(a | b)) if a | b else Fraction(1)
        a_words, b_words = words(one), words(other)
        total = a_words.total() + b_words.total()
        return Fraction(2 * (a_words & b_words).total(), total) if total else Fraction(1)

    def same(self, one: str | None, other: str | None) -> bool:
        """Null is a value of `set:` actions; elsewhere a missing value on either side agrees with any."""
        if (one is None or other is None) and not self.attribute:
            return True
        if one is None or other is None:
            return one is other
        return words(one) == words(other) if self.type == "text" else one == other

    def progressed(self, one: str | None, other: str | None) -> bool:
        """Whether `other` stands later than `one` in one of the lists."""
        return any(one in steps and other in steps and steps.index(other) > steps.index(one) for steps in self.progress)

    def replaces(self, one: str | None, other: str | None) -> bool:
        """Whether `other` differs from `one`, is no progress from it and less similar than an edit."""
        return not self.comment and not self.same(one, other) and not self.progressed(one, other) and self.similarity(one, other) < self.edit_similarity

    def edits(self, one: str | None, other: str | None) -> bool:
        """Whether `other` differs from `one`, is no progress from it and similar enough to be an edit."""
        return not self.comment and not self.same(one, other) and not self.progressed(one, other) and self.similarity(one, other) >= self.edit_similarity


class Recommendation:
    """One recommendation and what became of it so far."""

    def __init__(self, rule: Rule, event: Event, place: int) -> None:
        self.rule, self.opening, self.place = rule, event, place
        self.value = rule.value(event)
        self.names = {event.id}
        self.acted = event.acts
        self.asked = event.activity == "approval_requested"
        self.outcome, self.how, self.row = "pending", "", 0
        self.decided_at = 0
        self.decided_place = -1
        self.deciding: Event | None = None
        self.standing = self.value
        self.provisional = False
        self.final_timeout = False
        self.replaced_by_newer = False

    @property
    def opened_at(self) -> int:
        """When it was opened."""
        return self.opening.at

    @property
    def open(self) -> bool:
        """Nothing was decided."""
        return self.outcome == "pending"

    @property
    def expires_at(self) -> int:
        """When it times out for good."""
        return self.opened_at + self.rule.expire_after

    def decide(self, outcome: str, how: str, row: int, event: Event, place: int) -> None:
        """An event decided it."""
        self.outcome, self.how, self.row, self.decided_at, self.decided_place, self.deciding = outcome, how, row, event.at, place, event

    def expire(self) -> None:
        """Nobody did."""
        self.outcome, self.how, self.decided_at, self.final_timeout = "unreviewed" if self.acted else "ignored", "timeout", self.expires_at, True


class Act:
    """One act of the workflow's own agent, also of an action that the workflow does not decide."""

    def __init__(self, rule: Rule, recommendation: Recommendation | None, event: Event, place: int) -> None:
        self.rule, self.recommendation, self.event, self.place = rule, recommendation, event, place
        self.value = rule.value(event)
        self.over = False
        self.corrected = self.edited = False


class CaseReading:
    """One case as of T, read event by event."""

    def __init__(self, company: Company, case: list[Event], workflow: Options, scoped_at: int, at: int) -> None:
        self.company, self.case, self.workflow, self.scoped_at, self.at = company, case, workflow, scoped_at, at
        self.rules = {options["action"]: Rule(workflow, options) for options in map(_options, workflow.get("decides", ()))}
        self.cohort_age = span(workflow.get("cohort_age", DEFAULTS["cohort_age"]))
        self.found: list[Recommendation] = []
        self.all_acts: list[Act] = []
        for place, event in enumerate(case):
            if event.at >= scoped_at:
                self._read(place, event)
        for item in self.found:
            self._at_end(item)

    def _at_end(self, item: Recommendation) -> None:
        if not item.open:
            return
        if self.at >= item.expires_at:
            item.expire()
            return
        settles = item.opened_at + (item.rule.settle_after_approval if item.opening.activity == "approval_requested" else item.rule.settle_after)
        if self.at >= settles:
            item.outcome, item.how, item.decided_at, item.provisional = "unreviewed" if item.acted else "ignored", "timeout", settles, True

    def _read(self, place: int, event: Event) -> None:
        for item in self.found:
            if item.open and event.at > item.expires_at:
                item.expire()
        meant = self._meant(event) if event.activity in ("approved", "rejected") else []
        opened = self._opened(place, event)
        for item in self.found:
            if item is opened:
                continue
            if item.open:
                self._rows(item, place, event, meant)
            elif item.decided_place < place:
                self._reverse(item, place, event, meant)
        if event.kind == "agent" and event.acts and self.workflow in self.company.workflows_of(event):
            self._act(place, event)
        self._judge_acts(place, event, meant)

    def _act(self, place: int, event: Event) -> None:
        rule = self.rules.get(event.action or "") or Rule(self.workflow, {"action": event.action or ""})
        act = Act(rule, next((item for item in self.found if event.id in item.names), None), event, place)
        for older in self.all_acts:  # from now on it is this act's value that an operator would replace
            if older.rule.action == rule.action and (rule.action == "close" or not rule.same(older.value, act.value)):
                older.over = True
        self.all_acts.append(act)

    def _opened(self, place: int, event: Event) -> Recommendation | None:
        """The recommendation that the event opens, if it opens one; one that it continues is continued."""
        rule = self.rules.get(event.action or "")
        own = event.kind == "agent" and self.workflow in self.company.workflows_of(event)
        if rule is None or not own or not (event.acts or event.activity in PROPOSES):
            return None
        value = rule.value(event)
        continued = self._continued(rule, value, event)
        if continued is None:
            for item in self.found:
                if item.rule is rule:
                    item.replaced_by_newer = True
                    if item.open:
                        item.decide("superseded", "superseded", 0, event, place)
            self.found.append(Recommendation(rule, event, place))
            return self.found[-1]
        continued.names.add(event.id)
        continued.acted |= event.acts
        continued.asked |= event.activity == "approval_requested"
        return None

    def _continued(self, rule: Rule, value: str | None, event: Event) -> Recommendation | None:
        same = [item for item in self.found if item.rule is rule and rule.same(item.value, value)]
        for item in same:
            if item.open:
                return item
        for item in reversed(same):
            later = any(
                other.rule is rule and other.decided_place > item.decided_place and other.outcome in ("accepted", "edited", "overridden")
                for other in self.found
            )
            if item.outcome == "accepted" and item.row in (2, 4) and event.at <= item.decided_at + rule.reversal_window and not later:
                return item
        return None

    def _meant(self, event: Event) -> list[Recommendation]:
        named = event.detail.get("recommendation")
        for item in self.found:
            if named in item.names:
                return [item]
        action = event.detail.get("action") or (f"set:{event.attribute}" if event.attribute else None)
        if action is not None:
            return [item for item in self.found if item.rule.action == action]
        if named is not None:
            return []
        waiting = [item for item in self.found if item.open]
        asked = [item for item in waiting if item.asked]
        return asked[:1] or waiting[-1:]

    def _escalates(self, event: Event) -> bool:
        options = self.workflow.get("escalation", {})
        if event.kind != "agent":
            return False
        if event.activity == "escalated" or (event.activity == "executed" and event.action == "escalate"):
            return True
        if event.activity == "changed" and event.attribute in options.get("attributes", ("assignee", "group")):
            return event.after in options["to"] if "to" in options else event.after is not None and event.after not in self.company.agents
        return False

    def _rows(self, item: Recommendation, place: int, event: Event, meant: list[Recommendation]) -> None:
        rule = item.rule
        operator = event.kind == "operator"
        does = operator and event.activity in DOES and event.action == rule.action
        approves = operator and event.activity == "approved" and item in meant
        theirs = rule.value(event)
        if approves:
            theirs = _first(event.after if rule.attribute and event.attribute == rule.attribute else None, event.value, item.value)
        looked_at = not (rule.comment and item.acted)
        at_event = None if rule.attribute is None else attribute_value(self.case, rule.attribute, place)
        just_before = None if rule.attribute is None else attribute_value(self.case, rule.attribute, place - 1)
        in_place = rule.same(just_before, item.value) if rule.attribute else self._is_so(rule.action, place)

        def decide(outcome: str, how: str, row: int) -> None:
            item.decide(outcome, how, row, event, place)

        if operator and event.activity == "rejected" and item in meant:
            decide("overridden", "rejected", 1)
        elif approves and rule.same(item.value, theirs):
            decide("accepted", "approved", 2)
        elif event.kind in ("operator", "customer") and event.activity == "reopened" and rule.action == "close" and item.acted:
            decide("overridden", "undone", 3)
        elif does and rule.same(item.value, theirs) and not in_place and looked_at:
            decide("accepted", "applied", 4)
        elif does and rule.progressed(item.value, theirs) and looked_at:
            decide("accepted", "progressed", 5)
            item.standing = theirs
        elif (does or approves) and not rule.same(item.value, theirs) and rule.similarity(item.value, theirs) >= rule.edit_similarity and looked_at:
            decide("edited", "edited", 6)
            item.standing = theirs
        elif (does or approves) and not rule.same(item.value, theirs) and looked_at:
            decide("overridden", "changed", 7)
        elif self._escalates(event):
            decide("escalated", "escalated", 8)
        elif event.activity == "closed" and rule.action != "close":
            matches = rule.attribute is not None and rule.same(at_event, item.value)
            if not operator:
                decide("unreviewed" if item.acted else "ignored", "closed", 13)
            elif item.acted and (rule.attribute is None or matches):
                decide("accepted", "kept", 9)
            elif matches:
                decide("accepted", "matched", 10)
            elif rule.attribute is not None and self._last_set_by_operator(rule.attribute, place):
                decide("overridden", "mismatch", 11)
            else:
                decide("ignored", "ignored", 12)
        elif event.activity in ("absorbed", "deleted"):
            decide("void", "void", 14)

    def _is_so(self, action: str, place: int) -> bool:
        """Of actions without an attribute only closing and reopening leave something in place."""
        turns = [event.activity for event in self.case[:place] if event.activity in ("closed", "reopened")]
        return bool(turns) and {"close": "closed", "reopen": "reopened"}.get(action) == turns[-1]

    def _last_set_by_operator(self, attribute: str, place: int) -> bool:
        changes = [event for event in self.case[: place + 1] if event.activity in CHANGES and event.attribute == attribute]
        return bool(changes) and changes[-1].kind == "operator"

    def _reverse(self, item: Recommendation, place: int, event: Event, meant: list[Recommendation]) -> None:
        rule = item.rule
        if item.outcome not in ("accepted", "edited", "unreviewed") or item.final_timeout or item.replaced_by_newer or not rule.reversible:
            return
        if event.at > item.decided_at + rule.reversal_window:
            return
        operator = event.kind == "operator"
        replaced = operator and event.activity in DOES and event.action == rule.action and rule.replaces(item.standing, rule.value(event))
        undone = event.kind in ("operator", "customer") and event.activity == "reopened" and rule.action == "close" and item.acted
        rejected = operator and event.activity == "rejected" and item in meant
        if replaced or undone or rejected:
            item.decide("overridden", "reversed", 0, event, place)

    def _judge_acts(self, place: int, event: Event, meant: list[Recommendation]) -> None:
        for act in self.all_acts:
            rule = act.rule
            if act.place >= place or event.at > act.event.at + self.cohort_age:
                continue
            operator = event.kind == "operator"
            replaced = operator and event.activity in DOES and event.action == rule.action and rule.replaces(act.value, rule.value(event))
            undone = event.kind in ("operator", "customer") and event.activity == "reopened" and rule.action == "close"
            similar = operator and event.activity in DOES and event.action == rule.action and rule.edits(act.value, rule.value(event))
            act.edited |= similar and not act.over
            act.corrected |= (replaced or undone) and not act.over
            if operator and event.activity == "rejected":
                act.corrected |= self._rejects(event, act, place, meant)

    def _rejects(self, event: Event, act: Act, place: int, meant: list[Recommendation]) -> bool:
        named = event.detail.get("recommendation")
        own = [other for other in self.case[:place] if other.kind == "agent" and self.workflow in self.company.workflows_of(other)]
        names_one = any(other.id == named for other in own)
        if act.over and not names_one:
            return False
        if act.recommendation is not None:
            return act.recommendation in meant
        if names_one:
            return act.event.id == named
        return act.rule.action == (event.detail.get("action") or (f"set:{event.attribute}" if event.attribute else None))

    def settled(self, item: Recommendation) -> bool:
        """Whether nothing but a correction can change it."""
        if item.outcome in ("overridden", "escalated", "superseded", "void") or item.final_timeout:
            return True
        if item.outcome == "ignored":
            return not item.provisional
        return item.outcome in ("accepted", "edited", "unreviewed") and not item.provisional and self.at >= item.decided_at + item.rule.reversal_window

    def category(self, item: Recommendation) -> str:
        """The error category of an edited or overridden decision."""
        deciding = item.deciding
        assert deciding is not None
        says = deciding.activity != "reopened" if item.how == "reversed" else item.row in (1, 6, 7)
        reason = deciding.detail.get("reason") if says else None
        if not reason:
            near = [
                event.after
                for event in self.case
                if event.kind == "operator"
                and event.activity in CHANGES
                and event.attribute == self.workflow.get("reason_attribute", 0)
                and abs(event.at - item.decided_at) <= 600 * SECOND
                and event.after is not None
            ]
            reason = near[-1] if near else None
        if reason is None:
            return "uncategorised"
        return reason if reason in self.workflow.get("error_categories", ()) else "other"

    def references(self) -> Iterator[tuple[int, bool]]:
        """First values that operators or systems gave to decided attributes: when, and whether replaced within `cohort_age`."""
        for rule in self.rules.values():
            if rule.attribute is None:
                continue
            given = [
                (place, event)
                for place, event in enumerate(self.case)
                if event.at >= self.scoped_at
                and event.kind in ("operator", "system")
                and event.activity in DOES
                and event.action == rule.action
                and event.after is not None
            ]
            if not given or not rule.reversible:
                continue
            place, first = given[0]
            end = first.at + self.cohort_age
            if any(event.kind == "agent" and event.at <= end for event in self.case):
                continue
            later = [event for event in self.case[place + 1 :] if event.at <= end and event.kind == "operator"]
            yield first.at, any(event.activity in DOES and event.action == rule.action and rule.replaces(first.after, event.after) for event in later)


def _first(*values: str | None) -> str | None:
    return next((value for value in values if value is not None), None)


def _options(item: Any) -> Options:
    return {"action": item} if isinstance(item, str) else item


def level_at(company: Company, workflow: Options, at: int, first_agent_event: int | None) -> str:
    """The autonomy level of a workflow at an instant."""
    for pause in workflow.get("pauses", ()):
        if instant(pause["start"]) <= at and ("end" not in pause or at < instant(pause["end"])):
            return "off"
    deployed = [
        (instant(change["deployed_at"]), change["level"])
        for change in company.changes
        if change["workflow"] == workflow["name"]
        and change["kind"] == "level"
        and change.get("environment", "production") == "production"
        and "deployed_at" in change
        and instant(change["deployed_at"]) <= at
    ]
    if deployed:
        return str(max(deployed)[1])
    levels = workflow.get("levels", ())
    if len(levels) == 1 and "since" not in levels[0]:
        return str(levels[0]["level"]) if first_agent_event is not None and first_agent_event <= at else "off"
    begun = [(instant(item["since"]), item["level"]) for item in levels if instant(item["since"]) <= at]
    return str(max(begun)[1]) if begun else "off"


def wilson(k: int, n: int) -> tuple[float, float]:
    """The 95 % interval."""
    p = k / n
    middle = (p + Z * Z / (2 * n)) / (1 + Z * Z / n)
    half = Z / (1 + Z * Z / n) * math.sqrt(p * (1 - p) / n + Z * Z / (4 * n * n))
    return middle - half, middle + half


def figures(company: Company, at: int) -> Figures:
    """Every figure of sections 1 to 3 as of T; counts of nothing are left out."""
    found: Figures = {}
    readings: dict[str, list[CaseReading]] = {workflow["name"]: [] for workflow in company.workflows}
    for case in company.cases_at(at):
        belonging = belongs(company, case)
        if belonging is not None:
            readings[belonging[0]["name"]].append(CaseReading(company, case, *belonging, at))
    for workflow in company.workflows:
        found |= _workflow_figures(company, workflow, readings[workflow["name"]], at)
    return found


def _workflow_figures(company: Company, workflow: Options, readings: list[CaseReading], at: int) -> Figures:
    found: Figures = {}
    by_agents = [event.at for reading in readings for event in reading.case if event.kind == "agent" and event.at >= reading.scoped_at]
    first_agent_event = min(by_agents, default=None)

    def put(name: str, value: float, **labels: str) -> None:
        if value or name.endswith(("_ratio", "_lower", "_upper", "autonomy_level")):
            found["agent_rollout_" + name, tuple(sorted({"workflow": workflow["name"], **labels}.items()))] = value

    def ratio(name: str, k: int, n: int, **labels: str) -> None:
        if n:
            put(f"{name}_ratio", k / n, **labels)
            lower, upper = wilson(k, n)
            put(f"{name}_ratio_lower", lower, **labels)
            put(f"{name}_ratio_upper", upper, **labels)

    def shown(when: int) -> str:
        return "shadow" if level_at(company, workflow, when, first_agent_event) == "shadow" else "live"

    put("autonomy_level", LEVELS.index(level_at(company, workflow, at, first_agent_event)))
    everything = [(reading, item, shown(item.opened_at)) for reading in readings for item in reading.found]
    for this in ("live", "shadow"):
        pending = [item.opened_at for _, item, its in everything if its == this and item.outcome == "pending"]
        put("recommendations_pending", len(pending), mode=this)
        if pending:
            put("recommendation_oldest_pending_timestamp_seconds", min(pending) / SECOND, mode=this)
    for outcome in ("accepted", "edited", "overridden"):
        settled = [item for reading, item, its in everything if its == "live" and item.outcome == outcome and reading.settled(item)]
        put("decisions_settled_total", len(settled), outcome=outcome)

    age = span(workflow.get("cohort_age", DEFAULTS["cohort_age"]))
    for label in workflow.get("windows", ("1d", "7d", "28d", "90d")):
        window = span(label)
        for this in ("live", "shadow"):
            opened = Counter(item.outcome for _, item, its in everything if its == this and at - window < item.opened_at <= at)
            for outcome, number in opened.items():
                put("recommendations", number, mode=this, outcome=outcome, window=label)
            ratio("applied", opened["accepted"] + opened["edited"], opened.total(), mode=this, window=label)
            decided = Counter(
                (item.outcome, item.how)
                for _, item, its in everything
                if its == this and item.outcome in ("accepted", "edited", "overridden") and at - window < item.decided_at <= at
            )
            for (outcome, how), number in decided.items():
                put("decisions", number, mode=this, outcome=outcome, how=how, window=label)
            total = decided.total()
            explicit = sum(number for (outcome, how), number in decided.items() if outcome == "accepted" and how in EXPLICIT)
            ratio("explicit_acceptance", explicit, total, mode=this, window=label)
            for name, outcome in (("acceptance", "accepted"), ("edit", "edited"), ("override", "overridden")):
                ratio(name, sum(number for (its, _), number in decided.items() if its == outcome), total, mode=this, window=label)
        errors = Counter(
            reading.category(item)
            for reading, item, its in everything
            if its == "live" and item.outcome in ("edited", "overridden") and at - window < item.decided_at <= at
        )
        for category, number in errors.items():
            put("errors", number, category=category, window=label)
        acts = [
            act
            for reading in readings
            for act in reading.all_acts
            if act.rule.reversible and shown(act.event.at) == "live" and at - window - age < act.event.at <= at - age
        ]
        corrected = sum(act.corrected for act in acts)
        put("acts", len(acts), window=label)
        put("corrected_acts", corrected, window=label)
        put("edited_acts", sum(act.edited and not act.corrected for act in acts), window=label)
        ratio("correction", corrected, len(acts), window=label)
        references = [replaced for reading in readings for when, replaced in reading.references() if when <= at - age and at - window - age < when]
        put("reference_values", len(references), window=label)
        put("reference_corrections", sum(references), window=label)
        ratio("reference_correction", sum(references), len(references), window=label)
    return found
