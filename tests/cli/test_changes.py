"""`changes new` and `changes check`, as people and CI run them; what they print is in `change_records/`, to be read when it changes.

`UPDATE_GOLDEN=1` writes the expected outputs anew.
"""

import hashlib
import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from cli.conftest import Run
from rollout_metrics.cli import changes as verbs
from rollout_metrics.cli.change_markdown import LONGEST, MARKER, MOST_CHARACTERS, as_markdown, code, visible
from rollout_metrics.cli.change_report import check
from rollout_metrics.domain.time import parse_instant

GOLDEN = Path(__file__).parent / "change_records"
EXAMPLE = Path(__file__).parents[2] / "docs/change-record.example.yaml"
NOW = parse_instant("2026-07-01T10:00:00Z")

DEPLOYED = """\
id: CHG-1
workflow: refunds
kind: prompt
proposed_at: 2026-01-01
deployed_at: 2026-01-10
authority:
  automatic: [comment:internal, {action: refund, when: amount <= 20}]
  approval: [{action: refund, when: amount > 20}]
  forbidden: [delete, close]
"""
PROPOSED = """\
id: CHG-2
workflow: refunds
kind: prompt
risk_class: low
proposed_at: 2026-06-01
"""

Write = Callable[..., Path]


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder to work in, on a certain day."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(verbs, "clock", lambda: NOW)
    (tmp_path / "changes").mkdir()
    return tmp_path


def write(**files: str) -> None:
    for name, text in files.items():
        Path("changes", f"{name}.yaml").write_text(text, encoding="utf-8")


def git(*arguments: str) -> str:
    who = ("-c", "user.name=test", "-c", "user.email=test@example.com", "-c", "commit.gpgsign=false", "-c", "init.defaultBranch=main")
    return subprocess.run(["git", *who, *arguments], check=True, capture_output=True, text=True).stdout.strip()


def committed(**files: str) -> str:
    """A repository with these records in its first commit, and that commit."""
    write(**files)
    git("init", "-q")
    git("add", "-A")
    git("commit", "-qm", "records")
    return git("rev-parse", "HEAD")


def golden(name: str, text: str) -> None:
    file = GOLDEN / name
    if os.environ.get("UPDATE_GOLDEN"):
        file.write_text(text, encoding="utf-8")
    assert text == file.read_text(encoding="utf-8")


def test_new_writes_a_commented_template_that_check_finds_incomplete(here: Path, run: Run) -> None:
    made = run("changes", "new", "--workflow", "refunds", "--kind", "prompt", "--risk-class", "low", "--output", "changes/a.yaml")
    found = run("changes", "check")

    assert (made.code, made.out) == (0, "")
    golden("template.yaml", Path("changes/a.yaml").read_text(encoding="utf-8"))
    assert found.code == 1
    golden("template.txt", found.out)


def test_new_prints_where_no_file_is_named_and_never_overwrites_one(here: Path, run: Run) -> None:
    printed = run("changes", "new", "--workflow", "refunds", "--kind", "level", "--id", "CHG-9")
    first = run("changes", "new", "--workflow", "refunds", "--kind", "tool", "--output", "changes/a.yaml")
    again = run("changes", "new", "--workflow", "refunds", "--kind", "tool", "--output", "changes/a.yaml")

    assert yaml.safe_load(printed.out)["id"] == "CHG-9"
    assert (first.code, again.code) == (0, 2)
    assert "changes/a.yaml: is there already: choose another --output" in again.err


def test_a_complete_record_is_said_to_be_complete(here: Path, run: Run) -> None:
    write(a=DEPLOYED.replace("workflow: refunds", "workflow: triage"), b=EXAMPLE.read_text(encoding="utf-8"))

    found = run("changes", "check", "changes/b.yaml")

    assert found.code == 0
    assert found.out.startswith("changes/b.yaml:4: CHG-118 (refunds, level, risk class regulated): complete\n")


def test_a_pull_request_is_checked_for_what_it_changes_and_against_what_was_deployed_before_it(here: Path, run: Run) -> None:
    base = committed(old=DEPLOYED, other=DEPLOYED.replace("CHG-1", "CHG-0").replace("2026-01-10", "2026-01-05"))
    write(new=EXAMPLE.read_text(encoding="utf-8").replace("  legal: {by: Eva Marsh", "  legal: {by: Ada Okafor"))

    text = run("changes", "check", "--base", base)
    markdown = run("changes", "check", "--base", base, "--markdown")
    listed = run("changes", "check", "changes", "--base", base, "--json")

    assert (text.code, markdown.code, listed.code) == (1, 1, 1)
    golden("pull_request.txt", text.out)
    golden("pull_request.md", markdown.out)
    golden("pull_request.json", listed.out)
    assert "records looked at: 1, lacking something: 1, as they were: 2" in text.err


def test_what_a_branch_did_not_change_is_not_looked_at(here: Path, run: Run) -> None:
    base = committed(old=DEPLOYED, broken="id: [\n")
    git("mv", "changes/old.yaml", "changes/renamed.yaml")

    found = run("changes", "check", "--base", base, "--markdown")

    assert (found.code, found.out) == (0, f"{MARKER}\n## Change records: none to look at\n")


def test_what_others_merged_after_the_branch_left_is_not_the_branchs_doing(here: Path, run: Run) -> None:
    left = committed(old=DEPLOYED)
    write(theirs=PROPOSED.replace("CHG-2", "CHG-3"))
    git("add", "-A")
    git("commit", "-qm", "theirs")
    git("branch", "theirs")
    git("reset", "-q", "--hard", left)
    write(ours=PROPOSED)

    found = run("changes", "check", "--base", "theirs", "--json")

    assert [record["id"] for record in found.json["records"]] == ["CHG-2"]
    assert found.json["removed"] == []


def test_only_the_records_of_a_file_that_changed_are_looked_at(here: Path, run: Run) -> None:
    several = f"- {{{', '.join(PROPOSED.splitlines())}}}\n- {{{', '.join(PROPOSED.replace('CHG-2', 'CHG-3').splitlines())}}}\n"
    base = committed(several=several)
    write(several=several.replace("id: CHG-3", "title: better, id: CHG-3"))

    found = run("changes", "check", "--base", base, "--json").json

    assert ([record["id"] for record in found["records"]], found["unchanged_records"]) == (["CHG-3"], 1)


def test_rewriting_the_permissions_of_a_deployed_record_hides_nothing(here: Path, run: Run) -> None:
    base = committed(old=DEPLOYED)
    wider = DEPLOYED.replace("amount <= 20", "amount <= 900")
    write(old=wider, new=PROPOSED + wider[wider.index("authority") :])

    new, old = run("changes", "check", "--base", base, "--json").json["records"]

    assert (old["permissions"]["against"], old["permissions"]["rewritten"]) == ("CHG-1", True)
    assert (new["permissions"]["against"], new["permissions"]["rewritten"]) == ("CHG-1", False)
    for record in (old, new):
        (difference,) = record["permissions"]["differences"]
        assert (difference["shift"], difference["widens"], difference["before"], difference["after"]) == ("loosened", True, "amount <= 20", "amount <= 900")


def test_the_record_of_a_deployed_change_must_not_go(here: Path, run: Run) -> None:
    base = committed(old=DEPLOYED, proposed=PROPOSED)
    Path("changes/old.yaml").unlink()
    Path("changes/proposed.yaml").unlink()

    found = run("changes", "check", "--base", base)

    assert (found.code, found.out) == (1, "CHG-1: was deployed and is gone: its record stays, put it back\n")


@pytest.mark.parametrize(
    ("more", "against"),
    [("", "CHG-1"), ("deployed_at: 2026-06-02\n", "CHG-1"), ("environment: staging\n", None), ("deployed_at: 2026-01-02\nproposed_at: 2026-01-01\n", None)],
)
def test_permissions_are_compared_with_the_record_deployed_before_it_in_its_environment(here: Path, run: Run, more: str, against: str | None) -> None:
    proposed = PROPOSED.replace("proposed_at: 2026-06-01\n", "") if "proposed_at" in more else PROPOSED
    later = DEPLOYED.replace("CHG-1", "CHG-3").replace("2026-01-10", "2026-08-01")
    silent = "id: CHG-4\nworkflow: refunds\nkind: model\nproposed_at: 2026-01-01\ndeployed_at: 2026-02-01\n"
    write(old=DEPLOYED, later=later, new=proposed + more + DEPLOYED[DEPLOYED.index("authority") :], silent=silent)

    records = {record["id"]: record for record in run("changes", "check", "--json").json["records"]}

    assert records["CHG-2"]["permissions"]["against"] == against
    assert records["CHG-4"]["permissions"] == {"stated": False, "against": None, "rewritten": False, "differences": []}


def test_what_is_no_record_is_told_and_ends_in_two(here: Path, run: Run) -> None:
    write(a="id: [\n", b=PROPOSED.replace("prompt", "promt"))

    found = run("changes", "check")

    assert found.code == 2
    assert "changes/b.yaml:3: [0].kind: 'promt' is none of prompt" in found.out
    assert "changes/a.yaml:2: the file: is no YAML" in found.out


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["nowhere"], "nowhere: there is no such file or directory of change records"),
        (["changes", "--json", "--markdown"], "--json and --markdown are two outputs: choose one"),
        (["changes", "--base", "main"], "run it in a git repository, or without --base"),
        (["changes", "--config", "none.yaml"], "none.yaml: there is no such file"),
    ],
)
def test_a_wrong_command_line_ends_in_two(here: Path, run: Run, arguments: list[str], said: str) -> None:
    found = run("changes", "check", *arguments)

    assert found.code == 2
    assert said in found.out + found.err


@pytest.mark.parametrize("revision", ["nowhere", "--output=x", "HEAD:changes"])
def test_a_revision_that_is_none_is_refused_with_the_remedy(here: Path, run: Run, revision: str) -> None:
    committed(old=DEPLOYED)

    found = run("changes", "check", "--base", revision)

    assert found.code == 2
    assert f"there is no revision {revision!r}: fetch it first" in found.err
    assert not Path("x").exists()


def test_histories_without_a_common_commit_name_the_remedy(here: Path, run: Run) -> None:
    committed(old=DEPLOYED)
    git("checkout", "-q", "--orphan", "elsewhere")
    git("commit", "-qm", "elsewhere")

    found = run("changes", "check", "--base", "main")

    assert found.code == 2
    assert "fetch the whole history (fetch-depth: 0, GIT_DEPTH: 0)" in found.err


def test_a_link_out_of_the_repository_is_not_followed(here: Path, run: Run, tmp_path_factory: pytest.TempPathFactory) -> None:
    secret = tmp_path_factory.mktemp("elsewhere") / "secret"
    secret.write_text("hunter2")
    base = committed(old=DEPLOYED)
    Path("changes/link.yaml").symlink_to(secret)

    found = run("changes", "check", "--base", base, "--markdown")

    assert found.code == 2
    assert "is a link out of the repository" in found.out
    assert "hunter2" not in found.out + found.err


def test_nothing_of_the_environment_reaches_a_comment(here: Path, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CI_TOKEN", "hunter2")
    write(a=PROPOSED + 'title: "${CI_TOKEN}"\nversion: "${CI_TOKEN}"\n')

    found = run("changes", "check", "--markdown")

    assert "${CI_TOKEN}" in found.out
    assert "hunter2" not in found.out + found.err


def test_names_of_workflows_are_checked_and_evidence_shown_where_a_configuration_is_given(run: Run, config: Path) -> None:
    database = config.parent / "demo.db"
    before = hashlib.sha256(database.read_bytes()).hexdigest()

    found = run("changes", "check", "--config", config, "--json")
    markdown = run("changes", "check", "--config", config, "--markdown")

    assert found.code == 1
    triage = found.json["evidence"]["triage"]
    assert (triage["level"], triage["mode"]) == ("assisted", "live")
    override = triage["rates"]["override_ratio"]
    assert override["n"] > 20
    assert override["lower"] < override["ratio"] == override["count"] / override["n"] < override["upper"]
    assert set(triage["rates"]) == {"explicit_acceptance_ratio", "override_ratio", "correction_ratio", "bypass_ratio", "escalation_ratio"}
    assert "### Evidence at hand: `triage`" in markdown.out
    assert triage["gates"]["to"] == "low_risk_autonomous"
    assert {gate["name"] for gate in triage["gates"]["gates"]} >= {"override", "decisions", "record_complete", "freshness"}
    assert "**Gates to low_risk_autonomous**: " in markdown.out
    assert hashlib.sha256(database.read_bytes()).hexdigest() == before


def test_a_record_of_an_unknown_workflow_is_a_problem_told_once(here: Path, run: Run) -> None:
    write(a=PROPOSED.replace("workflow: refunds", "workflow: refund"))
    Path("c.yaml").write_text(
        "sources: {desk: {kind: events, paths: in}}\nworkflows:\n"
        "  - {name: refunds, sources: desk, decides: refund, levels: [{level: assisted}]}\nchanges: {paths: changes}\n"
    )

    found = run("changes", "check", "--config", "c.yaml", "--json")

    assert found.code == 2
    assert [problem.partition(": ")[2] for problem in found.json["problems"]] == ["[0].workflow: there is no workflow 'refund'; did you mean 'refunds'?"]


def test_the_schema_is_the_exported_one(run: Run) -> None:
    exported = EXAMPLE.with_name("change-record.schema.json").read_text(encoding="utf-8")

    assert run("changes", "schema").out.splitlines()[3:] == exported.splitlines()[3:]


HOSTILE = st.text(st.sampled_from("`|\\*_[]()<>!@#&~:/.-\n\t abcw0\u202e\u200b\x1b\x00"), max_size=40) | st.sampled_from(
    [
        "<img src=x onerror=alert(1)>",
        "@security please approve",
        "[click](https://evil.example)",
        "![x](https://evil.example/pixel)",
        "https://evil.example",
        "www.evil.example",
        "`` ` ``` <b> ```",
        "a\n\n# heading\n\n<script>",
        "fixes #1, GH-2, owner/repo#3",
        "-->",
        "| a | b |\n| - | - |",
        "`@all",
        "\\`@all",
        "&lt;b&gt;",
        "/approve",
    ]
)
COMMON_MARK = MarkdownIt("commonmark", {"html": True}).enable("table")


@settings(max_examples=100, deadline=None)
@given(HOSTILE, HOSTILE, HOSTILE)
def test_nothing_a_record_says_is_more_than_text_in_a_comment(tmp_path_factory: pytest.TempPathFactory, first: str, second: str, third: str) -> None:
    record = {"id": first or "x", "workflow": second, "kind": "prompt", "title": third, "proposed_at": "2026-01-01"}
    record["authority"] = {"automatic": [{"action": "a", "when": ["x = b"]}], "approval": [], "forbidden": []}
    file = tmp_path_factory.mktemp("hostile") / "a.yaml"
    file.write_text(yaml.safe_dump([record, {"id": "bad", "kind": first, "workflow": second, third: 1, "proposed_at": second}], allow_unicode=False))

    comment = as_markdown(check([file], workflows=None, revision=None, now=NOW))

    tokens = [inner for token in COMMON_MARK.parse(comment) for inner in (token, *(token.children or ()))]
    assert {token.type for token in tokens} & {"link_open", "image", "html_inline", "table_open", "fence", "code_block"} == set()
    assert [token.content.strip() for token in tokens if token.type == "html_block"] == [MARKER]
    assert {token.tag for token in tokens if token.type == "heading_open"} <= {"h2", "h3"}
    ours = [token.content for token in tokens if token.type == "text"]
    assert not [text for text in ours if any(mark in text for mark in ("@", "#", "http", "www", "<", "](", "\u202e", "\x1b", "evil"))]


@settings(max_examples=100, deadline=None)
@given(HOSTILE)
def test_a_code_span_holds_the_whole_text(text: str) -> None:
    (inline,) = [token for token in COMMON_MARK.parse(f"x {code(text)} y") if token.type == "inline"]

    assert [(token.type, token.content) for token in inline.children or ()] == (
        [("text", "x "), ("code_inline", visible(text)), ("text", " y")] if visible(text) else [("text", "x (empty) y")]
    )


def test_long_texts_and_long_comments_are_cut(here: Path, run: Run) -> None:
    write(a="\n".join(f"- {{{', '.join(PROPOSED.replace('CHG-2', f'CHG-{n}').splitlines())}, title: {'x' * 2 * LONGEST}}}" for n in range(100)))

    comment = run("changes", "check", "--markdown").out

    assert len(comment) < MOST_CHARACTERS + 200
    assert "more sections do not fit into a comment: see the job's log." in comment
    assert "x" * (LONGEST + 1) not in comment
