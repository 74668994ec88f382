"""The evidence of gates counted from raw records, by the definitions alone: since the level began or the last deployment not of low risk."""

from oracle.sections_1_to_3 import DEFAULTS, EXPLICIT, LEVELS, CaseReading, Company, Options, belongs, instant, level_at, span

Evidence = dict[str, tuple[int, int]]
"""Gate -> how many of how many."""


def evidence(company: Company, at: int) -> dict[str, tuple[str, int | None, Evidence]]:
    """By workflow: its level but for pauses, since when the evidence is, and the evidence."""
    readings: dict[str, list[CaseReading]] = {workflow["name"]: [] for workflow in company.workflows}
    for case in company.cases_at(at):
        belonging = belongs(company, case)
        if belonging is not None:
            readings[belonging[0]["name"]].append(CaseReading(company, case, *belonging, at))
    return {workflow["name"]: _evidence(company, workflow, readings[workflow["name"]], at) for workflow in company.workflows}


def _evidence(company: Company, workflow: Options, readings: list[CaseReading], at: int) -> tuple[str, int | None, Evidence]:
    by_agents = [event.at for reading in readings for event in reading.case if event.kind == "agent" and event.at >= reading.scoped_at]
    first = min(by_agents, default=None)
    unpaused = {name: value for name, value in workflow.items() if name != "pauses"}

    def level(when: int) -> str:
        return level_at(company, unpaused, when, first)

    deployed = [
        (instant(change["deployed_at"]), change.get("risk_class", "medium"))
        for change in company.changes
        if change["workflow"] == workflow["name"] and change.get("environment", "production") == "production" and "deployed_at" in change
    ]
    turns = [instant(item["since"]) for item in workflow.get("levels", ()) if "since" in item] + [when for when, _ in deployed] + by_agents
    began = max((when for when in turns if when <= at and level(when) == level(at) != level(when - 1)), default=None)
    risky = max((when for when, risk in deployed if when <= at and risk != "low"), default=None)
    since = max((when for when in (began, risky) if when is not None), default=None)
    # whole minutes: what shares a minute with the start is not evidence
    after = -1 if since is None else -(-since // MINUTE) * MINUTE
    mode = "shadow" if level(at) == "shadow" else "live"

    def its_mode(when: int) -> str:
        return "shadow" if level_at(company, workflow, when, first) == "shadow" else "live"

    decided = [
        item
        for reading in readings
        for item in reading.found
        if item.outcome in ("accepted", "edited", "overridden") and after < item.decided_at <= at and its_mode(item.opened_at) == mode
    ]
    age = span(workflow.get("cohort_age", DEFAULTS["cohort_age"]))
    judged_after = -1 if since is None else -(-(since + age) // MINUTE) * MINUTE
    acts = [
        act
        for reading in readings
        for act in reading.all_acts
        if act.rule.reversible and its_mode(act.event.at) == "live" and judged_after < act.event.at + age <= at
    ]
    return (
        level(at),
        since,
        {
            "explicit_acceptance": (sum(item.outcome == "accepted" and item.how in EXPLICIT for item in decided), len(decided)),
            "override": (sum(item.outcome == "overridden" for item in decided), len(decided)),
            "correction": (sum(act.corrected for act in acts), len(acts)),
        },
    )


MINUTE = 60_000_000
__all__ = ["LEVELS", "evidence"]
