"""`lead_routing`, the one people route around: the agent gives leads an owner and a tier in HubSpot; more and more sales people take leads past it."""

from functools import partial

from rollout_metrics.domain.time import DAY, MINUTE, SECOND, Instant
from rollout_metrics.simulate.cast import LEADS, OWNER_OF, ROUTER_APP, SALES, Plot, later
from rollout_metrics.simulate.deployments import Versions
from rollout_metrics.simulate.draft import Draft, Value

PIPELINE = "lead-pipeline-id"
NEW, ATTEMPTING, CONNECTED, QUALIFIED, UNQUALIFIED = "new-stage-id", "attempting-stage-id", "connected-stage-id", "qualified-stage-id", "unqualified-stage-id"
STAGES = {NEW: "New", ATTEMPTING: "Attempting", CONNECTED: "Connected", QUALIFIED: "Qualified", UNQUALIFIED: "Unqualified"}
CLOSED_STAGES = frozenset((QUALIFIED, UNQUALIFIED))
OWNER, TIER, STAGE, ROUTING, CHANNEL, REASON, SCORE = (
    "hubspot_owner_id",
    "lead_tier",
    "hs_pipeline_stage",
    "routing_mode",
    "contact_channel",
    "correction_reason",
    "lead_score",
)
_TIERS = ("a", "b", "c")
_REASONS = ("wrong_region", "wrong_tier", "existing_customer", "on_holiday")
FORMS, SCORING, DEDUPLICATION, CLEANUP = 600001, 600002, 600003, 600004
"""Ids of what writes to HubSpot besides people and the agent's app."""
_SET_OWNER, _SET_TIER = "set:assignee", "set:lead_tier"


def lead(draft: Draft, at: Instant, plot: Plot, versions: Versions) -> None:
    """One lead, from arrival to qualified or not."""
    draft.workflow = LEADS
    at += draft.random.randrange(1000) * 1000
    seller = draft.random.choice(SALES)
    around = draft.chance(plot.bypass_share(at))
    sideways = around and draft.chance(0.3)
    values: dict[str | int, Value] = {
        "hs_lead_name": f"Lead {draft.number}",
        "hs_pipeline": PIPELINE,
        STAGE: NEW,
        CHANNEL: draft.random.choice(("whatsapp", "private_mail")) if sideways else draft.random.choice(("web_form", "web_form", "event")),
        ROUTING: "standard",
        SCORE: "0",
    }
    at = draft.create(at, seller if sideways else FORMS, "CRM_UI" if sideways else "FORM", values)
    for number in range(40 if draft.chance(0.02) else draft.random.randint(0, 2)):
        draft.then(at + draft.seconds(60, 6 * DAY // SECOND), partial(_scores, draft, str(number + 1)))
    lot = draft.random.random()
    if lot < 0.008 and draft.neighbour is not None:
        draft.then(at + draft.seconds(8, 20), lambda then: draft.save(then, DEDUPLICATION, {}, via="MERGE_OBJECTS", ending=f"merged:{draft.neighbour}"))
    elif lot < 0.014:
        draft.then(at + draft.seconds(8, 20), lambda then: draft.save(then, CLEANUP, {}, via="AUTOMATION_PLATFORM", ending="deleted"))
    elif at < plot.leads_assisted():
        draft.then(later(at, draft.random, 120, least=11), lambda then: _by_hand(draft, then, seller, None))
    elif sideways:
        draft.then(later(at, draft.random, 60, least=11), lambda then: _by_hand(draft, then, seller, "side_channel"))
    elif around and draft.chance(0.6):
        draft.then(later(at, draft.random, 100, least=11), lambda then: _by_hand(draft, then, seller, "unassisted"))
    else:
        draft.then(at + draft.seconds(30, 120), lambda then: _routes(draft, then, seller, versions, marked=around))


def _scores(draft: Draft, score: str, at: Instant) -> None:
    """A calculated property, which on some leads never rests: HubSpot forgets its older values."""
    draft.save(at, SCORING, {SCORE: score}, via="CALCULATED")


def _by_hand(draft: Draft, at: Instant, seller: int, kind: str | None) -> None:
    """A seller takes the lead; `kind` None: before the agent came."""
    at = draft.save(at, seller, {OWNER: str(OWNER_OF[seller]), TIER: draft.random.choice(_TIERS), STAGE: ATTEMPTING}, via="CRM_UI")
    if kind is not None:
        draft.handled(at, kind)
    draft.then(later(at, draft.random, 900), lambda then: _connects(draft, then, seller))


def _routes(draft: Draft, at: Instant, seller: int, versions: Versions, *, marked: bool) -> None:
    """The agent's app sets owner and tier."""
    version = versions.at(LEADS, at)
    owner, tier = str(OWNER_OF[draft.random.choice(SALES)]), draft.random.choice(_TIERS)
    at = draft.save(at, ROUTER_APP, {OWNER: owner, TIER: tier}, via="INTEGRATION")
    draft.recommends(_SET_OWNER, at, value=owner, acted=True, version=version)
    draft.recommends(_SET_TIER, at, value=tier, acted=True, version=version)
    draft.handled(at, "assisted")
    draft.then(later(at, draft.random, 110, least=5), lambda then: _looks(draft, then, seller, marked=marked))


def _looks(draft: Draft, at: Instant, seller: int, *, marked: bool) -> None:
    """A seller starts on the lead: keeps what the agent chose, or not; `marked`: says that this one was taken away from it."""
    changes: dict[str | int, Value] = {STAGE: ATTEMPTING}
    fates: set[str] = set()
    lot = draft.random.random()
    redone = lot < 0.015
    if redone or lot < 0.1:
        changes[OWNER] = draft.random.choice([str(owner) for owner in OWNER_OF.values() if str(owner) != draft.values[OWNER]])
        fates.add(_SET_OWNER)
    if redone or 0.1 <= lot < 0.16:
        changes[TIER] = draft.random.choice([tier for tier in _TIERS if tier != draft.values[TIER]])
        fates.add(_SET_TIER)
    reason = draft.random.choice(_REASONS) if fates and draft.chance(0.6) else None
    if reason:
        changes[REASON] = reason
    if marked:
        changes[ROUTING] = "manual"
    at = draft.save(at, seller, changes, via="CRM_UI")
    for decision in draft.plans.decisions:
        if decision.action in fates:
            decision.becomes(at, "overridden", "changed")
            decision.category = reason
    if marked or redone:
        draft.handled(at, "marked" if marked else "redone")
    draft.then(later(at, draft.random, 900), lambda then: _connects(draft, then, seller))


def _connects(draft: Draft, at: Instant, seller: int) -> None:
    at = draft.save(at, seller, {STAGE: CONNECTED}, via="CRM_UI")
    draft.then(later(at + draft.seconds(3600, 7 * DAY // SECOND), draft.random, 60), lambda then: _ends(draft, then, seller))


def _ends(draft: Draft, at: Instant, seller: int) -> None:
    at = draft.save(at, seller, {STAGE: QUALIFIED if draft.chance(0.4) else UNQUALIFIED}, via="CRM_UI")
    draft.decide_rest(at, "accepted", "kept")
    draft.closes(at)
    if draft.chance(0.03):
        draft.then(later(at, draft.random, 2 * 1440), lambda then: _again(draft, then, seller))


def _again(draft: Draft, at: Instant, seller: int) -> None:
    """An unqualified lead comes back to life; after it another tier is often a better one."""
    at = draft.save(at, seller, {STAGE: CONNECTED}, via="CRM_UI")
    draft.reopens()
    kept = [d for d in draft.plans.decisions if d.action == _SET_TIER and d.states[-1][1] == "accepted"]
    corrected = sum(d.states[-1][1] != "accepted" for d in draft.plans.decisions)
    if kept and corrected == 0 and draft.chance(0.5):
        at = draft.save(at + draft.seconds(20, 200), seller, {TIER: draft.random.choice([t for t in _TIERS if t != draft.values[TIER]])}, via="CRM_UI")
        if at - kept[-1].states[-1][0] <= 14 * DAY:
            kept[-1].becomes(at, "overridden", "reversed")
            kept[-1].category = None
    draft.then(later(at, draft.random, 30 * MINUTE // SECOND), lambda then: draft.save(then, seller, {STAGE: UNQUALIFIED}, via="CRM_UI"))
