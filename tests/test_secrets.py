"""Secrets and persons planted wherever they can stand, then looked for in everything that comes out: messages, logs, pages, figures, the database."""

import json
import logging
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
import yaml
from pydantic import SecretStr

from builders import T0, Plain, company, ev
from pipeline.worlds import Place, configured, desk, settings
from rollout_metrics.cli import main
from rollout_metrics.cli.session import _Json, _Logfmt, database_url
from rollout_metrics.collect.http import Api, Endpoint, basic
from rollout_metrics.config.load import load
from rollout_metrics.config.model import Settings, WebOptions
from rollout_metrics.config.privacy import terms
from rollout_metrics.domain.errors import RolloutMetricsError
from rollout_metrics.domain.events import Event
from rollout_metrics.domain.time import HOUR
from rollout_metrics.overview.evidence import Explained
from rollout_metrics.publish.app import metrics_app
from rollout_metrics.publish.listener import Listener
from rollout_metrics.publish.snapshot import Board
from rollout_metrics.publish.web_config import read_web_config
from rollout_metrics.sources.push import Push
from rollout_metrics.store import open_store, upgrade
from rollout_metrics.web.app import web_app
from rollout_metrics.web.bounds import standing_of
from rollout_metrics.web.desk import Desk
from sources.server import Reply, Request, serving

SECRET = "canary-S3cret"
SECRETS = {
    name: f"{SECRET}-{name.lower()}"
    for name in ("TOKEN", "HUBSPOT", "PROXY", "QUERY", "PUSH", "OTLP", "LANGFUSE", "KEY_OF_THIRTY_TWO_CHARACTERS_AND_MORE", "DATABASE")
}
PERSON = "canary.Person@example.org"
WORDS = "canarytext Jürgen canaryname +49 30 555 0815"


@pytest.fixture
def told(caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]) -> Iterator[Callable[[], str]]:
    """Everything said so far: log records in both formats with their traces, standard output and error."""
    root = logging.getLogger("rollout_metrics")
    before = root.propagate, root.level, root.handlers[:]
    root.propagate, root.handlers[:] = True, []
    caplog.set_level(logging.DEBUG)
    said: list[str] = []

    def all_of_it() -> str:
        out, err = capfd.readouterr()
        said.extend((out, err))
        for record in caplog.records:
            if record.name.startswith("urllib3"):
                continue  # what the program never turns on
            said.extend((_Json().format(record), _Logfmt().format(record), repr(record.__dict__)))
        return "\n".join(said)

    yield all_of_it
    root.propagate, root.level, root.handlers[:] = before


def configuration_of(vendor: str, folder: Path, **store: Any) -> Path:
    """Every option that holds a secret, pointed at servers that refuse us."""
    (folder / "password").write_text(SECRETS["DATABASE"])
    (folder / "runtime.jsonl").write_text("")
    file = folder / "rollout-metrics.yaml"
    options = {
        "store": store or {"url": f"sqlite:///{folder / 'store.db'}"},
        "privacy": {"key": "${KEY_OF_THIRTY_TWO_CHARACTERS_AND_MORE}"},
        "log": {"level": "debug"},
        "sources": {
            "desk": {"kind": "zendesk", "base_url": vendor, "email": PERSON, "token": "${TOKEN}"},
            "crm": {"kind": "hubspot", "base_url": vendor, "token": "${HUBSPOT}", "objects": ["deals"]},
            "proxied": {
                "kind": "hubspot",
                "base_url": "http://crm.invalid",
                "token": "${HUBSPOT}",
                "proxy": "http://me:${PROXY}@127.0.0.1:9",
                "objects": ["deals"],
            },
            "warehouse": {
                "kind": "table",
                "url": "postgresql://me:${QUERY}@127.0.0.1:9/none",
                "query": "SELECT * FROM tickets",
                "watermark_column": "at",
                "case_id": "{id}",
                "mapping": [{"activity": "closed", "event_id": "{id}", "occurred_at": "{at}", "actor_kind": "operator"}],
            },
            "runs": {"kind": "langfuse", "base_url": vendor, "public_key": "pk-lf-1", "token": "${LANGFUSE}"},
            "spans": {"kind": "otlp", "tokens": [{"name": "bot", "secret": "${OTLP}", "workflows": ["w"]}]},
            "runtime": {"kind": "push", "tokens": [{"name": "bot", "secret": "${PUSH}", "workflows": ["w"]}]},
        },
        "workflows": [{"name": "w", "sources": ["desk", "runtime"], "agents": ["bot"], "decides": ["set:priority"], "levels": [{"level": "assisted"}]}],
    }
    file.write_text(yaml.safe_dump(options))
    return file


def echo(request: Request) -> Reply:
    """A vendor that repeats what we sent, as some do."""
    return Reply({"error": "denied", "message": f"denied: {json.dumps(dict(request.headers))}", "description": str(request.headers.get("Authorization"))}, 403)


def test_no_secret_comes_out_of_the_command_line_when_everything_refuses_us(told: Callable[[], str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in SECRETS.items():
        monkeypatch.setenv(name, value)
    verbs = (["check"], ["check", "--connect"], ["collect"], ["collect", "--json"], ["sources", "--json"], ["snapshot", "--json"], ["quarantine", "list"])
    with serving(echo) as server:
        monkeypatch.setattr(Api, "_wait", lambda *_args, **_kwargs: None)
        file = configuration_of(server.url, tmp_path)
        codes = [main([*verb, "--config", str(file)]) for verb in verbs]
    said = told()

    assert codes == [0, 1, 1, 1, 0, 0, 0]
    assert "crm" in said
    assert leaked(said) == []
    assert leaked(stored(tmp_path)) == []


def test_no_secret_is_in_the_configurations_reprs_and_problems(tmp_path: Path) -> None:
    file = configuration_of("http://127.0.0.1:9", tmp_path)
    configuration = load(file, SECRETS)
    text = file.read_text()
    broken = []
    for wrong in (text.replace("kind: zendesk", "kind: zendesc"), text.replace("privacy:", "privacies:"), text.replace("workflows: [w]", "workflows: []")):
        file.write_text(wrong)
        with pytest.raises(RolloutMetricsError) as raised:
            load(file, SECRETS | {"PUSH": SECRET[:8]})
        broken.append("".join(traceback.format_exception(raised.value)))

    assert leaked(repr(configuration), repr(configuration.settings), repr(configuration.sources), str(configuration.sources), *broken) == []


@pytest.mark.parametrize("place", ["url", "password_file"])
def test_a_database_that_cannot_be_reached_does_not_tell_its_password(
    tmp_path: Path, place: str, told: Callable[[], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in SECRETS.items():
        monkeypatch.setenv(name, value)
    password = ":${DATABASE}" if place == "url" else ""
    store = {"url": f"postgresql://me{password}@127.0.0.1:9/none"} | ({"password_file": "password"} if place == "password_file" else {})
    file = configuration_of("http://127.0.0.1:9", tmp_path, **store)
    configuration = load(file, SECRETS)
    with pytest.raises(RolloutMetricsError) as raised:
        open_store(database_url(configuration), clock=lambda: 0)
    codes = [main([*verb, "--config", str(file)]) for verb in (["sources"], ["db", "upgrade"], ["db", "check"], ["run"])]

    assert codes == [1, 1, 1, 1]
    assert SECRETS["DATABASE"] in database_url(configuration)
    assert leaked(told(), "".join(traceback.format_exception(raised.value)), repr(configuration.settings)) == []


@pytest.mark.parametrize(
    "url", ["postgresql//me:{}@127.0.0.1/x", "mysql://me:{}@127.0.0.1/x", "postgres+nonsense://me:{}@127.0.0.1/x", "sqlite://me:{}@host/x"]
)
def test_a_database_url_that_is_none_does_not_tell_its_password(url: str) -> None:
    with pytest.raises(RolloutMetricsError) as raised:
        open_store(url.format(SECRETS["DATABASE"]), clock=lambda: 0)

    assert leaked(str(raised.value)) == []


def test_redirects_and_repeated_headers_do_not_tell(told: Callable[[], str]) -> None:
    said = []
    authorization = basic(f"{PERSON}/token", SecretStr(SECRETS["TOKEN"]))
    for reply in (
        lambda request: Reply(b"", 302, {"Location": f"https://me:{SECRETS['TOKEN']}@elsewhere.example/in?token={SECRETS['TOKEN']}"}),
        lambda request: Reply({"error": request.headers["Authorization"]}, 400),
        lambda request: Reply({"message": f"no user with {SECRETS['TOKEN']}"}, 500),
    ):
        with serving(reply) as server:
            api = Api(Endpoint(base_url=server.url, authorization=authorization), sleep=lambda _: None)
            with pytest.raises(RolloutMetricsError) as raised:
                api.get("/things", {"api_key": SECRETS["TOKEN"]})
        said += [str(raised.value), "".join(traceback.format_exception(raised.value)), repr(api), repr(api.endpoint)]

    assert leaked(told(), *said) == []
    assert authorization.get_secret_value().removeprefix("Basic ") not in "".join(said)


def test_web_configuration_and_pages_tell_no_hash_and_no_token(tmp_path: Path, told: Callable[[], str]) -> None:
    file = tmp_path / "web.yaml"
    said = []
    for wrong in (f"basic_auth_users: {{me: {SECRETS['TOKEN']}}}\n", f"basic_auth_user: {{me: {SECRETS['TOKEN']}}}\n", f"a: [{SECRETS['TOKEN']}\nb: }}"):
        file.write_text(wrong)
        with pytest.raises(RolloutMetricsError) as raised:
            read_web_config(file)
        said.append("".join(traceback.format_exception(raised.value)))
    push = Push.model_validate({"name": "runtime", "tokens": [{"name": "bot", "secret": SECRETS["PUSH"], "workflows": ["w"]}]})
    desk = Desk(Board(), company(), WebOptions(), lambda *_: Explained(), tuple, terms(Settings()))
    senders = web_app([push], lambda *_: None, lambda: 0, judge=standing_of(company(), Plain()), held=lambda *_: {}, desk=desk)
    listeners = [Listener(application, "127.0.0.1:0").start() for application in (metrics_app(Board()), senders)]
    try:
        for listener in listeners:
            for path in ("/", "/metrics", "/readyz", "/healthz", "/api/v1/events", f"/../{SECRET}", "/%00", "/nothing"):
                for method in ("GET", "POST", "PUT", "DELETE", "TRACE", "HEAD"):
                    headers = {"Authorization": f"Bearer {SECRETS['PUSH']}", "Content-Type": "application/json"}
                    answer = requests.request(method, listener.url + path, headers=headers, data=f'[{{"event_id": "{WORDS}"}}]'.encode(), timeout=10)
                    assert answer.status_code < 500 or path in ("/metrics", "/readyz")
                    said += [answer.text, str(answer.headers)]
    finally:
        for listener in listeners:
            listener.close()

    assert leaked(told(), *said) == []


def _played(number: int, text: str) -> list[Event]:
    """A case in which everybody writes a text wherever one can be written."""
    case = f"canarytext-{number}"
    return [
        ev(0, f"customer-{PERSON}", "created", attributes={"team": "a", "requester": PERSON, "subject": WORDS}, case=case),
        ev("1h", "bot", "recommended", value=WORDS, action="comment:public", version=text, case=case),
        ev("70m", "bot", "changed", "priority", "high", version=text, environment=text, case=case),
        ev("2h", f"op-{PERSON}", "commented", value=WORDS, action="comment:public", case=case),
        ev("2h", f"op-{PERSON}", "changed", "assignee", PERSON, before=PERSON, case=case),
        ev("2h", f"op-{PERSON}", "changed", "subject", WORDS, before=WORDS, case=case),
        ev("3h", f"op-{PERSON}", "rejected", action="set:priority", reason=text, case=case),
        ev("4h", "bot", "escalated", reason=text, case=case),
        ev("4h", "rule-1", "blocked", reason=text, action=text, case=case),
        ev("5h", "bot", "executed", action=text, case=case),
    ]


def test_persons_and_texts_are_neither_stored_nor_published_and_labels_stay_bounded(tmp_path: Path) -> None:
    upgrade(f"sqlite:///{tmp_path / 'template.db'}")
    configuration = configured(settings(privacy={"min_operators": 1, "key": "${KEY}"}), tmp_path)
    place = Place(tmp_path, (tmp_path / "template.db").read_bytes())
    hostile = [f'canarytext{number} \n"}} \\ é\x07' + "x" * 10_000 for number in range(60)]
    alike, apart = ([event for number, text in enumerate(texts) for event in _played(number, text)] for texts in (hostile[:1] * len(hostile), hostile))
    with desk(configuration, place) as few, desk(configuration, place) as many:
        few.land(alike)
        many.land(apart)
        one, all_ = few.figures_at(T0 + 30 * HOUR), many.figures_at(T0 + 30 * HOUR)
        kept = "".join(path.read_bytes().decode("latin-1") for path in tmp_path.glob("store-*"))

    assert "canarytext" not in all_.decode()
    assert all_.count(b"\n") == one.count(b"\n")
    assert PERSON not in kept
    assert "canaryname" not in kept


def leaked(*texts: str) -> list[str]:
    """What stands around each secret in these texts."""
    return [text[max(0, at - 80) : at + 60] for text in texts for value in (SECRET, "canarytext") if (at := text.find(value)) >= 0]


def stored(folder: Path) -> str:
    """Everything in the database and beside it."""
    return "\n".join(path.read_bytes().decode("latin-1") for path in folder.glob("store.db*"))
