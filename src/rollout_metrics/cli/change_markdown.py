"""The report as a Markdown comment beside a pull request, and as text for a terminal. What records say is shown, and never obeyed.

In Markdown every word of a record stands in a code span: there neither HTML nor links, mentions, references or images mean anything.
"""

import re
import unicodedata
from collections.abc import Callable, Iterator

from rollout_metrics.cli.change_report import Checked, Report
from rollout_metrics.config.yaml import written
from rollout_metrics.derive.permissions import Difference, in_words
from rollout_metrics.domain.time import format_instant
from rollout_metrics.figures.at_hand import Evidence, Rate
from rollout_metrics.overview.written import between, ratio

MARKER = "<!-- rollout-metrics changes check -->"
"""The first line of the comment, by which CI finds it again."""

MOST_CHARACTERS = 60_000
"""A comment is cut here: GitHub takes 65,536."""

LONGEST = 300
"""Of one text."""

_UNSEEN = frozenset(("Cc", "Cf", "Cn", "Co", "Cs", "Zl", "Zp"))


def visible(text: str) -> str:
    """A text on one line without anything that a screen obeys instead of showing it: controls, direction marks, invisible characters."""
    shown = "".join("\N{REPLACEMENT CHARACTER}" if unicodedata.category(c) in _UNSEEN and not c.isspace() else c for c in text)
    shown = " ".join(shown.split())
    return shown if len(shown) <= LONGEST else f"{shown[:LONGEST]}…"


def code(text: str) -> str:
    """A text as a code span that it cannot get out of."""
    shown = visible(text)
    if not shown:
        return "(empty)"
    fence = "`" * (max((len(run) for run in re.findall("`+", shown)), default=0) + 1)
    space = " " if shown.startswith("`") or shown.endswith("`") else ""
    return f"{fence}{space}{shown}{space}{fence}"


def as_markdown(report: Report) -> str:
    """The comment."""
    parts = [f"{MARKER}\n## Change records: {_verdict(report)}\n"]
    if report.problems:
        parts.append("\n### Not readable\n\n" + "".join(f"* {code(problem)}\n" for problem in report.problems))
    if report.removed:
        parts.append("\n### Removed\n\n" + "".join(f"* {code(id_)} was deployed: its record stays, put it back\n" for id_ in report.removed))
    parts += ["".join(_record_markdown(item)) for item in report.checked]
    touched = {item.record.change.workflow for item in report.checked}
    if report.evidence is not None:
        parts += ["".join(_evidence_markdown(name, report.evidence.get(name))) for name in sorted(touched)]
    kept, length = [], 0
    for number, part in enumerate(parts):
        length += len(part)
        if length > MOST_CHARACTERS:
            kept.append(f"\n*{len(parts) - number} more sections do not fit into a comment: see the job's log.*\n")
            break
        kept.append(part)
    return "".join(kept)


def _verdict(report: Report) -> str:
    if report.problems:
        return "not readable"
    lacking = sum(bool(item.lacks) for item in report.checked)
    if lacking:
        return f"{lacking} of {len(report.checked)} incomplete"
    if report.removed:
        return "records of deployed changes are gone"
    return f"{len(report.checked)} complete" if report.checked else "none to look at"


def _record_markdown(item: Checked) -> Iterator[str]:
    change = item.record.change
    yield f"\n### {code(change.id)} {code(change.title)}\n\n" if change.title else f"\n### {code(change.id)}\n\n"
    yield f"workflow {code(change.workflow)}, kind {change.kind.value}, risk class {change.risk_class}, in {code(item.file)}\n"
    yield f"\n**Permissions** {_against(item, code)}\n"
    if item.permissions.differences:
        yield "\n" + "".join(f"* {_difference(found, code)}{_effect(found, ' - **', '**')}\n" for found in item.permissions.differences)
    given = [name.value for name in item.required if name not in item.missing]
    yield f"\n**Sign-offs** required {len(item.required)}, given {_names(given)}, **missing {_names([name.value for name in item.missing])}**\n"
    others = [(line, lack) for line, lack in item.lacks if lack.place[0] != "sign_offs"]
    if others:
        yield f"\n**Lacks** {len(others)}\n\n" + "".join(f"* line {line}: {code(written(lack.place))} {lack.message}\n" for line, lack in others)
    for line, lack in item.lacks:
        if lack.place[0] == "sign_offs" and "distinct" in lack.message:
            yield f"\n* line {line}: {code(written(lack.place))} {lack.message}\n"
    if not item.lacks:
        yield "\nComplete.\n"


def _names(names: list[str]) -> str:
    return ", ".join(names) or "none"


def _against(item: Checked, quoted: Callable[[str], str]) -> str:
    permissions = item.permissions
    if not permissions.stated:
        return "cannot be compared: the record does not state all three lists"
    if permissions.against is None:
        return "against nothing: no deployed record of the workflow states any, so all of them are new"
    if permissions.rewritten:
        return f"of {quoted(permissions.against)}, which is deployed already, were rewritten: make a change of its own instead"
    same = "" if permissions.differences else ": the same"
    return f"against {quoted(permissions.against)}, the last deployed{same}"


def _difference(found: Difference, quoted: Callable[[str], str]) -> str:
    terms = ""
    if found.before and found.after:
        terms = f": {quoted(in_words(found.before))} before, {quoted(in_words(found.after))} now"
    elif found.before or found.after:
        terms = f": {quoted(in_words(found.after or found.before))}"
    return f"{found.list.value}: {quoted(found.action)} {found.shift.value}{terms}"


def _effect(found: Difference, opening: str, closing: str) -> str:
    return "" if found.widens is False else f"{opening}{'may do more' if found.widens else 'may do more or less'}{closing}"


def _evidence_markdown(name: str, found: Evidence | None) -> Iterator[str]:
    yield f"\n### Evidence at hand: {code(name)}\n\n"
    if found is None:
        yield "None: the workflow's sources have not been read.\n"
        return
    yield f"{_standing(found, code)}\n\n| rate | value | 95 % interval | n |\n| --- | --- | --- | --- |\n"
    for rate in found.rates:
        yield f"| {rate.metric} | {' | '.join(_rate(rate))} |\n"
    gates = found.assessment
    if gates.to is not None:
        yield f"\n**Gates to {gates.to.name.lower()}**: {gates.proposal.value}, {gates.why}\n\n| gate | verdict | missing | why |\n| --- | --- | --- | --- |\n"
        for gate in gates.gates:
            yield f"| {gate.name} | {gate.verdict.value} | {'-' if gate.missing is None else f'{gate.missing:,}'} | {gate.why} |\n"


def _standing(found: Evidence, quoted: Callable[[str], str]) -> str:
    since = "from the beginning" if found.since is None else f"since {format_instant(found.since)}"
    version = "" if found.version is None else f", version {quoted(found.version)}"
    return f"Level {found.level.name.lower()} ({found.mode.value}){version}, {since}, read up to {format_instant(found.as_of)}"


def _rate(rate: Rate) -> tuple[str, str, str]:
    if rate.lower is None or rate.upper is None:
        return "no data", "-", "0"
    return ratio(rate.count / rate.total), between(ratio(rate.lower), ratio(rate.upper)), f"{rate.total:,}"


def as_text(report: Report) -> Iterator[str]:
    """Lines for a terminal: every lack with its file and line."""
    for problem in report.problems:
        yield visible(problem)
    for id_ in report.removed:
        yield f"{visible(id_)}: was deployed and is gone: its record stays, put it back"
    for item in report.checked:
        change = item.record.change
        state = "complete" if not item.lacks else f"lacks {len(item.lacks)}"
        about = f"{visible(change.workflow)}, {change.kind.value}, risk class {change.risk_class}"
        yield f"{visible(item.file)}:{item.line}: {visible(change.id)} ({about}): {state}"
        yield from (f"  {visible(item.file)}:{line}: {written(lack.place)}: {lack.message}" for line, lack in item.lacks)
        yield f"  permissions {_against(item, visible)}"
        yield from (f"    {_difference(found, visible)}{_effect(found, ' (', ')')}" for found in item.permissions.differences)
    for name in sorted({item.record.change.workflow for item in report.checked}) if report.evidence is not None else ():
        found = report.evidence.get(name) if report.evidence is not None else None
        yield f"{visible(name)}: {'its sources have not been read' if found is None else _standing(found, visible)}"
        for rate in () if found is None else found.rates:
            value, interval, n = _rate(rate)
            yield f"  {rate.metric} {value} ({interval}, n={n})"
        if found is not None and found.assessment.to is not None:
            yield f"  gates to {found.assessment.to.name.lower()}: {found.assessment.proposal.value}, {found.assessment.why}"
            yield from (f"    {gate.name} {gate.verdict.value} ({gate.why})" for gate in found.assessment.gates)
