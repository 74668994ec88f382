"""Tables at a terminal: what people need is there, whole, at any width."""

from hypothesis import given
from hypothesis import strategies as st

from rollout_metrics.cli.drawn import Layout, drawn
from rollout_metrics.cli.glance import EXPLAINED, EXPLAINED_LAYOUT, STATUS_LAYOUT
from rollout_metrics.cli.ladder_text import GATE_COLUMNS, GATE_LAYOUT
from rollout_metrics.overview.told import COLUMNS

TREND = "▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▂▄▆█"
STATUS = [
    ("triage", "assisted", "override", "18.5 %", "17.0 to 20.0 %", "2,544", TREND),
    ("triage", "assisted", "review latency, median", "46.5 min", "39.0 to 53.6 min", "94", ""),
    ("triage", "assisted", "warning sign: review outgrows throughput", "", "", "", ""),
    ("refunds", "low risk autonomous", "bypass", "no data", "", "0", ""),
]
GATE = ("triage", "low_risk_autonomous", "escalation_within_target", "inconclusive", "84.0 %", "69.6 to 93.6 %", "80.0 %", "100", "1,189")


def lines(columns: tuple[str, ...], rows: list[tuple[str, ...]], layout: Layout, width: int) -> list[str]:
    return [line.text for line in drawn(columns, rows, layout, width)]


def test_a_workflow_stands_once_above_its_figures() -> None:
    assert lines(COLUMNS, STATUS, STATUS_LAYOUT, 120) == [
        "  figure                     value          interval      n  trend",
        "triage, assisted",
        f"  override                  18.5 %    17.0 to 20.0 %  2,544  {TREND}",
        "  review latency, median  46.5 min  39.0 to 53.6 min     94",
        "  warning sign: review outgrows throughput",
        "",
        "refunds, low risk autonomous",
        "  bypass                   no data                        0",
        "",
    ]


def test_where_a_trend_has_no_room_its_newest_days_are_kept() -> None:
    row = lines(COLUMNS, STATUS, STATUS_LAYOUT, 80)[2]

    assert (len(row), row[-4:]) == (80, "▂▄▆█")


def test_a_link_is_never_broken() -> None:
    url = "https://acme.zendesk.example/agent/tickets/" + "1234567890" * 8
    row = ("zendesk/1234567890", "2026-11-27T17:35:00Z", "numerator: decisions mode=live, outcome=overridden, how=changed", "1", "zendesk/1", url)

    assert any(url in line for line in lines(EXPLAINED, [row], EXPLAINED_LAYOUT, 80))


def test_numbers_that_the_reason_repeats_give_way_to_it() -> None:
    why = "84.0 % of 100, at least 80.0 %"
    wide, narrow = (lines(GATE_COLUMNS, [(*GATE, why)], GATE_LAYOUT, width) for width in (140, 84))

    assert wide[2].split("  ")[-1] == narrow[2].split("  ")[-1] == why
    assert ("69.6 to 93.6 %" in wide[2], "69.6 to 93.6 %" in narrow[2]) == (True, False)


def test_what_a_terminal_would_obey_is_not_passed_on() -> None:
    assert lines(("a", "b"), [("\x1b[2Jx", "y\n\u202ez")], Layout(), 80)[1] == "?[2Jx  y??z"


@given(st.lists(st.tuples(*[st.text("ab c", max_size=30)] * 3), min_size=1, max_size=4), st.integers(44, 90))
def test_nothing_is_lost_and_nothing_is_wider_than_the_terminal(rows: list[tuple[str, ...]], width: int) -> None:
    found = lines(("one", "two", "three"), rows, Layout(), width)

    assert max(map(len, found)) <= width
    assert sorted("".join(found[1:]).replace(" ", "")) == sorted("".join(map("".join, rows)).replace(" ", ""))
