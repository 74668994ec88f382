"""Every verb through the command line: exit codes, data on stdout, talk on stderr."""

import json
import shutil
import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest

from cli.conftest import Collected, Run
from rollout_metrics.cli import main
from rollout_metrics.domain.time import DAY, format_instant
from rollout_metrics.generate.commands import COMPLETE

Copied = Callable[..., Path]


def test_a_second_collect_reads_only_what_is_new(run: Run, copied: Copied) -> None:
    again = run("collect", "--config", copied(), "--json")

    assert again.code == 0
    assert {row["source"]: row["outcome"] for row in again.json} == dict.fromkeys(("approvals", "hubspot", "runtime", "zendesk"), "done")
    assert sum(row["requests"] for row in again.json) < 20


def test_collect_takes_sources_and_an_instant_to_read_from(run: Run, copied: Copied, collected: Collected) -> None:
    since = format_instant(collected.company.world.start + 80 * DAY)

    again = run("collect", "--config", copied(), "--source", "zendesk", "--since", since, "--json")

    assert [row["source"] for row in again.json] == ["zendesk"]
    assert again.json[0]["events"] > 100


def test_tables_are_tab_separated_where_they_are_piped(run: Run, config: Path) -> None:
    shown = run("sources", "--config", config)

    assert [row["source"] for row in shown.rows] == ["approvals", "hubspot", "runtime", "zendesk"]
    assert {row["kind"] for row in shown.rows} == {"events", "hubspot", "zendesk"}


def test_an_unknown_source_is_a_usage_error_that_names_the_known_ones(run: Run, config: Path) -> None:
    wrong = run("collect", "--config", config, "--source", "zendsk")

    assert (wrong.code, wrong.out) == (2, "")
    assert "there is no source 'zendsk': known are approvals, hubspot, runtime, zendesk" in wrong.err


def test_snapshot_prints_what_would_be_served_and_as_json(run: Run, config: Path) -> None:
    plain = run("snapshot", "--config", config)
    listed = run("snapshot", "--config", config, "--json", "--workflow", "triage")

    assert plain.out.startswith("# HELP agent_rollout_")
    assert {sample["labels"].get("workflow") for sample in listed.json} == {"triage"}
    triage = [line for line in plain.out.splitlines() if 'workflow="triage"' in line]
    assert len(triage) == len(listed.json)


def test_snapshot_as_of_the_live_instant_gives_the_live_figures(run: Run, config: Path) -> None:
    live = {(s["name"], json.dumps(s["labels"])): s["value"] for s in run("snapshot", "--config", config, "--json", "--workflow", "triage").json}
    at = live["agent_rollout_as_of_timestamp_seconds", '{"workflow": "triage"}']

    then = run("snapshot", "--config", config, "--json", "--workflow", "triage", "--as-of", format_instant(int(at) * 1_000_000))

    found = {(s["name"], json.dumps(s["labels"])): s["value"] for s in then.json}
    apart = ("agent_rollout_coverage", "agent_rollout_corrections_to_settled", "agent_rollout_sources_stale")
    assert {k: v for k, v in found.items() if not k[0].startswith(apart)} == {k: v for k, v in live.items() if not k[0].startswith(apart)}


def test_a_date_is_its_midnight_in_utc(run: Run, config: Path) -> None:
    then = ("snapshot", "--config", config, "--workflow", "triage", "--as-of")

    assert run(*then, "2026-05-20").out == run(*then, "2026-05-20T02:00:00+02:00").out != ""


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (("snapshot", "--as-of", "yesterday"), "no ISO 8601 time"),
        (("snapshot", "--as-of", "2199-01-01T00:00:00Z"), "workflow 'triage' has been read up to 20"),
        (("gates", "--as-of", "2199-01-01T00:00:00Z"), "workflow 'triage' has been read up to 20"),
        (("snapshot", "--workflow", "refund"), "there is no workflow 'refund'"),
        (("explain", "acceptance", "--workflow", "triage"), "did you mean 'acceptance_ratio'"),
        (("explain", "decisions", "--workflow", "triage", "--label", "outcome"), "no label such as"),
        (("explain", "decisions", "--workflow", "triage", "--label", "colour=red"), "is not told apart by colour"),
        (("explain", "as_of_timestamp_seconds", "--workflow", "triage"), "not counted from cases"),
        (("explain", "decisions", "--workflow", "triage", "--window", "soon"), "no duration"),
        (("export", "--output", "/proc/nowhere/x.om"), "there is no folder /proc/nowhere"),
        (("--config", "x.yaml", "status"), "Options stand after the command, as `rollout-metrics status --config"),
        (("frobnicate",), "No such command"),
    ],
)
def test_usage_errors_end_with_2_and_say_what_is_wrong(run: Run, config: Path, args: tuple[str, ...], message: str) -> None:
    wrong = run(*args, *(("--config", config) if args[0] not in ("frobnicate", "--config") else ()))

    assert (wrong.code, wrong.out) == (2, "")
    assert message in wrong.err


def test_the_database_can_be_checked_upgraded_and_rebuilt_to_the_same_figures(run: Run, copied: Copied) -> None:
    file = copied()
    before = run("snapshot", "--config", file)

    rebuilt = run("rebuild", "--config", file)
    after = run("snapshot", "--config", file)
    checked = run("db", "check", "--config", file)
    upgraded = run("db", "upgrade", "--config", file)

    assert rebuilt.code == 0
    assert "cases derived again" in rebuilt.err
    assert before.out == after.out
    assert (checked.code, checked.out, checked.err.strip()) == (0, "", "sound")
    assert (upgraded.code, upgraded.err.startswith("schema is at revision")) == (0, True)


def test_a_count_that_its_cases_do_not_bear_out_fails_the_check(run: Run, copied: Copied) -> None:
    file = copied()
    with sqlite3.connect(file.parent / "demo.db") as database:
        database.execute("UPDATE counts SET amount = amount + 1 WHERE minute = (SELECT max(minute) FROM counts)")
    database.close()

    checked = run("db", "check", "--config", file)

    assert checked.code == 1
    assert "its cases contributed" in checked.out
    assert "rollout-metrics rebuild" in checked.err


def test_what_was_set_aside_is_listed_retried_and_let_go(run: Run, copied: Copied, collected: Collected, tmp_path: Path) -> None:
    feed = tmp_path / "feeds"
    shutil.copytree(collected.folder / "feeds" / "runtime", feed)
    (feed / "zz.jsonl").write_text('{"nonsense": true}\n', encoding="utf-8")
    file = copied(runtime={"paths": str(feed)})
    read = run("collect", "--config", file, "--source", "runtime")
    assert (read.code, "records set aside: 1; `rollout-metrics quarantine list`" in read.err) == (0, True)

    listed = run("quarantine", "list", "--config", file, "--json")
    retried = run("quarantine", "retry", "--config", file)

    assert [(row["source"], row["reason"]) for row in listed.json] == [("runtime", "format")]
    assert listed.json[0]["where"].endswith("zz.jsonl:1")
    assert retried.err.strip().endswith("0 records understood now, 1 still set aside")

    assert run("quarantine", "drop", "--config", file).code == 2
    assert run("quarantine", "drop", "--config", file, listed.json[0]["id"]).err.strip() == "1 records let go"
    assert run("quarantine", "list", "--config", file, "--json").json == []
    assert run("quarantine", "drop", "--config", file, "--source", "runtime").err.strip() == "0 records let go"


def test_an_empty_answer_says_why_it_is_empty(run: Run, copied: Copied, config: Path) -> None:
    unread = copied()
    (unread.parent / "demo.db").unlink()
    explain = ("explain", "override_ratio", "--workflow", "triage", "--config")

    for words in (explain, ("gates", "--workflow", "triage", "--config")):
        assert run(*words, unread).err == "triage: its sources have not been read yet: run `rollout-metrics collect`\n"
    assert "refunds: its sources have not been read yet" in run("snapshot", "--as-of", "2026-01-01T00:00:00Z", "--config", unread).err
    assert {row["state"] for row in run("sources", "--config", unread).rows} == {"not read yet"}
    assert run("quarantine", "list", "--config", unread).err == "nothing is set aside\n"
    assert run("erase", "nobody", "--config", unread).err.startswith("no case names 'nobody'")
    assert run(*explain, config, "--label", "mode=shadow").err == "0 numerator, 0 denominator\n"
    assert "; the newest " in run(*explain, config, "--limit", "1").err


def test_every_verb_is_listed_with_a_whole_sentence(run: Run) -> None:
    listed = run("--help").out.partition("Commands:")[2]

    assert listed
    assert "..." not in listed


def test_completion_knows_the_verbs(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in ((COMPLETE, "bash_complete"), ("COMP_WORDS", "rollout-metrics quar"), ("COMP_CWORD", "1")):
        monkeypatch.setenv(name, value)

    with pytest.raises(SystemExit):
        main([])

    assert capsys.readouterr().out == "plain,quarantine\n"


def test_a_folder_that_cannot_be_made_is_no_defect(run: Run, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")

    refused = run("demo", "--once", "--directory", tmp_path / "file" / "demo")

    assert (refused.code, "cannot be written (Not a directory)" in refused.err, "Traceback" in refused.err) == (2, True, False)


def test_erasing_a_person_leaves_every_count_as_it_was(run: Run, copied: Copied) -> None:
    file = copied()
    person = next(iter(_operators(file.parent / "demo.db")))
    before = _counts(run, file)

    erased = run("erase", person, "--config", file)

    assert erased.code == 0
    assert int(erased.err.strip().split()[2].replace(",", "")) > 0
    assert person not in _operators(file.parent / "demo.db")
    assert _counts(run, file) == before


def _operators(path: Path) -> set[str]:
    with sqlite3.connect(path) as database:
        found = {name for (name,) in database.execute("SELECT name FROM names WHERE kind = 'operator'")}
    database.close()
    return found


def _counts(run: Run, file: Path) -> list[object]:
    wanted = ("agent_rollout_decisions", "agent_rollout_handled_cases", "agent_rollout_explicit_decisions", "agent_rollout_glanced_decisions")
    return [sample for sample in run("snapshot", "--config", file, "--json").json if sample["name"] in wanted]


def test_version_and_schema_need_no_configuration(run: Run) -> None:
    version = run("version", "--json")
    schema = run("schema")

    assert version.json.keys() == {"version", "definitions"}
    assert "workflows" in schema.json["properties"]


def test_generated_files_can_be_checked_in_a_checkout_only(run: Run, tmp_path: Path) -> None:
    wrong = run("generate", "--check", "--root", tmp_path)

    assert wrong.code == 2
    assert "checkout" in wrong.err
