"""Who the agent is: accounts and markers by what the source says, by name and by how they behave."""

import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable
from enum import StrEnum
from statistics import median

import msgspec

from rollout_metrics.discover.material import TOKENS, Material, share
from rollout_metrics.domain.choices import choices
from rollout_metrics.domain.events import Activity, ActorKind, CaseKey, Event
from rollout_metrics.domain.time import HOUR, MINUTE, SECOND, Instant, Span

AT_ONCE: Span = 2 * MINUTE
"""An answer within this is a machine's; a person must first read."""
USUAL = 0.5
"""Where more of the others than this answer at once too, it tells nothing."""
ALWAYS = 0.8
FEW = 5
"""Below so many updates nothing is made of behaviour."""
NO_NIGHT = 5
"""Hours of the day (UTC) without work in a row; who never rests this long is no one person."""
AI = frozenset(
    [
        "agentforce",
        "ai",
        "autopilot",
        "bot",
        "botkit",
        "chatbot",
        "chatgpt",
        "claude",
        "copilot",
        "einstein",
        "fin",
        "gemini",
        "genai",
        "gpt",
        "llm",
        "openai",
        "rovo",
    ]
)
AGENT = frozenset(("agent", "assistant", "automation", "autoreply", "virtual"))
BOTS = frozenset(("bot", "chatbot"))
GIVEN = frozenset(("claude", "einstein", "fin"))
"""Words for an AI that are people's names too."""
NEGATIONS = frozenset(("no", "non", "not", "skip", "without"))
OPAQUE = re.compile(r"app:.+|[\W_]*(?=(?:\D*\d){3})[0-9a-f:_-]+|(?=(?:\D*\d){3})[0-9A-Za-z]{15}(?:[0-9A-Za-z]{3})?", re.ASCII)
"""Numbers, hexadecimal and vendors' record ids: what cannot be anybody's name."""


@choices
class Standing(StrEnum):
    """How sure it is that an account or marker is an AI agent's."""

    SAID = "said"
    LIKELY = "likely"
    UNCERTAIN = "uncertain"


class Candidate(msgspec.Struct, frozen=True):
    """An account, or a marker, that is or may be an agent's. `name` is None where it may be a person's."""

    name: str | None
    marker: bool
    standing: Standing
    events: int
    cases: int
    reasons: tuple[str, ...]


class _Doing:
    """What one account did, or what was done under one label."""

    def __init__(self) -> None:
        self.unlike_others = True
        """Whether most others take longer to answer."""
        self.kinds: Counter[ActorKind] = Counter()
        self.sources: set[str] = set()
        self.events = self.updates = self.stamped = self.comments = 0
        self.cases: set[CaseKey] = set()
        self.hours: Counter[int] = Counter()
        self.waits: list[Span] = []
        self.texts: Counter[str] = Counter()
        self.sets: dict[str, set[CaseKey]] = defaultdict(set)

    @property
    def kind(self) -> ActorKind:
        """As its source says, mostly."""
        return self.kinds.most_common(1)[0][0]

    @property
    def quick(self) -> bool:
        """It mostly answers at once, where others do not."""
        return self.unlike_others and len(self.waits) >= 2 * FEW and share(self.at_once, len(self.waits)) >= 0.5

    @property
    def at_once(self) -> int:
        """How often it answered at once."""
        return sum(wait <= AT_ONCE for wait in self.waits)

    @property
    def sleepless(self) -> bool:
        """It works at all hours."""
        worked = [self.hours[hour] > self.updates / 400 for hour in range(24)]
        rest = longest = 0
        for hour in range(48):
            rest = 0 if worked[hour % 24] else rest + 1
            longest = max(longest, rest)
        return self.updates >= 48 and longest < NO_NIGHT

    @property
    def repeats(self) -> int:
        """Comments whose text it wrote more than once."""
        return sum(count for count in self.texts.values() if count > 1)


def candidates(material: Material) -> list[Candidate]:
    """Accounts and markers, the surest and busiest first."""
    by_actor, by_label = _doings(material)
    _compare([doing for doing in by_actor.values() if doing.kind is ActorKind.OPERATOR])
    people = _set_by_people(material)
    known = {event.source for event in material.events if event.actor_kind is ActorKind.AGENT}
    found = [one for actor, doing in by_actor.items() if (one := _account(actor, doing, people, material, known)) is not None]
    agents = {one.name for one in found if one.standing is not Standing.UNCERTAIN}
    found += _markers(material, by_label, agents)
    order = list(Standing)
    return sorted(found, key=lambda one: (order.index(one.standing), -one.events, one.name or ""))


def agent_names(found: Iterable[Candidate], *, marker: bool) -> frozenset[str]:
    """The accounts, or the markers, that are taken for agents."""
    return frozenset(one.name for one in found if one.name is not None and one.marker is marker and one.standing is not Standing.UNCERTAIN)


def recogniser(found: Iterable[Candidate]) -> Callable[[Event], str | None]:
    """Tells which agent, by account or marker, an event is of; None for everyone else's."""
    found = tuple(found)
    accounts, markers = agent_names(found, marker=False), agent_names(found, marker=True)

    def agent_of(event: Event) -> str | None:
        if event.actor_id in accounts:
            return event.actor_id
        via = event.detail.get("via", ()) if markers else ()
        return next((label for label in via if label in markers), None)

    return agent_of


def words_of(name: str) -> list[str]:
    """The words a name is made of, in lower case."""
    return TOKENS.findall(re.sub(r"(?<=[a-z])(?=[A-Z])", " ", name).lower())


def _doings(material: Material) -> tuple[dict[str, _Doing], dict[str, _Doing]]:
    by_actor: dict[str, _Doing] = defaultdict(_Doing)
    by_label: dict[str, _Doing] = defaultdict(_Doing)
    for case, events in material.cases.items():
        last: dict[str | None, Instant] = {}
        update: tuple[str | None, Instant] | None = None
        for event in events:
            doings = [by_label[label] for label in event.detail.get("via", ())]
            if event.actor_id is not None:
                doings.append(by_actor[event.actor_id])
            fresh, update = update != (event.actor_id, event.occurred_at), (event.actor_id, event.occurred_at)
            others = [at for actor, at in last.items() if actor != event.actor_id]
            for doing in doings:
                _note(doing, event)
                doing.cases.add(case)
                if fresh:
                    doing.updates += 1
                    doing.hours[event.occurred_at // HOUR % 24] += 1
                    if others:
                        doing.waits.append(event.occurred_at - max(others))
                if event.attribute is not None and event.activity is Activity.CHANGED:
                    doing.sets[event.attribute].add(case)
            last[event.actor_id] = event.occurred_at
    return by_actor, by_label


def _compare(operators: list[_Doing]) -> None:
    """In a chat everybody answers at once: there it tells nothing."""
    quick = sum(doing.quick for doing in operators)
    answering = sum(len(doing.waits) >= 2 * FEW for doing in operators)
    for doing in operators:
        doing.unlike_others = not doing.quick or quick - 1 <= USUAL * (answering - 1)


def _note(doing: _Doing, event: Event) -> None:
    doing.events += 1
    doing.kinds[event.actor_kind] += 1
    doing.sources.add(event.source)
    doing.stamped += "version" in event.detail
    if event.activity is Activity.COMMENTED and event.detail.get("value"):
        doing.comments += 1
        doing.texts[str(event.detail["value"])] += 1


def _set_by_people(material: Material) -> dict[str, set[str | None]]:
    """Attribute -> the operators who changed it."""
    found: dict[str, set[str | None]] = defaultdict(set)
    for event in material.events:
        if event.attribute is not None and event.activity is Activity.CHANGED and event.actor_kind is ActorKind.OPERATOR:
            found[event.attribute].add(event.actor_id)
    return found


def _account(actor: str, doing: _Doing, people: dict[str, set[str | None]], material: Material, known: set[str]) -> Candidate | None:
    """What an account is taken for; None for what is an agent's by no sign."""
    if actor in material.agents:
        return _candidate(actor, doing, Standing.SAID, ["the configuration names it"])
    if doing.kind is ActorKind.AGENT:
        return _candidate(actor, doing, Standing.SAID, ["the source says so"])
    if doing.kind is ActorKind.CUSTOMER or actor in material.systems:
        return None
    score, reasons = _signs(actor, doing)
    contested = sorted(a for a, cases in doing.sets.items() if a != "status" and len(cases) >= FEW and people.get(a, set()) - {actor})
    if doing.kind is ActorKind.SYSTEM:
        if contested:
            score += 2 if actor.startswith("app:") else 1
            reasons.append(f"sets {', '.join(contested[:3])}, which people set too")
        elif not doing.stamped and not doing.comments:
            return None
        enough, worth = 2, 1
    else:
        score += _behaviour(doing, reasons)
        enough, worth = 3, 2
        if doing.sleepless and len(doing.cases) * FEW >= len(material.cases):
            worth = 1
    if score < worth or doing.updates < FEW:
        return None
    sure = score >= enough and not doing.sources <= known
    shown = bool(OPAQUE.fullmatch(actor)) or doing.kind is ActorKind.SYSTEM or not ((AI | AGENT) - GIVEN).isdisjoint(words_of(actor))
    return _candidate(actor if shown else None, doing, Standing.LIKELY if sure and shown else Standing.UNCERTAIN, reasons)


def _signs(name: str, doing: _Doing) -> tuple[int, list[str]]:
    """What the name and stamps say."""
    score, reasons = 0, []
    words = frozenset(words_of(name))
    telling = words & (AI - BOTS if doing.kind is ActorKind.SYSTEM else AI)
    if NEGATIONS.isdisjoint(words) and (telling or words & AGENT):
        score += 2 if telling else 1
        reasons.append(f"`{sorted(telling or words & AGENT)[0]}` is in its name")
    if doing.stamped >= max(FEW, ALWAYS * doing.events):  # less often: it shares a person's login, and a marker tells the two apart
        score += 3
        reasons.append("stamps a version on what it does")
    return score, reasons


def _behaviour(doing: _Doing, reasons: list[str]) -> int:
    """What only a machine does; adds to the reasons."""
    score = 0
    if doing.quick:
        score += 2
        reasons.append(f"answers after {median(doing.waits) / SECOND:,.0f} s (median of {len(doing.waits):,})")
    if doing.sleepless:
        score += 1
        reasons.append("works at all hours")
    if doing.comments >= 2 * FEW and doing.repeats * 2 >= doing.comments:
        score += 1
        reasons.append(f"{doing.repeats} of its {doing.comments} comments repeat one another")
    return score


def _markers(material: Material, by_label: dict[str, _Doing], agents: set[str | None]) -> list[Candidate]:
    """Labels under which an agent works through people's logins."""
    found = []
    stamped, plain = _labels_of_stamped(material, agents)
    for label, doing in by_label.items():
        configured = label in material.markers
        words = frozenset(words_of(label))
        telling = bool(words & AI) and NEGATIONS.isdisjoint(words)
        stamp = stamped[label] >= FEW and not plain[label]
        if configured or ((telling or stamp) and doing.updates >= FEW and doing.kind is ActorKind.OPERATOR and not _is_of(label, material, agents)):
            reasons = ["the configuration names it"] if configured else ["stands on updates that are stamped with a version"] if stamp else ["its name"]
            sure = stamp or (telling and doing.quick)
            if doing.quick:
                _behaviour(doing, reasons)
            standing = Standing.SAID if configured else Standing.LIKELY if sure else Standing.UNCERTAIN
            found.append(Candidate(label, True, standing, doing.events, len(doing.cases), tuple(reasons)))
    return found


def _labels_of_stamped(material: Material, agents: set[str | None]) -> tuple[Counter[str], Counter[str]]:
    """How often each label stands on people's events with and without a version."""
    stamped: Counter[str] = Counter()
    plain: Counter[str] = Counter()
    for event in material.events:
        if event.actor_kind is ActorKind.OPERATOR and event.actor_id not in agents:
            (stamped if "version" in event.detail else plain).update(event.detail.get("via", ()))
    return stamped, plain


def _is_of(label: str, material: Material, agents: set[str | None]) -> bool:
    """Whether a label only stands on what known agents do."""
    return all(event.actor_id in agents for event in material.events if label in event.detail.get("via", ()))


def _candidate(name: str | None, doing: _Doing, standing: Standing, reasons: list[str]) -> Candidate:
    return Candidate(name, False, standing, doing.events, len(doing.cases), tuple(reasons))
