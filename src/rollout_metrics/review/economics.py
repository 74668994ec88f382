"""The economics in plain words: hours, and money where a rate is configured; what was measured, estimated and assumed is never added up."""

from collections.abc import Iterator

from rollout_metrics.catalog.tallies import ASSUMED, ESTIMATED, MEASURED
from rollout_metrics.overview import written
from rollout_metrics.review.compared import LEAST, Quarters
from rollout_metrics.review.said import NOT_ENOUGH, Saving

BASES = (MEASURED, ESTIMATED, ASSUMED)
_HOUR = 3600.0

_MEANS = {
    MEASURED: "from time that people logged, before and with the agent",
    ESTIMATED: "from the gaps between what people did, before and with the agent; a lower bound of both",
    ASSUMED: "against the working time of a case that the configuration assumes",
}


def savings(quarters: Quarters, rate: float | None) -> tuple[Saving, ...]:
    """Time saved by each basis that there is, net of review."""
    found = []
    for basis in BASES:
        line = quarters.of("time_saved_seconds", basis=basis)
        now, before = line.now, line.before
        if now.value is None and before.value is None:
            continue
        hours = _hours(now.value)
        found.append(
            Saving(
                basis=basis,
                hours=hours,
                lower=_hours(now.lower),
                upper=_hours(now.upper),
                cases=int(now.n or 0),
                money=None if hours is None or rate is None else hours * rate,
                before=_hours(before.value),
            )
        )
    return tuple(found)


def economy(quarters: Quarters, saved: tuple[Saving, ...], rate: float | None, currency: str) -> tuple[str, ...]:
    """Sentences, one for each basis, and one of what reviewing cost."""
    return (*(_saved(item, rate, currency) for item in saved), *_nothing(saved), *_reviewed(quarters))


def money(amount: float, currency: str) -> str:
    """`EUR 1,200`: whole units, for more was never known."""
    return f"{'-' if amount < 0 else ''}{currency} {abs(amount):,.0f}"


def hours(amount: float | None) -> str:
    """`12.3 h`, or minutes where it is less than one."""
    if amount is None:
        return written.NONE
    minutes = round(amount * 60)
    return f"{amount:,.1f} h" if abs(minutes) >= 60 else f"{minutes} min"


def _saved(item: Saving, rate: float | None, currency: str) -> str:
    name = f"{item.basis.capitalize()} ({_MEANS[item.basis]})"
    if item.hours is None or item.cases < LEAST:
        return f"{name}: {NOT_ENOUGH}; {item.cases:,} assisted cases closed."
    word = "saved" if item.hours >= 0 else "lost"
    said = f"{name}: {hours(abs(item.hours))} {word} net of review, over {item.cases:,} assisted cases"
    if item.lower is not None and item.upper is not None:
        said += f" (95 % interval {hours(item.lower)} to {hours(item.upper)})"
        if item.lower <= 0 <= item.upper:
            said += "; that may as well be nothing"
    if rate is not None and item.money is not None:
        said += f". At {currency} {rate:,.2f} an hour that is {money(item.money, currency)}"
        if item.lower is not None and item.upper is not None:
            said += f" ({money(item.lower * rate, currency)} to {money(item.upper * rate, currency)})"
    return said + "."


def _nothing(saved: tuple[Saving, ...]) -> Iterator[str]:
    if not saved:
        yield (
            f"Time saved: {NOT_ENOUGH}. It takes a baseline (an assumed one, or 30 closed cases without the agent from the 90 days before it was assisted),"
            " assisted cases that closed in the quarter, and enough distinct operators for figures on their work."
        )


def _reviewed(quarters: Quarters) -> Iterator[str]:
    for basis in (MEASURED, ESTIMATED):
        spent = quarters.of("review_effort_seconds", basis=basis).now.value
        if spent:
            bound = ", a lower bound" if basis == ESTIMATED else ""
            yield f"Reviewing took {hours(_hours(spent))} ({basis}{bound}); it is contained in the time saved, not to be taken off again."


def _hours(seconds: float | None) -> float | None:
    return None if seconds is None else seconds / _HOUR
