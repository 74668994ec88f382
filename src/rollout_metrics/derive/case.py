"""One case's derivation: every rule applied to its history, in the order of SIGNALS."""

from collections.abc import Iterable, Mapping

from rollout_metrics.derive.acts import acts, references
from rollout_metrics.derive.authority import violations
from rollout_metrics.derive.drift import unrecorded
from rollout_metrics.derive.escalations import escalations
from rollout_metrics.derive.evaluations import evaluations
from rollout_metrics.derive.handling import handling
from rollout_metrics.derive.history import History, read
from rollout_metrics.derive.incidents import incidents
from rollout_metrics.derive.recommendations import recommendations
from rollout_metrics.derive.reports import reports
from rollout_metrics.derive.summary import summary
from rollout_metrics.derive.surroundings import Surroundings
from rollout_metrics.domain.events import Activity, Event
from rollout_metrics.domain.facts import CaseFacts, Fact
from rollout_metrics.domain.policy import Company
from rollout_metrics.domain.time import Instant

_EVALUATED = Activity.EVALUATED


def derive(events: Iterable[Event], company: Company, as_of: Mapping[str, Instant], surroundings: Surroundings) -> CaseFacts:
    """The facts of one case as of its workflow's T (`as_of[""]` for a case of none) from its resolved events, at least one, in any order.

    `next_change_at` is the least instant after T at which they can change although nothing new is read: a deadline, or an event that was read before its time.
    """
    history = read(events, company, as_of)
    facts: list[Fact] = []
    changes = [] if history.next_event_at is None else [history.next_event_at]
    if history.workflow is not None:
        changes += _in_workflow(history, company, surroundings, facts)
    elif history.steps:
        facts += violations(history, company, surroundings, [])
    if history.steps:
        if _EVALUATED in history.of:
            facts += evaluations(history, company)
        facts += incidents(history, company)
        facts += unrecorded(history, company)
        facts += reports(history, company)
    return CaseFacts(
        history.case,
        None if history.workflow is None else history.workflow.name,
        history.scoped_at,
        tuple(facts),
        min(changes) if changes else None,
    )


def _in_workflow(history: History, company: Company, surroundings: Surroundings, facts: list[Fact]) -> list[Instant]:
    """Add the facts of a case in a workflow; the instants at which its recommendations and its handling change by time alone, where they do."""
    recommended, recommended_change_at = recommendations(history, surroundings)
    escalated = escalations(history, company, surroundings, recommended)
    handled, handled_change_at = handling(history, company, surroundings, recommended, escalated)
    facts += recommended
    facts += acts(history, surroundings, recommended)
    facts += references(history)
    facts += escalated
    if handled is not None:
        facts.append(handled)
    summarised = summary(history, company, surroundings, recommended, escalated, handled)
    if summarised is not None:
        facts.append(summarised)
    facts += violations(history, company, surroundings, recommended)
    return [at for at in (recommended_change_at, handled_change_at) if at is not None]
