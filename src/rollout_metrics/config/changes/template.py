"""A change record to fill in, written from the model: every option with what it means, empty where a person must say it."""

import json
import re
import textwrap
from collections.abc import Iterator, Mapping

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from rollout_metrics.config.annotations import inner, member
from rollout_metrics.config.changes.record import ChangeRecord
from rollout_metrics.derive.completeness import REQUIRED
from rollout_metrics.domain.changes import ChangeKind
from rollout_metrics.domain.records import SignOff
from rollout_metrics.domain.time import Instant, format_instant
from rollout_metrics.generate.meanings import meanings

WIDTH = 110
_BARE = re.compile(r"\w[\w.-]*", re.ASCII)

_EXAMPLES: Mapping[str, str] = {
    "authority": "automatic: [{action: refund, when: [amount <= 50, regulated = no]}]",
    "harm": "{metric: override_ratio, at_most: 0.2}",
    "traces": "kept_for: 400d",
    "rollback": "last_rehearsed_at: 2026-03-01",
    "sign_offs": "semantics: {by: ada@example.com, at: 2026-03-01T10:00:00Z}",
}
_AFTERWARDS = ("reviewed_at", "approved_at", "deployed_at", "recovered_at", "reworks", "fixes", "incidents", "interventions")
_SEVERAL = ("guardrails", "observability", "governance")
_SAID = ("id", "workflow", "kind", "title", "version", "level", "environment", "risk_class", "proposed_at")


def template(*, number: str, workflow: str, kind: ChangeKind, risk_class: str, proposed_at: Instant, schema: str) -> str:
    """The text of a record that loads as it is and lacks what only people know. `schema`: where editors find the JSON Schema."""
    values = {
        "id": _plain(number),
        "workflow": _plain(workflow),
        "kind": kind.value,
        "environment": "production",
        "risk_class": risk_class,
        "proposed_at": format_instant(proposed_at),
    }
    if kind is ChangeKind.LEVEL:
        values["level"] = "shadow"
    lines = [
        f"# yaml-language-server: $schema={schema}",
        "",
        *_comment("A change record. Fill in what is empty; `rollout-metrics changes check` names what is still missing. `[]` says none.", 0),
        "",
    ]
    for name, info in ChangeRecord.model_fields.items():
        if name in _AFTERWARDS or (name == "level" and kind is not ChangeKind.LEVEL):
            continue
        lines += _field(name, info, values, risk_class)
    lines += ["", "# What comes later: take away the `#` when it is known.", "#"]
    for name in _AFTERWARDS:
        lines += [*_comment(_said(ChangeRecord, name), 0), f"#{name}:"]
    return "\n".join(lines) + "\n"


def _field(name: str, info: FieldInfo, values: Mapping[str, str], risk_class: str) -> Iterator[str]:
    if name not in _SAID:
        yield ""
    model = inner(info.annotation, BaseModel)
    if model is None:
        yield from _comment(_said(ChangeRecord, name), 0)
        yield f"{name}: {values.get(name, '')}".rstrip()
        return
    yield from _comment(_said(ChangeRecord, name) or " ".join((model.__doc__ or "").split()), 0)
    if name in _EXAMPLES:
        yield from _comment(f"Such as {_EXAMPLES[name]}", 0)
    yield f"{name}:"
    if name == "sign_offs":
        yield from _sign_offs(model, risk_class)
    else:
        yield from _options(model, several=name in _SEVERAL, indent=2)


def _options(model: type[BaseModel], *, several: bool, indent: int) -> Iterator[str]:
    for position, (name, info) in enumerate(model.model_fields.items()):
        nested = inner(info.annotation, BaseModel)
        if name == "metrics" and nested is not None and member(info.annotation) is None:
            yield from _comment(_said(model, name), indent)
            yield f"{' ' * indent}{name}:"
            yield from _options(nested, several=True, indent=indent + 2)
            continue
        yield from _comment(_said(model, name), indent + 2 * several)
        yield f"{' ' * indent}{'' if not several else '- ' if position == 0 else '  '}{name}:"


def _sign_offs(model: type[BaseModel], risk_class: str) -> Iterator[str]:
    for name in REQUIRED[risk_class]:
        yield from _comment(_said(model, name), 2)
        yield f"  {name}: {{by: , at: }}"
    others = [name.value for name in SignOff if name not in REQUIRED[risk_class]]
    if others:
        yield from _comment(f"Not required at risk class {risk_class}: {', '.join(others)}", 2)


def _said(model: type[BaseModel], name: str) -> str:
    return " ".join(meanings(model).get(name, "").split())


def _comment(text: str, indent: int) -> list[str]:
    return textwrap.wrap(text, WIDTH - indent, initial_indent=f"{' ' * indent}# ", subsequent_indent=f"{' ' * indent}# ") if text else []


def _plain(text: str) -> str:
    """A text as a YAML scalar: bare where that is safe, else as JSON writes it."""
    return text if _BARE.fullmatch(text) and text.lower() != "null" else json.dumps(text)
