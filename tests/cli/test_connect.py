"""`check --connect` tells a wrong password from a missing permission from a system that is down."""

from pathlib import Path
from random import Random

import pytest

from cli.conftest import Run
from sources.server import Reply, Request, serving
from sources.upstream import profiles
from sources.upstream.simulator import Simulator
from sources.upstream.world import World

RIGHTS = "/rest/api/3/mypermissions"
CONFIGURATION = """
sources:
  desk: {{kind: jira, base_url: "{url}", token: "${{JIRA_TOKEN}}"}}
workflows:
  - {{name: w, owner: o, sources: desk, agents: bot, decides: "set:priority", levels: [{{level: shadow, since: 2026-01-01}}]}}
"""


LANGFUSE = """
sources:
  traces: {{kind: langfuse, base_url: "{url}", public_key: pk-lf-1, token: "${{LANGFUSE_SECRET_KEY}}", ratings: {{thumbs: {{at_least: 1}}}}}}
workflows:
  - {{name: w, owner: o, sources: traces, agents: bot, decides: "set:priority", levels: [{{level: shadow, since: 2026-01-01}}]}}
"""


@pytest.mark.parametrize(
    ("observations", "scores", "code", "said"),
    [
        (401, 401, 1, ["traces\trefused\t401 from", "check the token: it is wrong, expired or revoked"]),
        (403, 403, 1, ["traces\trefused\t403 from", "check the token's permissions"]),
        (200, 403, 1, ["traces\tworks\t", "traces\tlacks\tscores cannot be read (403): use the keys of the project"]),
        (200, 200, 0, ["traces\tworks\t"]),
    ],
)
def test_langfuse_tells_a_wrong_key_from_one_that_may_not_read(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, observations: int, scores: int, code: int, said: list[str]
) -> None:
    simulator = Simulator(profiles()["langfuse"], World(Random(1)))

    def answer(request: Request) -> Reply:
        status = scores if request.path.endswith("/scores") else observations
        return simulator(request) if status == 200 else Reply({"message": "no"}, status)

    monkeypatch.setenv("LANGFUSE_SECRET_KEY", "secret-of-langfuse")
    with serving(answer) as server:
        file = tmp_path / "rollout-metrics.yaml"
        file.write_text(LANGFUSE.format(url=server.url))
        checked = run("check", "--config", file, "--connect")

    assert checked.code == code
    for words in said:
        assert words in checked.out
    assert "secret-of-langfuse" not in checked.out + checked.err


@pytest.mark.parametrize(
    ("status", "may_browse", "desk", "code", "said"),
    [
        (401, True, 200, 1, ["desk\trefused\t401 from", "check the token: it is wrong, expired or revoked"]),
        (403, True, 200, 1, ["desk\trefused\t403 from", "check the token's permissions"]),
        (404, True, 200, 1, ["desk\tfails\t404 from"]),
        (200, False, 200, 1, ["desk\tworks\t", "desk\tlacks\tthe account may browse no project"]),
        (200, True, 403, 1, ["desk\tworks\t", "desk\tlacks\tapprovals cannot be read (403)"]),
        (200, True, 200, 0, ["desk\tworks\t"]),
    ],
)
def test_what_stands_in_the_way_is_told_apart(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, status: int, may_browse: bool, desk: int, code: int, said: list[str]
) -> None:
    simulator = Simulator(profiles()["jira"], World(Random(1)))

    def answer(request: Request) -> Reply:
        if status != 200:
            return Reply({"message": "no"}, status)
        if request.path == RIGHTS:
            return Reply({"permissions": {"BROWSE_PROJECTS": {"havePermission": may_browse}}})
        return Reply({"values": []}, desk) if "servicedeskapi" in request.path else simulator(request)

    monkeypatch.setenv("JIRA_TOKEN", "secret-of-jira")
    with serving(answer) as server:
        file = tmp_path / "rollout-metrics.yaml"
        file.write_text(CONFIGURATION.format(url=server.url))
        checked = run("check", "--config", file, "--connect")

    assert checked.code == code
    for words in said:
        assert words in checked.out
    assert ("lacks" in checked.out) == (code == 1 and status == 200)
    assert "secret-of-jira" not in checked.out + checked.err


ZENDESK = """
store: {{url: "sqlite:///{folder}/collected.db"}}
sources:
  desk: {{kind: zendesk, base_url: "{url}", token: "${{ZENDESK_TOKEN}}", side_conversations: true}}
workflows:
  - {{name: w, owner: o, sources: desk, agents: bot, decides: "set:priority", levels: [{{level: shadow, since: 2026-01-01}}]}}
"""


def test_what_a_source_refuses_beside_its_cases_is_told_by_sources(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    simulator = Simulator(profiles()["zendesk"], World(Random(1)))
    monkeypatch.setenv("ZENDESK_TOKEN", "secret-of-zendesk")
    with serving(lambda request: Reply({}, 403) if "side_conversations" in request.path else simulator(request)) as server:
        file = tmp_path / "rollout-metrics.yaml"
        file.write_text(ZENDESK.format(url=server.url, folder=tmp_path))
        run("collect", "--config", file)
        shown = run("sources", "--config", file)

    assert "refused in part" in shown.out
    assert "source desk is not read whole since 2" in shown.err
    assert ": side conversations cannot be read (403): they need the Collaboration add-on and an administrator's token" in shown.err
