"""Ticket fields that Zendesk itself adds and writes: how approvals went, and how far its AI agents resolved a ticket."""

from collections.abc import Mapping

from rollout_metrics.domain.events import Activity, ActorKind

APPROVAL, TIER = "approval", "resolution_tier"
RULE = "rule:"
"""How the ids of the account's own triggers and automations begin."""
SYSTEM_VALUES: Mapping[str, tuple[Activity, str]] = {
    "zd_es_approval_pending": (Activity.APPROVAL_REQUESTED, APPROVAL),
    "zd_es_approval_approved": (Activity.APPROVED, APPROVAL),
    "zd_es_approval_rejected": (Activity.REJECTED, APPROVAL),
    "zd_es_approval_withdrawn": (Activity.CHANGED, APPROVAL),
    "zd_resolution_tier_non_automated": (Activity.CHANGED, TIER),
    "zd_resolution_tier_assisted_escalation": (Activity.CHANGED, TIER),
    "zd_resolution_tier_contained_resolution": (Activity.CHANGED, TIER),
    "zd_resolution_tier_core_resolution": (Activity.CHANGED, TIER),
}
"""What a value means, and the name of its field: the fields' ids differ from account to account, their values do not."""

Told = tuple[Activity, ActorKind, str | None, str | None, str | None, str | None]
"""Activity, who did it (kind and id), attribute, before, after."""


def told(before: str | None, after: str | None, kind: ActorKind, actor: str | None) -> Told | None:
    """What the change of such a field says; None where neither value is one of them."""
    found = SYSTEM_VALUES.get(after or "") or SYSTEM_VALUES.get(before or "")
    if found is None:
        return None
    activity, attribute = found
    if after not in SYSTEM_VALUES or activity is Activity.CHANGED:
        return Activity.CHANGED, kind, actor, attribute, before, after
    by_machine = kind is ActorKind.AGENT or (actor or "").startswith(RULE)
    if activity is not Activity.APPROVAL_REQUESTED and not by_machine:
        # whoever decides was given the say; Zendesk enters the answer for them and may not tell who it was
        kind, actor = ActorKind.OPERATOR, None if kind is ActorKind.SYSTEM else actor
    return activity, kind, actor, None, None, None
