"""The HTTP layer against a real local server: waits as told, gives up as it should, names the remedy and no secret."""

import email.utils
import logging
import time
from collections.abc import Callable

import msgspec
import pytest
from pydantic import SecretStr

from rollout_metrics.collect.http import Answer, Api, Endpoint, basic, bearer, decode
from rollout_metrics.collect.limits import Budget, Gate, ResetHeader, ResetKind, wanted_wait
from rollout_metrics.domain.errors import ConfigurationError, CredentialsError, PayloadError, RetryLater
from sources.server import Reply, Request, serving

SECRET = "very-secret-token-0815"
ANYTHING = msgspec.json.Decoder(dict)


class Clock:
    """Time that passes only by sleeping."""

    def __init__(self) -> None:
        self.at = 1_750_000_000.0
        self.slept: list[float] = []

    def now(self) -> float:
        return self.at

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.at += seconds


def api_for(url: str, clock: Clock | None = None, **options: object) -> Api:
    clock = clock or Clock()
    endpoint = Endpoint(base_url=url, authorization=bearer(SecretStr(SECRET)), **options)  # type: ignore[arg-type]
    return Api(endpoint, now=clock.now, monotonic=clock.now, sleep=clock.sleep, random=lambda: 0.5)


def in_turn(*replies: Reply) -> Callable[[Request], Reply]:
    rest = list(replies)
    return lambda request: rest.pop(0) if len(rest) > 1 else rest[0]


def test_an_answer_is_unpacked_and_named_without_its_query_values() -> None:
    with serving(lambda request: Reply({"a": 1})) as server:
        answer = api_for(server.url).get("/things", {"start_time": 5, "token": "hidden"})

    assert decode(answer, ANYTHING) == {"a": 1}
    assert answer.where.endswith("/things?start_time=5&token=…")


@pytest.mark.parametrize("status", [401, 403])
def test_refused_credentials_name_the_remedy(status: int) -> None:
    reply = Reply({"error": "invalid_token", "message": f"the token {SECRET} expired"}, status)
    with serving(lambda request: reply) as server, pytest.raises(CredentialsError, match=f"^{status} from .*check the token") as raised:
        api_for(server.url).get("/things")

    assert SECRET not in str(raised.value)


def test_a_vendor_may_refuse_by_statuses_of_its_own_which_are_not_tried_again() -> None:
    with serving(lambda request: Reply({"message": f"not for {SECRET}"}, 400)) as server, pytest.raises(CredentialsError) as raised:
        api_for(server.url, refusals={400: "ask for the right"}).get("/things")

    assert str(raised.value).endswith("/things (not for …): ask for the right")
    assert len(server.requests) == 1


def test_headers_of_one_request_are_not_those_of_the_next() -> None:
    with serving(lambda request: Reply({"a": 1})) as server:
        api = api_for(server.url)
        api.get("/things", {"f": ["x", "y"]}, headers={"Range": "records=0-9"})
        api.get("/things")

    assert [request.headers.get("Range") for request in server.requests] == ["records=0-9", None]
    assert all(request.headers["Authorization"] == f"Bearer {SECRET}" for request in server.requests)


def test_a_parameter_given_several_times_is_named_once() -> None:
    with serving(lambda request: Reply({"a": 1})) as server:
        answer = api_for(server.url).get("/things", {"f": ["x", "y"], "page": 3})

    assert answer.where.endswith("/things?f=…&page=3")


def test_retry_after_in_seconds_is_waited_for() -> None:
    clock = Clock()
    with serving(in_turn(Reply({}, 429, {"Retry-After": "17"}), Reply({"a": 1}))) as server:
        api = api_for(server.url, clock)
        api.get("/things")

    assert clock.slept == [17]
    assert (api.counts.requests, api.counts.retries, api.counts.throttled_seconds) == (2, 1, 17)


def test_being_throttled_is_logged_with_who_and_how_long(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    with serving(in_turn(Reply(status=429, headers={"Retry-After": "17"}), Reply({}))) as server:
        api_for(server.url).get("/things")

    (record,) = caplog.records
    assert (record.getMessage(), record.fields) == ("throttled", {"host": server.url.removeprefix("http://"), "status": 429, "wait_seconds": 17.0})  # type: ignore[attr-defined]


def test_retry_after_as_a_date_is_waited_for() -> None:
    clock = Clock()
    date = email.utils.formatdate(clock.at + 42, usegmt=True)
    with serving(in_turn(Reply({}, 503, {"Retry-After": date}), Reply({"a": 1}))) as server:
        api_for(server.url, clock).get("/things")

    assert clock.slept == [42]


def test_a_wait_beyond_patience_ends_the_sweep_at_once() -> None:
    clock = Clock()
    with serving(lambda request: Reply({}, 429, {"Retry-After": "3600"})) as server, pytest.raises(RetryLater) as raised:
        api_for(server.url, clock).get("/things")

    assert raised.value.after_seconds == 3600
    assert clock.slept == []


def test_a_daily_limit_said_in_the_body_ends_the_sweep() -> None:
    clock = Clock()
    with serving(lambda request: Reply({"policyName": "DAILY"}, 429)) as server, pytest.raises(RetryLater, match="DAILY") as raised:
        api_for(server.url, clock, wish=lambda body: 7200.0 if b"DAILY" in body else None).get("/things")

    assert raised.value.after_seconds == 7200


@pytest.mark.parametrize(
    ("kind", "value", "wait"),
    [
        (ResetKind.EPOCH, "1750000030", 30),
        (ResetKind.SECONDS, "12", 12),
        (ResetKind.ISO, "2025-06-15T15:07:20Z", 40),
        (ResetKind.ISO, "2025-06-15T15:07:20", 40),
        (ResetKind.HTTP_DATE, "Sun, 15 Jun 2025 15:07:30 GMT", 50),
        (ResetKind.EPOCH, "soon", None),
    ],
)
def test_each_vendors_reset_header_is_read(kind: ResetKind, value: str, wait: float | None) -> None:
    assert wanted_wait({"X-Reset": value}, ResetHeader("X-Reset", kind), 1_750_000_000) == wait


def test_server_errors_back_off_with_jitter_then_give_up() -> None:
    clock = Clock()
    with serving(lambda request: Reply(b"<html>busy</html>", 502)) as server, pytest.raises(RetryLater, match=r"^502 from"):
        api_for(server.url, clock).get("/things")

    assert clock.slept == [0.5, 1, 2, 4, 8]


def test_a_vendor_that_cannot_be_reached_is_tried_again_later() -> None:
    with serving(lambda request: Reply()) as server:
        url = server.url

    with pytest.raises(RetryLater, match=r"the connection to 127.0.0.1:.* failed"):
        api_for(url).get("/things?key=abc")


def test_an_answer_cut_short_is_fetched_again() -> None:
    with serving(in_turn(Reply({"a": "long enough"}, cut=5), Reply({"a": 1}))) as server:
        api = api_for(server.url)
        answer = api.get("/things")

    assert decode(answer, ANYTHING) == {"a": 1}
    assert api.counts.retries == 1


def test_a_web_page_where_json_is_expected_is_told_as_such() -> None:
    with serving(lambda request: Reply(b"<!doctype html><title>Log in</title>", 200, {"Content-Type": "text/html"})) as server:
        answer = api_for(server.url).get("/things")

    with pytest.raises(PayloadError, match="web page instead of JSON: check the address"):
        decode(answer, ANYTHING)


def test_truncated_json_names_the_page() -> None:
    with serving(lambda request: Reply(b'{"a": [1, 2')) as server:
        answer = api_for(server.url).get("/things", {"page": 3})

    with pytest.raises(PayloadError, match=r"/things\?page=3 is not complete JSON"):
        decode(answer, ANYTHING)


def test_a_page_larger_than_allowed_is_refused() -> None:
    with serving(lambda request: Reply(b"[" + b" " * 3_000_000 + b"]")) as server, pytest.raises(PayloadError, match="larger than 1 MiB"):
        api_for(server.url, max_bytes=1024 * 1024).get("/things")


def test_damaged_gzip_is_refused() -> None:
    with serving(lambda request: Reply(b"no gzip", headers={"Content-Encoding": "gzip"})) as server, pytest.raises(PayloadError, match="cannot be unpacked"):
        api_for(server.url).get("/things")


def test_links_to_other_hosts_are_not_followed() -> None:
    with pytest.raises(PayloadError, match=r"link to another host, evil.example"):
        api_for("https://vendor.example").get("https://evil.example/next?page=2")


def test_redirects_are_not_followed() -> None:
    moved = Reply(b"", 302, {"Location": "https://login.example/sso?ticket=abc"})
    with serving(lambda request: moved) as server, pytest.raises(PayloadError, match=r"redirects to login.example/sso: correct the address"):
        api_for(server.url).get("/things")


def test_other_refusals_carry_the_vendors_words() -> None:
    with serving(lambda request: Reply({"error": "InvalidValue", "description": "start_time too recent"}, 422)) as server:
        with pytest.raises(PayloadError, match=r"^422 from .*\(InvalidValue start_time too recent\)"):
            api_for(server.url).get("/things")
        assert api_for(server.url).get("/things", accept=frozenset((422,))).status == 422


def test_a_budget_is_kept_in_every_stretch() -> None:
    clock = Clock()
    with serving(lambda request: Reply({})) as server:
        api = api_for(server.url, clock, budgets=(Budget(3, 60, "/slow/"), Budget(100, 10)))
        for _ in range(7):
            api.get("/slow/things")
        api.get("/fast/things")

    assert clock.slept == [60, 60]
    assert api.counts.throttled_seconds == 120


def test_a_gate_never_lets_more_through_than_its_budget() -> None:
    clock = Clock()
    gate, sent = Gate(Budget(10, 60), clock.now), []
    for number in range(60):
        clock.sleep(gate.delay() + (number % 7) * 2)
        sent.append(clock.at - (number % 7) * 2)

    assert all(later - earlier >= 60 for earlier, later in zip(sent, sent[10:], strict=False))


def test_a_connection_that_is_no_trusted_tls_is_a_matter_of_configuration() -> None:
    with serving(lambda request: Reply({})) as server, pytest.raises(ConfigurationError, match=r"no trusted TLS connection to 127.0.0.1"):
        api_for(server.url.replace("http:", "https:")).get("/things")


def test_a_proxy_is_used_and_its_password_never_told() -> None:
    with serving(lambda request: Reply({"through": request.path})) as proxy:
        api = api_for("http://vendor.invalid", proxy=SecretStr(proxy.url.replace("//", "//user:proxy-secret@")))
        answer = api.get("/things")
    with pytest.raises(RetryLater) as raised:
        api_for("http://vendor.invalid", proxy=SecretStr("http://user:proxy-secret@127.0.0.1:9")).get("/things")

    assert decode(answer, ANYTHING)
    assert "proxy-secret" not in f"{raised.value}{api.endpoint!r}"
    assert proxy.requests[0].headers["Authorization"].endswith(SECRET)


def test_our_clock_running_ahead_is_noticed() -> None:
    clock = Clock()
    clock.at = time.time() + 7200
    with serving(lambda request: Reply({})) as server:
        api = api_for(server.url, clock)
        api.get("/things")

    assert api.clock_ahead == pytest.approx(7200, abs=5)


def test_secrets_are_in_no_log_and_no_repr(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    endpoint = Endpoint(base_url="http://127.0.0.1:9", authorization=basic("me@acme.example/token", SecretStr(SECRET)), attempts=2)
    with pytest.raises(RetryLater) as raised:
        Api(endpoint, sleep=lambda _: None).get("/things")

    assert SECRET not in f"{endpoint!r}{raised.value!r}{caplog.text}"


@pytest.mark.parametrize("status", [200, 400])
def test_a_page_nested_beyond_reason_is_refused(status: int) -> None:
    with serving(lambda request: Reply(b'{"a":' + b"[" * 50_000 + b"]" * 50_000 + b"}", status)) as server, pytest.raises(PayloadError, match=r"GET 127"):
        decode(api_for(server.url).get("/things"), ANYTHING)


def test_dates_beyond_all_calendars_say_nothing() -> None:
    date = "Mon, 01 Jan 99999999999 00:00:00 GMT"
    with serving(lambda request: Reply({"a": 1}, headers={"Date": date})) as server:
        api = api_for(server.url)
        assert decode(api.get("/things"), ANYTHING) == {"a": 1}

    assert api.clock_ahead == 0
    assert wanted_wait({"Retry-After": date}, None, 1_750_000_000) is None


def test_half_a_surrogate_pair_costs_a_character_and_not_the_page() -> None:
    body = rb'{"cut": "x\ud83d", "whole": "\ud83d\ude00", "spelled": "\\ud83d", "late": "\ude00"}'

    read = decode(Answer(body, "GET desk/page", 200, {}), msgspec.json.Decoder(dict[str, str]))

    assert read == {"cut": "x\N{REPLACEMENT CHARACTER}", "whole": "\N{GRINNING FACE}", "spelled": "\\ud83d", "late": "\N{REPLACEMENT CHARACTER}"}
