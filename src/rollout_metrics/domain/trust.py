"""What can go wrong with trust in an agent: the rates that can rise, and the warning signs (definitions, section 9)."""

from enum import StrEnum

from rollout_metrics.domain.choices import choices


@choices
class Signal(StrEnum):
    """A rate whose sudden rise is a spike. Up to level assisted it is override that is watched, from there on correction."""

    CORRECTION = "correction"
    OVERRIDE = "override"
    BYPASS = "bypass"
    ESCALATION = "escalation"
    COMPLAINT = "complaint"


@choices
class Sign(StrEnum):
    """A warning sign."""

    UNCLEAR_ESCALATION = "unclear_escalation"
    EDGE_CASE_EVERYTHING = "edge_case_everything"
    REVIEW_OUTGROWS_THROUGHPUT = "review_outgrows_throughput"
    WATCHED_TRUST = "watched_trust"
    EARLY_AUTHORITY_ASK = "early_authority_ask"
    FAILURE_TALK = "failure_talk"
    PRIVATE_CLEANUP = "private_cleanup"
