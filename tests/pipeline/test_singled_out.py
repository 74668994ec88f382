"""What stopped appearing, repeats or comes back, over a real store: live and as of an instant alike, and opened down to its cases."""

from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from builders import T0, change, ev
from pipeline.worlds import Desk, Place, configured, desk, settings, shown, values
from rollout_metrics.catalog import METRICS
from rollout_metrics.domain.errors import ConfigurationError
from rollout_metrics.domain.events import Event
from rollout_metrics.domain.records import Record
from rollout_metrics.domain.time import DAY, HOUR, MINUTE
from rollout_metrics.overview.evidence import Asked, Explained, Wanted
from rollout_metrics.pipeline.as_of import families_as_of
from rollout_metrics.pipeline.evidence import explain

END = T0 + 75 * DAY


def story(number: int, *, queue: bool) -> Iterator[Event]:
    """A case an hour, from day 0 or, without the queue, from day 50 on: the agent sets the priority, the operator another one for a reason."""
    case, start = f"{number}{'' if queue else 'b'}", (0 if queue else 50) * DAY + number * HOUR
    yield ev(start, "customer-1", "created", id=f"{case}-1", case=case, attributes={"team": "a", "priority": "low"})
    yield ev(start + MINUTE, "bot", "changed", "priority", "high", id=f"{case}-2", case=case)
    yield ev(start + 2 * MINUTE, "op-1", "changed", "priority", "urgent", id=f"{case}-3", case=case, reason="tone" if number % 10 == 0 else None)
    if queue:
        yield ev(start + 3 * MINUTE, "op-1", "changed", "group", "tier2", id=f"{case}-4", case=case)


@pytest.fixture
def made(place: Place, tmp_path: Path) -> Iterator[Desk]:
    options = settings()
    for workflow in options["workflows"]:
        workflow["windows"] = ["28d", "90d"]
    configuration = configured(options, tmp_path)
    fix = change(id="fix", deployed_at=T0 + 60 * HOUR, fixes=("tone",), kind="prompt", level=None)
    with desk(msgspec.structs.replace(configuration, records=(Record(change=fix),)), place, END) as opened:
        opened.land([event for number in range(60) for queue in (True, False) for event in story(number, queue=queue)])
        opened.read_up_to(END)
        yield opened


def asked(made: Desk, key: str, window: int = 90 * DAY, **labels: str) -> Explained:
    return explain(made.pipeline, Asked(METRICS[key], "w", window, labels), Wanted(1000))


def test_a_queue_that_stopped_appearing_is_told_with_the_cases_that_still_had_it(made: Desk) -> None:
    found = values(made.families(), workflow="w")

    assert [found[f"drifted_names{{kind={kind}}}"] for kind in ("attribute", "value")] == [1, 1]
    receipts = asked(made, "drifted_names").receipts
    assert len(receipts) == 60
    assert {receipt.counted for receipt in receipts} == {"still had group, group=tier2"}
    assert {receipt.counted for receipt in asked(made, "drifted_names", kind="value").receipts} == {"still had group=tier2"}
    with pytest.raises(ConfigurationError, match="attribute, value"):
        asked(made, "drifted_names", kind="mood")


def test_errors_that_repeat_or_come_back_after_their_fix_are_opened_down_to_their_cases(made: Desk) -> None:
    found = values(made.families(), workflow="w", category="tone")

    assert (found["repeating_errors{window=90d}"], found["recurred_errors{window=90d}"]) == (12, 6)
    assert asked(made, "repeating_errors", category="tone").totals == {"counted": 12}
    assert asked(made, "recurred_errors", category="tone").totals == {"counted": 6}


def test_live_and_as_of_an_instant_they_are_the_same(made: Desk) -> None:
    live = made.families()
    wanted = {f"agent_rollout_{key}" for key in ("drifted_names", "repeating_errors", "recurred_errors")}
    as_of = [family for family in families_as_of(made.pipeline, END) if family.name in wanted]

    assert shown(as_of) == shown([family for family in live if family.name in wanted])
