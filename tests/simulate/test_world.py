"""The company's history: reproducible, continued by a restart, of the promised size, and with stories that are really in it."""

from collections import Counter
from itertools import pairwise

import msgspec

from rollout_metrics.domain.time import DAY, HOUR
from rollout_metrics.simulate.cast import CONTRACTS, LEADS, REFUNDS, TRIAGE, ZENDESK_STAFF
from rollout_metrics.simulate.draft import Case
from rollout_metrics.simulate.world import World
from simulate import expected
from simulate.companies import NOW, START


def written(world: World) -> bytes:
    return msgspec.json.encode(list(world.cases(NOW)), enc_hook=str)


def test_one_seed_writes_the_same_bytes() -> None:
    assert written(World(3, START, scale=0.05)) == written(World(3, START + 9 * HOUR, scale=0.05))


def test_another_seed_writes_another_history() -> None:
    assert written(World(3, START, scale=0.05)) != written(World(4, START, scale=0.05))


def test_history_does_not_depend_on_when_it_was_asked_for() -> None:
    patient, hasty = World(3, START, scale=0.05), World(3, START, scale=0.05)
    for day in range(90):
        patient.until(START + day * DAY)
    hasty.until(NOW + 30 * DAY)

    assert written(patient) == written(hasty)
    assert list(patient.reports(START, NOW)) == list(hasty.reports(START, NOW))


def test_ninety_days_have_the_promised_size(full: World) -> None:
    cases = list(full.cases(NOW))
    saves = sum(save.at <= NOW for case in cases for save in case.saves)
    fields = sum(len(save.fields) for case in cases for save in case.saves if save.at <= NOW and not save.created)

    assert 8_000 <= len(cases) <= 15_000
    assert 60_000 <= saves + fields <= 140_000


def test_steps_of_a_case_never_share_a_second(world: World) -> None:
    for case in world.cases(NOW):
        instants = sorted([save.at for save in case.saves] + [report.at for report in case.reports])
        assert all(later - earlier >= 1_000_000 for earlier, later in pairwise(instants))


def test_fields_change_from_what_they_were(world: World) -> None:
    for case in world.cases(NOW):
        values: dict[str | int, object] = {}
        for save in case.saves:
            for field in save.fields:
                assert values.get(field.name) == field.before
                values[field.name] = field.after


def test_every_workflow_has_enough_operators(world: World) -> None:
    people: dict[str | None, set[int]] = {}
    for case in world.cases(NOW):
        people.setdefault(case.workflow, set()).update(save.actor for save in case.saves if save.actor in ZENDESK_STAFF or save.via == "CRM_UI")

    assert all(len(people[workflow]) >= 6 for workflow in (REFUNDS, TRIAGE, LEADS, CONTRACTS))


def test_overrides_of_triage_jump_after_the_prompt_change(full: World) -> None:
    prompt = full.plot.triage_prompt()

    before, n_before = expected.override_ratio(full, TRIAGE, prompt - 28 * DAY, prompt, NOW)
    after, n_after = expected.override_ratio(full, TRIAGE, prompt + DAY, NOW, NOW)

    assert before < 0.1
    assert after > 0.3
    assert min(n_before, n_after) > 300


def test_bypass_of_lead_routing_rises(full: World) -> None:
    ratios = [expected.bypass_ratio(full, LEADS, full.plot.day(since), full.plot.day(since + 14), NOW)[0] for since in (20, 62, 76)]

    assert ratios[0] < 0.12
    assert ratios == sorted(ratios)
    assert ratios[2] > 0.35


def test_refunds_stay_healthy_and_contracts_stay_in_shadow(full: World) -> None:

    assert expected.override_ratio(full, REFUNDS, START, NOW, NOW)[0] < 0.15
    assert expected.bypass_ratio(full, REFUNDS, START, NOW, NOW)[0] < 0.06
    assert {item.mode for item in expected.decisions(full, NOW).values() if item.workflow == CONTRACTS} == {"shadow"}


def test_everything_worth_seeing_happens(full: World) -> None:
    cases = list(full.cases(NOW))
    outcomes = Counter(item.at(NOW)[0] for item in expected.decisions(full, NOW).values())
    kinds = Counter(kind for _, kind, _ in expected.handlings(full, NOW).values())
    endings = Counter((save.ending or "").partition(":")[0] for case in cases for save in case.saves)

    assert set(outcomes) == {"pending", "accepted", "edited", "overridden", "escalated", "unreviewed", "ignored", "superseded", "void"}
    assert set(kinds) == {"marked", "redone", "assisted", "side_channel", "agent_absent", "preempted", "unassisted"}
    assert endings["deleted"] > 20
    assert endings["merged"] > 20
    assert {item.kind for item in expected.breaches(full, NOW)} == {"out_of_scope", "level", "forbidden", "unapproved"}
    assert expected.blocked(full, NOW)
    assert Counter(item.state(NOW) for item in expected.handovers(full, NOW)).keys() >= {"waiting", "acknowledged", "resolved"}
    assert any(item.reason == "unspecified" for item in expected.handovers(full, NOW))
    assert _rated_twice(cases) > 5


def _rated_twice(cases: list[Case]) -> int:
    return sum(sum(save.score is not None for save in case.saves) > 1 for case in cases)
