"""Random companies that go where the definitions have edges: equal instants, exact deadlines, mixed agents, reopened and merged cases."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any

START = datetime(2026, 3, 16, 6, tzinfo=UTC)
OPERATORS = ["ada", "bob", "cyd", "dee", "eve", "fay"]
QUEUES = ["billing", "refunds", "legal", "bot-a"]
VALUES = ["low", "mid", "high"]
STEPS = [0, 0, 1, 2, 4, 5, 5, 6, 10, 30, 60, 60, 290, 300, 301, 600, 600, 601, 1800, 3600, 4 * 3600, 9 * 3600, 86400, 3 * 86400]


def iso(moment: datetime) -> str:
    """As people write it."""
    return moment.isoformat().replace("+00:00", "Z")


class Draft:
    """One company being made up."""

    def __init__(self, seed: int, days: int | None = None) -> None:
        self.random = Random(seed)
        self.events: dict[str, list[dict[str, Any]]] = {"desk": [], "crm": [], "runtime": [], "pager": []}
        self.number = 0
        self.days = self.random.choice([20, 45, 100]) if days is None else days
        self.t = START + timedelta(days=self.days, minutes=self.random.choice([0, 0, 7]))
        self.beats = [START + timedelta(minutes=10 * self.random.randrange(self.days * 144)) for _ in range(self.random.choice([3, 12, 30]))]
        self.ids: dict[str, list[str]] = {}

    def some(self, p: float) -> bool:
        """With this probability."""
        return self.random.random() < p

    def moment(self, early: bool = False) -> datetime:
        """An instant, often one that others use too."""
        if self.some(0.6):
            return self.random.choice(self.beats)
        return START + timedelta(minutes=self.random.randrange(max(1, self.days * (200 if early else 1440))))

    def add(self, source: str, case: str | None, at: datetime, actor: str | None, kind: str, activity: str, **rest: Any) -> str:
        """One event."""
        self.number += 1
        event_id = f"{self.random.randrange(10):01d}{self.number:05d}"
        detail = {key: value for key, value in rest.pop("detail", {}).items() if value is not None}
        event = {"event_id": event_id, "occurred_at": iso(at), "actor_kind": kind, "activity": activity, **rest, "detail": detail}
        if case is not None:
            event["case_id"] = case
            if source == "runtime":
                event["case_source"] = "desk"
        if actor is not None:
            event["actor_id"] = actor
        self.events[source].append(event)
        return event_id

    def workflow(self, name: str, scope: dict[str, Any], agents: list[str]) -> dict[str, Any]:
        """A workflow's options."""
        pick = self.random.choice
        level = pick(["assisted", "assisted", "low_risk_autonomous", "shadow"])
        levels: list[dict[str, Any]] = [{"level": level}]
        if self.some(0.6):
            at = [START + timedelta(days=pick([-200, 3, 10, 15])), START + timedelta(days=pick([16, 18, 30]))]
            levels = [
                {"level": pick(["off", "shadow", "assisted"]), "since": iso(at[0])},
                {"level": pick(["assisted", "broad_autonomous"]), "since": iso(at[1])},
            ]
        decides: list[Any] = ["set:priority", {"action": "set:stage", "progress": [["new", "quoted", "won"]]}, "refund"]
        for extra, p in (
            (["close"], 0.3),
            (["comment:public"], 0.4),
            ([{"action": "set:group", "reversible": pick([True, False])}], 0.25),
            (["escalate"], 0.1),
        ):
            decides += extra if self.some(p) else []
        options: dict[str, Any] = {
            "name": name,
            "sources": ["desk", "crm", "runtime"] if name == "first" or self.some(0.5) else ["desk"],
            "incident_sources": {"pager": {"service": ["agent"]}} if self.some(0.7) else {},
            "scope": scope,
            "agents": agents,
            "agent_markers": [f"by_{name}"],
            "decides": decides,
            "levels": levels,
            "windows": ["1d", "7d", "28d", "90d"],
            "escalation": {
                "attributes": ["assignee", "group"],
                "reason_attribute": "why",
                "owner_attribute": pick(["assignee", "group"]),
                "paths": {"legal": {"target": pick(["30m", "2h", "9h"]), "owner": "lawyers"}, "money": {"next_step": "look"}},
            },
            "bypass": {
                "markers": {"taken": ["yes", "really"], "tags": ["no_bot"], "via": ["manual"]},
                "side_channels": {"channel": ["phone", "walk-in"]},
                "redo_actions": pick([1, 2, 2]),
            },
            "complaints": {"markers": {"tags": ["angry"], "via": ["complaint_form"]}},
            "attribute_types": {"tags": "multi"},
            "reason_attribute": "fix_reason",
            "error_categories": ["wrong_queue", "tone"],
            "should_escalate_attribute": "should",
        }
        if self.some(0.4):
            options["escalation"]["to"] = ["billing", "legal", "ada", "bot-a"]
        if self.some(0.7):
            options["calendar"] = {
                "time_zone": pick(["Europe/Berlin", "America/New_York", "Asia/Kathmandu", "Australia/Lord_Howe", "UTC"]),
                "hours": pick(
                    [
                        {"weekdays": ["09:00-12:00", "13:00-17:30"]},
                        {"weekdays": "08:00-18:00", "saturday": "10:00-12:30"},
                        {"sunday": "01:30-04:00", "weekdays": "00:00-24:00"},
                        {"weekdays": "00:00-24:00", "weekend": "00:00-24:00", "monday": "02:30-09:00"},
                    ]
                ),
                "holidays": [(START + timedelta(days=d)).date().isoformat() for d in (4, 5, 21)],
            }
        if self.some(0.5):
            start = self.moment()
            options["pauses"] = [{"start": iso(start), **({"end": iso(start + timedelta(hours=pick([1, 30, 100])))} if self.some(0.8) else {})}]
        if self.some(0.75):
            lists: dict[str, Any] = {
                "automatic": ["set:stage", {"action": "refund", "when": ["amount <= 50", "regulated = no"]}, "comment:public", "approve"],
                "approval": ["set:priority", {"action": "refund", "when": ["amount > 50"]}, {"action": "close", "when": ["channel in phone, email"]}],
                "forbidden": [{"action": "refund", "when": ["amount >= 500"]}, {"action": "set:priority", "when": ["after_hours != no", "regulated = yes"]}],
            }
            options["authority"] = (
                [lists]
                if self.some(0.5)
                else [{**lists, "since": iso(START + timedelta(days=5))}, {"automatic": ["refund", "set:priority"], "since": iso(self.moment())}]
            )
            if len(options["authority"]) == 2 and options["authority"][0]["since"] == options["authority"][1]["since"]:
                options["authority"].pop()
        if self.some(0.3):
            options["baseline_seconds"] = pick([120.0, 600.5])
        if self.some(0.3):
            options |= {
                "cohort_age": "1d",
                "drop_after": "6h",
                "expire_after": pick(["8d", "30d"]),
                "settle_after_approval": "8d",
                "reversal_window": pick(["0s", "2d"]),
            }
        return options

    def company(self) -> dict[str, Any]:
        """The configuration, but for the sources."""
        workflows = [self.workflow("first", {"kind": ["a"]}, ["bot-a", "bot-both"])]
        if self.some(0.7):
            workflows.append(self.workflow("second", {"kind": ["a", "b"]} if self.some(0.5) else {"tags": ["vip"]}, ["bot-b", "bot-both"]))
        return {"workflows": workflows, "privacy": {"min_operators": self.random.choice([1, 2, 3, 5])}}

    def detail(self, action: str | None, agent: bool) -> dict[str, Any]:
        """What an act says of itself."""
        pick = self.random.choice
        found: dict[str, Any] = {}
        if self.some(0.3):
            found["reason"] = pick(["wrong_queue", "tone", "typo", "legal", "money", "x"])
        if action == "refund":
            found |= {
                "action": "refund",
                "value": pick(["10", "60", None]),
                "amount": pick([10, 50, 51, 600, "much", None]),
                "regulated": pick(["no", "yes", True, None]),
            }
        if self.some(0.05):
            found["via"] = [pick(["manual", "complaint_form", "by_first", "by_second", "zap"])]
        if agent and self.some(0.2):
            found["version"] = "v1"
        return found

    def case(self, number: int) -> None:
        """One case's life."""
        pick = self.random.choice
        source, case = pick(["desk", "desk", "desk", "crm"]), f"{number:04d}"
        at = self.moment()
        attributes: dict[str, Any] = {
            "status": "open",
            "kind": pick(["a", "a", "a", "b", "c"]),
            "channel": pick(["email", "phone", None]),
            "regulated": pick(["yes", "no", None]),
        }
        if self.some(0.7):
            attributes |= {
                "group": pick([None, *QUEUES]),
                "assignee": pick([None, "ada", "bot-a", "bot-b"]),
                "priority": pick([None, *VALUES]),
                "why": pick([None, "money"]),
            }
        if self.some(0.3):
            attributes["tags"] = self.random.sample(["vip", "no_bot", "angry", "x"], 2)
        if self.some(0.95):
            self.add(
                source,
                case,
                at,
                pick(["cust", "ada", None]),
                pick(["customer", "customer", "operator", "system"]),
                "created",
                detail={"attributes": attributes},
            )
        now, open_ids = dict(attributes), []
        deciding = pick([0.1, 0.5, 0.5, 0.9])
        for _ in range(pick([0, 1, 3, 6, 10, 18])):
            at += timedelta(seconds=pick(STEPS))
            if self.some(0.15):
                at = max(at, self.moment())
            where = "runtime" if source == "desk" and self.some(0.15) else source
            if self.some(0.4 * deciding * 2):
                self.agent(where, case, at, now, open_ids)
            elif self.some(0.75):
                self.operator(source, case, at, now, open_ids)
            else:
                self.anybody(source, case, at, now)

    def change(self, source: str, case: str, at: datetime, actor: str | None, kind: str, now: dict[str, Any], attribute: str, value: Any, **detail: Any) -> str:
        """An attribute's change."""
        before, now[attribute] = now.get(attribute), value
        return self.add(source, case, at, actor, kind, "changed", attribute=attribute, before=before, after=value, detail=detail)

    def agent(self, source: str, case: str, at: datetime, now: dict[str, Any], open_ids: list[str]) -> None:
        """An agent's event."""
        pick = self.random.choice
        who = pick(["bot-a", "bot-a", "bot-a", "bot-b", "bot-both", "bot-free"])
        what = pick(
            [
                "set",
                "set",
                "set",
                "recommend",
                "ask",
                "ask",
                "refund",
                "refund",
                "comment",
                "escalate",
                "hand",
                "close",
                "block",
                "evaluate",
                "approve",
                "reopen",
            ]
        )
        attribute = pick(["priority", "priority", "stage"])
        value = pick(VALUES) if attribute == "priority" else pick(["new", "quoted", "won"])
        kind = "agent" if who != "bot-a" or self.some(0.9) else "operator"
        if self.some(0.08):
            who, kind = pick(OPERATORS), "operator"  # under a person's login, seen by a marker
        marked = {"via": ["by_first"]} if who in OPERATORS else {}
        if what == "set":
            open_ids.append(self.change(source, case, at, who, kind, now, attribute, value, **{**self.detail(None, True), **marked}))
        elif what in ("recommend", "ask"):
            activity = "recommended" if what == "recommend" else "approval_requested"
            if self.some(0.5):
                open_ids.append(self.add(source, case, at, who, kind, activity, attribute=attribute, after=value, detail=marked))
            else:
                open_ids.append(self.add(source, case, at, who, kind, activity, detail={**self.detail("refund", True), **marked}))
        elif what == "refund":
            open_ids.append(self.add(source, case, at, who, kind, "executed", detail={**self.detail("refund", True), **marked}))
        elif what == "comment":
            self.add(source, case, at, who, kind, "commented", detail={"public": self.some(0.5), "value": pick(["hello there", "dear all"]), **marked})
        elif what == "escalate":
            self.add(
                source,
                case,
                at,
                who,
                kind,
                pick(["escalated", "executed"]),
                detail={"action": "escalate", "reason": pick([None, None, "legal", "money", "x"]), **marked},
            )
        elif what == "hand":
            attribute = pick(["group", "assignee"])
            value = pick([None, *QUEUES]) if attribute == "group" else pick([None, "ada", "bob", "bot-a", "bot-b"])
            self.change(source, case, at, who, kind, now, attribute, value, **{**self.detail(None, True), **marked})
        elif what == "close":
            self.close(source, case, at, who, kind, now, **marked)
        elif what == "reopen":
            self.reopen(source, case, at, who, kind, now, **marked)
        elif what == "block":
            self.add(source, case, at, who, kind, "blocked", detail={**self.detail(pick([None, "refund"]), True), **marked})
        elif what == "evaluate":
            self.add(
                source,
                case if self.some(0.5) else None,
                at,
                who,
                kind,
                "evaluated",
                detail={"passed": self.some(0.6), "version": pick([None, None, "v1", "v3"])},
            )
        else:
            self.add(source, case, at, who, kind, "approved", detail={**marked, "action": pick([None, "merge"])})

    def close(self, source: str, case: str, at: datetime, who: str | None, kind: str, now: dict[str, Any], **detail: Any) -> None:
        """A close."""
        self.add(source, case, at, who, kind, "closed", attribute="status", before=now.get("status"), after="solved", detail=detail)
        now["status"] = "solved"

    def reopen(self, source: str, case: str, at: datetime, who: str | None, kind: str, now: dict[str, Any], **detail: Any) -> None:
        """A reopening."""
        self.add(source, case, at, who, kind, "reopened", attribute="status", before=now.get("status"), after="open", detail=detail)
        now["status"] = "open"

    def operator(self, source: str, case: str, at: datetime, now: dict[str, Any], open_ids: list[str]) -> None:
        """An operator's event."""
        pick = self.random.choice
        who = pick([*OPERATORS, "ada", "ada", None])
        kinds = [
            "set",
            "set",
            "set",
            "approve",
            "approve",
            "approve",
            "reject",
            "comment",
            "close",
            "close",
            "reopen",
            "log",
            "refund",
            "hand",
            "mark",
            "tag",
            "reason",
            "should",
            "absorb",
            "scope",
            "why",
        ]
        what = pick(kinds)
        detail = self.detail(None, False)
        if what == "set":
            attribute = pick(["priority", "priority", "stage"])
            value = pick([*VALUES, None]) if attribute == "priority" else pick(["new", "quoted", "won"])
            self.change(source, case, at, who, "operator", now, attribute, value, **detail)
        elif what in ("approve", "reject"):
            named = pick(["id", "action", "attribute", "nothing"])
            if named == "id" and open_ids:
                detail["recommendation"] = pick(open_ids)
            if named == "action":
                detail |= {"action": "refund", "value": pick([None, "10", "60"])}
            rest = {"attribute": "priority", "after": pick(VALUES)} if named == "attribute" else {}
            self.add(source, case, at, who, "operator", "approved" if what == "approve" else "rejected", detail=detail, **rest)
        elif what == "comment":
            self.add(source, case, at, who, "operator", "commented", detail={**detail, "public": self.some(0.5), "value": pick(["hello there", "no"])})
        elif what == "close":
            self.close(source, case, at, who, "operator", now, **detail)
        elif what == "reopen":
            self.reopen(source, case, at, who, "operator", now, **detail)
        elif what == "log":
            self.add(source, case, at, who, "operator", "time_logged", detail={**detail, "seconds": pick([0, 30, 61.5, 600])})
        elif what == "refund":
            self.add(source, case, at, who, "operator", "executed", detail={**detail, **self.detail("refund", False)})
        elif what == "absorb":
            if self.some(0.4):
                self.add(source, case, at, who, "operator", pick(["absorbed", "deleted"]), detail=detail)
        elif what == "tag":
            now["tags"] = sorted({*(now.get("tags") or []), pick(["vip", "no_bot", "angry", "x"])} - {pick(["vip", "no_bot", "y"])})
            self.change(source, case, at, who, "operator", {**now, "tags": now.get("tags")}, "tags", now["tags"], **detail)
        else:
            attribute, values = {
                "hand": ("assignee", ["ada", "bob", "bot-a", None]),
                "mark": ("taken", ["yes", "no", None]),
                "reason": ("fix_reason", ["wrong_queue", "tone", "typo", None]),
                "should": ("should", ["yes", "no", "true", "0", "maybe", None]),
                "scope": ("kind", ["a", "b", "c"]),
                "why": ("why", ["legal", "money", "odd", None]),
            }[what]
            self.change(source, case, at, who, "operator", now, attribute, pick(values), **detail)

    def anybody(self, source: str, case: str, at: datetime, now: dict[str, Any]) -> None:
        """A customer's or a rule's event."""
        pick = self.random.choice
        kind = pick(["customer", "system"])
        who = {"customer": "cust", "system": None}[kind]
        what = pick(["close", "reopen", "rate", "rate", "set", "tag", "comment", "absorb"])
        if what == "close":
            self.close(source, case, at, who, kind, now)
        elif what == "reopen":
            self.reopen(source, case, at, who, kind, now)
        elif what == "rate":
            self.add(source, case, at, "cust", "customer", "rated", detail={"score": pick(["good", "bad"])})
        elif what == "set":
            self.change(source, case, at, who, kind, now, pick(["priority", "group"]), pick(VALUES))
        elif what == "tag":
            self.change(source, case, at, who, kind, now, "tags", [pick(["vip", "no_bot", "angry"])], **self.detail(None, False))
        elif what == "comment":
            self.add(source, case, at, who, kind, "commented", detail={"public": True, **self.detail(None, False)})
        elif self.some(0.3):
            self.add(source, case, at, who, kind, pick(["absorbed", "deleted"]))

    def quiet(self, count: int) -> None:
        """Many plain cases without the agent early on: a baseline; and some plain assisted ones later."""
        pick = self.random.choice
        for number in range(count):
            case, at = f"q{number:04d}", START + timedelta(minutes=self.random.randrange(1440 * 3))
            now: dict[str, Any] = {"status": "open", "kind": "a"}
            self.add("desk", case, at, "cust", "customer", "created", detail={"attributes": now})
            for _ in range(pick([1, 2, 3])):
                at += timedelta(seconds=pick([10, 100, 400]))
                self.add("desk", case, at, pick(OPERATORS), "operator", "commented", detail={"public": False})
            if self.some(0.5):
                self.add("desk", case, at, pick(OPERATORS), "operator", "time_logged", detail={"seconds": pick([60, 120, 700])})
            at += timedelta(seconds=pick([10, 100]))
            self.close("desk", case, at, pick(OPERATORS), "operator", now)
            if self.some(0.15):
                at += timedelta(days=self.random.randrange(1, 30))
                self.reopen("desk", case, at, "cust", "customer", now)
                if self.some(0.3):
                    self.agent("desk", case, at + timedelta(hours=1), now, [])
            elif self.some(0.1):
                self.add("desk", case, at + timedelta(days=20), "bot-a", "agent", "commented", detail={"public": False})
        for number in range(count // 3):
            case, at = f"r{number:04d}", START + timedelta(minutes=self.random.randrange(1440 * 8, 1440 * self.days))
            now = {"status": "open", "kind": "a"}
            self.add("desk", case, at, "cust", "customer", "created", detail={"attributes": now})
            self.change("desk", case, at + timedelta(seconds=5), "bot-a", "agent", now, "priority", "mid")
            at += timedelta(seconds=pick([60, 400]))
            self.add("desk", case, at, pick(OPERATORS), "operator", pick(["commented", "time_logged"]), detail={"seconds": 45})
            self.close("desk", case, at + timedelta(seconds=pick([10, 100])), pick(OPERATORS), "operator", now)

    def changes(self, workflows: list[str]) -> list[dict[str, Any]]:
        """Change records."""
        pick, found = self.random.choice, []
        for number in range(pick([0, 0, 2, 5, 9])):
            proposed = self.moment()
            kind = pick(["prompt", "model", "policy", "prompt", "level"])
            record: dict[str, Any] = {"id": f"c{number}", "workflow": pick(workflows), "kind": kind, "proposed_at": iso(proposed), "risk_class": "low"}
            if kind == "level":
                record["level"] = pick(["off", "shadow", "assisted", "low_risk_autonomous"])
            if self.some(0.4):
                record["version"] = f"v{number}"
            if self.some(0.7):
                record["approved_at"] = iso(proposed + timedelta(hours=pick([0, 1, 30, 200])))
            deployed = proposed + timedelta(hours=pick([0, 2, 50]), seconds=number)
            if self.some(0.85):
                record["deployed_at"] = iso(deployed)
                record["environment"] = pick(["production", "production", "production", "test"])
                if self.some(0.2):
                    record["recovered_at"] = iso(deployed + timedelta(hours=pick([1, 20])))
            if found and self.some(0.4):
                record["reworks"] = pick(found)["id"]
            if self.some(0.3):
                begin = deployed + timedelta(hours=pick([1, 100]))
                record["incidents"] = [
                    {"id": "i1", "started_at": iso(begin), **({"ended_at": iso(begin + timedelta(hours=pick([0, 5])))} if self.some(0.6) else {})}
                ]
            if self.some(0.3):
                record["interventions"] = [
                    {"kind": pick(["rollback", "hotfix", "permission_removal", "level_return"]), "at": iso(deployed + timedelta(hours=pick([2, 30])))}
                    for _ in range(pick([1, 1, 2]))
                ]
                if self.some(0.5):
                    record["interventions"][0]["in_force_at"] = iso(deployed + timedelta(hours=pick([31, 400])))
            if self.some(0.5):
                limits = [
                    ("override_ratio", "at_most", [0.02, 0.1, 0.3]),
                    ("explicit_acceptance_ratio", "at_least", [0.5, 0.9]),
                    ("escalation_ratio", "at_most", [0.01, 0.1]),
                ]
                chosen = self.random.sample(limits, pick([1, 2, 3]))
                record["harm"] = {"window": pick(["2d", "7d", "20d"]), "metrics": [{"metric": name, side: pick(values)} for name, side, values in chosen]}
            found.append(record)
        return found

    def pages(self, changes: list[str]) -> None:
        """Incidents as a pager tells them, some of them naming the change that caused them, some numbered as in a record."""
        pick = self.random.choice
        for number in range(pick([0, 2, 5])):
            case, at = pick([f"p{number}", "i1"]), self.moment()
            if any(e["case_id"] == case for e in self.events["pager"]):
                continue
            link = {"change": pick(changes)} if changes and self.some(0.4) else {}
            self.add("pager", case, at, "rule-1", "system", "created", detail={"attributes": {"service": pick(["agent", "agent", "other"]), **link}})
            for activity in ("closed", "reopened", "closed"):
                at += timedelta(hours=pick([1, 7, 60]))
                if self.some(0.6):
                    self.add("pager", case, at, "rule-1", "system", activity, attribute="status", before="x", after="y")


def make(seed: int, folder: Path, *, days: int | None = None, cases: int | None = None) -> tuple[Path, Draft]:
    """Write a company's configuration and events; returns the configuration's file."""
    draft = Draft(seed, days)
    configuration = draft.company()
    for number in range(draft.random.choice([4, 15, 40]) if cases is None else cases):
        draft.case(number)
    if draft.some(0.3):
        draft.quiet(draft.random.choice([33, 70]))
    records = draft.changes([w["name"] for w in configuration["workflows"]])
    draft.pages([record["id"] for record in records])
    folder.mkdir(parents=True, exist_ok=True)
    for source, events in draft.events.items():
        draft.random.shuffle(events)
        (folder / f"{source}.jsonl").write_text("".join(json.dumps(e) + "\n" for e in events))
    (folder / "changes.yaml").write_text(json.dumps(records))
    configuration["sources"] = {source: {"kind": "events", "paths": [str(folder / f"{source}.jsonl")], "read_up_to": iso(draft.t)} for source in draft.events}
    configuration["changes"] = {"paths": [str(folder / "changes.yaml")]}
    configuration["store"] = {"url": f"sqlite:///{folder / 'store.db'}"}
    file = folder / "rollout-metrics.yaml"
    file.write_text(json.dumps(configuration, indent=1))
    return file, draft
