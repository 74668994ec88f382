"""All workflows together: counts are added, then divided; hours of one basis are added, of two never."""

from collections.abc import Iterator

import msgspec

from rollout_metrics.domain.facts import Mode
from rollout_metrics.review.compared import line
from rollout_metrics.review.economics import BASES, hours, money
from rollout_metrics.review.said import Findings, Line, Number, Review
from rollout_metrics.stats.wilson import wilson

RATES = (
    "acceptance_ratio",
    "override_ratio",
    "correction_ratio",
    "escalation_ratio",
    "bypass_ratio",
    "complaint_ratio",
    "change_fail_ratio",
    "deployment_rework_ratio",
)
COUNTS = ("deployments", "safe_deployments")


class Portfolio(msgspec.Struct, frozen=True):
    """The sums of the workflows that are live, and what they saved in words."""

    workflows: int
    lines: tuple[Line, ...]
    economy: tuple[str, ...]


def portfolio(review: Review) -> Portfolio:
    """What the workflows come to together; agents in shadow are left out of rates, for they decide nothing."""
    live = [item for item in review.findings if item.as_of is not None and item.mode == Mode.LIVE.value]
    rates = tuple(_rate(key, live) for key in RATES)
    counts = tuple(_count(key, review.findings) for key in COUNTS)
    return Portfolio(len(live), rates + counts, tuple(_economy(review)))


def _rate(key: str, live: list[Findings]) -> Line:
    found = [item for finding in live if (item := finding.line(key)) is not None]
    return line(_shared(key, [item.now for item in found]), _shared(key, [item.before for item in found]))


def _shared(key: str, numbers: list[Number]) -> Number:
    counted = [(round(number.value * number.n), round(number.n)) for number in numbers if number.value is not None and number.n]
    count, total = sum(count for count, _ in counted), sum(total for _, total in counted)
    bounds = wilson(count, total)
    if bounds is None:
        return Number(key=key, n=0)
    return Number(key=key, value=count / total, lower=bounds[0], upper=bounds[1], n=total)


def _count(key: str, findings: tuple[Findings, ...]) -> Line:
    found = [item for finding in findings if (item := finding.line(key)) is not None]
    now, before = (sum(number.value or 0 for number in numbers) for numbers in ([item.now for item in found], [item.before for item in found]))
    return line(Number(key=key, value=now), Number(key=key, value=before))


def _economy(review: Review) -> Iterator[str]:
    for basis in BASES:
        found = [(finding.workflow, saving) for finding in review.findings for saving in finding.savings if saving.basis == basis and saving.hours is not None]
        if not found:
            continue
        total = sum(saving.hours or 0 for _, saving in found)
        said = f"{basis.capitalize()}: {hours(abs(total))} {'saved' if total >= 0 else 'lost'} net of review in {', '.join(name for name, _ in found)}"
        priced = [(name, saving.money) for name, saving in found if saving.money is not None]
        if priced:
            unpriced = len(found) - len(priced)
            said += f", {money(sum(amount for _, amount in priced), review.currency)}" + (f" ({unpriced} without a rate)" if unpriced else "")
        yield f"{said}."
