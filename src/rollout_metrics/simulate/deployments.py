"""What the simulated company changed about its agents, and when: the change records of the demo and the versions its runtimes report."""

from bisect import bisect_right
from pathlib import Path
from typing import Any

import yaml

from rollout_metrics.domain.time import DAY, HOUR, MINUTE, Instant, Span, format_instant, format_span
from rollout_metrics.simulate.cast import CONTRACTS, LEADS, REFUNDS, TRIAGE, Plot

HARM_LIMIT, HARM_WINDOW = 0.2, 7 * DAY
"""The share of overrides that is too many, and how long a deployment is watched for it."""

_HARM = {"window": format_span(HARM_WINDOW), "metrics": [{"metric": "override_ratio", "at_most": HARM_LIMIT}]}


def records(plot: Plot) -> list[dict[str, Any]]:
    """The change records as they stand in YAML, oldest deployment first."""
    failed_at, rolled_back_at = plot.refunds_failure()
    found = [
        _record("CHG-090", REFUNDS, "prompt", "First release", plot.day(-30), version="refunds-5", proposed=4 * DAY),
        _record("CHG-091", TRIAGE, "prompt", "Eleventh release", plot.day(-20), version="triage-11", proposed=2 * DAY),
        _record("CHG-092", LEADS, "prompt", "First release", plot.leads_assisted() - HOUR, version="router-1", proposed=12 * DAY),
        _record("CHG-093", CONTRACTS, "prompt", "First release", plot.contracts_shadow() - HOUR, version="contracts-1", proposed=15 * DAY),
        _record("CHG-101", LEADS, "level", "Lead routing goes live, people confirm", plot.leads_assisted(), level="assisted", proposed=5 * DAY),
        _record("CHG-102", REFUNDS, "prompt", "Name the invoice line in every reply", plot.day(22.3), version="refunds-6", proposed=26 * HOUR),
        _record("CHG-103", TRIAGE, "retrieval", "Search the new product handbook", plot.day(30.4), version="triage-12", proposed=3 * DAY, harm=_HARM),
        _record(
            "CHG-104",
            REFUNDS,
            "tool",
            "Take amounts from the order service",
            failed_at,
            version="refunds-7",
            proposed=20 * HOUR,
            incidents=[_incident("INC-41", failed_at + 5 * HOUR, rolled_back_at)],
            interventions=[{"kind": "rollback", "at": format_instant(failed_at + 6 * HOUR), "in_force_at": format_instant(rolled_back_at)}],
            recovered_at=format_instant(rolled_back_at),
        ),
        _record("CHG-105", REFUNDS, "tool", "Roll back to the billing service", rolled_back_at, version="refunds-6", reworks="CHG-104", proposed=40 * MINUTE),
        _record(
            "CHG-106",
            REFUNDS,
            "level",
            "Refunds up to 50 without asking",
            plot.refunds_autonomous(),
            level="low_risk_autonomous",
            risk="high",
            proposed=9 * DAY,
        ),
        _record("CHG-107", REFUNDS, "model", "Smaller model for short messages", plot.day(62.4), version="refunds-8", proposed=4 * DAY, harm=_HARM),
        _record("CHG-108", LEADS, "policy", "Tiers by company size", plot.day(50.35), version="router-2", proposed=2 * DAY),
        _record(
            "CHG-109",
            TRIAGE,
            "prompt",
            "Shorter prompt, one example per team",
            plot.triage_prompt(),
            version="triage-13",
            risk="low",
            proposed=3 * HOUR,
            harm=_HARM,
        ),
        _record(
            "CHG-110", CONTRACTS, "prompt", "Read annexes as well", plot.day(68.5), version="contracts-2", risk="low", proposed=30 * HOUR, **_complete(plot)
        ),
    ]
    return sorted(found, key=lambda record: str(record["deployed_at"]))


def _complete(plot: Plot) -> dict[str, Any]:
    """What the one complete record of the company says besides: the others lack it, as records do that were written afterwards."""

    def control(name: str, owner: str, system: str, threshold: str, audit_trail: str) -> list[dict[str, str]]:
        return [{"name": name, "owner": owner, "system": system, "threshold": threshold, "audit_trail": audit_trail}]

    return {
        "owner": "legal-operations",
        "roles": {"gain_work": ["contract managers (an hour a week of sampling)"], "lose_work": []},
        "systems": ["help desk", "contract archive"],
        "audience": "nobody outside: the agent runs in shadow",
        "authority": {"automatic": [], "approval": ["set:risk_class", "set:stage"], "forbidden": ["close", "delete"]},
        "harm": {"window": format_span(HARM_WINDOW), "metrics": [{"metric": "override_ratio", "at_most": HARM_LIMIT}]},
        "human_in_the_loop": {
            "reviewer": "contract managers",
            "review_surface": "the form Contract in the help desk",
            "override_power": "set class and stage as they see fit; the agent sets neither",
            "correction_capture": "the fields risk class and stage themselves",
            "stops_asking": "not before low risk autonomous, by a change record of its own",
        },
        "traces": {"proof": ["one trace for each contract with the annexes that were read"], "kept_for": "400d"},
        "guardrails": control("no write permission", "security", "help desk", "any write by the agent is refused", "the help desk's audit log"),
        "observability": control("agreement in shadow", "legal-operations", "rollout-metrics", "agreement below 80 % over 28 days", "stored snapshots"),
        "governance": control("quarterly review", "change board", "rollout-metrics", "any gate not passed", "the signed review"),
        "rollback": {
            "owner": "on-call engineer of the contract archive",
            "plan": "pin contracts-1 in the agent's console",
            "last_rehearsed_at": format_instant(plot.day(60))[:10],
        },
        "links": {
            "pull_request": "https://git.example.com/legal/contract-reader/pull/110",
            "evaluation_report": "reports/contracts-2.html",
            "trace_sample": "https://traces.example.com/contracts-2/sample",
            "permission_difference": "https://git.example.com/legal/contract-reader/pull/110#changes-check",
        },
        "retention": "3650d",
        "sign_offs": {"semantics": {"by": "head of legal operations", "at": format_instant(plot.day(68))}},
    }


def _record(number: str, workflow: str, kind: str, title: str, deployed_at: Instant, *, proposed: Span, risk: str = "medium", **more: Any) -> dict[str, Any]:
    return {
        "id": number,
        "workflow": workflow,
        "kind": kind,
        "title": title,
        "risk_class": risk,
        "proposed_at": format_instant(deployed_at - proposed),
        "approved_at": format_instant(deployed_at - proposed // 4 // MINUTE * MINUTE),
        "deployed_at": format_instant(deployed_at),
        **more,
    }


def _incident(number: str, start: Instant, end: Instant) -> dict[str, Any]:
    return {"id": number, "started_at": format_instant(start), "ended_at": format_instant(end)}


def write_records(directory: Path, plot: Plot, now: Instant) -> None:
    """Write one YAML file per change record that was deployed by `now`."""
    directory.mkdir(parents=True, exist_ok=True)
    for record in records(plot):
        if record["deployed_at"] <= format_instant(now):
            (directory / f"{record['id'].lower()}.yaml").write_text(yaml.safe_dump(record, sort_keys=False, allow_unicode=True), encoding="utf-8")


UNRECORDED = "contracts-2-hotfix"
"""The version that ran without a record."""


class Versions:
    """Which version of a workflow's agent was in production at an instant."""

    def __init__(self, plot: Plot) -> None:
        self._drift = plot.contracts_drift()
        self._since: dict[str, list[str]] = {}
        self._names: dict[str, list[str]] = {}
        for record in records(plot):
            if "version" in record:
                self._since.setdefault(record["workflow"], []).append(record["deployed_at"])
                self._names.setdefault(record["workflow"], []).append(record["version"])

    def at(self, workflow: str, at: Instant) -> str:
        """The version in production at `at`."""
        if workflow == CONTRACTS and self._drift[0] <= at < self._drift[1]:
            return UNRECORDED
        return self._names[workflow][bisect_right(self._since[workflow], format_instant(at)) - 1]
