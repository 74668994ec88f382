"""What a change record lacks, by its risk class: a record is complete or lists what it lacks (definitions, section 8)."""

import unicodedata
from collections.abc import Iterator, Mapping
from typing import Any

import msgspec

from rollout_metrics.domain.changes import HarmMetric
from rollout_metrics.domain.records import Record, Signature, SignOff
from rollout_metrics.domain.time import Instant, format_instant

_ALL_BUT_LEGAL = (SignOff.SEMANTICS, SignOff.AUTHORITY, SignOff.RUNTIME, SignOff.INCIDENT_PATH)

REQUIRED: Mapping[str, tuple[SignOff, ...]] = {
    "low": (SignOff.SEMANTICS,),
    "medium": (SignOff.SEMANTICS, SignOff.AUTHORITY, SignOff.RUNTIME),
    "high": _ALL_BUT_LEGAL,
    "regulated": (*_ALL_BUT_LEGAL, SignOff.LEGAL),
}
"""The sign-offs that a risk class requires: one for what is cheap to get wrong, a committee only where it is not."""

SIGNED_BY: Mapping[SignOff, str] = {
    SignOff.SEMANTICS: "the workflow's owner",
    SignOff.AUTHORITY: "security",
    SignOff.RUNTIME: "engineering",
    SignOff.INCIDENT_PATH: "operations",
    SignOff.LEGAL: "legal",
}
"""Who gives it."""

Place = tuple[str | int, ...]


class Lack(msgspec.Struct, frozen=True):
    """Something a record does not say: where it would stand, and what to do."""

    place: Place
    message: str


_NAMED: tuple[tuple[str, str], ...] = (
    ("owner", "name the team that owns the workflow"),
    ("roles.gain_work", "name the roles that get more work, [] if none does"),
    ("roles.lose_work", "name the roles that get less work, [] if none does"),
    ("systems", "name the systems the change touches"),
    ("audience", "say who is exposed to it"),
    ("authority.automatic", "list what the agent may do without asking, [] if nothing"),
    ("authority.approval", "list what it may do once approved, [] if nothing"),
    ("authority.forbidden", "list what it may never do, [] if nothing"),
    ("harm.window", "say how long after the deployment harm is watched for, such as 7d"),
    ("harm.metrics", "name at least one figure that must not cross a limit"),
    ("human_in_the_loop.reviewer", "name the role that reviews the agent's work"),
    ("human_in_the_loop.review_surface", "say where it is reviewed"),
    ("human_in_the_loop.override_power", "say what a reviewer can stop, change or undo"),
    ("human_in_the_loop.correction_capture", "say where corrections and their reasons are recorded"),
    ("human_in_the_loop.stops_asking", "give the rule for when the agent stops asking"),
    ("traces.proof", "name the traces that prove how the agent behaved"),
    ("traces.kept_for", "say how long traces are kept, such as 400d"),
    ("rollback.owner", "name who rolls it back"),
    ("rollback.plan", "say how to go back"),
    ("rollback.last_rehearsed_at", "say when that was last rehearsed"),
    ("links.pull_request", "link the pull request"),
    ("links.evaluation_report", "link the evaluation report"),
    ("links.trace_sample", "link a sample of traces"),
    ("links.permission_difference", "link the permission difference"),
    ("retention", "say how long the record and its evidence are kept, such as 730d"),
)
"""What every record names, whatever its risk class, in the order of the file."""

_MAY_BE_EMPTY = frozenset(place for place, _ in _NAMED if place.startswith(("roles.", "authority.")))

_CONTROLS: Mapping[str, str] = {
    "guardrails": "name at least one guardrail, with owner, system, threshold and audit trail",
    "observability": "name at least one way to see it, with owner, system, threshold and audit trail",
    "governance": "name at least one control of governance, with owner, system, threshold and audit trail",
}
_OF_A_CONTROL: tuple[tuple[str, str], ...] = (
    ("owner", "name who answers for it"),
    ("system", "name the system it runs in"),
    ("threshold", "say at which point it acts"),
    ("audit_trail", "say where it leaves its trail"),
)


def lacks(record: Record) -> tuple[Lack, ...]:
    """Everything the record lacks, in the order of a record's sections; nothing where it is complete."""
    return (*_unnamed(record), *_harm(record), *_controls(record), *_unsigned(record))


def required(record: Record) -> tuple[SignOff, ...]:
    """The sign-offs that the record needs."""
    return REQUIRED[record.change.risk_class]


def missing(record: Record) -> tuple[SignOff, ...]:
    """Those that are not given, or by a person who has given another one of them."""
    return tuple(SignOff(str(lack.place[1])) for lack in _sign_offs(record))


def approved_at(risk_class: str, sign_offs: Mapping[SignOff, Signature]) -> Instant | None:
    """The last sign-off that the risk class requires; None while one is missing or two are by the same person."""
    given = [signature for name in REQUIRED[risk_class] if (signature := sign_offs.get(name)) is not None and signature.given]
    persons = {_person(signature) for signature in given}
    if len(given) < len(REQUIRED[risk_class]) or len(persons) < len(given):
        return None
    return max(signature.at for signature in given if signature.at is not None)


def _unnamed(record: Record) -> Iterator[Lack]:
    for path, remedy in _NAMED:
        value: Any = record
        for part in path.split("."):
            value = getattr(value, part)
        if value is None or (not value and path not in _MAY_BE_EMPTY):
            yield Lack(tuple(path.split(".")), f"is missing: {remedy}")


def _harm(record: Record) -> Iterator[Lack]:
    for number, metric in enumerate(record.harm.metrics):
        place: Place = ("harm", "metrics", number)
        if not _figure(metric):
            yield Lack(place, "names no figure: give a metric, promql, or sql with its database")
        elif metric.name is None and metric.metric is None:
            yield Lack((*place, "name"), "is missing: give the figure a name")
        if metric.sql is not None and metric.database is None:
            yield Lack((*place, "database"), "is missing: say where the query runs")
        if metric.at_most is None and metric.at_least is None:
            yield Lack(place, "has no limit: give at_most or at_least")


def _figure(metric: HarmMetric) -> bool:
    return any((metric.metric, metric.promql, metric.sql))


def _controls(record: Record) -> Iterator[Lack]:
    for section, remedy in _CONTROLS.items():
        controls = getattr(record, section)
        if not controls:
            yield Lack((section,), f"is missing: {remedy}")
        for number, control in enumerate(controls):
            yield from (Lack((section, number, part), f"is missing: {said}") for part, said in _OF_A_CONTROL if not getattr(control, part))


def _unsigned(record: Record) -> Iterator[Lack]:
    yield from _sign_offs(record)
    last = approved_at(record.change.risk_class, record.sign_offs)
    if last is not None and record.approval_given is not None and record.approval_given < last:
        yield Lack(("approved_at",), f"lies before the last sign-off it needs, {format_instant(last)}: remove it, it follows from the sign-offs")


def _sign_offs(record: Record) -> Iterator[Lack]:
    signed: dict[str, SignOff] = {}
    for name in required(record):
        signature = record.sign_offs.get(name, Signature())
        place: Place = ("sign_offs", name.value)
        needed = f"a change of risk class {record.change.risk_class} needs it from {SIGNED_BY[name]}, with who (by) and when (at)"
        if not signature.given:
            half = "" if not signature.by and signature.at is None else " (at is there)" if not signature.by else " (by is there)"
            yield Lack(place, f"is missing{half}: {needed}")
            continue
        other = signed.setdefault(_person(signature), name)
        if other is not name:
            yield Lack(place, f"is by the person who signed {other}: distinct people must sign")


def _person(signature: Signature) -> str:
    """Who it is, however they wrote themselves."""
    return " ".join(unicodedata.normalize("NFKC", signature.by or "").casefold().split())
