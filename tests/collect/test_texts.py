"""Only what the author wrote is kept of a message."""

import pytest

from rollout_metrics.collect.texts import own_words, without_markup


@pytest.mark.parametrize(
    ("message", "own"),
    [
        ("It works.\n\nOn Mon, 22 Dec 2025 at 10:00, Anna <a@b.example> wrote:\n> did you try?", "It works."),
        ("Danke!\n\nAm 22.12.2025 um 10:00 schrieb Anna:\n> Hallo", "Danke!"),
        ("Bye\n-- \nAnna, Sales", "Bye"),
        ("Bye\n-----Original Message-----\nFrom: x", "Bye"),
        ("Yes\n##- Please type your reply above this line -##\nold", "Yes"),
        ("> quoted\nmy answer\n> more", "my answer"),
        ("Sure\nFrom: Anna\nSent: Monday\nold", "Sure"),
        ("On Monday she wrote: nothing", "On Monday she wrote: nothing"),
        ("", ""),
    ],
)
def test_quotations_and_signatures_are_left_out(message: str, own: str) -> None:
    assert own_words(message) == own


def test_a_message_that_is_all_quotation_mark_keeps_its_words() -> None:
    assert own_words("-- \nAnna") == "-- \nAnna"


def test_markup_is_left_out_without_joining_or_tearing_words() -> None:
    assert without_markup("<p>Wr<b>on</b>g &amp; late</p><p>Again<br>now</p>").split() == ["Wrong", "&", "late", "Again", "now"]
