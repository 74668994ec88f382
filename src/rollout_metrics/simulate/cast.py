"""Who works at the simulated company, what its fields are called, and when things happen to it."""

from random import Random

import msgspec

from rollout_metrics.domain.time import DAY, HOUR, MINUTE, Instant, moment

ZENDESK, HUBSPOT, RUNTIME, APPROVALS = "zendesk", "hubspot", "runtime", "approvals"
"""Names of the sources in the demo's configuration."""

REFUNDS, TRIAGE, LEADS, CONTRACTS = "refunds", "triage", "lead_routing", "contract_review"
WORKFLOWS = (REFUNDS, TRIAGE, LEADS, CONTRACTS)

SYSTEM = -1
ADMIN = 30000
REFUND_DESK = tuple(range(31001, 31009))
REFUND_LEADS = tuple(range(31101, 31104))
SUPPORT_DESK = tuple(range(32001, 32010))
LEGAL_DESK = tuple(range(33001, 33008))
REFUND_BOT, TRIAGE_BOT, CONTRACT_BOT = 39001, 39002, 39003
BOTS = (REFUND_BOT, TRIAGE_BOT, CONTRACT_BOT)
ZENDESK_STAFF = frozenset((ADMIN, *REFUND_DESK, *REFUND_LEADS, *SUPPORT_DESK, *LEGAL_DESK))
RUNTIME_AGENTS = {REFUNDS: "refund-agent", TRIAGE: "triage-agent", LEADS: "lead-router", CONTRACTS: "contract-reader"}
"""Workflow -> the id under which the agent's runtime reports."""

SALES = tuple(range(41001, 41009))
OWNER_OF = {user: user + 10_000 for user in SALES}
"""HubSpot user id -> owner id: they differ there too."""
ROUTER_APP = 8812345
"""The HubSpot app under which the lead router acts."""

GROUP_NAMES = {
    501: "Refunds",
    502: "Refunds tier 2",
    511: "Support billing",
    512: "Support product",
    513: "Support accounts",
    514: "Support intake",
    521: "Legal",
}
GROUP_REFUNDS, GROUP_TIER2, GROUP_BILLING, GROUP_PRODUCT, GROUP_ACCOUNTS, GROUP_INTAKE, GROUP_LEGAL = GROUP_NAMES
TRIAGE_GROUPS = (GROUP_BILLING, GROUP_PRODUCT, GROUP_ACCOUNTS)

FORM_REFUND, FORM_GENERAL, FORM_CONTRACT, FORM_OTHER = 9001, 9002, 9003, 9004
FORM_NAMES = {FORM_REFUND: "Refund", FORM_GENERAL: "General request", FORM_CONTRACT: "Contract", FORM_OTHER: "Other"}
BRAND = 77

AMOUNT, REASON, HANDOVER, SECONDS_TOTAL, RISK, STAGE, LANGUAGE = range(360001, 360008)
"""Zendesk's custom ticket fields."""
FIELD_TITLES = {
    AMOUNT: "Amount",
    REASON: "Correction reason",
    HANDOVER: "Handover reason",
    SECONDS_TOTAL: "Total time spent (sec)",
    RISK: "Risk class",
    STAGE: "Stage",
    LANGUAGE: "Language",
}

CUSTOMERS = range(700_000, 704_000)


class Plot(msgspec.Struct, frozen=True):
    """When things happen, in instants, for a history that starts at `start`."""

    start: Instant

    def day(self, number: float) -> Instant:
        """The instant `number` days after the start, on a whole second."""
        return self.start + round(number * 86_400) * 1_000_000

    def refund_pause(self) -> tuple[Instant, Instant]:
        """The announced outage of the refund agent."""
        return self.day(33.4), self.day(33.4) + 14 * HOUR

    def triage_silence(self) -> tuple[Instant, Instant]:
        """The outage of the triage agent that nobody announced."""
        return self.day(47.3), self.day(47.3) + 26 * HOUR

    def refunds_autonomous(self) -> Instant:
        """When refunds went to `low_risk_autonomous`."""
        return self.day(55.0)

    def refunds_failure(self) -> tuple[Instant, Instant]:
        """When the failed refund deployment went out, and when its rollback was in force."""
        return self.day(40.25), self.day(41.3)

    def triage_prompt(self) -> Instant:
        """When the prompt went out after which triage is corrected so often."""
        return self.day(81.0)

    def leads_assisted(self) -> Instant:
        """When lead routing went live."""
        return self.day(14.0)

    def contracts_shadow(self) -> Instant:
        """When contract review began to run in shadow."""
        return self.day(20.0)

    def contracts_drift(self) -> tuple[Instant, Instant]:
        """When contract review ran a version that nobody had recorded."""
        return self.day(70.3), self.day(75.0)

    def bypass_share(self, at: Instant) -> float:
        """How many leads people route around the agent: low until day 55, then rising to half by day 88."""
        days = (at - self.start) / DAY
        return 0.05 + 0.45 * min(1.0, max(0.0, (days - 55) / 33))


WEEKDAY_HOURS, WEEKEND_HOURS = (8 * HOUR, 18 * HOUR), (10 * HOUR, 14 * HOUR)
"""When people are at work, UTC."""


def at_work(at: Instant, random: Random) -> Instant:
    """`at` where people are at work then, else within the first hour and a half of the next working hours."""
    while True:
        midnight = at - at % DAY
        opens, closes = WEEKEND_HOURS if moment(at).weekday() >= 5 else WEEKDAY_HOURS
        if at < midnight + opens:
            return midnight + opens + whole(random.random() * 90 * MINUTE)
        if at < midnight + closes:
            return at
        at = midnight + DAY


def later(at: Instant, random: Random, minutes: float, *, least: float = 1.0) -> Instant:
    """A working moment about `minutes` after `at`, and at least `least` minutes."""
    return at_work(at + whole((least + random.expovariate(1 / minutes)) * MINUTE), random)


def whole(span: float) -> int:
    """A span on whole seconds: Zendesk knows nothing finer."""
    return int(span) // 1_000_000 * 1_000_000
