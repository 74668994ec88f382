"""What is particular to ServiceNow: what stands in the way of a whole reading, how its keys are sent, how its answers lead on."""

from collections.abc import Iterator
from typing import Any

import msgspec
import pytest

from rollout_metrics.collect.http import Api
from rollout_metrics.collect.reconcile import deleted
from rollout_metrics.collect.source import Window
from rollout_metrics.domain.events import Activity, ActorKind, Event, resolve
from rollout_metrics.domain.time import HOUR, parse_instant
from rollout_metrics.sources.servicenow import Servicenow
from sources.server import Answering, Reply, Request, Server, serving

END = parse_instant("2026-01-15T13:00:00Z")
AUDITED = {"incident": "true", "sysapproval_approver": "true", "change_request": "false"}
READABLE: dict[str, Any] = {"sys_dictionary": [{"name": name, "audit": audit} for name, audit in AUDITED.items()]}


@pytest.fixture
def server() -> Iterator[Server]:
    with serving(tables(READABLE)) as made:
        yield made


def tables(rows: dict[str, Any], refused: frozenset[str] = frozenset()) -> Answering:
    """Answers with the rows of each table, 403 for those that are refused."""

    def answer(request: Request) -> Reply:
        table = request.line.rpartition("/")[2]
        return Reply({"error": {"message": "User Not Authorized"}}, 403) if table in refused else Reply({"result": rows.get(table, [])})

    return answer


def servicenow(server: Server, **options: Any) -> Servicenow:
    return Servicenow.model_validate({"name": "snow", "base_url": server.url, "token": "secret", "tables": ["incident", "change_request"], **options})


def api(source: Servicenow) -> Api:
    return Api(source.endpoint(), sleep=lambda _: None)


def test_a_table_that_is_not_audited_is_told_with_its_remedy(server: Server) -> None:
    found = list(servicenow(server).lacking(api(servicenow(server))))

    assert found == ["change_request is not audited: switch on Audit in its dictionary entry (it is not inherited from task), or its changes cannot be seen"]


def test_tables_that_may_not_be_read_are_told_apart_from_a_wrong_password(server: Server) -> None:
    server.answer = tables(READABLE, frozenset(("sys_audit", "sys_dictionary")))

    audit, dictionary = servicenow(server).lacking(api(servicenow(server)))

    assert audit.startswith("sys_audit cannot be read (403): give the account a role")
    assert dictionary.startswith("sys_dictionary cannot be read (403): whether tables are audited is not known")


@pytest.mark.parametrize(
    ("options", "header", "begins"),
    [({"user": "reader"}, "Authorization", "Basic "), ({}, "Authorization", "Bearer secret"), ({"api_key": True}, "x-sn-apikey", "secret")],
)
def test_a_password_a_token_and_a_key_are_sent_each_in_its_way(server: Server, options: dict[str, Any], header: str, begins: str) -> None:
    source = servicenow(server, **options)
    list(source.pages(api(source), Window(END - HOUR, END)))

    sent = {name.lower(): value for name, value in server.requests[0].headers.items()}
    assert sent[header.lower()].startswith(begins)
    assert ("authorization" in sent) == (header == "Authorization")


def test_the_filter_moves_on_only_where_a_page_has_more_than_one_second(server: Server) -> None:
    """Rows of one second fill the page: its own link leads on, or the same page would come for ever."""
    at = "2026-01-15 12:30:00"
    rows = [{"sys_id": f"{number:032x}", "sys_created_on": at, "sys_updated_on": at, "state": "1"} for number in range(4)]
    usual = tables({"sys_user": []})

    def answer(request: Request) -> Reply:
        if not request.line.endswith("/incident"):
            return usual(request)
        offset = int(request.query.get("sysparm_offset", ["0"])[0])
        link = {} if offset else {"Link": f'<http://{request.headers["Host"]}{request.line.split()[1]}?sysparm_offset=2>;rel="next"'}
        return Reply({"result": rows[offset : offset + 2]}, 200, link)

    server.answer = answer
    source = servicenow(server, tables=["incident"], approvals=False)

    found = [bundle.row["sys_id"] for page in source.pages(api(source), Window(END - HOUR, END)) for bundle in page.body]

    assert found == [row["sys_id"] for row in rows]


def test_an_instance_and_an_address_are_one_or_the_other() -> None:
    with pytest.raises(ValueError, match="either instance or base_url"):
        Servicenow.model_validate({"name": "snow", "token": "x"})


BESIDE: dict[str, Any] = {"ai_agents": True, "surveys": {"a1": 4}, "time_rows": True, "deletions": True}


def test_tables_beside_the_records_are_told_when_they_may_not_be_read(server: Server) -> None:
    server.answer = tables({"sys_dictionary": [{"name": "incident", "audit": "true"}]}, frozenset(("asmt_metric_result", "sys_audit_delete")))
    source = servicenow(server, tables=["incident"], **BESIDE)

    answers, deletions, approvals = source.lacking(api(source))

    assert approvals.startswith("sysapproval_approver is not audited: switch on Audit in its dictionary entry")
    assert answers.startswith("asmt_metric_result cannot be read (403)")
    assert deletions.startswith("sys_audit_delete cannot be read (403)")


def test_only_rows_about_our_tables_and_answers_to_our_questions_are_asked_for(server: Server) -> None:
    source = servicenow(server, approvals=False, **BESIDE)
    list(source.pages(api(source), Window(END - HOUR, END)))

    asked = {request.line.rpartition("/")[2]: request.query["sysparm_query"][0] for request in server.requests}
    limits = "sys_updated_on>=2026-01-15 12:00:00^sys_updated_on<2026-01-15 13:00:00^{}^ORDERBYsys_updated_on^ORDERBYsys_id"
    assert asked["sn_aia_execution_plan"] == limits.format("related_task_tableINchange_request,incident")
    assert asked["asmt_metric_result"] == limits.format("metricINa1")
    assert asked["task_time_worked"] == limits.format("task.sys_class_nameINchange_request,incident")
    assert asked["sys_audit_delete"] == limits.replace("sys_updated_on", "sys_created_on").format("tablenameINchange_request,incident")


def test_who_deleted_a_record_is_kept_whether_the_audit_or_the_reconciliation_found_it_first(server: Server) -> None:
    """The reconciliation dates a deletion to the last event and knows nobody; both are one event."""
    row = {"sys_id": "d1", "sys_created_on": "2026-01-15 12:30:00", "sys_created_by": "ann", "tablename": "incident", "documentkey": "c1"}
    server.answer = tables({"sys_audit_delete": [row]})
    source = servicenow(server, approvals=False, deletions=True)
    [told] = [event for page in source.pages(api(source), Window(END - HOUR, END)) for event in source.events(page)]
    assert isinstance(told, Event)

    missed = deleted("snow", "c1", END)

    assert resolve([told, missed]) == resolve([missed, told]) == [told]
    assert (told.actor_id, told.occurred_at) == ("ann", parse_instant("2026-01-15T12:30:00Z"))


@pytest.mark.parametrize(("updated_by", "actor"), [("ada", "ada"), ("system", None)])
def test_feedback_is_no_machines_though_one_may_have_touched_its_row_since(server: Server, updated_by: str, actor: str | None) -> None:
    times = dict.fromkeys(("sys_created_on", "sys_updated_on", "completed_at", "feedback_timestamp"), "2026-01-15 12:30:00")
    about = {"metadata_table": "incident", "metadata_document": "c1", "skill_config": "summary", "feedback": "accepted"}
    payload = {"table": "sys_generative_ai_log", "row": {"sys_id": "g1", "sys_updated_by": updated_by, **times, **about}}
    source = servicenow(server)
    _, feedback = source.events(source.page_of(msgspec.json.encode(payload), "here"))

    assert isinstance(feedback, Event)
    assert (feedback.activity, feedback.actor_kind, feedback.actor_id) == (Activity.APPROVED, ActorKind.OPERATOR, actor)


APPROVED = {"fieldname": "state", "oldvalue": "requested", "newvalue": "approved", "user": "ada", "sys_created_on": "2026-01-15 12:10:00"}


def approval(server: Server, updated: str, by: str, *audits: dict[str, Any], state: str = "approved") -> Event:
    """What is told of a decided approval."""
    row = {"sys_id": "a" * 32, "sysapproval": "b" * 32, "sys_created_on": "2026-01-15 12:00:00", "state": state}
    known = [{"documentkey": "a" * 32, **audit} for audit in audits]
    server.answer = tables({"sysapproval_approver": [{**row, "sys_updated_on": updated, "sys_updated_by": by}], "sys_audit": known})
    source = servicenow(server, tables=["incident"])
    told = [one for page in source.pages(api(source), Window(END - 2 * HOUR, END)) for one in source.events(page)]
    assert any("tablename=sysapproval_approver" in asked.query["sysparm_query"][0] for asked in server.requests if asked.line.endswith("sys_audit"))
    return next(one for one in told if isinstance(one, Event) and one.event_id.endswith("/decided"))


def test_a_job_that_touches_a_decided_approval_does_not_move_the_decision(server: Server) -> None:
    first, touched = approval(server, "2026-01-15 12:10:00", "ada", APPROVED), approval(server, "2026-01-15 12:50:00", "system", APPROVED)

    assert touched == first
    assert (first.occurred_at, first.actor_kind, first.actor_id) == (parse_instant("2026-01-15T12:10:00Z"), ActorKind.OPERATOR, "ada")


def test_what_the_audit_says_of_an_approval_holds_against_a_reading_without_it(server: Server) -> None:
    before, late = approval(server, "2026-01-15 12:10:00", "ada", APPROVED), approval(server, "2026-01-15 12:50:00", "system")

    assert late.occurred_at > before.occurred_at
    assert resolve([before, late]) == resolve([late, before]) == [before]


def test_of_several_decisions_the_last_one_holds(server: Server) -> None:
    rejected = {**APPROVED, "oldvalue": "approved", "newvalue": "rejected", "user": "bob", "sys_created_on": "2026-01-15 12:20:00"}
    changed = approval(server, "2026-01-15 12:50:00", "system", APPROVED, rejected, state="rejected")

    assert (changed.activity, changed.actor_id, changed.occurred_at) == (Activity.REJECTED, "bob", parse_instant("2026-01-15T12:20:00Z"))
    assert resolve([approval(server, "2026-01-15 12:10:00", "ada", APPROVED), changed]) == [changed]
