"""A change record as people read it: how far it is, what it says section by section, who signed, what it lacks."""

from collections.abc import Iterable, Iterator
from typing import Any

import msgspec

from rollout_metrics.derive.completeness import SIGNED_BY, lacks, missing, required
from rollout_metrics.derive.permissions import in_words
from rollout_metrics.domain.changes import Change, HarmMetric
from rollout_metrics.domain.policy import Grant, Level
from rollout_metrics.domain.records import Control, Record
from rollout_metrics.domain.time import SECOND, Instant, Span, format_span
from rollout_metrics.overview import written
from rollout_metrics.overview.status import Tone

Lines = tuple[str, ...]

LINKED = ("pull_request", "evaluation_report", "trace_sample", "permission_difference")


class Stage(msgspec.Struct, frozen=True):
    """Where a change stands at an instant, in a word."""

    word: str
    tone: Tone


class Entry(msgspec.Struct, frozen=True):
    """One thing that a record says: its name, and lines of text (none: it says nothing). `links`: addresses for lines that have one."""

    name: str
    lines: Lines
    links: tuple[str | None, ...] = ()


class Chapter(msgspec.Struct, frozen=True):
    """A section of a record."""

    title: str
    entries: tuple[Entry, ...]

    @property
    def said(self) -> list[Entry]:
        """What the record says here."""
        return [entry for entry in self.entries if entry.lines]


class SignedOff(msgspec.Struct, frozen=True):
    """A sign-off: what, by which side, whether it is needed, whether it counts, by whom and when."""

    name: str
    side: str
    needed: bool
    counts: bool
    by: str | None
    at: Instant | None


def stage(change: Change, at: Instant) -> Stage:
    """Where a change stands."""
    if change.deployed_at is not None and change.deployed_at <= at:
        harmed = any(item.ended_at is None or item.ended_at > at for item in change.incidents if item.started_at <= at)
        if harmed:
            return Stage("incident open", Tone.BAD)
        return Stage("deployed, with trouble", Tone.WARN) if change.incidents or change.interventions else Stage("deployed", Tone.GOOD)
    if change.approved_at is not None and change.approved_at <= at:
        return Stage("approved", Tone.PLAIN)
    return Stage("in review" if change.reviewed_at is not None and change.reviewed_at <= at else "proposed", Tone.PLAIN)


def newest_first(changes: Iterable[Change]) -> list[Change]:
    """Changes by their last step, the newest first."""
    return sorted(changes, key=lambda change: (change.deployed_at or change.approved_at or change.proposed_at, change.id), reverse=True)


def sign_offs(record: Record) -> list[SignedOff]:
    """The sign-offs that the record needs or has."""
    needed, lacking = required(record), missing(record)
    found = []
    for name, side in SIGNED_BY.items():
        signature = record.sign_offs.get(name)
        if name in needed or signature is not None:
            given = signature is not None and signature.given
            counts = given and name not in lacking
            found.append(
                SignedOff(written.name(name.value), side, name in needed, counts, signature.by if signature else None, signature.at if signature else None)
            )
    return found


def lacking(record: Record) -> list[str]:
    """What the record lacks, each in a line."""
    return [f"{'.'.join(str(part) for part in lack.place)} {lack.message}" for lack in lacks(record)]


def chapters(record: Record) -> list[Chapter]:
    """All that the record says."""
    change, loop = record.change, record.human_in_the_loop
    return [
        Chapter(
            "The change",
            (
                Entry("kind", (change.kind.value + (f" to {written.name(Level(change.level).name.lower())}" if change.level is not None else ""),)),
                Entry("version", _line(change.version)),
                Entry("environment", (change.environment,)),
                Entry("risk class", (change.risk_class,)),
                Entry("owner", _line(record.owner)),
                Entry("systems", record.systems),
                Entry("audience", _line(record.audience)),
                Entry("gain work", _roles(record.roles.gain_work)),
                Entry("lose work", _roles(record.roles.lose_work)),
                Entry("rolls back or hotfixes", _line(change.reworks)),
                Entry("should end", tuple(written.name(category) for category in change.fixes)),
            ),
        ),
        Chapter(
            "Its life",
            (
                Entry("proposed", _at(change.proposed_at)),
                Entry("reviewed", _at(change.reviewed_at)),
                Entry("approved", _at(change.approved_at)),
                Entry("deployed", _at(change.deployed_at)),
                Entry("recovered", _at(change.recovered_at)),
                Entry("incidents", tuple(map(_incident, change.incidents)), tuple(item.url for item in change.incidents)),
                Entry("interventions", tuple(f"{written.name(item.kind.value)}, {written.instant(item.at / SECOND)}" for item in change.interventions)),
            ),
        ),
        Chapter(
            "What the agent may do",
            (
                Entry("without asking", _grants(record.authority.automatic)),
                Entry("once approved", _grants(record.authority.approval)),
                Entry("never", _grants(record.authority.forbidden)),
            ),
        ),
        Chapter("Harm", (Entry("watched for", _span(record.harm.window)), Entry("limits", tuple(map(_harm, record.harm.metrics))))),
        Chapter(
            "The human in the loop",
            (
                Entry("reviewer", _line(loop.reviewer)),
                Entry("reviews where", _line(loop.review_surface)),
                Entry("can stop or undo", _line(loop.override_power)),
                Entry("corrections are kept", _line(loop.correction_capture)),
                Entry("the agent stops asking", _line(loop.stops_asking)),
            ),
        ),
        Chapter(
            "Controls",
            (
                Entry("guardrails", tuple(map(_control, record.guardrails))),
                Entry("observability", tuple(map(_control, record.observability))),
                Entry("governance", tuple(map(_control, record.governance))),
                Entry("traces", record.traces.proof),
                Entry("traces are kept", _span(record.traces.kept_for)),
                Entry("record is kept", _span(record.retention)),
            ),
        ),
        Chapter(
            "The way back",
            (
                Entry("owner", _line(record.rollback.owner)),
                Entry("plan", _line(record.rollback.plan)),
                Entry("last rehearsed", _at(record.rollback.last_rehearsed_at)),
            ),
        ),
        Chapter("Links", tuple(_link(record, name) for name in LINKED)),
    ]


def _at(at: Instant | None) -> Lines:
    return () if at is None else (written.instant(at / SECOND),)


def _line(text: str | None) -> Lines:
    return (text,) if text else ()


def _roles(roles: Lines | None) -> Lines:
    return () if roles is None else roles or ("nobody",)


def _span(span: Span | None) -> Lines:
    return () if span is None else (format_span(span),)


def _grants(grants: tuple[Grant, ...] | None) -> Lines:
    if grants is None:
        return ()
    return tuple(grant.action + (f" when {in_words((grant.when,))}" if grant.when else "") for grant in grants) or ("nothing",)


def _incident(item: Any) -> str:
    return f"{item.id}, {written.instant(item.started_at / SECOND)} to {written.instant(item.ended_at / SECOND) if item.ended_at is not None else 'now'}"


def _harm(metric: HarmMetric) -> str:
    limits = " and ".join(f"{word} {limit:g}" for word, limit in (("at most", metric.at_most), ("at least", metric.at_least)) if limit is not None)
    return f"{metric.name or metric.metric or 'unnamed'}: {limits or 'no limit'}"


def _control(control: Control) -> str:
    parts: Iterator[tuple[str, str | None]] = iter(
        (("", control.name), ("by ", control.owner), ("in ", control.system), ("at ", control.threshold), ("trail: ", control.audit_trail))
    )
    return ", ".join(f"{word}{text}" for word, text in parts if text)


def _link(record: Record, name: str) -> Entry:
    address = getattr(record.links, name)
    return Entry(written.name(name), _line(address), (address,) if address else ())
