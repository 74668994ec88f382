"""An Alertmanager configuration: a route for each team that owns a workflow, what silences what, and words that a person can act on."""

from collections.abc import Iterable
from importlib.resources import files
from typing import Any

from rollout_metrics.catalog.alerts import NAMES, Severity, Topic
from rollout_metrics.generate.yaml import document

TEMPLATES = "templates/rollout.tmpl"
"""Where the templates for chat and mail lie, from the configuration's folder."""

OPERATIONS = "rollout-operations"
"""Who hears of sources and of the exporter: whoever runs it."""

NOBODY, TICKETS, PAGE = "nobody", "tickets", "page"

Receiver = dict[str, Any]


def templates(*, comment: str) -> str:
    """The templates."""
    return f"{{{{- /* {comment} */ -}}}}\n" + (files("rollout_metrics.generate") / "rollout.tmpl").read_text(encoding="utf-8")


def silent(name: str) -> Receiver:
    """A receiver that tells nobody: alerts show up in Alertmanager only."""
    return {"name": name}


def told(name: str) -> Receiver:
    """A receiver that writes to the team's channel and sends it mail. Addresses are examples; secrets lie in files of their own."""
    chat = {
        "channel": f"#{name}",
        "send_resolved": True,
        "title": '{{ template "rollout.title" . }}',
        "title_link": '{{ template "rollout.link" . }}',
        "text": '{{ template "rollout.chat" . }}',
        "color": '{{ template "rollout.color" . }}',
        "fallback": '{{ template "rollout.title" . }}',
    }
    mail = {
        "to": f"{name}@example.com",
        "send_resolved": True,
        "headers": {"subject": '{{ template "rollout.title" . }}'},
        "html": '{{ template "rollout.mail" . }}',
        "text": '{{ template "rollout.text" . }}',
    }
    return {"name": name, "slack_configs": [chat], "email_configs": [mail]}


def alertmanager(owners: Iterable[str], *, reached: bool, comment: str) -> str:
    """The configuration for these owners of workflows. `reached`: with receivers for chat and mail, to be filled in; else all are silent."""
    teams = sorted(set(owners) - {NOBODY, TICKETS, PAGE, OPERATIONS})
    receiver = told if reached else silent
    whole: dict[str, Any] = {}
    if reached:
        secrets = "/etc/alertmanager/secrets"
        whole["global"] = {
            "slack_api_url_file": f"{secrets}/chat-url",
            "smtp_smarthost": "mail.example.com:587",
            "smtp_from": "alertmanager@example.com",
        }
        whole["templates"] = [TEMPLATES]
    return document(
        {
            **whole,
            "route": _route(teams),
            "inhibit_rules": _inhibitions(),
            "receivers": [silent(NOBODY), *(receiver(name) for name in (TICKETS, PAGE, OPERATIONS, *teams))],
        },
        comment=comment,
    )


def _route(teams: Iterable[str]) -> dict[str, Any]:
    """Nobody hears what only silences others; what pages also reaches the team; sources and exporter go to whoever runs them."""
    operational = f"{Topic.COLLECTION}|{Topic.EXPORTER}"
    return {
        "receiver": TICKETS,
        "group_by": ["topic", "workflow", "source"],
        "group_wait": "1m",
        "group_interval": "10m",
        "repeat_interval": "24h",
        "routes": [
            {"matchers": [f'severity="{Severity.NONE}"'], "receiver": NOBODY},
            {"matchers": [f'severity="{Severity.PAGE}"'], "receiver": PAGE, "group_wait": "10s", "repeat_interval": "1h", "continue": True},
            {"matchers": [f'topic=~"{operational}"'], "receiver": OPERATIONS},
            *({"matchers": [f'owner_team="{team}"'], "receiver": team} for team in teams),
        ],
    }


def _inhibitions() -> list[dict[str, Any]]:
    """What says the same with more certainty, or takes the ground from under another."""
    every = f'alertname=~"{NAMES}.+"'
    known = "|".join(f"{NAMES}Source{cause}" for cause in ("Down", "Unauthorised", "Truncated"))
    return [
        # figures that stand still say nothing about people's behaviour
        _inhibition([f'alertname="{NAMES}FiguresStale"'], [f'topic="{Topic.BEHAVIOUR}"'], "workflow"),
        # why it is stale is known
        _inhibition([f'alertname=~"{known}"'], [f'alertname="{NAMES}SourceStale"'], "source"),
        # with passes that hang every source looks stale
        _inhibition([f'alertname="{NAMES}SnapshotOld"'], [f'alertname="{NAMES}SourceStale"'], "job"),
        # the page says it already
        _inhibition([f'alertname="{NAMES}ForbiddenAct"'], [f'alertname="{NAMES}AuthorityViolation"', 'kind="forbidden"'], "workflow"),
        # without an exporter there is nothing else to say
        _inhibition([f'alertname="{NAMES}ExporterAbsent"'], [every, f'severity="{Severity.TICKET}"']),
    ]


def _inhibition(sources: list[str], targets: list[str], *equal: str) -> dict[str, Any]:
    rule: dict[str, Any] = {"source_matchers": sources, "target_matchers": targets}
    return rule | ({"equal": list(equal)} if equal else {})
