"""Random companies made to hurt: the options a person would write, the records their sources would hold, and instants worth looking at."""

import random
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

EPOCH = datetime(2026, 3, 2, tzinfo=UTC)
MINUTE, HOUR = 60_000_000, 3_600_000_000
SPANS = {"30m": HOUR // 2, "1h": HOUR, "2h": 2 * HOUR, "3h": 3 * HOUR, "4h": 4 * HOUR, "6h": 6 * HOUR, "0s": 0, "10m": 10 * MINUTE}
POOLS: dict[str, list[Any]] = {
    "group": ["billing", "refunds", "tech", None],
    "priority": ["low", "normal", "high", ""],
    "stage": ["s1", "s2", "s3", "s4"],
    "tags": [["x"], ["x", "y"], ["y", "x", "z"], ["w"], [], '["y","x"]'],
    "note": ["the pump is leaking water", "Pump is leaking WATER now", "a cable broke", None, "stra\u00dfe strasse", "the pump"],
    "assignee": ["ada", "ben", "bot1", None],
    "status": ["open", "done", "solved"],
    "queue": ["q1", "q2", "q3"],
    "error": ["wrong_team", "tone", "odd", None],
}
TYPES = {"tags": "multi", "note": "text"}
ACTION_POOLS: dict[str, list[Any]] = {
    "comment:public": ["your pump is leaking", "Your pump, is leaking!", "no idea", None],
    "comment:internal": ["look at this", "look at that", None],
    "refund": ["50", "60", None],
    "label": [["a", "b"], ["a"], ["c"], None],
    "draft": ["dear customer hello", "dear customer hello there", "go away"],
    "notify": [None],
}
PLAIN = ["close", "reopen", "create", "absorb", "delete", "escalate", "approve", "reject"]
OF_VERB = {
    "close": "closed",
    "reopen": "reopened",
    "create": "created",
    "absorb": "absorbed",
    "delete": "deleted",
    "escalate": "escalated",
    "approve": "approved",
    "reject": "rejected",
}
OPERATORS, CUSTOMERS = ["ada", "ben", None], ["cid", None]


class Scenario(NamedTuple):
    """What is written, what is recorded, and when to look."""

    options: dict[str, Any]
    changes: list[dict[str, Any]]
    records: dict[str, list[dict[str, Any]]]
    instants: list[int]


def iso(at: int) -> str:
    """An instant, in microseconds since 1970, as people write it."""
    return (datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=at)).isoformat()


def _iso(at: int) -> str:
    """The same for microseconds after the scenarios' epoch."""
    return (EPOCH + timedelta(microseconds=at)).isoformat()


def scenario(seed: int) -> Scenario:
    """The same for the same seed."""
    return _Author(random.Random(seed)).scenario()


class _Author:
    def __init__(self, chance: random.Random) -> None:
        self.r = chance
        self.number = 0

    def maybe(self, share: float) -> bool:
        return self.r.random() < share

    def scenario(self) -> Scenario:
        options = self._options()
        self.workflows: list[dict[str, Any]] = options["workflows"]
        records: dict[str, list[dict[str, Any]]] = {name: [] for name in options["sources"]}
        for number in range(self.r.randint(1, 4)):
            for source, record in self._case(f"c{number}"):
                records[source].append(record)
        for items in records.values():
            self._corrupt(items)
            self.r.shuffle(items)
        horizon = 30 * HOUR
        instants = sorted({self.r.randrange(0, horizon, HOUR // 2) for _ in range(2)} | {self.r.randrange(0, horizon, MINUTE), 3 * horizon})
        return Scenario(options, self._changes(), records, [int(EPOCH.timestamp()) * 1_000_000 + at for at in instants])

    def _options(self) -> dict[str, Any]:
        sources = {"desk": {}, "runtime": {}, "crm": {}}
        if self.maybe(0.3):
            sources["desk"] = {"agents": ["bot3"]}
        if self.maybe(0.3):
            sources["runtime"] = {"systems": ["rule1"], "system_markers": ["auto"]}
        if self.maybe(0.2):
            sources["desk"] = {**sources["desk"], "agent_markers": ["ai-any"]}
        workflows = [self._workflow(name, last=False) for name in ("a", "b", "c")[: self.r.choice((1, 2, 2, 3))]]
        workflows[-1] = self._workflow(workflows[-1]["name"], last=self.maybe(0.8))
        return {"sources": sources, "workflows": workflows}

    def _workflow(self, name: str, *, last: bool) -> dict[str, Any]:
        r = self.r
        workflow: dict[str, Any] = {"name": name, "sources": r.choice((["desk"], ["desk", "runtime"], ["desk", "crm"]))}
        scope: dict[str, Any] = {}
        if not last:
            kind = r.choice(("queue", "queue", "label_scope", "kindof"))
            scope = {kind: r.sample({"queue": ["q1", "q2", "q3"], "label_scope": ["l1", "l2"], "kindof": ["k1", "k2"]}[kind], r.choice((1, 1, 2)))}
            workflow["scope"] = scope
        workflow["agents"] = {"a": ["bot1"], "b": ["bot2"], "c": []}[name] if self.maybe(0.8) else []
        if self.maybe(0.5):
            workflow["agent_markers"] = [f"ai-{name}"]
        decides = r.sample(["set:" + attribute for attribute in ("group", "priority", "stage", "tags", "note", "assignee", "status")], r.choice((1, 2, 3)))
        decides += r.sample([*ACTION_POOLS, *PLAIN, "close", "comment:public"], r.choice((0, 1, 2)))
        workflow["decides"] = [self._decides(action) for action in dict.fromkeys(decides)]
        if self.maybe(0.7):
            workflow["attribute_types"] = TYPES
        workflow |= self._parameters(0.85)
        if self.maybe(0.7):
            workflow["cohort_age"] = r.choice(("30m", "1h", "2h", "4h"))
        workflow["windows"] = r.choice((["1h", "6h", "1d"], ["30m", "1d", "7d"], ["2h", "28d"]))
        workflow |= self._levels()
        if self.maybe(0.6):
            workflow["escalation"] = {"attributes": r.choice((["assignee"], ["assignee", "group"], ["queue"], []))}
            if self.maybe(0.4):
                workflow["escalation"]["to"] = ["ada", "tech", "q3"]
        if self.maybe(0.7):
            workflow["reason_attribute"] = "error"
            workflow["error_categories"] = ["wrong_team", "tone"]
        return workflow

    def _parameters(self, share: float) -> dict[str, Any]:
        r, found = self.r, {}
        if self.maybe(share):
            found = {
                "settle_after": r.choice(("30m", "1h", "2h")),
                "settle_after_approval": r.choice(("1h", "3h")),
                "expire_after": r.choice(("3h", "4h", "6h")),
            }
        if self.maybe(share):
            found["reversal_window"] = r.choice(("0s", "30m", "1h", "2h", "4h"))
        if self.maybe(share / 2):
            found["edit_similarity"] = r.choice((0, 0.5, 0.6, 0.75, 1))
        return found

    def _decides(self, action: str) -> dict[str, Any]:
        item: dict[str, Any] = {"action": action}
        attribute = action.removeprefix("set:")
        if attribute in TYPES:
            item["type"] = TYPES[attribute]
        if action in ("label", "draft"):
            item["type"] = {"label": "multi", "draft": "text"}[action]
        if attribute == "stage":
            item["progress"] = self.r.choice(([["s1", "s2", "s3"]], [["s1", "s2", "s3"], ["s1", "s4"]], [["s3", "s2"], ["s4", "s1"]]))
        if self.maybe(0.15):
            item["reversible"] = False
        if self.maybe(0.25):
            item |= self._parameters(0.6)
        return item

    def _levels(self) -> dict[str, Any]:
        r = self.r
        names = ("off", "shadow", "shadow", "assisted", "assisted", "low_risk_autonomous", "high_risk")
        found: dict[str, Any] = {}
        if self.maybe(0.45):
            found["levels"] = [{"level": r.choice(names)}]
        elif self.maybe(0.9):
            found["levels"] = [{"level": r.choice(names), "since": _iso(at)} for at in r.sample(range(-4 * HOUR, 24 * HOUR, HOUR), r.choice((1, 2, 3)))]
        if self.maybe(0.25):
            start = r.randrange(0, 12 * HOUR, HOUR // 2)
            found["pauses"] = [{"start": _iso(start), "end": _iso(start + r.choice((HOUR, 3 * HOUR)))}]
            if self.maybe(0.2):
                del found["pauses"][0]["end"]
        return found

    def _changes(self) -> list[dict[str, Any]]:
        found = []
        if self.maybe(0.3):
            instants = self.r.sample(range(0, 24 * HOUR, HOUR // 2), 2)
            for number, at in enumerate(instants[: self.r.choice((1, 2))]):
                change = {
                    "id": f"ch{number}",
                    "workflow": self.r.choice(self.workflows)["name"],
                    "kind": "level",
                    "level": self.r.choice(("off", "shadow", "assisted", "low_risk_autonomous")),
                    "proposed_at": _iso(-HOUR),
                    "deployed_at": _iso(at),
                }
                if self.maybe(0.15):
                    change["environment"] = "staging"
                if self.maybe(0.15):
                    del change["deployed_at"]
                found.append(change)
        return found

    # -- events ------------------------------------------------------------------------------------------------------------------

    def _case(self, case: str) -> list[tuple[str, dict[str, Any]]]:
        r = self.r
        made: list[tuple[str, dict[str, Any]]] = []
        self.at, self.made, self.case = r.randrange(0, 6 * HOUR, HOUR // 2), made, case
        self.values: dict[str, Any] = {}
        workflow = r.choice(self.workflows)
        self.own = [*workflow["agents"] * 4, "mystery"]
        self.focus = r.sample([item["action"] for item in workflow["decides"]], 1) if self.maybe(0.7) else []
        self.calm = bool(self.focus) and self.maybe(0.8)  # little else than the agent and operators at one action
        self.unaided = self.maybe(0.2)
        if self.maybe(0.85):
            attributes: dict[str, Any] = {}
            for attribute, pool in {**POOLS, "label_scope": [["l1"], ["l3", "l2"], []], "kindof": ["k1", "k2", "k3"]}.items():
                if self.maybe(0.5):
                    attributes[attribute] = r.choice(pool)
            if self.maybe(0.7):
                for name, allowed in workflow.get("scope", {}).items():
                    attributes[name] = r.choice(allowed)
            if self.calm:
                attributes = {name: value for name, value in attributes.items() if f"set:{name}" not in self.focus or self.maybe(0.5)}
            self._add("created", r.choice(("customer", "customer", "operator", "system")), detail={"attributes": attributes})
        for _ in range(r.randint(1, 12) if self.calm else r.randint(1, 14)):
            self._step(workflow)
        return made

    def _step(self, workflow: dict[str, Any]) -> None:
        r = self.r
        spans = [workflow.get(name, "1h") for name in ("settle_after", "expire_after", "reversal_window", "cohort_age")]
        start = r.choice((0, 0, 0, 0, 1, 1, 1, HOUR // 2, HOUR // 2, HOUR // 2, HOUR, 2 * HOUR, *(SPANS[span] for span in spans if span in SPANS)))
        self.at += start
        if self.maybe(0.08):
            self.at += r.choice((1, -1, 1_000_000, MINUTE))
        if self.maybe(0.25) and self.made:  # exactly at a deadline of an earlier event
            base = self._instant(r.choice(self.made)[1])
            self.at = max(self.at - HOUR, base + SPANS.get(r.choice(spans), HOUR) + r.choice((0, 0, 0, 1, -1)))
        decided = [item["action"] for item in workflow["decides"]]
        action = (
            r.choice(self.focus)
            if self.calm and self.maybe(0.93)
            else r.choice((*decided, *decided, *decided, "set:group", "set:error", "comment:public", "set:queue", "other", *PLAIN))
        )
        what = r.random() * (0.81 if self.calm and self.maybe(0.85) else 1)
        if what < 0.38:
            if self.unaided:
                self._do(action, r.choice(("operator", "system")))
            else:
                self._agent(action)
        elif what < 0.75:
            self._operator(action)
        elif what < 0.80:
            self._do(action, r.choice(("customer", "system")))
        elif what < 0.86:
            self._add("closed", r.choice(("operator", "operator", "customer", "system", "agent")), **self._status("done"))
        elif what < 0.90:
            self._add("reopened", r.choice(("operator", "customer", "system", "agent")), **self._status("open"))
        elif what < 0.92:
            self._add(r.choice(("absorbed", "deleted")), r.choice(("operator", "system", "agent", "customer")))
        elif what < 0.94:
            self._add("escalated", "agent", detail={"reason": "odd"} if self.maybe(0.5) else {})
        elif what < 0.97:
            attribute = r.choice(("label_scope", "kindof", "queue", "error"))
            pool: list[Any] = {"label_scope": [["l1"], ["l2", "l9"]], "kindof": ["k1", "k2"]}.get(attribute) or POOLS[attribute]
            self._change(attribute, r.choice(pool), r.choice(("operator", "customer", "system", "agent")))
        else:
            extra = r.choice(
                (
                    ("rated", {"score": "bad"}),
                    ("time_logged", {"seconds": 60}),
                    ("blocked", {"action": action, "reason": "odd"}),
                    ("evaluated", {"passed": False}),
                )
            )
            self._add(extra[0], r.choice(("agent", "operator", "customer")), detail=extra[1])

    def _instant(self, record: dict[str, Any]) -> int:
        return (datetime.fromisoformat(record["occurred_at"]) - EPOCH) // timedelta(microseconds=1)

    def _status(self, value: str) -> dict[str, Any]:
        if self.maybe(0.3):
            return {}
        return {"attribute": "status", "before": self.values.get("status"), "after": value}

    def _agent(self, action: str) -> None:
        if self.maybe(0.35):
            self._propose(self.r.choice(("recommended", "approval_requested")), "agent", action, self._pick(action))
        else:
            self._do(action, "agent")

    def _operator(self, action: str) -> None:
        r = self.r
        if self.maybe(0.45):
            self._do(action, "operator")
            return
        activity = r.choice(("approved", "approved", "rejected"))
        detail: dict[str, Any] = {}
        if self.maybe(0.4):
            detail["reason"] = r.choice(("tone", "wrong_team", "whatever", ""))
        way = r.random()
        ids = [record["event_id"] for _, record in self.made]
        if way < 0.35 and ids:
            by_agents = [record["event_id"] for _, record in self.made if record["actor_kind"] == "agent"]
            detail["recommendation"] = r.choice(by_agents) if by_agents and self.maybe(0.8) else r.choice((*ids, "unknown"))
            if self.maybe(0.2):
                detail["value"] = self._pick(action)
            if self.maybe(0.1):
                self._add(activity, "operator", detail=detail, attribute="status", after="done")
                return
        elif way < 0.7:
            self._propose(activity, "operator", action, self._pick(action) if self.maybe(0.5) else None, **detail)
            return
        self._add(activity, "operator", detail=detail)

    def _pick(self, action: str) -> Any:
        attribute = action.removeprefix("set:")
        if action.startswith("set:") and attribute in self.values and self.maybe(0.3):
            return self.values[attribute]
        pool = POOLS.get(attribute) if action.startswith("set:") else ACTION_POOLS.get(action, [None, "v"])
        return self.r.choice(pool or [None, "v"])

    def _propose(self, activity: str, kind: str, action: str, value: Any, **detail: Any) -> None:
        if action.startswith("set:"):
            if self.maybe(0.8):
                given = {} if value is None and self.maybe(0.5) else {"after": value}
                self._add(activity, kind, attribute=action[4:], detail=detail, **given)
            else:
                self._add(activity, kind, detail={**detail, "action": action, "value": value})
            return
        self._add(activity, kind, detail={**detail, "action": action, **({} if value is None else {"value": value})})

    def _do(self, action: str, kind: str) -> None:
        value = self._pick(action)
        detail: dict[str, Any] = {"reason": self.r.choice(("tone", "whatever"))} if self.maybe(0.2) else {}
        if action.startswith("set:"):
            if self.maybe(0.06):
                self._add("executed", kind, attribute=action[4:], after=value, detail=detail)
            else:
                self._change(action[4:], value, kind, detail)
        elif action.startswith("comment:"):
            self._add("commented", kind, detail={**detail, "public": action == "comment:public", "value": value})
        elif action in OF_VERB and self.maybe(0.8):
            status = self._status("done" if action == "close" else "open") if action in ("close", "reopen") else {}
            self._add(OF_VERB[action], kind, detail=detail, **status)
        else:
            activity = self.r.choice(("executed", "executed", "executed", "commented", "closed", "approved"))
            self._add(activity, kind, detail={**detail, "action": action, **({} if value is None else {"value": value})})

    def _change(self, attribute: str, value: Any, kind: str, detail: dict[str, Any] | None = None) -> None:
        before = self.values.get(attribute, self.r.choice(POOLS.get(attribute, [None])))
        self._add("changed", kind, attribute=attribute, before=before, after=value, detail=detail or {})
        self.values[attribute] = value

    def _add(self, activity: str, kind: str, detail: dict[str, Any] | None = None, **fields: Any) -> None:
        r = self.r
        self.number += 1
        detail = dict(detail or {})
        source = "desk"
        if self.maybe(0.15) or (kind == "agent" and self.maybe(0.2)):
            source = r.choice(("runtime", "crm"))
        actor = r.choice(
            {
                "agent": self.own if self.maybe(0.8) else ["bot1", "bot2", "bot3", "mystery", None],
                "operator": OPERATORS,
                "customer": CUSTOMERS,
                "system": ["rule1", "rule2"],
            }[kind]
        )
        given = kind
        if actor in ("bot1", "bot2") and self.maybe(0.2):
            given = r.choice(("operator", "system"))
        if kind == "agent" and self.maybe(0.2):
            actor, given = "ada", "operator"
            detail["via"] = [r.choice(("ai-a", "ai-b", "ai-any", "ai-none")), "web"]
        if kind == "system" and self.maybe(0.3):
            actor, given = "ben", "operator"
            detail["via"] = ["auto"]
        record: dict[str, Any] = {
            "case_id": self.case,
            "event_id": f"{r.choice('ABCZ')}{self.number:03d}",
            "occurred_at": _iso(max(0, self.at)),
            "actor_kind": given,
            "activity": activity,
            **fields,
        }
        if source != "desk" and not self.maybe(0.03):
            record["case_source"] = "desk"
        if actor is not None:
            record["actor_id"] = actor
        if detail or self.maybe(0.2):
            record["detail"] = detail
        if activity == "changed" and "after" not in record:
            record["after"] = None
        self.made.append((source, record))

    def _corrupt(self, items: list[dict[str, Any]]) -> None:
        """Duplicates, corrections by revision and by content."""
        r = self.r
        for record in list(items):
            chance = r.random()
            if chance < 0.06:
                items.append(dict(record))
            elif chance < 0.14:
                other = dict(record) | {"revision": r.choice((1, 2, 10))}
                self._alter(other)
                items.append(other)
            elif chance < 0.17:
                other = dict(record)
                self._alter(other)
                items.append(other)
            elif chance < 0.18:
                record["revision"] = 3

    def _alter(self, record: dict[str, Any]) -> None:
        r = self.r
        what = r.random()
        if record["activity"] == "created" and self.maybe(0.8):
            return
        if what < 0.4:
            record["occurred_at"] = _iso(self._instant(record) + r.choice((0, HOUR // 2, HOUR, -HOUR, 1, 40 * HOUR)) if self._instant(record) >= HOUR else 0)
        elif what < 0.6 and record.get("attribute") in ("group", "priority", "queue"):
            record["after"] = r.choice(POOLS[record["attribute"]])
        elif what < 0.7 and record["activity"] == "changed" and "attributes" not in (record.get("detail") or {}):
            record["activity"] = r.choice(("executed", "recommended"))
        elif what < 0.75:
            record["case_id"] = "c0"
        elif what < 0.85 and record["activity"] != "created":
            record["detail"] = {**(record.get("detail") or {}), "reason": "moved"}
