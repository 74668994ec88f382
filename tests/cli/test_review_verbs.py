"""The verb `review`: every format of a small store, signing, and what it refuses."""

import json
from pathlib import Path

import pytest

from cli.conftest import Run
from rollout_metrics.domain.time import HOUR, format_instant, parse_instant

BEGAN = parse_instant("2026-02-01T08:00:00Z")


@pytest.fixture
def small(tmp_path: Path, run: Run) -> Path:
    """Twenty-five decided cases of the first quarter, collected."""
    with (tmp_path / "desk.jsonl").open("w", encoding="utf-8") as file:
        for number in range(25):
            for place, (actor, kind, activity, more) in enumerate(
                (
                    ("ann", "customer", "created", {}),
                    ("bot", "agent", "approval_requested", {"attribute": "priority", "after": "high"}),
                    (f"op{number % 6}", "operator", "rejected" if number < 5 else "approved", {"detail": {"action": "set:priority"}}),
                )
            ):
                at = BEGAN + (number * 24 + place) * HOUR
                event = {"case_id": f"T{number}", "event_id": f"T{number}-{place}", "occurred_at": format_instant(at), "actor_id": actor, "actor_kind": kind}
                file.write(json.dumps(event | {"activity": activity} | more) + "\n")
    config = tmp_path / "rollout-metrics.yaml"
    config.write_text(
        f"sources:\n  desk: {{kind: events, paths: {tmp_path}/desk.jsonl}}\nstore: {{url: 'sqlite:///{tmp_path}/small.db'}}\nworkflows:\n"
        "  - {name: triage, owner: desk team, sources: [desk], agents: [bot], decides: ['set:priority'], levels: [{level: assisted}]}\n",
        encoding="utf-8",
    )
    assert run("collect", "--config", config).code == 0
    return config


def test_a_quarter_is_written_in_every_format_with_or_without_the_word_show(run: Run, small: Path, tmp_path: Path) -> None:
    text = run("review", "2026Q1", "--config", small, "--format", "md")
    values = run("review", "show", "2026Q1", "--config", small, "--format", "json").json
    saved = run("review", "2026q1", "--config", small, "--workflow", "triage", "--output", tmp_path / "review.html")

    assert (text.code, saved.code, saved.out) == (0, 0, "")
    assert "| override | 20.0 % (8.9 to 39.1 %, n=25) | no data | not enough evidence |" in text.out
    assert values["review"]["findings"][0]["recommended"]["proposal"] == "hold"
    page = (tmp_path / "review.html").read_text(encoding="utf-8")
    assert page.startswith("<!doctype html>")
    assert "Hold at 2 assisted" in page


def test_a_signed_quarter_is_shown_as_it_was_signed_and_signed_once(run: Run, small: Path) -> None:
    signed = run("review", "sign", "2026Q1", "--by", "the board", "--config", small)
    again = run("review", "sign", "2026Q1", "--by", "me", "--config", small)

    assert (signed.code, again.code) == (0, 2)
    assert "was signed by the board" in again.err
    assert "Signed by the board at" in run("review", "2026Q1", "--config", small, "--format", "md").out


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("review", "2026-03"), "is no quarter such as 2026Q3"),
        (("review", "2199Q1"), "has not begun"),
        (("review", "2026Q1", "--workflow", "none"), "there is no workflow 'none'"),
        (("review", "2026Q1", "--output", "/proc/nowhere/x.html"), "there is no folder /proc/nowhere"),
        (("review", "sign", "2026Q1", "--by", " "), "say who signs"),
    ],
)
def test_what_cannot_be_reviewed_is_refused_with_what_to_do(run: Run, small: Path, words: tuple[str, ...], said: str) -> None:
    ran = run(*words, "--config", small)

    assert ran.code == 2
    assert said in ran.err


def test_a_rate_for_a_workflow_that_there_is_not_is_a_mistake(run: Run, small: Path) -> None:
    small.write_text(small.read_text(encoding="utf-8") + "review: {hourly_rates: {triag: 40}}\n", encoding="utf-8")

    ran = run("check", "--config", small)

    assert ran.code == 2
    assert "there is no workflow 'triag'; did you mean 'triage'?" in ran.err
