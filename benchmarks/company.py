"""The configuration under which the desk is read: one source, three workflows with an AI agent in each, ordinary options."""

from benchmarks.desk import AGENTS, FORMS
from rollout_metrics.config.load import Configuration, loads

_WORKFLOW = """
  - name: flow-{number}
    workflow_type: support
    risk_tier: medium
    owner: support
    sources: [desk]
    scope: {{form: ["{form}"]}}
    agents: ["{agent}"]
    decides: ["set:priority", "set:group", "set:type"]
    levels: [{{level: assisted, since: "2025-12-01T00:00:00Z"}}]
    authority: [{{automatic: ["set:priority", "set:group", "set:type", "comment:public", close], forbidden: [delete]}}]
    escalation: {{target: 4h}}
"""


def configuration(address: str, *, depth: str = "14d", lookback: str = "10m") -> Configuration:
    """The configuration for a desk at an address."""
    text = (
        f"sources:\n  desk: {{kind: zendesk, base_url: {address}, email: admin@example.com, token: '${{TOKEN}}', "
        f"incremental_per_minute: 1000000, depth: {depth}, lookback: {lookback}}}\nworkflows:\n"
        + "".join(_WORKFLOW.format(number=number, form=form, agent=agent) for number, (form, agent) in enumerate(zip(FORMS, AGENTS, strict=True)))
    )
    return loads(text, {"TOKEN": "benchmark"})
