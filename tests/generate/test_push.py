"""`dashboards push` against a Grafana that behaves like one: what is saved, what is left alone, and what is said when it does not work."""

import copy
import os
from collections.abc import Iterator
from typing import Any

import pytest

from boards import DASHBOARDS
from checkout import ROOT
from generate.grafana_simulator import EDITOR, VIEWER, GrafanaServer, grafana_server
from rollout_metrics.cli import main

OVERVIEW = DASHBOARDS["overview"]


@pytest.fixture
def grafana(monkeypatch: pytest.MonkeyPatch) -> Iterator[GrafanaServer]:
    monkeypatch.setenv("GRAFANA_TOKEN", EDITOR)
    with grafana_server("/grafana") as server:
        yield server


def push(grafana: GrafanaServer, *words: str) -> int:
    return main(["dashboards", "push", "--root", str(ROOT), "--grafana", grafana.url, *words])


def edited(dashboard: dict[str, Any]) -> dict[str, Any]:
    """As somebody changed it in the browser."""
    changed = copy.deepcopy(dashboard)
    changed["panels"][0]["title"] = "Mine"
    return changed


def states(text: str) -> dict[str, str]:
    """Dashboard -> what was done, from the table."""
    return {line.split("\t")[0]: line.split("\t")[2] for line in text.splitlines()[1:] if "\t" in line}


def test_every_dashboard_is_saved_as_it_was_generated_in_a_folder_made_for_it(grafana, capsys):
    assert push(grafana) == 0

    assert grafana.folders["f1"] == "Rollout metrics"
    assert set(states(capsys.readouterr().out).values()) == {"new"}
    for dashboard in DASHBOARDS.values():
        there = grafana.dashboards[dashboard["uid"]]
        assert {key: value for key, value in there["dashboard"].items() if key not in ("id", "version")} == dashboard
        assert there["meta"]["folderUid"] == "f1"
        assert there["meta"]["message"].startswith("rollout-metrics ")


def test_pushing_again_saves_nothing(grafana, capsys):
    push(grafana)
    grafana.writes.clear()
    capsys.readouterr()

    assert push(grafana) == 0

    assert grafana.writes == []
    assert set(states(capsys.readouterr().out).values()) == {"same"}


def test_a_dry_run_saves_nothing_and_says_what_would_be(grafana, capsys):
    assert push(grafana, "--dry-run") == 0

    said = capsys.readouterr()
    assert grafana.writes == []
    assert "the folder 'Rollout metrics' would be made" in said.err
    assert states(said.out)["overview"] == "new"


def test_what_somebody_changed_there_is_kept_without_overwrite(grafana, capsys):
    grafana.put(edited(OVERVIEW), "ops")

    assert push(grafana, "--folder", "Operations") == 1

    said = capsys.readouterr()
    assert "Rollout overview is there already and differs: see how with --dry-run --diff, then repeat with --overwrite" in said.err
    assert states(said.out) == {name: "refused" if name == "overview" else "new" for name in DASHBOARDS}
    assert grafana.dashboards[OVERVIEW["uid"]]["dashboard"]["panels"][0]["title"] == "Mine"


def test_the_difference_is_shown_line_by_line(grafana, capsys):
    grafana.put(edited(OVERVIEW), "ops")

    assert push(grafana, "--folder", "Operations", "--dry-run", "--diff", "--only", "overview") == 0

    lines = capsys.readouterr().out.splitlines()
    assert [line.strip() for line in lines if line.startswith(("- ", "+ "))] == [
        '-      "title": "Mine",',
        f'+      "title": "{OVERVIEW["panels"][0]["title"]}",',
    ]


def test_with_overwrite_it_is_as_generated_again(grafana, capsys):
    grafana.put(edited(OVERVIEW), "ops")

    assert push(grafana, "--folder", "Operations", "--overwrite", "--only", "overview") == 0

    assert states(capsys.readouterr().out) == {"overview": "changed"}
    assert grafana.dashboards[OVERVIEW["uid"]]["dashboard"]["panels"] == OVERVIEW["panels"]
    assert grafana.dashboards[OVERVIEW["uid"]]["dashboard"]["version"] == 2


def test_one_in_another_folder_is_moved(grafana, capsys):
    grafana.put(copy.deepcopy(OVERVIEW), "elsewhere")

    assert push(grafana, "--folder", "Operations", "--only", "overview") == 0

    assert states(capsys.readouterr().out) == {"overview": "moved"}
    assert grafana.dashboards[OVERVIEW["uid"]]["meta"]["folderUid"] == "ops"


def test_one_that_files_provision_is_left_to_them(grafana, capsys):
    grafana.put(edited(OVERVIEW), "ops", provisioned=True)

    assert push(grafana, "--folder", "Operations", "--overwrite", "--only", "overview") == 1

    assert "Rollout overview is provisioned from files there" in capsys.readouterr().err
    assert grafana.writes == []


def test_a_namesake_is_said_to_be_one(grafana, capsys):
    grafana.put({**OVERVIEW, "uid": "somebody-elses"}, "ops")

    assert push(grafana, "--folder", "Operations", "--only", "overview") == 1

    assert "has a namesake with another uid" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("token", "said"),
    [
        ("glsa_expired_77", "401 from GET 127.0.0.1"),
        ("glsa_expired_77", "the token is not accepted: make one for a service account"),
        (VIEWER, "403 from POST 127.0.0.1"),
        (VIEWER, "Permissions needed: folders:create): give the token's service account the role Editor"),
    ],
)
def test_a_token_that_will_not_do_is_refused_with_the_remedy_and_never_shown(token, said, grafana, monkeypatch, capsys):
    monkeypatch.setenv("GRAFANA_TOKEN", token)

    assert push(grafana) == 1

    shown = capsys.readouterr()
    assert said in shown.err
    assert token not in shown.err + shown.out


def test_the_token_may_be_in_a_file(grafana, monkeypatch, tmp_path):
    monkeypatch.delenv("GRAFANA_TOKEN")
    (tmp_path / "token").write_text(EDITOR + "\n")

    assert push(grafana, "--only", "overview", "--token-file", str(tmp_path / "token")) == 0

    assert list(grafana.dashboards) == [OVERVIEW["uid"]]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ((), "put that of a Grafana service account into $GRAFANA_TOKEN"),
        (("--token-file", "nowhere"), "--token-file nowhere cannot be read (No such file or directory)"),
    ],
)
def test_without_a_token_it_says_where_to_put_one(words, said, grafana, monkeypatch, capsys):
    monkeypatch.delenv("GRAFANA_TOKEN")

    assert push(grafana, *words) == 2

    assert said in capsys.readouterr().err


def test_an_address_that_is_not_grafanas_is_said_to_be_wrong(grafana, capsys):
    wrong = grafana.url.replace("/grafana", "/monitoring")

    assert main(["dashboards", "push", "--root", str(ROOT), "--grafana", wrong]) == 2

    assert "404 from GET 127.0.0.1" in (said := capsys.readouterr().err)
    assert "check the address" in said


def test_limits_and_addresses_come_from_the_configuration(grafana, tmp_path, capsys):
    example = (ROOT / "rollout-metrics.example.yaml").read_text()
    file = tmp_path / "rollout-metrics.yaml"
    file.write_text(f"alerts:\n  grafana_url: {grafana.url}\n  override_limit: 0.07\n  pages_url: https://rollouts.example\n")
    assert "alerts:" in example

    assert main(["dashboards", "push", "--root", str(ROOT), "--config", str(file), "--only", "workflow"]) == 0

    there = str(grafana.dashboards["rollout-workflow"]["dashboard"])
    assert "'value': 0.07" in there
    assert "https://rollouts.example" in there


@pytest.mark.e2e
@pytest.mark.skipif(not os.environ.get("GRAFANA_URL"), reason="no Grafana is named: set GRAFANA_URL and GRAFANA_TOKEN (a service account that may edit)")
def test_a_real_grafana_takes_every_dashboard_and_gives_it_back(capsys):
    """No Grafana can be installed where CI runs: this runs for those who have one."""
    url = os.environ["GRAFANA_URL"]
    words = ["--root", str(ROOT), "--grafana", url, "--folder", "Rollout metrics smoke test"]

    assert main(["dashboards", "push", *words, "--overwrite"]) == 0
    capsys.readouterr()
    assert main(["dashboards", "push", *words, "--dry-run"]) == 0
    assert set(states(capsys.readouterr().out).values()) == {"same"}
