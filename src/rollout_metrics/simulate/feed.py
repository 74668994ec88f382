"""What the agents' runtimes and the approval desk report, in our own event format: as files that grow, or as records to push."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec

from rollout_metrics.domain.time import DAY, HOUR, MINUTE, Instant, format_instant, moment, parse_instant
from rollout_metrics.simulate.cast import APPROVALS, CONTRACTS, LEADS, REFUNDS, RUNTIME, RUNTIME_AGENTS, TRIAGE, Plot
from rollout_metrics.simulate.deployments import Versions
from rollout_metrics.simulate.world import World

SOURCES = (RUNTIME, APPROVALS)
_SUITES = (REFUNDS, TRIAGE, LEADS, CONTRACTS)


def records(world: World, source: str, after: Instant, up_to: Instant) -> Iterator[tuple[Instant, dict[str, Any]]]:
    """The events of `runtime` or `approvals` in (after, up_to], in order of time."""
    found = [
        (
            report.at,
            f"{case.id}-{place:03d}",
            _record(report.at, report.activity, report.actor, report.actor_kind, report.detail) | _about(case.system, case.id),
        )
        for case, place, report in world.reports(after, up_to)
        if report.source == source
    ]
    if source == RUNTIME:
        found += [(at, f"evaluation-{workflow}-{at // DAY}", record) for at, workflow, record in evaluations(world.plot, after, up_to)]
    for at, number, record in sorted(found, key=lambda item: item[:2]):
        yield at, {"event_id": number, **record}


def evaluations(plot: Plot, after: Instant, up_to: Instant) -> Iterator[tuple[Instant, str, dict[str, Any]]]:
    """One run of each agent's evaluation suite every night; it failed in the night of the bad refund deployment, and only then."""
    versions = Versions(plot)
    failed = plot.refunds_failure()
    since = {REFUNDS: plot.start, TRIAGE: plot.start, LEADS: plot.leads_assisted(), CONTRACTS: plot.contracts_shadow()}
    for day in range((max(after, plot.start) - plot.start) // DAY, (up_to - plot.start) // DAY + 1):
        for place, workflow in enumerate(_SUITES):
            at = (plot.start // DAY + day) * DAY + 3 * HOUR + (17 + place) * MINUTE
            if after < at <= up_to and at >= since[workflow]:
                passed = not (workflow == REFUNDS and failed[0] <= at < failed[1])
                detail = {"passed": passed, "version": versions.at(workflow, at)}
                yield at, workflow, _record(at, "evaluated", RUNTIME_AGENTS[workflow], "agent", detail)


def _record(at: Instant, activity: str, actor: str, kind: str, detail: dict[str, Any]) -> dict[str, Any]:
    return {"occurred_at": format_instant(at), "actor_id": actor, "actor_kind": kind, "activity": activity, "detail": detail}


def _about(system: str, number: int) -> dict[str, str]:
    return {"case_source": system, "case_id": str(number)}


class Feed:
    """Files of one source in a directory, one a day, that grow as time passes. A restart continues where the files end."""

    def __init__(self, world: World, source: str, directory: Path) -> None:
        self._world, self._source, self._directory = world, source, directory
        self._written: Instant | None = None
        self._known: frozenset[str] = frozenset()

    def write(self, up_to: Instant) -> int:
        """Append everything up to `up_to` that is not there yet; how many events that was."""
        if self._written is None:
            self._directory.mkdir(parents=True, exist_ok=True)
            self._written = self._resume()
        days: dict[str, list[bytes]] = {}
        for at, record in records(self._world, self._source, self._written, up_to):
            if record["event_id"] not in self._known:
                days.setdefault(_file_of(at), []).append(msgspec.json.encode(record))
        for name, lines in days.items():
            with (self._directory / name).open("ab") as file:
                file.write(b"\n".join(lines) + b"\n")
        self._written, self._known = max(self._written, up_to), frozenset()
        return sum(map(len, days.values()))

    def _resume(self) -> Instant:
        """Go on in the newest file: what it holds is known, a half-written last line is taken back."""
        files = sorted(self._directory.glob("*.jsonl"))
        if not files:
            return self._world.start - 1
        newest = files[-1]
        written = newest.read_bytes()
        whole = written[: written.rfind(b"\n") + 1]
        if len(whole) < len(written):
            newest.write_bytes(whole)
        self._known = frozenset(msgspec.json.decode(line)["event_id"] for line in whole.splitlines())
        return parse_instant(f"{newest.stem}T00:00:00Z") - 1


def _file_of(at: Instant) -> str:
    return f"{moment(at):%Y-%m-%d}.jsonl"
