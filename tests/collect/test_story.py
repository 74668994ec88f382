"""What sources share when they tell what became of a record."""

from hypothesis import given
from hypothesis import strategies as st

from rollout_metrics.collect.source import Coverage
from rollout_metrics.collect.story import NOBODY, UNCHANGED, Story, edited, of_status, undone
from rollout_metrics.domain.events import Activity, Event, text_value
from rollout_metrics.domain.time import SECOND, format_instant

STATUS = st.sampled_from((None, "open", "solved", "closed"))
MEMBERS = st.sets(st.sampled_from("abcdef"))
CLOSING = frozenset(("solved", "closed"))


def test_an_events_id_begins_with_its_case_and_its_details_with_the_link() -> None:
    story = Story("desk", "7", {"url": "https://desk/7", "via": []})
    own = Story("desk", "7", ids="")

    assert story.event("note/1", 5, Activity.COMMENTED, NOBODY, {"via": ["mail"]}).event_id == "7/note/1"
    assert list(story.event("1", 5, Activity.COMMENTED, NOBODY, {"public": True, "via": ["mail"]}).detail.items())[:2] == [
        ("url", "https://desk/7"),
        ("via", ["mail"]),
    ]
    assert own.event("81", 5, Activity.CLOSED, NOBODY).event_id == "81"


def test_what_was_made_closed_is_closed_beside_its_creation() -> None:
    story = Story("desk", "7")
    attributes = (("status", "solved"), ("group", None))

    created, closed = story.made(5, NOBODY, attributes, closing=CLOSING)

    assert created.detail == {"attributes": {"status": "solved"}}
    assert (closed.activity, closed.attribute, closed.before, closed.after) == (Activity.CLOSED, "status", None, "solved")
    assert [event.activity for event in story.made(5, NOBODY, attributes)] == [Activity.CREATED]


def test_a_story_says_whether_it_is_whole() -> None:
    class Broken(Story):
        whole = False

        def events(self) -> list[Event]:
            return [self.event("1", 5, Activity.CHANGED, NOBODY, change=("status", "a", "b"))]

    assert Broken("desk", "7").told()[-1] == Coverage("history", 0, 1)
    assert Story("desk", "7").event("1", 5, Activity.CHANGED, NOBODY, change=UNCHANGED).attribute is None


@given(steps=st.lists(STATUS, min_size=2, max_size=9))
def test_closings_and_reopenings_take_turns(steps: list[str | None]) -> None:
    told = [of_status(before, after, CLOSING) for before, after in zip(steps, steps[1:], strict=False)]

    turns = [one for one in told if one is not Activity.CHANGED]
    assert all(one is not other for one, other in zip(turns, turns[1:], strict=False))
    assert (turns[-1] is Activity.CLOSED if turns else steps[0] in CLOSING) == (steps[-1] in CLOSING)


@given(before=MEMBERS, come=MEMBERS, gone=MEMBERS)
def test_a_change_of_members_is_undone(before: set[str], come: set[str], gone: set[str]) -> None:
    come, gone = come - before, gone & before
    members = (before | come) - gone
    after = set(members)

    sides = undone(members, [*come, None], [*gone, "", None])

    assert members == before
    assert sides == (text_value(before), text_value(after))


@given(made=st.integers(0, 10**10), later=st.integers(1, 10**9))
def test_an_edit_has_a_revision_that_grows(made: int, later: int) -> None:
    first, second, third = (format_instant(at * SECOND) for at in (made, made + later, made + 2 * later))

    assert edited(first, first) == edited(first, None) == 0
    assert 0 < edited(first, second) < edited(first, third)
    assert edited(first, second, SECOND) == made + later
