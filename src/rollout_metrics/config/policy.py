"""From what a person wrote to what the core reads: names become enums, ids their stored form, conditions parsed."""

from collections.abc import Iterable, Mapping

from rollout_metrics.collect.source import Source
from rollout_metrics.config.conditions import condition
from rollout_metrics.config.gates import ShadowOptions, ladder
from rollout_metrics.config.model import Settings
from rollout_metrics.config.values import at, level_named
from rollout_metrics.config.workflow import AuthorityOptions, DecidesOptions, GrantOptions, WorkflowOptions
from rollout_metrics.domain.changes import PRODUCTION
from rollout_metrics.domain.gates import Cost, ErrorCosts
from rollout_metrics.domain.policy import (
    AttributeType,
    Authority,
    Bypass,
    Company,
    Complaints,
    Condition,
    Decides,
    Escalation,
    EscalationPath,
    Grant,
    LevelFrom,
    Pause,
    Workflow,
    plain_reason,
)
from rollout_metrics.domain.pseudonyms import Pseudonyms
from rollout_metrics.domain.records import AuthorityList, Record

VIA = "via"


def company(settings: Settings, sources: Iterable[Source], records: Iterable[Record], pseudonyms: Pseudonyms) -> Company:
    """Compile all workflows. `sources` give further agents, systems and markers; change records are shared out by their workflow."""
    sources = tuple(sources)
    recorded = tuple(records)
    workflows = tuple(_workflow(index, options, recorded, pseudonyms) for index, options in enumerate(settings.workflows))
    return Company(
        workflows=workflows,
        agents=frozenset().union(*(w.agents for w in workflows), *(_actors(s.agents, pseudonyms) for s in sources)),
        agent_markers=frozenset().union(*(w.agent_markers for w in workflows), *(s.agent_markers for s in sources)),
        systems=frozenset().union(*(_actors(s.systems, pseudonyms) for s in sources)),
        system_markers=frozenset().union(*(s.system_markers for s in sources)),
        min_operators=settings.privacy.min_operators,
        operator_figures=settings.privacy.operator_figures,
        agent_names=frozenset().union(*(w.agents for w in settings.workflows), *(s.agents for s in sources)),
    )


ALWAYS_TEXT = frozenset(("subject", "description"))
"""What people write about a case: free text whether or not a workflow says so."""


def text_attributes(settings: Settings) -> frozenset[str]:
    """Attributes whose values are free text and are kept as word hashes only."""
    typed = {name for w in settings.workflows for name, type_ in w.attribute_types.items() if type_ is AttributeType.TEXT}
    decided = {item.action[4:] for w in settings.workflows for item in w.decides if item.type is AttributeType.TEXT and item.action.startswith("set:")}
    return ALWAYS_TEXT | typed | decided


def action_texts(settings: Settings) -> dict[str, bool]:
    """Decided actions of one's own, and whether their values are free text in any workflow, so that only word hashes of them are kept."""
    found: dict[str, bool] = {}
    for item in (item for workflow in settings.workflows for item in workflow.decides if not item.action.startswith(("set:", "comment:"))):
        found[item.action] = found.get(item.action, False) or item.type is AttributeType.TEXT
    return found


def _actors(ids: Iterable[str], pseudonyms: Pseudonyms) -> frozenset[str]:
    return frozenset(pseudonyms.actor(actor) for actor in ids)


def _values(attribute: str, values: Iterable[str], pseudonyms: Pseudonyms) -> frozenset[str]:
    return frozenset(stored for value in values if (stored := pseudonyms.value(attribute, value)) is not None)


def _markers(markers: Mapping[str, frozenset[str]], pseudonyms: Pseudonyms) -> tuple[dict[str, frozenset[str]], frozenset[str]]:
    return {a: _values(a, v, pseudonyms) for a, v in markers.items() if a != VIA}, markers.get(VIA, frozenset())


def _workflow(index: int, options: WorkflowOptions, records: tuple[Record, ...], pseudonyms: Pseudonyms) -> Workflow:
    types = dict(options.attribute_types)
    decides = {item.action: _decides(item, options, types, pseudonyms) for item in options.decides}
    for item in decides.values():
        if item.attribute is not None:
            types.setdefault(item.attribute, item.type)
    marker_values, marker_via = _markers(options.bypass.markers, pseudonyms)
    complaint_values, complaint_via = _markers(options.complaints.markers, pseudonyms)
    escalation = options.escalation
    recorded = [record for record in records if record.change.workflow == options.name]
    own = sorted((record.change for record in recorded), key=lambda c: (c.deployed_at or c.proposed_at, c.id))
    return Workflow(
        name=options.name,
        index=index,
        workflow_type=options.workflow_type,
        risk_tier=options.risk_tier,
        owner=options.owner,
        sources=frozenset(options.sources),
        scope={attribute: _values(attribute, values, pseudonyms) for attribute, values in options.scope.items()},
        agents=_actors(options.agents, pseudonyms),
        agent_markers=options.agent_markers,
        decides=decides,
        attribute_types=types,
        authority=_authorities(options, recorded, pseudonyms),
        levels=tuple(
            sorted((LevelFrom(at(item.since), level_named(item.level)) for item in options.levels), key=lambda item: (item.since is not None, item.since or 0))
        ),
        pauses=tuple(sorted((Pause(_known(at(item.start)), at(item.end)) for item in options.pauses), key=lambda item: item.start)),
        calendar=options.calendar.calendar(),
        escalation=Escalation(
            attributes=escalation.attributes,
            to=None if escalation.to is None else frozenset().union(*(_values(a, escalation.to, pseudonyms) for a in escalation.attributes)),
            reason_attribute=escalation.reason_attribute,
            owner_attribute=escalation.owner_attribute,
            target=escalation.target,
            paths={reason: EscalationPath(reason, path.owner, path.target, path.next_step) for reason, path in escalation.paths.items()},
            catch_all=frozenset(map(plain_reason, escalation.catch_all)),
        ),
        bypass=Bypass(
            marker_values=marker_values,
            marker_via=marker_via,
            side_channels={a: _values(a, v, pseudonyms) for a, v in options.bypass.side_channels.items()},
            agent_silence=options.bypass.agent_silence,
            agent_grace=options.bypass.agent_grace,
            redo_actions=options.bypass.redo_actions,
        ),
        complaints=Complaints(complaint_values, complaint_via),
        reason_attribute=options.reason_attribute,
        categories=options.error_categories,
        block_reasons=options.block_reasons,
        should_escalate_attribute=options.should_escalate_attribute,
        edit_similarity=options.edit_similarity,
        words=pseudonyms.words,
        cohort_age=options.cohort_age,
        spike_age=options.spike_age,
        idle_cap=options.idle_cap,
        touch=options.touch_seconds,
        glance=options.glance_seconds,
        drop_after=options.drop_after,
        baseline_seconds=options.baseline_seconds,
        observation_window=options.observation_window,
        incident_sources={
            source: {attribute: _values(attribute, values, pseudonyms) for attribute, values in scope.items()}
            for source, scope in options.incident_sources.items()
        },
        incident_link=options.incident_link,
        windows=options.windows,
        ladder=ladder(options.gates),
        error_costs=_costs(options.shadow, pseudonyms),
        changes=tuple(own),
    )


def _costs(shadow: ShadowOptions, pseudonyms: Pseudonyms) -> ErrorCosts:
    def stored(action: str | None, value: str | None) -> str | None:
        return value if value is None or action is None or not action.startswith("set:") else pseudonyms.value(action[4:], value)

    rows = tuple(Cost(row.action, stored(row.action, row.proposed), stored(row.action, row.given), row.cost) for row in shadow.costs)
    return ErrorCosts(rows, shadow.other_cost, shadow.dangerous_from)


def _known(value: int | None) -> int:
    assert value is not None
    return value


def _decides(item: DecidesOptions, options: WorkflowOptions, types: Mapping[str, AttributeType], pseudonyms: Pseudonyms) -> Decides:
    default = AttributeType.TEXT if item.action.startswith("comment:") else types.get(item.action.removeprefix("set:"), AttributeType.SINGLE)

    attribute = item.action.removeprefix("set:") if item.action.startswith("set:") else None

    def own(name: str) -> int:
        value = getattr(item, name)
        return int(getattr(options, name) if value is None else value)

    return Decides(
        action=item.action,
        type=item.type or default,
        progress=tuple(tuple(pseudonyms.value(attribute, value) or value for value in steps) for steps in item.progress),
        reversible=item.reversible,
        edit_similarity=options.edit_similarity if item.edit_similarity is None else item.edit_similarity,
        settle_after=own("settle_after"),
        settle_after_approval=own("settle_after_approval"),
        expire_after=own("expire_after"),
        reversal_window=own("reversal_window"),
    )


def _authorities(options: WorkflowOptions, records: Iterable[Record], pseudonyms: Pseudonyms) -> tuple[Authority, ...]:
    """The dated lists: those configured, and from its deployment to production on those of each record that states all three. At one instant a record wins."""
    deployed = ((r.change.deployed_at, r) for r in records if r.authority.stated and r.change.environment == PRODUCTION)
    stated = [(since, r.change.id, r.authority) for since, r in deployed if since is not None]
    lists = [_authority(item, pseudonyms) for item in options.authority]
    for since, _, said in sorted(stated, key=lambda item: item[:2]):
        automatic, approval, forbidden = (
            tuple(Grant(grant.action, tuple(_stored(one, pseudonyms) for one in grant.when)) for grant in said.of(which)) for which in AuthorityList
        )
        lists.append(Authority(since, automatic, approval, forbidden))
    return tuple(sorted(lists, key=lambda item: (item.since is not None, item.since or 0)))


def _authority(item: AuthorityOptions, pseudonyms: Pseudonyms) -> Authority:
    return Authority(at(item.since), _grants(item.automatic, pseudonyms), _grants(item.approval, pseudonyms), _grants(item.forbidden, pseudonyms))


def _grants(grants: Iterable[GrantOptions], pseudonyms: Pseudonyms) -> tuple[Grant, ...]:
    return tuple(Grant(item.action, tuple(_condition(text, pseudonyms) for text in item.when)) for item in grants)


def _condition(text: str, pseudonyms: Pseudonyms) -> Condition:
    return _stored(condition(text), pseudonyms)


def _stored(read: Condition, pseudonyms: Pseudonyms) -> Condition:
    """A condition with its values in their stored form."""
    return Condition(read.attribute, read.operator, tuple(pseudonyms.value(read.attribute, operand) or operand for operand in read.operands))
