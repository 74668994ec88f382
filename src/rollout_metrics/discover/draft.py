"""A workflow as a first guess: each option with the numbers it rests on."""

from collections import Counter
from collections.abc import Iterable, Iterator

import msgspec

from rollout_metrics.derive.history import CHANGES
from rollout_metrics.discover.accounts import AGENT, AI, NEGATIONS, Candidate, words_of
from rollout_metrics.discover.actions import HANDOVER, RARE, Deeds, Doing, Role
from rollout_metrics.discover.fitness import Fitness
from rollout_metrics.discover.material import Material, counted
from rollout_metrics.discover.measured import Baseline, Measured
from rollout_metrics.discover.options import Item, Option
from rollout_metrics.discover.scope import Work
from rollout_metrics.domain.events import ActorKind, members_of
from rollout_metrics.domain.policy import Level

SHADOW, ASSISTED, AUTONOMOUS = Level.SHADOW, Level.ASSISTED, Level.LOW_RISK_AUTONOMOUS
AROUND = frozenset(["bypass", "human", "manual", "manually", "override", "whatsapp"])
"""Words of values by which people take a case from the agent."""
MOST_NAMED = 10
NAMELESS = AGENT | {"ai", "app", "bot"}
"""Words that say no more than that it is an agent."""


class Draft(msgspec.Struct, frozen=True):
    """One piece of work under a name of its own, with what was found out about it."""

    name: str
    work: Work
    deeds: Deeds
    level: Level
    fitness: tuple[Fitness, ...]


def level_of(work: Work, deeds: Deeds) -> Level:
    """What the agent does today: only speaks; acts and people look; or mostly ends cases by itself."""
    decided = deeds.of(Role.DECIDES)
    if decided and not any(doing.asked or doing.said or doing.acted >= RARE * len(work.touched) for doing in decided):
        return SHADOW
    return AUTONOMOUS if deeds.alone * 2 > len(work.touched) else ASSISTED


def named(work: Work, sources: tuple[str, ...], material: Material, taken: Iterable[str]) -> str:
    """A name for a workflow that is not taken: after its agent, else its scope, else its source."""
    said = [work.scope and material.called(work.scope.attribute, work.scope.within[0]), work.scope and f"{work.scope.attribute}_{work.scope.within[0]}"]
    for text in (*sorted(work.agents, key=lambda agent: len(words_of(agent))), *said, *sources, "workflow"):
        words = [word for word in words_of(text or "") if word not in NAMELESS]
        name = "_".join(words)
        if name and name.isascii() and name[0].isalpha():
            return next(one for one in (name, *(f"{name}_{number}" for number in range(2, 1000))) if one not in taken)
    raise AssertionError


def options(draft: Draft, material: Material, found: Iterable[Candidate], result: Measured | None) -> tuple[Option, ...]:
    """The options of the workflow. `result`: what they yielded on the sample, None before it is known."""
    return tuple(_options(draft, material, tuple(found), result))


def _options(draft: Draft, material: Material, found: tuple[Candidate, ...], result: Measured | None) -> Iterator[Option]:
    work, deeds = draft.work, draft.deeds
    yield Option("name", draft.name, ("Becomes the label `workflow`: call it as your team does.",))
    yield Option("owner", "unspecified", ("The team that answers for it: nobody can guess that.",))
    yield from _cases(work, material)
    yield from _agents(work, found)
    yield Option("decides", tuple(_decided(doing, material, result) for doing in deeds.of(Role.DECIDES)), tuple(_not_decided(deeds, material)))
    yield Option(
        "levels", (Item({"level": draft.level.name.lower()}),), (_LEVELS[draft.level], "It counts from the agent's first event; better: add `since: DATE`.")
    )
    yield Option("authority", (Item(tuple(_authority(draft))),), ("What the agent does today and no more; what stands on no list is a violation.",))
    yield Option("escalation", tuple(_escalation(deeds, material)), tuple(_handed_over(work, deeds, material)))
    if deeds.correction_reason is not None:
        why = f"People set it{material.beside(deeds.correction_reason)} when they correct the agent: {deeds.corrections.total():,} times."
        yield Option("reason_attribute", deeds.correction_reason, (why,))
        categories = [value for value, _ in deeds.corrections.most_common(MOST_NAMED)]
        named_as = {value: material.called(deeds.correction_reason, value) for value in categories}
        yield Option("error_categories", tuple(Item(value, (name,) if name else ()) for value, name in named_as.items()))
    yield from _bypass(draft, material)
    yield from _baseline(result)


def _cases(work: Work, material: Material) -> Iterator[Option]:
    scope, sources = work.scope, tuple(map(Item, work.seen))
    if scope is None:
        known = work.cases & material.created
        met = f"The agent came to {len(known & work.touched):,} of the {len(known):,} cases that began in the sample"
        yield Option("sources", sources, (f"Without a scope all their cases are in. {met}; no attribute tells which.",))
        return
    yield Option("sources", sources)
    rows = [
        f"{'unset' if value is None else value + material.beside(scope.attribute, value)}: {hit:,} of {count:,}"
        for value, (count, hit) in list(scope.rows.items())[:MOST_NAMED]
    ]
    why = f"{scope.attribute.capitalize()} tells best where the agent works; it came to (of cases that began in the sample) {'; '.join(rows)}."
    yield Option("scope", (Option(scope.attribute, tuple(map(Item, scope.within))),), (why,))


def _agents(work: Work, found: tuple[Candidate, ...]) -> Iterator[Option]:
    mine = [(one.marker, Item(one.name, (_known_by(one),))) for one in found if one.name in work.agents]
    for name, marker in (("agents", False), ("agent_markers", True)):
        items = tuple(item for of_marker, item in mine if of_marker is marker)
        if items or not marker:
            yield Option(name, items)


def _known_by(one: Candidate) -> str:
    return f"{one.standing}: {'; '.join(one.reasons)}; {counted(one.events, 'event')} on {counted(one.cases, 'case')}"


def _decided(doing: Doing, material: Material, result: Measured | None) -> Item:
    attribute = doing.action.removeprefix("set:")
    did = [f"{word} on {counted(count, 'case')}" for word, count in (("acted", doing.acted), ("asked", doing.asked), ("proposed", doing.proposed)) if count]
    why = f"{', '.join(did)}{material.beside(*_about(doing.action))}; people did it {counted(doing.by_people, 'time')}"
    why += f" and put another value in place of the agent's on {counted(doing.replaced, 'case')}" if doing.replaced else ""
    accepted, decided, opened = (0, 0, 0) if result is None else result.acceptance(doing.action)
    why += f". In this sample {accepted:,} of {decided:,} decided were accepted; not decided: {opened - decided:,}" if opened else ""
    if doing.action.startswith("set:") and attribute not in material.given:
        known = [other for (other, value), name in material.names.items() if value is None and "_".join(words_of(name)) == attribute]
        remedy = f"it may be {known[0]}: give it this name in the source's options" if known else "is its name another in the ticketing source?"
        why += f". No case has an attribute {attribute}; {remedy}"
    value: dict[str, object] = {"action": doing.action}
    if doing.kind is not None:
        value["type"] = doing.kind
    if doing.steps:
        value["progress"] = list(doing.steps)
        steps = [f"{step}{material.beside(attribute, step)}" for step in doing.steps]
        shown = f" ({', '.join(steps)})" if tuple(steps) != doing.steps else ""
        why += f". Its values follow one another{shown}, so that a later one is no correction"
    elif doing.onward:
        why += ". People move on from one value to the next and never back: write their order as `progress`, or each step counts as a correction"
    return Item(value if len(value) > 1 else doing.action, (why,))


def _not_decided(deeds: Deeds, material: Material) -> Iterator[str]:
    yield "What people accept or override."
    for doing in deeds.of(Role.UNJUDGED):
        yield f"Left out: {doing.action}{material.beside(*_about(doing.action))}, on {doing.cases:,} cases. {_unjudged(doing)}"


def _unjudged(doing: Doing) -> str:
    if doing.action.startswith("comment:"):
        return "A comment that is sent cannot be taken back; drafts count where the agent's runtime reports them as `recommended`."
    if doing.action == "set:status":
        return "A status moves on by nature; closing is the action `close`."
    return "People never do it, so that nothing shows what they think of it." if not doing.by_people else "It proposes nothing that people could decide."


def _authority(draft: Draft) -> Iterator[Option]:
    automatic: list[Item] = []
    approval: list[Item] = []
    for doing in draft.deeds.of(Role.DECIDES, Role.ESCALATES, Role.EXPLAINS, Role.UNJUDGED) if draft.level is not SHADOW else ():
        if doing.asked and doing.limit is not None:
            name, most = doing.limit
            automatic.append(
                Item({"action": doing.action, "when": f"{name} <= {most}"}, (f"without asking on {doing.unasked:,} cases, never beyond {name} {most}",))
            )
            approval.append(Item({"action": doing.action, "when": f"{name} > {most}"}, (f"asked first on {doing.asked:,} cases, always beyond",)))
        elif doing.asked:
            approval.append(
                Item(doing.action, (f"asked on {doing.asked:,} cases" + (f", acted without asking on {doing.unasked:,}" if doing.unasked else ""),))
            )
        elif doing.acted:
            automatic.append(Item(doing.action, (f"on {doing.acted:,} cases",)))
    yield Option("automatic", tuple(automatic))
    yield Option("approval", tuple(approval))
    seldom = [f"{doing.action} ({counted(doing.acted, 'case')})" for doing in draft.deeds.doings if doing.acted and doing.role is Role.RARE]
    yield Option(
        "forbidden",
        (),
        (f"Seen so seldom that it may be a slip, and left out: {', '.join(seldom)}. Allow it or forbid it.",) if seldom and draft.level is not SHADOW else (),
    )


def _escalation(deeds: Deeds, material: Material) -> Iterator[Option]:
    decided = {doing.action for doing in deeds.of(Role.DECIDES)}
    attributes = sorted(deeds.targets) or [name for name in HANDOVER[:2] if f"set:{name}" not in decided]
    yield Option("attributes", tuple(map(Item, attributes)))
    if deeds.targets and all(deeds.targets.values()):
        values = sorted({value for values in deeds.targets.values() for value in values})
        names = [f"{value}{material.beside(attribute, value)}" for attribute, given in deeds.targets.items() for value in given]
        yield Option("to", tuple(map(Item, values)), (f"The agent handed over to {', '.join(names)} only.",))
    if deeds.handover_reason is not None:
        yield Option("reason_attribute", deeds.handover_reason, (f"The agent sets it when it hands over{material.beside(deeds.handover_reason)}.",))


def _handed_over(work: Work, deeds: Deeds, material: Material) -> Iterator[str]:
    if not deeds.escalated:
        yield "The agent handed nothing over in this sample; these are the usual attributes, less those it decides."
        return
    yield f"The agent handed over {deeds.escalated:,} of {len(work.touched):,} cases."
    if deeds.handover_reasons:
        about = deeds.handover_reason or "reason"
        reasons = ", ".join(f"{reason}{material.beside(about, reason)} ({count:,})" for reason, count in deeds.handover_reasons.most_common(MOST_NAMED))
        yield f"Reasons: {reasons}. Give each an owner, target and next step under `paths`."


def _bypass(draft: Draft, material: Material) -> Iterator[Option]:
    """Values by which people seem to take cases from the agent: for people to confirm."""
    seen: Counter[tuple[str, str]] = Counter()
    for case in draft.work.touched:
        for event in material.cases[case]:
            if event.actor_kind is ActorKind.OPERATOR and event.attribute is not None and event.activity in CHANGES and event.attribute not in material.persons:
                seen.update((event.attribute, value) for value in members_of(event.after) - members_of(event.before) if _takes_away(value))
    if seen:
        markers: dict[str, list[str]] = {}
        for (attribute, value), _ in seen.most_common(MOST_NAMED):
            markers.setdefault(attribute, []).append(value)
        why = f"People may say by these that they do without the agent ({counted(seen.total(), 'time')}): if so, take the # away."
        yield Option("bypass", (Option("markers", tuple(Option(name, tuple(map(Item, values))) for name, values in markers.items())),), (why,), off=True)


def _takes_away(value: str) -> bool:
    words = set(words_of(value))
    return len(words) <= 4 and (bool(words & AROUND) or (bool(words & NEGATIONS) and bool(words & (AI | AGENT))))


def effort_words(baseline: Baseline) -> str:
    """What cases cost people, with what it rests on."""
    return (
        f"{baseline.mean / 60:.1f} minutes ({baseline.basis}, 10 % trimmed mean of {baseline.cases:,}; median {baseline.median / 60:.1f});"
        f" it was open for {baseline.turnaround / 3600:.1f} hours (median)"
    )


def _baseline(result: Measured | None) -> Iterator[Option]:
    baseline = None if result is None else result.baseline
    if baseline is None:
        yield Option(
            "baseline_seconds", 300, ("An example: no case closed without the agent, so that the sample cannot tell what one cost people before.",), off=True
        )
        return
    yield Option(
        "baseline_seconds",
        round(baseline.mean),
        (
            f"People's work on a case that closed without the agent: {effort_words(baseline)}.",
            "By section 4 of the definitions: effort from scope to close. Cases that go past an agent are not like those before it came. Without this"
            " option the baseline is measured on the 90 days before the agent, where history reaches back that far.",
        ),
        off=True,
    )


def _about(action: str) -> tuple[str, str | None]:
    """What an action sets, or the kind of action and what it is done with, as names are told for: `set:priority`, `ai_agent:5f2a0b1c`."""
    verb, _, rest = action.partition(":")
    return (rest, None) if verb == "set" else (verb, rest or None)


_LEVELS = {
    SHADOW: "It only says what it would do, and nobody answers it: shadow. With assisted its proposals count as live.",
    ASSISTED: "It acts or asks, and people look at what it does.",
    AUTONOMOUS: "Most of its cases it closes before any of the staff comes.",
}
