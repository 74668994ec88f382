"""The documents are held to the program: links, commands, configuration, events and figures of tests that they name must be there."""

import json
import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import msgspec
import pytest
from jsonschema import Draft202012Validator

from documents import Block, anchors, blocks, commands, documents, inline, links, words
from rollout_metrics.cli import main
from rollout_metrics.cli.commands import program
from rollout_metrics.config.load import loads

ROOT = Path(__file__).parents[2]
DOCUMENTS = documents(ROOT)
SCHEMA = ROOT / "src/rollout_metrics/sources/event.schema.json"

OUR_HOSTS = re.compile(
    r"([A-Z]+|localhost|127\.0\.0\.1|[\w.-]*\bexample(\.(com|org))?|[\w.{}-]+\.(zendesk|pagerduty|atlassian|salesforce|freshdesk|intercom|dynamics|microsoftonline|langfuse)\.(com|net|io)|api\.github\.com|gitlab\.com"
    r"|(api|app)\.hubapi\.com|app\.hubspot\.com)(:\d+)?"
)
KNOWN_HOSTS = frozenset(("arxiv.org", "doi.org", "github.com", "grafana.com", "keepachangelog.com", "prometheus.io", "semver.org", "www.rfc-editor.org"))
OUR_ROOTS = frozenset(
    (
        "- / REST api changes conversations crm data-protection dev etc evidence healthz inbox incremental issues issues.json log_entries metrics opt"
        + " ready readyz reload repos rest review run services tickets usr v1 var workflows"
    ).split()
)
"""First parts of absolute paths that mean the same on every machine: URL paths, and places of a Linux system."""

QUICK = frozenset(("check", "snapshot", "explain", "schema", "version"))


def each(language: str) -> list[Any]:
    found = [block for file in DOCUMENTS for block in blocks(file) if block.language == language]
    return [pytest.param(block, id=f"{block.file.relative_to(ROOT)}:{block.line}") for block in found]


@pytest.fixture(params=DOCUMENTS, ids=lambda file: str(file.relative_to(ROOT)))
def document(request: pytest.FixtureRequest) -> Path:
    return Path(request.param)


def test_every_link_leads_somewhere(document: Path) -> None:
    broken = []
    for target in links(document):
        path, _, anchor = target.partition("#")
        file = (document.parent / path).resolve() if path else document
        if not file.exists() or (anchor and file.suffix == ".md" and anchor not in anchors(file)):
            broken.append(target)

    assert broken == []


def test_every_command_of_the_program_is_one(document: Path) -> None:
    wrong = {}
    for line, complete in commands(document):
        try:
            parse(line, complete=complete)
        except click.ClickException as error:
            wrong[line] = error.format_message()

    assert wrong == {}


def parse(line: str, *, complete: bool) -> None:
    """Parse a command line as the program would, without running it; one named in passing may lack what it needs."""
    command: click.Command = program
    arguments = shlex.split(line, comments=True)[1:]
    name = "rollout-metrics"
    while isinstance(command, click.Group):
        if not arguments or arguments == ["--help"]:
            return
        name, *arguments = arguments
        if name not in command.commands:
            raise click.UsageError(f"there is no command {name}")
        command = command.commands[name]
    try:
        command.make_context(name, arguments)
    except click.MissingParameter:
        if complete:
            raise


def test_every_make_target_is_one(document: Path) -> None:
    named = {match[1] for text in [*inline(document), *shell(document)] for match in re.finditer(r"(?:^|\s)make ([a-z][a-z0-9-]*)", text)}

    assert named <= set(re.findall(r"^([a-z0-9-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))


def shell(document: Path) -> list[str]:
    return [line.partition("#")[0] for block in blocks(document) if block.language in ("sh", "bash", "console") for line in block.text.splitlines()]


@pytest.mark.parametrize("block", each("yaml"))
def test_every_configuration_loads_without_a_warning(block: Block, tmp_path: Path) -> None:
    secrets = {name: f"a secret of {name}, long enough" for name in re.findall(r"\$\{(\w+)\}", block.text)}
    configuration = loads(block.text, secrets, file=str(tmp_path / "rollout-metrics.yaml"))

    assert configuration.warnings == ()
    assert configuration.sources or configuration.settings.workflows or configuration.settings.model_fields_set


@pytest.mark.parametrize("block", each("json"))
def test_every_event_is_as_the_schema_says(block: Block) -> None:
    validator = Draft202012Validator(json.loads(SCHEMA.read_text()))
    found = [event for value in values(block.text) for event in (value if isinstance(value, list) else [value])]

    assert found
    assert [error.message for event in found for error in validator.iter_errors(event)] == []


def values(text: str) -> Iterator[Any]:
    """The JSON values of a text, one after the other."""
    place = 0
    while text[place:].strip():
        place += len(text[place:]) - len(text[place:].lstrip())
        value, place = json.JSONDecoder().raw_decode(text, place)
        yield value


def test_no_document_names_a_machine_of_ours(document: Path) -> None:
    text = document.read_text()
    hosts = set(re.findall(r"https?://([^\s/)>`'\",|]+)", text))
    paths = set(re.findall(r"(?<![\w.~*:}/<>)\]])/(\w[\w.-]*)(?=/|[\s`'\"),;:]|$)", re.sub(r"https?://\S+|\]\([^)]*\)", "", text)))

    assert {host for host in hosts if host not in KNOWN_HOSTS and not OUR_HOSTS.fullmatch(host)} == set()
    assert paths - OUR_ROOTS == set()


def test_the_first_screen_of_the_readme_has_both_commands() -> None:
    first = "\n".join((ROOT / "README.md").read_text().splitlines()[:60])

    assert re.search(r"^make demo\b", first, re.MULTILINE)
    assert re.search(r"^make test\b", first, re.MULTILINE)


def test_every_source_has_its_document() -> None:
    kinds = {file.stem for file in (ROOT / "src/rollout_metrics/sources").glob("[a-z]*.py")}

    assert {file.stem for file in (ROOT / "docs/sources").glob("*.md")} == kinds


def test_every_test_that_the_documents_name_is_one() -> None:
    defined = set(re.findall(r"^def (test_\w+)", "\n".join(file.read_text() for file in (ROOT / "tests").rglob("test_*.py")), re.MULTILINE))
    named = {word for file in DOCUMENTS for word in re.findall(r"\btest_\w+(?!\.py)\b", file.read_text()) if not word.endswith("_py")}
    files = {file.stem for file in (ROOT / "tests").rglob("test_*.py")}

    assert named - files <= defined


def test_figures_of_real_data_are_those_the_tests_assert() -> None:
    asserted = words("\n".join((ROOT / "tests/realdata" / f"test_{name}.py").read_text().replace("_", "") for name in ("aidev", "uci498")))
    told = words("\n".join(line for line in (ROOT / "docs/real-data.md").read_text().splitlines() if line.startswith("|")).replace(",", ""))
    figures = {word for word in told if re.fullmatch(r"\d{3,}|\d+\.\d+", word)} - {"498"}

    assert len(figures) > 8
    assert figures - asserted == set()


def events() -> Iterator[dict[str, Any]]:
    """Three tickets of triage: one kept, one changed, one still open."""
    for number, (after, closed) in enumerate((("high", True), ("low", True), ("high", False)), 1):
        case = {"case_id": f"{number}", "occurred_at": f"2026-09-2{number}T09:00:00Z"}
        yield case | {"event_id": f"{number}-1", "actor_kind": "customer", "activity": "created", "detail": {"attributes": {"priority": "low"}}}
        agent = {"event_id": f"{number}-2", "actor_id": "bot", "actor_kind": "agent", "occurred_at": f"2026-09-2{number}T09:01:00Z"}
        yield case | agent | {"activity": "changed", "attribute": "priority", "before": "low", "after": "high"}
        operator = {"actor_id": "ada", "actor_kind": "operator", "occurred_at": f"2026-09-2{number}T09:30:00Z"}
        if after != "high":
            yield case | operator | {"event_id": f"{number}-3", "activity": "changed", "attribute": "priority", "before": "high", "after": after}
        if closed:
            yield case | operator | {"event_id": f"{number}-4", "activity": "closed", "attribute": "status", "before": "open", "after": "solved"}


CONFIGURATION = """
sources:
  tickets: {kind: events, paths: events.jsonl, read_up_to: 2026-09-30T00:00:00Z}
workflows:
  - name: triage
    sources: tickets
    decides: set:priority
    levels: [{level: assisted, since: 2026-01-01}]
"""


def test_what_the_readme_says_to_type_works(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "rollout-metrics.yaml").write_text(CONFIGURATION)
    (tmp_path / "events.jsonl").write_bytes(b"".join(msgspec.json.encode(event) + b"\n" for event in events()))
    monkeypatch.chdir(tmp_path)
    assert main(["collect"]) == 0

    said = [shlex.split(line, comments=True)[1:] for line, complete in commands(ROOT / "README.md") if complete]
    quick = [arguments for arguments in said if arguments and arguments[0] in QUICK]
    codes = {" ".join(arguments): main(arguments) for arguments in [*quick, ["version"]]}
    capsys.readouterr()

    assert {arguments[0] for arguments in quick} >= {"check", "snapshot", "explain", "schema"}
    assert set(codes.values()) == {0}, codes

    main(["explain", "override_ratio", "--workflow", "triage", "--window", "28d", "--json"])
    assert {row["case"] for row in json.loads(capsys.readouterr().out)["rows"]} >= {"tickets/2"}
