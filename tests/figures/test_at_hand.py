"""The evidence at hand: counts since the agent is what it is, and nothing from before."""

from builders import Around, after, change, company
from rollout_metrics.derive.standing import standing_since
from rollout_metrics.domain.changes import ChangeKind
from rollout_metrics.domain.policy import Company, Level
from rollout_metrics.domain.time import minute_of, parse_instant
from rollout_metrics.figures.at_hand import AtHand, Evidence, Rate
from rollout_metrics.figures.situation import situation
from rollout_metrics.rollup import Contribution
from rollout_metrics.stats.wilson import wilson

DEPLOYED = change(kind=ChangeKind.PROMPT, level=None, version="v7", risk_class="medium", deployed_at=after("5d"))
STAGED = change(id="c2", kind=ChangeKind.PROMPT, level=None, version="v8", environment="staging", deployed_at=after("6d"))


def row(at: str, amount: int, tally: str, *labels: str) -> Contribution:
    return (("w", tally, *labels), minute_of(after(at)), amount)


ROWS = [
    row("4d", 100, "decisions", "live", "overridden", "undone"),
    row("6d", 30, "decisions", "live", "accepted", "approved"),
    row("6d", 10, "decisions", "live", "overridden", "undone"),
    row("7d", 5, "decisions", "shadow", "overridden", "undone"),
    row("31d", 9, "decisions", "live", "overridden", "undone"),
]


def at_hand(of: Company) -> AtHand:
    return AtHand(of, of.workflows[0], after("30d"), standing_since(of.workflows[0], after("30d"), Around([], of, after("30d"))))


def found(of: Company) -> Evidence:
    return at_hand(of).evidence(situation(of.workflows[0], after("30d"), Around([], of, after("30d"))), ROWS)


def test_rates_are_counted_from_the_last_deployment_that_was_not_of_low_risk() -> None:
    item = found(company({}, changes=(DEPLOYED, STAGED)))

    assert (item.level, item.mode, item.version, item.since) == (Level.ASSISTED, "live", "v7", after("5d"))
    rates = {rate.metric: rate for rate in item.rates}
    assert rates["override_ratio"] == Rate("override_ratio", 10, 40, *(wilson(10, 40) or ()))
    assert rates["explicit_acceptance_ratio"].count == 30
    assert rates["correction_ratio"] == Rate("correction_ratio", 0, 0)


def test_the_minutes_since_then_are_asked_for() -> None:
    of = company({"levels": [{"level": "assisted", "since": "2025-06-01"}]})

    (wanted,) = at_hand(of).needed()

    assert (wanted.after, wanted.up_to) == (minute_of(parse_instant("2025-06-01T00:00:00Z")), minute_of(after("30d")))
