"""What a person can get wrong in a configuration file, each with the whole message: file, line, path, what is wrong, what to do."""

from pathlib import Path
from textwrap import dedent

import pytest

from rollout_metrics.config.load import load, loads
from rollout_metrics.domain.errors import ConfigurationError
from rollout_metrics.sources import kinds

HEAD = """\
sources:
  desk: {kind: events, paths: in}
workflows:
  - name: w
    sources: [desk]
    decides: [close]
    levels: [{level: assisted}]
"""
"""Seven lines to which a test adds its own, from line 8."""


def problems(text: str, *, file: str = "c.yaml", **environment: str) -> list[str]:
    with pytest.raises(ConfigurationError) as caught:
        loads(dedent(text), environment, file=file)
    return list(caught.value.problems)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("    ownr: team", "8: workflows[0].ownr: there is no option 'ownr'; did you mean 'owner'?"),
        (
            "alrts: {}",
            "8: alrts: there is no option 'alrts'; did you mean 'alerts'?",
        ),
        (
            "zzz: {}",
            "8: zzz: there is no option 'zzz'; known are alerts, changes, harm, listen, log, privacy, review, schedule, sources, store, web, workflows",
        ),
        (
            "    escalation: {paths: {fraud: {targt: 1h}}}",
            "8: workflows[0].escalation.paths.fraud.targt: there is no option 'targt'; did you mean 'target'?",
        ),
        ("privacy: {min_operators: few}", "8: privacy.min_operators: must be a whole number, not 'few'"),
        ("privacy: {min_operators: 0}", "8: privacy.min_operators: must be greater than or equal to 1"),
        ("privacy: {operator_figures: perhaps}", "8: privacy.operator_figures: must be true or false, not 'perhaps'"),
        ("alerts: {override_limit: 25}", "8: alerts.override_limit: must be less than or equal to 1"),
        ("alerts: {override_limit: much}", "8: alerts.override_limit: must be a number, not 'much'"),
        ("alerts: [override_limit]", "8: alerts: must be a mapping of options"),
        ("    risk_tier: hig", "8: workflows[0].risk_tier: 'hig' is none of low, medium, high; did you mean 'high'?"),
        ("    windows: [7 days]", "8: workflows[0].windows[0]: '7 days' is no duration such as 30s, 15m, 6h, 14d or 1h30m"),
        ("    windows: [90s]", "8: workflows[0].windows: 1m30s is no whole number of minutes: figures are as of whole minutes"),
        ("    settle_after: 7", "8: workflows[0].settle_after: '7' is no duration such as 30s, 15m, 6h, 14d or 1h30m"),
        ("    settle_after: 0d", "8: workflows[0].settle_after: must be longer than nothing"),
        ("    expire_after: 3d", "8: workflows[0].expire_after: 3d is shorter than settle_after (7d): lengthen it"),
        ("    scope: {group: []}", "8: workflows[0].scope.group: lists no value, so that no case can ever match: name the allowed values"),
        ("    scope: {group: }", "8: workflows[0].scope.group: has an empty value: write it or remove it"),
        ("    agents: [{a: b}]", "8: workflows[0].agents: must be plain values: put a text that holds `: ` in quotes"),
        (
            "    authority: [{automatic: [{action: close, when: amount => 50}]}]",
            "8: workflows[0].authority[0].automatic[0].when: "
            "'amount => 50' is no condition such as 'amount <= 50', 'regulated = no' or 'environment in test, staging'",
        ),
        (
            "    authority: [{automatic: [{action: close, when: amount <= lots}]}]",
            "8: workflows[0].authority[0].automatic[0].when: 'amount <= lots' compares sizes, but 'lots' is no number",
        ),
        (
            "    authority: [{forbidden: [{action: close, when: 'environment in test,,staging'}]}]",
            "8: workflows[0].authority[0].forbidden[0].when: 'environment in test,,staging' names an empty value: take out the comma too many",
        ),
        (
            "    authority: [{forbidden: [comment:private]}]",
            "8: workflows[0].authority[0].forbidden[0]: 'comment:private' is no action: use set:<attribute>, comment:public, comment:internal, "
            "create, close, reopen, absorb, delete, escalate, or a name of your own without spaces",
        ),
        ("    authority: [{}, {}]", "8: workflows[0].authority: two lists have no `since`: say from when the later one is in force"),
        (
            "    authority: [{since: 2026-01-01}, {since: 2026-01-01T00:00:00Z}]",
            "8: workflows[0].authority: two lists have the same `since`: make them one",
        ),
        ("    pauses: [{start: 2026-03-02, end: 2026-03-01}]", "8: workflows[0].pauses[0]: ends before it starts: correct start or end"),
        ("    pauses: [{end: 2026-03-01}]", "8: workflows[0].pauses[0].start: is missing"),
        (
            "    pauses: [{start: 2026-02-30}]",
            "8: workflows[0].pauses[0].start: '2026-02-30' is no date such as 2026-03-01 and no time such as 2026-03-01T10:00:00Z",
        ),
        (
            "    pauses: [{start: 2026-03-01T10:00:00}]",
            "8: workflows[0].pauses[0].start: 2026-03-01T10:00:00 has no time zone: write 2026-03-01T10:00:00Z if it is UTC, or its offset",
        ),
        ("    calendar: {time_zone: Berlin}", "8: workflows[0].calendar.time_zone: 'Berlin' is no time zone name such as Europe/Berlin"),
        ("    calendar: {time_zone: Europe}", "8: workflows[0].calendar.time_zone: 'Europe' is no time zone name such as Europe/Berlin"),
        ("    calendar: {hours: {monday: 9 to 5}}", "8: workflows[0].calendar.hours.monday: '9 to 5' is no stretch such as 09:00-17:30"),
        (
            "    calendar: {hours: {monday: '22:00-06:00'}}",
            "8: workflows[0].calendar.hours.monday: '22:00-06:00' must run forwards within one day (00:00 to 24:00)",
        ),
        (
            "    calendar: {hours: {monday: ['08:00-12:00', '11:00-17:00']}}",
            "8: workflows[0].calendar.hours.monday: 08:00-12:00 and 11:00-17:00 overlap: write them as one",
        ),
        (
            "    calendar: {hours: {mon: '08:00-12:00'}}",
            "8: workflows[0].calendar.hours.mon: "
            "'mon' is none of monday, tuesday, wednesday, thursday, friday, saturday, sunday, weekdays, weekend; did you mean 'monday'?",
        ),
        ("    calendar: {holidays: [25.12.2026]}", "8: workflows[0].calendar.holidays[0]: '25.12.2026' is no date such as 2026-12-25"),
        ("    calendar: {first_month: 13}", "8: workflows[0].calendar.first_month: must be less than or equal to 12"),
        ("listen: {metrics: localhost}", "8: listen.metrics: 'localhost' is no address such as 127.0.0.1:10877"),
        ("listen: {metrics: 'localhost:99999'}", "8: listen.metrics: 'localhost:99999' is no address such as 127.0.0.1:10877"),
        ("listen: {web: '127.0.0.1:10877'}", "8: listen.web: 127.0.0.1:10877 is the metrics listener's address too: give each its own"),
        (
            "listen: {web_web_config: no.yaml}",
            "8: listen.web_web_config: no.yaml: cannot be read (No such file or directory): check the path and its permissions",
        ),
        (
            "store: {url: rollout.db}",
            "8: store.url: is no SQLAlchemy URL such as postgresql+psycopg://USER:PASSWORD@HOST/DATABASE or sqlite:///FILE",
        ),
        (
            "store: {url: 'postgresql://me:secret@db/rollout'}",
            "8: store.url: a password must not stand in this file: write ${NAME} and set NAME in the environment, or use password_file",
        ),
        ("store: {password_file: none}", "8: store.password_file: none cannot be read (No such file or directory): check the path and its permissions"),
        ("changes: {paths: [none]}", "8: changes.paths[0]: there is no file or directory none: correct the path"),
        (
            "privacy: {key: abc}",
            "8: privacy.key: a secret must not stand in this file: write ${NAME} and set NAME in the environment, or use key_file",
        ),
        ("privacy: {key: '${KEY}'}", "8: privacy.key: the environment has no KEY: set it, or write ${KEY:-default}"),
        ("privacy: {min_operators: '${FEW}'}", "8: privacy.min_operators: the environment has no FEW: set it, or write ${FEW:-default}"),
        ("privacy: {key_file: none}", "8: privacy.key_file: none cannot be read (No such file or directory): check the path and its permissions"),
        ("log: {level: info, level: debug}", "8: log.level: stands twice (first in line 8): keep one"),
        ("log: !!python/name:os {}", "8: log: the tag 'python/name:os' means nothing here: remove it"),
    ],
)
def test_a_mistake_is_told_with_its_place_and_remedy(line: str, message: str) -> None:
    assert problems(f"{HEAD}{line}\n") == [f"c.yaml:{message}"]


@pytest.mark.parametrize(
    ("options", "messages"),
    [
        ("{paths: in}", [f"sources.s: needs a kind, one of {', '.join(kinds())}"]),
        ("[kind, events]", [f"sources.s: needs a kind, one of {', '.join(kinds())}"]),
        ("{kind: zendsk}", ["sources.s.kind: there is no kind of source 'zendsk': did you mean 'zendesk'?"]),
        ("{kind: remedy}", [f"sources.s.kind: there is no kind of source 'remedy'; there are: {', '.join(kinds())}"]),
        ("{kind: events}", ["sources.s.paths: is missing"]),
        ("{kind: events, path: in, paths: in}", ["sources.s.path: there is no option 'path'; did you mean 'paths'?"]),
        ("{kind: events, paths: in, name: t}", ["sources.s.name: the source's name is the key above: remove this line"]),
        ("{kind: events, paths: in, agents: 7}", ["sources.s.agents: must be a list: write [7]"]),
        ("{kind: events, paths: []}", ["sources.s.paths: is empty: name at least one"]),
        ("{kind: events, paths: in, every: 0s}", ["sources.s.every: must be longer than nothing"]),
        ("{kind: events, paths: in, every: soon}", ["sources.s.every: 'soon' is no duration such as 30s, 15m, 6h, 14d or 1h30m"]),
        (
            "{kind: events, paths: in, read_up_to: soon}",
            ["sources.s.read_up_to: 'soon' is none of now, newest; 'soon' is no time such as 2026-03-01T10:00:00Z"],
        ),
        (
            "{kind: events, paths: in, cron: hourly}",
            ["sources.s.cron: 'hourly' is no cron expression of five fields such as '*/15 6-20 * * mon-fri'"],
        ),
        (
            "{kind: events, paths: in, cron: '0 25 * * *'}",
            ["sources.s.cron: '0 25 * * *' is no cron expression: '25' is no hour; use 0 to 23"],
        ),
        (
            "{kind: events, paths: in, cron: '0 6 * * 1-5'}",
            ["sources.s.cron: '0 6 * * 1-5' is no cron expression: '1-5' is no weekday; write weekdays by name, such as mon-fri"],
        ),
        ("{kind: zendesk, token: '${T}'}", ["sources.s: give either subdomain or base_url"]),
        ("{kind: zendesk, subdomain: acme}", ["sources.s.token: is missing"]),
        ("{kind: zendesk, subdomain: A.com, token: '${T}'}", ["sources.s.subdomain: 'A.com' is no name such as acme: small letters, digits, hyphens"]),
        (
            "{kind: zendesk, subdomain: acme, token: abc}",
            ["sources.s.token: a secret must not stand in this file: write ${NAME} and set NAME in the environment, or use token_file"],
        ),
        ("{kind: zendesk, subdomain: acme, token: '${NONE}'}", ["sources.s.token: the environment has no NONE: set it, or write ${NONE:-default}"]),
        (
            "{kind: zendesk, subdomain: acme, token_file: none}",
            ["sources.s.token_file: none cannot be read (No such file or directory): check the path and its permissions"],
        ),
        (
            "{kind: zendesk, subdomain: acme, token: '${T}', token_file: none}",
            ["sources.s.token_file: both token and token_file are given: keep one"],
        ),
        (
            "{kind: zendesk, subdomain: acme, token: '${T}', proxy: 'http://me:pw@proxy:3128'}",
            ["sources.s.proxy: a secret must not stand in this file: write ${NAME} and set NAME in the environment, or use proxy_file"],
        ),
        (
            "{kind: table, url: 'postgresql://me:pw@db/x', query: select 1, case_id: a, mapping: [{activity: closed, occurred_at: a, actor_kind: agent}]}",
            ["sources.s.url: a password must not stand in this file: write ${NAME} and set NAME in the environment, or use password_file"],
        ),
        (
            "{kind: table, paths: in, case_id: '{id}', mapping: [{activity: close, occurred_at: '{at}', actor_kind: agent}]}",
            [
                "sources.s.mapping[0].activity: 'close' is no activity: use created, changed, commented, recommended, executed, blocked, "
                "approval_requested, approved, rejected, escalated, closed, reopened, time_logged, rated, absorbed, deleted, evaluated"
            ],
        ),
        (
            "{kind: table, paths: in, case_id: '{id}', mapping: [{activity: closed, occurred_at: '{at}', actor_kind: agent, when: {a: {change: 3}}}]}",
            ["sources.s.mapping[0].when.a.change: there is no option 'change'; did you mean 'changed'?"],
        ),
        (
            "{kind: push, tokens: [{name: bot, secret: '${LONG}', workflows: [refund]}]}",
            ["sources.s.tokens[0].workflows: there is no workflow 'refund'; did you mean 'refunds'?"],
        ),
        (
            "{kind: otlp, case_source: z, tokens: [{name: bot, secret: '${LONG}', workflows: [refund]}]}",
            [
                "sources.s.tokens[0].workflows: there is no workflow 'refund'; did you mean 'refunds'?",
                "sources.s.case_source: there is no source 'z'; known are s",
            ],
        ),
        (
            "{kind: push, tokens: [{name: bot, secret: '${T}', workflows: [refunds]}]}",
            ["sources.s.tokens[0].secret: the secret is shorter than 16 characters: make a longer one, such as by `openssl rand -hex 32`"],
        ),
    ],
)
def test_a_source_is_checked_by_its_kind(options: str, messages: list[str]) -> None:
    text = f"workflows:\n  - {{name: refunds, sources: [s]}}\nsources:\n  s: {options}\n"

    assert problems(text, T="token", LONG="0123456789abcdef") == [f"c.yaml:4: {message}" for message in messages]


def test_the_sources_are_a_mapping_with_usable_names() -> None:
    assert problems("sources: [desk]\n") == [
        "c.yaml:1: sources: must be a mapping of options",
    ]
    assert problems("sources:\n  help desk: {kind: events, paths: in}\n") == [
        "c.yaml:2: sources.help desk: 'help desk' is no name: use letters, digits, `_`, `.` and `-`"
    ]


def test_names_must_agree() -> None:
    text = """\
        sources:
          desk: {kind: events, paths: in}
        workflows:
          - name: refunds
            sources: [dsk]
          - name: refunds
            sources: desk
          - name: refunds please
            sources: []
          - sources:
              - desk
              - crm
    """

    assert problems(text) == [
        "c.yaml:5: workflows[0].sources[0]: there is no source 'dsk'; did you mean 'desk'?",
        "c.yaml:6: workflows[1].name: workflow 'refunds' stands twice (first in line 4): give each its own name",
        "c.yaml:8: workflows[2].name: 'refunds please' is no name: use a letter, then letters, digits, _ and -",
        "c.yaml:9: workflows[2].sources: is empty: name at least one",
        "c.yaml:10: workflows[3].name: is missing",
        "c.yaml:12: workflows[3].sources[1]: there is no source 'crm'; known are desk",
    ]


def test_a_scope_that_the_agent_decides_and_an_action_named_twice() -> None:
    text = """\
        sources: {desk: {kind: events, paths: in}}
        workflows:
          - name: w
            sources: [desk]
            scope: {group: [1]}
            decides: [set:group, close, close, {action: reopen, settle_after: 100d}]
    """

    assert problems(text) == [
        "c.yaml:6: workflows[0].decides: names 'close' twice: keep one; "
        "'set:group' is also in the scope, so that a case would change its workflow by the agent's own act: scope by another attribute; "
        "'reopen' settles after 100d, later than it expires (90d): lengthen expire_after"
    ]


@pytest.mark.parametrize(
    ("levels", "message"),
    [
        ("[{level: shadow}, {level: assisted}]", ": give every level a `since`, or keep only one level without"),
        ("[{level: shadow}, {level: assisted, since: 2026-01-01}]", ": give every level a `since`, or keep only one level without"),
        ("[{level: shadow, since: 2026-01-01}, {level: assisted, since: 2026-01-01}]", ": two levels have the same `since`: keep one"),
        (
            "[{level: asisted}]",
            "[0].level: 'asisted' is none of off, shadow, assisted, low_risk_autonomous, broad_autonomous, high_risk; did you mean 'assisted'?",
        ),
        ("[{level: no}]", "[0].level: 'no' is none of off, shadow, assisted, low_risk_autonomous, broad_autonomous, high_risk"),
        ("[{level: }]", "[0].level: is empty: write a value or remove the line"),
    ],
)
def test_levels_that_say_two_things_or_none(levels: str, message: str) -> None:
    text = f"sources: {{desk: {{kind: events, paths: in}}}}\nworkflows:\n  - name: w\n    sources: desk\n    levels: {levels}\n"

    assert problems(text) == [f"c.yaml:5: workflows[0].levels{message}"]


def _workflows(*scopes: str) -> str:
    """Workflows `w0`, `w1` ... from line 3 on, each of `sources|scope`."""
    text = "sources: {desk: {kind: events, paths: in}, crm: {kind: events, paths: in}}\nworkflows:\n"
    for number, item in enumerate(scopes):
        sources, scope = item.split("|")
        text += f"  - {{name: w{number}, sources: {sources}, decides: close, levels: [{{level: assisted}}], scope: {scope}}}\n"
    return text


@pytest.mark.parametrize(
    ("scopes", "message"),
    [
        (("[desk]|{}", "[desk]|{}"), "'w0', which stands"),
        (("[desk]|{}", "[desk]|{form: [1]}"), "'w0', which stands"),
        (("[desk, crm]|{form: [1, 2]}", "[desk]|{form: 1, type: a}"), "'w0', which stands"),
        (("[desk]|{form: [1]}", "[desk, crm]|{form: [2, 3]}", "[desk]|{form: [2, 1]}"), "'w0' or 'w1', which stand"),
        (("[desk]|{form: [1]}", "[crm]|{}", "[desk, crm]|{form: 1}"), "'w0' or 'w1', which stand"),
    ],
)
def test_a_scope_that_can_never_match_is_an_error(scopes: tuple[str, ...], message: str) -> None:
    last = len(scopes) - 1

    assert problems(_workflows(*scopes)) == [
        f"c.yaml:{last + 3}: workflows[{last}].scope: can never match: every case of it belongs to {message} before it; put the narrower workflow first"
    ]


def test_scopes_that_overlap_are_a_warning() -> None:
    overlapping = loads(_workflows("[desk]|{form: [1, 2]}", "[desk]|{form: [2, 3]}", "[crm]|{form: [2]}"), {}, file="c.yaml")
    apart = loads(_workflows("[desk]|{form: [1, 2]}", "[desk, crm]|{form: [3]}"), {}, file="c.yaml")

    assert overlapping.warnings == ("c.yaml:4: workflows[1].scope: overlaps with 'w0'; cases that match both belong to 'w0', which stands first",)
    assert apart.warnings == ()


def test_pages_that_others_reach_without_a_password_are_warned_of() -> None:
    open_to_all = loads(f"{HEAD}listen: {{web: '0.0.0.0:10878'}}\n", {}, file="c.yaml").warnings
    behind_a_proxy = loads(f"{HEAD}listen: {{web: '0.0.0.0:10878'}}\nweb: {{proxy_header: X-Forwarded-User}}\n", {}, file="c.yaml").warnings
    local = loads(f"{HEAD}listen: {{web: '[::1]:10878'}}\n", {}, file="c.yaml").warnings

    assert [warning for warning in open_to_all if warning not in local] == [
        "c.yaml:8: listen.web: whoever reaches 0.0.0.0 sees the pages and the cases on them: "
        "name users in listen.web_web_config, or a proxy that authenticates in web.proxy_header"
    ]
    assert behind_a_proxy == local


def test_what_is_probably_not_meant_is_a_warning() -> None:
    text = "sources: {desk: {kind: events, paths: in}, crm: {kind: events, paths: in}}\nworkflows:\n  - name: w\n    sources: [desk]\n"

    assert loads(text, {}, file="c.yaml").warnings == (
        "c.yaml:1: sources.crm: no workflow reads it: name it in the sources of one",
        "c.yaml:3: workflows[0]: decides nothing, so that no recommendation will ever be seen: name the actions the agent decides",
        "c.yaml:3: workflows[0]: has no levels, so that it is off until a change record says otherwise: name its autonomy level",
    )
    assert loads("", {}, file="c.yaml").warnings == (
        "c.yaml:1: workflows: there are none, so that nothing is judged: describe the work the agent takes part in, or let `rollout-metrics discover` draft it",
    )


def test_every_problem_of_a_file_is_told_at_once_in_its_order() -> None:
    text = """\
        log: {level: loud}
        sources:
          desk:
            kind: zendesk
            subdomain: acme
            token: abc
            every: 5
        workflows:
          - name: w
            sources: [dsk]
            onwer: team
            levels: [{level: high}]
          - name: w
            sources: [desk]
        alerts:
          bypass_limit: ${LIMIT}
          minimum_cases: none
        alerts: {}
        store: {password_file: none}
        changes: {paths: none}
    """

    assert problems(text) == [
        "c.yaml:1: log.level: 'loud' is none of debug, info, warning, error",
        "c.yaml:6: sources.desk.token: a secret must not stand in this file: write ${NAME} and set NAME in the environment, or use token_file",
        "c.yaml:7: sources.desk.every: '5' is no duration such as 30s, 15m, 6h, 14d or 1h30m",
        "c.yaml:10: workflows[0].sources[0]: there is no source 'dsk'; did you mean 'desk'?",
        "c.yaml:11: workflows[0].onwer: there is no option 'onwer'; did you mean 'owner'?",
        "c.yaml:12: workflows[0].levels[0].level: "
        "'high' is none of off, shadow, assisted, low_risk_autonomous, broad_autonomous, high_risk; did you mean 'high_risk'?",
        "c.yaml:13: workflows[1].name: workflow 'w' stands twice (first in line 9): give each its own name",
        "c.yaml:16: alerts.bypass_limit: the environment has no LIMIT: set it, or write ${LIMIT:-default}",
        "c.yaml:17: alerts.minimum_cases: must be a whole number, not 'none'",
        "c.yaml:18: alerts: stands twice (first in line 15): keep one",
        "c.yaml:19: store.password_file: none cannot be read (No such file or directory): check the path and its permissions",
        "c.yaml:20: changes.paths[0]: there is no file or directory none: correct the path",
    ]


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("- sources\n- workflows\n", "c.yaml:1: the file: must be a mapping with keys such as sources and workflows"),
        ("just text", "c.yaml:1: the file: must be a mapping with keys such as sources and workflows"),
        ("log:\n  level: [info\n", "c.yaml:3: the file: is no YAML: expected ',' or ']', but got '<stream end>'"),
        ("log:\n\tlevel: info\n", "c.yaml:2: the file: is no YAML: a line is indented by a tab: use spaces"),
        ("log: {}\n---\nlog: {}\n", "c.yaml:2: the file: is no YAML: but found another document"),
        ("log: *level\n", "c.yaml:1: the file: is no YAML: found undefined alias 'level'"),
        ("log:\n  level: \x07\n", "c.yaml:2: the file: is no YAML: the character #x0007 is not allowed: remove it"),
        ("log: &log [*log]\n", "c.yaml:1: log[0]: holds itself: replace the alias"),
        ("[" * 5000, "c.yaml:1: the file: is nested too deeply to be read"),
    ],
)
def test_what_is_no_configuration_at_all(text: str, problem: str) -> None:
    assert problems(text)[0] == problem


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    latin = tmp_path / "latin.yaml"
    latin.write_bytes("log: {level: 'café'}".encode("latin-1"))

    for file, message in (
        (tmp_path / "none.yaml", "cannot be read (No such file or directory): check the path and its permissions"),
        (tmp_path, "cannot be read (Is a directory): check the path and its permissions"),
        (latin, "is not UTF-8 (byte 17): save it as UTF-8"),
    ):
        with pytest.raises(ConfigurationError) as caught:
            load(file, {})

        assert caught.value.problems == (f"{file}: {message}",)
        assert caught.value.exit_code == 2


def test_a_secret_file_must_hold_text(tmp_path: Path) -> None:
    (tmp_path / "empty").write_text("\n")
    (tmp_path / "binary").write_bytes(b"\xff\xfe\x00")
    text = "privacy: {key_file: %s}\nsources: {desk: {kind: zendesk, subdomain: acme, token_file: %s}}\n"

    assert problems(text % ("empty", "binary"), file=str(tmp_path / "c.yaml")) == [
        f"{tmp_path}/c.yaml:1: privacy.key_file: {tmp_path}/empty is empty: write the secret into it",
        f"{tmp_path}/c.yaml:2: sources.desk.token_file: {tmp_path}/binary cannot be read (it is not UTF-8 text): check the path and its permissions",
    ]


def test_a_bad_web_configuration_is_told_beside_the_other_problems(tmp_path: Path) -> None:
    (tmp_path / "web.yaml").write_text("basic_auth_users: {ann: secret}\ntls: {}\n")
    file = tmp_path / "c.yaml"

    assert problems("listen:\n  metrics_web_config: web.yaml\n  web: here\n", file=str(file)) == [
        f"{file}:2: listen.metrics_web_config: {tmp_path}/web.yaml: basic_auth_users: "
        "the password of 'ann' must be a bcrypt hash: make one with `htpasswd -nBC 10 ann`",
        f"{file}:2: listen.metrics_web_config: {tmp_path}/web.yaml: tls: Extra inputs are not permitted",
        f"{file}:3: listen.web: 'here' is no address such as 127.0.0.1:10877",
    ]
