"""The configuration of the simulated company, as a person would have written it."""

from pathlib import Path
from typing import Any

import yaml

from rollout_metrics.domain.time import DAY, Instant, format_instant
from rollout_metrics.simulate import hubspot, zendesk
from rollout_metrics.simulate.cast import (
    AMOUNT,
    APPROVALS,
    CONTRACT_BOT,
    CONTRACTS,
    FORM_CONTRACT,
    FORM_GENERAL,
    FORM_REFUND,
    GROUP_TIER2,
    HANDOVER,
    HUBSPOT,
    LANGUAGE,
    LEADS,
    REASON,
    REFUND_BOT,
    REFUNDS,
    RISK,
    ROUTER_APP,
    RUNTIME,
    RUNTIME_AGENTS,
    SECONDS_TOTAL,
    STAGE,
    TRIAGE,
    TRIAGE_BOT,
    ZENDESK,
    Plot,
)
from rollout_metrics.simulate.stories.contracts import STAGES
from rollout_metrics.simulate.stories.leads import PIPELINE

_HEADER = "# The simulated company: support on Zendesk, sales on HubSpot, four workflows with an AI agent in each.\n"
_CALENDAR = {"time_zone": "UTC", "hours": {"weekdays": "08:00-18:00", "weekend": "10:00-14:00"}}


def demo_config(
    plot: Plot,
    *,
    zendesk_url: str,
    hubspot_url: str,
    feeds: Path,
    changes: Path,
    every: str = "1m",
    incremental_per_minute: int = zendesk.GENEROUS.incremental,
    more: dict[str, Any] | None = None,
) -> str:
    """YAML of the whole configuration.

    `feeds`: the directory that the company writes into; `changes`: that of its change records; `incremental_per_minute`: what the
    simulated Zendesk allows; `more`: further top-level sections.
    """
    sources = _sources(zendesk_url, hubspot_url, feeds, every, incremental_per_minute)
    workflows = [_refunds(plot), _triage(plot), _leads(plot), _contracts(plot)]
    whole = {"sources": sources, "changes": {"paths": [str(changes)]}, "workflows": workflows, **(more or {})}
    return _HEADER + yaml.safe_dump(whole, sort_keys=False, allow_unicode=True, width=140)


def _sources(zendesk_url: str, hubspot_url: str, feeds: Path, every: str, incremental_per_minute: int) -> dict[str, Any]:
    return {
        ZENDESK: {
            "kind": "zendesk",
            "base_url": zendesk_url,
            "email": zendesk.ADMIN_EMAIL,
            "token": f"${{ZENDESK_TOKEN:-{zendesk.TOKEN}}}",
            "every": every,
            "jitter": "1s",
            "incremental_per_minute": incremental_per_minute,
            "fields": {
                str(AMOUNT): "amount",
                str(REASON): "correction_reason",
                str(HANDOVER): "handover_reason",
                str(RISK): "risk_class",
                str(STAGE): "stage",
                str(LANGUAGE): "language",
            },
            "time_fields": [str(SECONDS_TOTAL)],
        },
        HUBSPOT: {
            "kind": "hubspot",
            "base_url": hubspot_url,
            "token": f"${{HUBSPOT_TOKEN:-{hubspot.TOKEN}}}",
            "every": every,
            "jitter": "1s",
            "objects": ["leads"],
            "properties": {"leads": ["lead_tier", "routing_mode", "contact_channel", "correction_reason", "lead_score"]},
            "attributes": {name: name for name in ("lead_tier", "routing_mode", "contact_channel", "correction_reason", "lead_score")},
        },
        RUNTIME: {"kind": "events", "paths": str(feeds / RUNTIME), "every": every, "jitter": "1s"},
        APPROVALS: {"kind": "events", "paths": str(feeds / APPROVALS), "every": every, "jitter": "1s"},
    }


def _since(plot: Plot, at: Instant | None = None) -> str:
    return format_instant(plot.start - 60 * DAY if at is None else at)


def _refunds(plot: Plot) -> dict[str, Any]:
    always = ["comment:internal", "set:group", "set:handover_reason"]
    pause = plot.refund_pause()
    return {
        "name": REFUNDS,
        "workflow_type": "support",
        "risk_tier": "high",
        "owner": "refund-operations",
        "sources": [ZENDESK, RUNTIME, APPROVALS],
        "scope": {"form": [FORM_REFUND]},
        "agents": [REFUND_BOT, RUNTIME_AGENTS[REFUNDS]],
        "decides": ["refund", {"action": "comment:public", "type": "text"}, "close"],
        "attribute_types": {"tags": "multi"},
        "levels": [{"level": "assisted", "since": _since(plot)}],
        "pauses": [{"start": _since(plot, pause[0]), "end": _since(plot, pause[1])}],
        "authority": [
            {"automatic": always, "approval": ["refund", "comment:public"], "forbidden": ["change_bank_account", "delete"]},
            {
                "since": _since(plot, plot.refunds_autonomous()),
                "automatic": [*always, "comment:public", "close", {"action": "refund", "when": "amount <= 50"}],
                "approval": [{"action": "refund", "when": "amount > 50"}],
                "forbidden": ["change_bank_account", "delete"],
            },
        ],
        "calendar": _CALENDAR,
        "escalation": {
            "attributes": ["group"],
            "to": [GROUP_TIER2],
            "reason_attribute": "handover_reason",
            "target": "4h",
            "paths": {
                "over_limit": {"owner": "refund-tier-2", "target": "8h", "next_step": "check the order and pay by hand"},
                "suspected_fraud": {"owner": "refund-tier-2", "target": "2h", "next_step": "freeze the account"},
                "angry_customer": {"owner": "refund-tier-2", "target": "1h", "next_step": "call the customer"},
                "missing_invoice": {"owner": "refund-tier-2", "target": "4h", "next_step": "ask for the invoice"},
                "other": {"owner": "refund-tier-2", "next_step": "read it and decide"},
            },
        },
        "bypass": {"markers": {"tags": ["no_agent"]}},
        "complaints": {"markers": {"tags": ["complaint"]}},
        "error_categories": ["wrong_amount", "not_entitled", "fraud_suspected", "policy_misread"],
        "baseline_seconds": 420,
    }


def _triage(plot: Plot) -> dict[str, Any]:
    return {
        "name": TRIAGE,
        "workflow_type": "support",
        "risk_tier": "medium",
        "owner": "support-operations",
        "sources": [ZENDESK, RUNTIME],
        "scope": {"form": [FORM_GENERAL]},
        "agents": [TRIAGE_BOT, RUNTIME_AGENTS[TRIAGE]],
        "decides": ["set:priority", "set:group", {"action": "set:tags", "type": "multi"}],
        "levels": [{"level": "assisted", "since": _since(plot)}],
        "authority": [{"automatic": ["set:priority", "set:group", "set:tags", "set:assignee", "comment:internal"], "forbidden": ["close", "delete"]}],
        "calendar": _CALENDAR,
        "escalation": {
            "attributes": ["assignee"],
            "target": "4h",
            "paths": {
                "security": {"owner": "security", "target": "1h", "next_step": "open an incident"},
                "legal_threat": {"owner": "legal", "target": "2h", "next_step": "forward to counsel"},
                "angry_customer": {"owner": "support-leads", "target": "1h", "next_step": "call the customer"},
            },
        },
        "reason_attribute": "correction_reason",
        "error_categories": ["wrong_team", "wrong_priority", "policy_misread", "stale_knowledge"],
        "baseline_seconds": 300,
    }


def _leads(plot: Plot) -> dict[str, Any]:
    return {
        "name": LEADS,
        "workflow_type": "sales",
        "risk_tier": "low",
        "owner": "sales-operations",
        "sources": [HUBSPOT],
        "scope": {"pipeline": [PIPELINE]},
        "agents": [f"app:{ROUTER_APP}", RUNTIME_AGENTS[LEADS]],
        "decides": ["set:assignee", "set:lead_tier"],
        "levels": [{"level": "off", "since": _since(plot)}],
        "authority": [{"automatic": ["set:assignee", "set:lead_tier"], "forbidden": ["close", "delete"]}],
        "calendar": _CALENDAR,
        "escalation": {"attributes": []},
        "bypass": {"markers": {"routing_mode": ["manual"]}, "side_channels": {"contact_channel": ["whatsapp", "private_mail"]}},
        "reason_attribute": "correction_reason",
        "error_categories": ["wrong_region", "wrong_tier", "existing_customer", "on_holiday"],
    }


def _contracts(plot: Plot) -> dict[str, Any]:
    return {
        "name": CONTRACTS,
        "workflow_type": "legal",
        "risk_tier": "high",
        "owner": "legal-operations",
        "sources": [ZENDESK, RUNTIME],
        "scope": {"form": [FORM_CONTRACT]},
        "agents": [CONTRACT_BOT, RUNTIME_AGENTS[CONTRACTS]],
        "decides": ["set:risk_class", {"action": "set:stage", "progress": [list(STAGES)]}],
        "levels": [{"level": "off", "since": _since(plot)}, {"level": "shadow", "since": _since(plot, plot.contracts_shadow())}],
        "authority": [{"forbidden": ["close", "delete"]}],
        "calendar": _CALENDAR,
        "escalation": {"target": "1d"},
    }
