"""What ServiceNow says of a record in tables beside it: approvals, answers of Now Assist, runs of AI agents, surveys, time, deletions."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import msgspec

from rollout_metrics.collect.change_options import gone
from rollout_metrics.collect.source import Told
from rollout_metrics.collect.story import NOBODY, Story
from rollout_metrics.collect.texts import own_words
from rollout_metrics.domain.events import Activity, ActorKind, Event
from rollout_metrics.domain.time import SECOND, Instant
from rollout_metrics.sources._servicenow_rows import MACHINES, Account, Bundle, Row, instant_of, seconds_of, stamp_of, text_of, worker

APPROVALS, ASSIST, PLANS = "sysapproval_approver", "sys_generative_ai_log", "sn_aia_execution_plan"
ANSWERS, TIMES, DELETED = "asmt_metric_result", "task_time_worked", "sys_audit_delete"
DECISIONS: Mapping[str, Activity] = {"approved": Activity.APPROVED, "rejected": Activity.REJECTED}
FEEDBACK: Mapping[str, Activity] = {"accepted": Activity.APPROVED, "rejected": Activity.REJECTED}
UNANSWERED = "N/A"
STATE = "state"
AUDITED = 1 << 40
"""What is added to a revision in seconds where the audit told it."""


class Beside(msgspec.Struct, frozen=True):
    """A table of rows that each say something of a record of another one.

    `where`: the condition for those of our tables. `fields`: the columns to ask for, with what is found through their references; null: all.
    `stamp`: the column by which it is read on. `audited`: the field whose audit is read with it.
    """

    tell: Callable[[Account, Bundle], Iterator[Told]]
    where: Callable[[Account], str | None] = lambda _: None
    fields: str | None = None
    stamp: str = "sys_updated_on"
    audited: str | None = None


def _story(account: Account, table: str, case_id: str) -> Story:
    return Story(account.name, case_id, {"url": account.link(table, case_id)})


def _revision(row: Row) -> int:
    return instant_of(row["sys_updated_on"]) // SECOND


def _approval(account: Account, bundle: Bundle) -> Iterator[Event]:
    """One approver's part: asked when the row was made, decided when its state was last set. It is asked of a record of our tables only."""
    row = bundle.row
    table, case_id = text_of(row.get("source_table")), text_of(row.get("sysapproval") or row.get("document_id"))
    if case_id is None or (table is not None and table not in account.tables):
        return
    story, number = _story(account, table or "task", case_id), f"approval/{row['sys_id']}"
    yield story.event(f"{number}/requested", instant_of(row["sys_created_on"]), Activity.APPROVAL_REQUESTED, NOBODY)
    activity = DECISIONS.get(str(row.get("state")))
    if activity is not None:
        at, by, revision = _state_set(bundle)
        yield story.event(f"{number}/decided", at, activity, worker(by), revision=revision)


def _state_set(bundle: Bundle) -> tuple[Instant, str | None, int]:
    """When a row got the state that it has, and by whom: as its audit says, which holds against a reading without; else as it was updated last.

    A job may have touched the row since.
    """
    row = bundle.row
    for change in reversed(bundle.audits):
        if change.get("fieldname") == STATE and text_of(change.get("newvalue")) == row.get(STATE):
            at = instant_of(change["sys_created_on"])
            return at, text_of(change.get("user")), AUDITED + at // SECOND
    return instant_of(row["sys_updated_on"]), text_of(row.get("sys_updated_by")), _revision(row)


def _assisted(account: Account, bundle: Bundle) -> Iterator[Event]:
    """An answer of Now Assist about a record is a recommendation; what people said of it decides it."""
    row = bundle.row
    table, case_id = text_of(row.get("metadata_table")), text_of(row.get("metadata_document"))
    if case_id is None or table not in account.tables:
        return
    story, number = _story(account, table, case_id), f"assist/{row['sys_id']}"
    about: dict[str, Any] = {"action": f"now_assist:{text_of(row.get('skill_config')) or 'unknown'}"}
    at = stamp_of(row.get("completed_at")) or instant_of(row["sys_created_on"])
    proposed = {**about, "via": ["now_assist"], **_value(row.get("response"))}
    yield story.event(f"{number}/answer", at, Activity.RECOMMENDED, (ActorKind.AGENT, "now_assist"), proposed)
    activity, decided_at = FEEDBACK.get((text_of(row.get("feedback")) or "").lower()), stamp_of(row.get("feedback_timestamp"))
    if activity is None or decided_at is None:  # what was ignored, or is only guessed from what people did, decides nothing
        return
    decided = {**about, "recommendation": f"{story.ids}{number}/answer", **_value(row.get("edited_response"))}
    by = text_of(row.get("sys_updated_by"))
    user = None if by in MACHINES else by  # only people give feedback: the platform may have touched the row since
    yield story.event(f"{number}/feedback", decided_at, activity, (ActorKind.OPERATOR, user), decided, revision=_revision(row))


def _planned(account: Account, bundle: Bundle) -> Iterator[Event]:
    """A completed run of an AI agent for a record: what it changed may bear the name of the person for whom it ran."""
    row = bundle.row
    table, case_id = text_of(row.get("related_task_table")), text_of(row.get("related_task_record"))
    if case_id is None or table not in account.tables or row.get("state") != "completed":
        return
    what = text_of(row.get("usecase")) or text_of(row.get("agent")) or "unknown"
    detail, at, who = {"action": f"ai_agent:{what}", "via": ["ai_agent"]}, instant_of(row["sys_created_on"]), (ActorKind.AGENT, "ai_agent")
    yield _story(account, table, case_id).event(f"plan/{row['sys_id']}", at, Activity.EXECUTED, who, detail, revision=_revision(row))


def _answered(account: Account, bundle: Bundle) -> Iterator[Event]:
    """An answer to a question of a survey that asks how well a record was served."""
    row = bundle.row
    table, case_id = text_of(row.get("instance.trigger_table")), text_of(row.get("instance.trigger_id"))
    least = account.answers.get(text_of(row.get("metric")) or "")
    answer = text_of(row.get("actual_value"))
    if case_id is None or table not in account.tables or least is None or answer is None or row.get("string_value") == UNANSWERED:
        return
    at, by = stamp_of(row.get("instance.taken_on")) or instant_of(row["sys_created_on"]), text_of(row.get("sys_created_by"))
    who, score = (ActorKind.CUSTOMER, None if by in MACHINES else by), {"score": "good" if float(answer) >= least else "bad"}
    yield _story(account, table, case_id).event(f"survey/{row['sys_id']}", at, Activity.RATED, who, score, revision=_revision(row))


def _worked(account: Account, bundle: Bundle) -> Iterator[Event]:
    """Time that someone entered, or that the timer of a record kept; it can be corrected later."""
    row = bundle.row
    table, case_id = text_of(row.get("task.sys_class_name")), text_of(row.get("task"))
    if case_id is None or table not in account.tables:
        return
    at, who = instant_of(row["sys_created_on"]), worker(text_of(row.get("user.user_name")) or text_of(row.get("sys_created_by")))
    kept = text_of(row.get("time_in_seconds"))
    spent = {"seconds": seconds_of(text_of(row.get("time_worked"))) if kept is None else int(kept)}
    yield _story(account, table, case_id).event(f"time/{row['sys_id']}", at, Activity.TIME_LOGGED, who, spent, revision=_revision(row))


def _deleted(account: Account, bundle: Bundle) -> Iterator[Told]:
    """The end of a record, when and by whom; it takes the place of the end that a reconciliation found, which knows neither."""
    row = bundle.row
    case_id, at = text_of(row.get("documentkey")), instant_of(row["sys_created_on"])
    if case_id is None or text_of(row.get("tablename")) not in account.tables:
        return
    ended = Story(account.name, case_id).event("deleted", at, Activity.DELETED, worker(text_of(row.get("sys_created_by"))), revision=at // SECOND)
    yield from gone([ended], account.changes)


def _value(text: Any) -> dict[str, str]:
    return {"value": words} if (words := own_words(text_of(text) or "")) else {}


def _ours(field: str) -> Callable[[Account], str]:
    return lambda account: f"{field}IN{','.join(sorted(account.tables))}"


_ROW = "sys_id,sys_created_on,sys_created_by,sys_updated_on"
BESIDE: Mapping[str, Beside] = {
    APPROVALS: Beside(_approval, audited=STATE),
    ASSIST: Beside(_assisted),
    PLANS: Beside(_planned, _ours("related_task_table"), f"{_ROW},state,usecase,agent,related_task_table,related_task_record"),
    ANSWERS: Beside(
        _answered,
        lambda account: f"metricIN{','.join(sorted(account.answers))}",
        f"{_ROW},metric,actual_value,string_value,instance.trigger_table,instance.trigger_id,instance.taken_on",
    ),
    TIMES: Beside(_worked, _ours("task.sys_class_name"), f"{_ROW},task,task.sys_class_name,user.user_name,time_worked,time_in_seconds"),
    DELETED: Beside(_deleted, _ours("tablename"), "sys_id,sys_created_on,sys_created_by,tablename,documentkey", "sys_created_on"),
}
