"""The documents: complete, and in agreement with what they are about."""

import json
import re

import click
import jsonschema
import pytest
import yaml

from checkout import ROOT, inputs
from rollout_metrics.catalog import METRICS
from rollout_metrics.collect.event_format import read_event
from rollout_metrics.config.model import PrivacyOptions, ScheduleOptions
from rollout_metrics.config.workflow import Parameters, WorkflowOptions
from rollout_metrics.domain.events import Event
from rollout_metrics.domain.time import Span, parse_span
from rollout_metrics.generate import configuration_schema
from rollout_metrics.generate.commands import commands_document
from rollout_metrics.generate.event_format import event_format_document
from rollout_metrics.generate.metrics import metrics_document
from rollout_metrics.generate.options import configuration_document

SCHEMA = configuration_schema(inputs()["settings"], inputs()["sources"], comment="")
PARAMETERS, WORKFLOW = Parameters(), WorkflowOptions(name="w", sources=["desk"])

DEFAULTS = {
    "edit_similarity": PARAMETERS.edit_similarity,
    "settle_after": (PARAMETERS.settle_after, PARAMETERS.settle_after_approval),
    "expire_after": PARAMETERS.expire_after,
    "reversal_window": PARAMETERS.reversal_window,
    "cohort_age": PARAMETERS.cohort_age,
    "idle_cap": PARAMETERS.idle_cap,
    "touch_seconds": PARAMETERS.touch_seconds,
    "glance_seconds": PARAMETERS.glance_seconds,
    "drop_after": PARAMETERS.drop_after,
    "observation window": PARAMETERS.observation_window,
    "heartbeat": ScheduleOptions().heartbeat,
    "privacy.min_operators": PrivacyOptions().min_operators,
    "escalation.owner_attribute": WORKFLOW.escalation.owner_attribute,
    "target": WORKFLOW.escalation.target,
    "redo_actions": WORKFLOW.bypass.redo_actions,
    "agent_silence": WORKFLOW.bypass.agent_silence,
    "agent_grace": WORKFLOW.bypass.agent_grace,
    "Windows": WORKFLOW.windows,
}
"""What stands before a [default] in the definitions, and what configuration makes of it."""

NOT_YET_OPTIONS = {"equal age", "cooldown", "reasons"}
"""Defaults of what is defined and not built yet: spikes against the own baseline, gates and warning signs."""


def told() -> list[tuple[str, str]]:
    """Every `name` [default] of the definitions."""
    text = (ROOT / "docs/definitions.md").read_text()
    found = re.findall(r"(?:`(?:opened_at \+ )?([\w.]+)`|(observation window|equal age|cooldown|reasons|Windows)) \[([^\]]+)\]", text)
    return [(quoted or plain, default) for quoted, plain, default in found]


def value(text: str) -> Span | float | str:
    """A default as the definitions write it: `7 d`, `0.6`, `assignee`."""
    text = text.split(" for ", maxsplit=1)[0].strip()
    span = re.fullmatch(r"(\d+) ?(d|h|min|s)", text)
    if span:
        return parse_span(span[1] + span[2].removesuffix("in"))
    return float(text) if re.fullmatch(r"[\d.]+", text) else text


def test_every_default_in_the_definitions_is_that_of_the_configuration():
    for name, default in told():
        if name not in NOT_YET_OPTIONS:
            written = tuple(value(part) for part in re.split(r"[;,]", default))
            configured = DEFAULTS[name]
            assert written == (configured if isinstance(configured, tuple) else (configured,)), name


NO_DEFAULTS = ("brackets", "from, to)", "scoped_at - ", "first handling, + ", "reason")
"""How other things in brackets begin: intervals of time, and an index."""


def test_no_default_in_the_definitions_escapes_that_test():
    text = (ROOT / "docs/definitions.md").read_text()
    bracketed = {found for found in re.findall(r"\[([^\][]+)[\])](?!\()", text) if not found.startswith(NO_DEFAULTS)}

    assert bracketed <= {default for _, default in told()}
    assert set(DEFAULTS) | NOT_YET_OPTIONS == {name for name, _ in told()}


def test_every_metric_has_its_row():
    document = metrics_document((), 1)

    for metric in METRICS.values():
        assert f"| `{metric.name}` | {metric.type.value} |" in document


def test_every_option_is_described():
    silent = [
        f"{name}.{option}"
        for name, model in SCHEMA["$defs"].items()
        for option, found in model.get("properties", {}).items()
        if not found.get("description") and "$ref" not in json.dumps(found)
    ]

    assert silent == []


def test_every_option_has_its_row():
    document = configuration_document(SCHEMA)

    for model in SCHEMA["$defs"].values():
        for option in model.get("properties", {}):
            assert f"| `{option}` |" in document


def test_defaults_are_written_as_people_write_them():
    workflow = SCHEMA["$defs"]["WorkflowOptions"]["properties"]

    assert workflow["settle_after"]["default"] == "7d"
    assert workflow["windows"]["default"] == ["1d", "7d", "28d", "90d"]
    assert "| `touch_seconds` | duration | `30s` |" in configuration_document(SCHEMA)


def test_links_within_the_configuration_document_lead_somewhere():
    document = configuration_document(SCHEMA)
    headings = {heading.lower().replace(" ", "-").replace(":", "") for heading in re.findall(r"^#+ (.+)$", document, re.MULTILINE)}

    assert set(re.findall(r"\]\(#([\w-]+)\)", document)) <= headings


GOOD = """
sources:
  desk: {kind: zendesk, subdomain: example, email: a@example.com, token_file: token}
  inbox: {kind: events, paths: [inbox], every: 1m}
workflows:
  - name: triage
    sources: [desk]
    agents: triage-bot
    scope: {group: billing, regulated: false}
    decides: ["set:group", {action: "set:stage", progress: [new, open, done], reversal_window: 7d}]
    authority: [{since: "2026-03-01", automatic: ["set:group", {action: refund, when: amount <= 50}]}]
    levels: [{level: shadow, since: "2026-01-01T00:00:00Z"}, {level: assisted, since: "2026-03-01"}]
alerts: {override_limit: 0.3, stale_after: 2h}
"""


def test_editors_accept_what_people_may_write():
    jsonschema.Draft202012Validator.check_schema(SCHEMA)

    jsonschema.validate(yaml.safe_load(GOOD), SCHEMA)


@pytest.mark.parametrize(
    ("wrong", "right"),
    [
        ("kind: zendesk", "kind: zendes"),
        ("2h", "2 hours"),
        ("override_limit: 0.3", "override_limt: 0.3"),
        ("level: shadow", "level: shade"),
        ("token_file: token", "token_fil: token"),
    ],
)
def test_editors_mark_what_is_wrong(wrong, right):
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(yaml.safe_load(GOOD.replace(wrong, right)), SCHEMA)


def test_the_events_shown_in_the_format_are_events():
    lines = [line for line in event_format_document().splitlines() if line.startswith("{")]

    assert len(lines) == 3
    assert all(isinstance(read_event(line.encode(), "inbox"), Event) for line in lines)


@click.group()
def tool():
    """A tool | of tests."""


@tool.command()
@click.argument("metric")
@click.option("--window", default="7d", show_default=True, help="Stretch of event time.")
@click.option("--secret", hidden=True)
def explain(metric, window, secret):
    """The cases behind a number.

    With links.
    """


@tool.command(hidden=True)
def internal():
    """Not for people."""


def test_every_command_is_documented_with_its_options():
    document = commands_document(tool)

    assert "## rollout-metrics explain\n\n```\nrollout-metrics explain [OPTIONS] METRIC\n```" in document
    assert "| `--window TEXT` | Stretch of event time.  [default: 7d] |" in document.replace("time. [", "time.  [")
    assert "With links." in document
    assert "secret" not in document
    assert "internal" not in document


def test_relative_links_between_documents_lead_to_files():
    for document in [*(ROOT / "docs").glob("*.md"), *(ROOT / "docs/runbooks").glob("*.md"), *(ROOT / "deploy").glob("*/README.md")]:
        for target in re.findall(r"\]\((?!https?:|#)([^)#]+)", document.read_text()):
            assert (document.parent / target).exists(), f"{document.name}: {target}"
