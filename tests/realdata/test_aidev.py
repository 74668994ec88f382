import csv
from collections import Counter
from collections.abc import Callable
from statistics import median
from typing import Any

import pytest

from builders import Around, by_case, everywhere
from rollout_metrics.derive.case import derive
from rollout_metrics.domain.events import Activity, ActorKind, Event, resolve
from rollout_metrics.domain.facts import DECIDED, Mode, Outcome, Recommendation
from rollout_metrics.domain.time import HOUR, Instant, parse_instant
from rollout_metrics.stats.kaplan_meier import kaplan_meier

END = parse_instant("2025-06-27T14:00:00Z")
AGENTS = ("Copilot", "Cursor")


@pytest.fixture(scope="module")
def recommendations(collect: Callable[[str], Any]) -> Callable[[str], dict[str, list[Recommendation]]]:
    """Configuration -> the recommendations of each workflow as of the end of the data."""
    kept: dict[str, dict[str, list[Recommendation]]] = {}

    def of(name: str) -> dict[str, list[Recommendation]]:
        if name not in kept:
            kept[name] = derived(collect(name))
        return kept[name]

    return of


def derived(found: Any) -> dict[str, list[Recommendation]]:
    assert found.rejected == []
    assert set(found.watermarks.values()) == {END}
    company = found.configuration.company(found.configuration.pseudonyms(b"test"))
    events = resolve(found.events)
    around = Around([], company, END)
    facts: dict[str, list[Recommendation]] = {"copilot": [], "cursor": []}
    for case in by_case(events).values():
        derivation = derive(case, company, everywhere(company, END), around)
        facts[str(derivation.workflow)].extend(fact for fact in derivation.facts if isinstance(fact, Recommendation))
    return facts


def outcomes(recommendations: list[Recommendation]) -> Counter[Outcome]:
    return Counter(fact.outcome for fact in recommendations)


def acceptance(recommendations: list[Recommendation]) -> float:
    found = outcomes(recommendations)
    return found[Outcome.ACCEPTED] / sum(found[outcome] for outcome in DECIDED)


def waits(recommendations: list[Recommendation]) -> tuple[list[Instant], list[bool]]:
    """How long each has waited for a decision, and whether it has come."""
    ends = [fact.first_decided_at or fact.ended_at or END for fact in recommendations]
    return [end - fact.opened_at for end, fact in zip(ends, recommendations, strict=True)], [fact.first_decided_at is not None for fact in recommendations]


def published(collect: Callable[[str], Any], agent: str) -> dict[str, str]:
    source = collect("aidev.yaml").configuration.sources[agent.lower()]
    with (source.paths[0].parents[1] / "published_summary_scope.csv").open(newline="") as file:
        return next(row for row in csv.DictReader(file) if row["agent"] == agent)


@pytest.mark.parametrize(("agent", "expected"), [("copilot", "0.543774"), ("cursor", "0.704762")])
def test_acceptance_by_the_authors_convention(recommendations: Any, agent: str, expected: str) -> None:
    found = recommendations("aidev.yaml")[agent]

    assert f"{acceptance(found):.6f}" == expected
    assert {fact.mode for fact in found} == {Mode.LIVE}


@pytest.mark.parametrize("agent", AGENTS)
def test_the_authors_published_shares_agree(collect: Any, recommendations: Any, agent: str) -> None:
    theirs, ours = published(collect, agent), outcomes(recommendations("aidev.yaml")[agent.lower()])
    shares = {
        name: 100 * ours[outcome] / ours.total() for name, outcome in (("open", Outcome.PENDING), ("closed", Outcome.OVERRIDDEN), ("merged", Outcome.ACCEPTED))
    }

    assert ours.total() == int(theirs["prs"])
    assert shares == pytest.approx({name: float(theirs[f"pct_{name}"]) for name in shares})


def test_closes_by_the_agent_itself_are_no_decision_of_an_operator(recommendations: Any) -> None:
    convention, actor = recommendations("aidev.yaml")["copilot"], recommendations("aidev_closing_actor.yaml")["copilot"]

    assert outcomes(convention)[Outcome.OVERRIDDEN] - outcomes(actor)[Outcome.OVERRIDDEN] == 12
    assert outcomes(actor)[Outcome.IGNORED] == 12
    assert f"{acceptance(actor):.4f}" == "0.5502"
    assert acceptance(recommendations("aidev_closing_actor.yaml")["cursor"]) == acceptance(recommendations("aidev.yaml")["cursor"])


def test_the_median_among_the_decided_hides_those_that_still_wait(recommendations: Any) -> None:
    durations, decided = waits(recommendations("aidev.yaml")["copilot"])
    among_the_decided = median(duration for duration, over in zip(durations, decided, strict=True) if over)
    with_the_waiting = kaplan_meier(durations, decided).quantile()

    assert round(among_the_decided / HOUR, 1) == 9.7
    assert with_the_waiting is not None
    assert 51 <= with_the_waiting / HOUR < 52


def test_reviews_and_comments_decide_nothing_and_keep_their_authors(collect: Any) -> None:
    events: list[Event] = [event for event in collect("aidev.yaml").events if event.source in ("copilot_reviews", "copilot_comments")]
    kinds = Counter((event.source, event.activity, event.actor_kind) for event in events)

    assert len({event.ref for event in events}) == len(events) == 5504 + 4854
    assert kinds["copilot_reviews", Activity.COMMENTED, ActorKind.AGENT] == 2175
    assert kinds["copilot_comments", Activity.COMMENTED, ActorKind.AGENT] == 1788
    assert sum(count for (_, activity, _), count in kinds.items() if activity is Activity.APPROVED) == 904
    assert all(event.case_source == "copilot" for event in events)
