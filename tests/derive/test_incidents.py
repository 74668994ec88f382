"""Incidents, versions without a record, and reports on cases, each as a fact of the case it stands on."""

from typing import Any

from builders import T0, after, change, company, ev
from rollout_metrics.derive.drift import unrecorded
from rollout_metrics.derive.history import read
from rollout_metrics.derive.incidents import incidents
from rollout_metrics.derive.reports import reports
from rollout_metrics.domain.changes import ChangeKind
from rollout_metrics.domain.events import Event
from rollout_metrics.domain.facts import IncidentSeen, Reported, Unrecorded
from rollout_metrics.domain.policy import Company
from rollout_metrics.domain.time import DAY

PAGED = {"incident_sources": {"pager": {"service": ["agent"]}}}


def history(*events: Event, of: Company) -> Any:
    return read(events, of, {"w": T0 + 9 * DAY, "": T0 + 9 * DAY})


def page(offset: str, activity: str, *more: Any, **detail: Any) -> Event:
    return ev(offset, "rule-1", activity, *more, source="pager", id=f"p-{offset}", **detail)


def seen(*events: Event, **options: Any) -> list[IncidentSeen]:
    of = company({**PAGED, **options}, changes=[change(id="CHG-1")])
    return incidents(history(page("1h", "created", attributes={"service": "agent"}), *events, of=of), of)


class TestIncidents:
    def test_one_runs_from_its_creation_to_its_close(self) -> None:
        assert seen() == [IncidentSeen("w", ("pager", "1"), None, after("1h"), None, (("pager", "p-1h"),))]
        assert seen(page("3h", "closed"))[0].ended_at == after("3h")

    def test_one_that_was_reopened_goes_on(self) -> None:
        assert seen(page("3h", "closed"), page("4h", "reopened"))[0].ended_at is None
        assert seen(page("3h", "closed"), page("4h", "reopened"), page("5h", "closed"))[0].ended_at == after("5h")

    def test_one_that_was_deleted_was_none(self) -> None:
        assert seen(page("3h", "deleted")) == []

    def test_one_of_another_service_or_source_is_none_of_ours(self) -> None:
        assert seen(page("2h", "changed", "service", "database")) == []
        assert seen(incident_sources={"other": {}}) == []

    def test_it_is_linked_to_the_change_that_its_attribute_names(self) -> None:
        assert seen(page("2h", "changed", "change", "CHG-1"))[0].change == "CHG-1"
        assert seen(page("2h", "changed", "change", "CHG-9"))[0].change is None
        assert seen(page("2h", "changed", "cause", "CHG-1"), incident_link="cause")[0].change == "CHG-1"


RELEASED = change(id="r1", kind=ChangeKind.PROMPT, level=None, version="v1", deployed_at=after("2h"))


def drift(*events: Event, **more: Any) -> list[Unrecorded]:
    of = company({}, changes=[RELEASED, change(id="r2", kind=ChangeKind.PROMPT, level=None, version="v2", environment="staging")], **more)
    return unrecorded(history(ev("1h", "customer-1", "created"), *events, of=of), of)


class TestUnrecordedVersions:
    def test_a_version_that_no_record_names_is_drift(self) -> None:
        event = ev("3h", "bot", "changed", "priority", "high", version="v9", id="e")

        assert drift(event) == [Unrecorded("w", "v9", after("3h"), (("desk", "e"),))]

    def test_one_is_recorded_from_its_deployment_on(self) -> None:
        assert drift(ev("3h", "bot", "changed", "priority", "high", version="v1")) == []
        assert [item.at for item in drift(ev("1h30m", "bot", "changed", "priority", "high", version="v1"))] == [after("1h30m")]

    def test_a_record_of_another_environment_does_not_speak_for_production(self) -> None:
        assert [item.version for item in drift(ev("2d", "bot", "changed", "priority", "high", version="v2"))] == ["v2"]
        assert drift(ev("2d", "bot", "changed", "priority", "high", version="v2", environment="staging")) == []

    def test_trying_out_a_version_is_no_drift(self) -> None:
        assert drift(ev("3h", "bot", "evaluated", passed=True, version="v9")) == []

    def test_only_agents_have_versions(self) -> None:
        assert drift(ev("3h", "op-1", "changed", "priority", "high", version="v9")) == []


def reported(*events: Event) -> list[Reported]:
    of = company({"sources": ["desk", "runtime"]})
    return reports(history(*events, of=of), of)


def report(offset: str) -> Event:
    return ev(offset, "bot", "recommended", "priority", "high", source="runtime", case_source="desk", id=f"r-{offset}")


class TestReports:
    def test_reports_on_a_case_that_its_source_knows_are_linked(self) -> None:
        found = reported(ev("1h", "customer-1", "created"), report("2h"), report("3h"))

        assert found == [Reported("w", linked=True, events=2, at=after("2h"), evidence=(("runtime", "r-2h"),))]

    def test_reports_on_a_case_that_nobody_knows_are_not(self) -> None:
        assert [(item.linked, item.events) for item in reported(report("2h"))] == [(False, 1)]

    def test_a_sources_own_events_are_no_reports(self) -> None:
        assert reported(ev("1h", "customer-1", "created"), ev("2h", "bot", "changed", "priority", "high")) == []
