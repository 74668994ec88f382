"""Progress, locks and quarantine."""

import subprocess
import sys
import threading
import time
from collections.abc import Callable

import pytest

from builders import T0, after, ev
from rollout_metrics.collect.source import Rejected
from rollout_metrics.store import Store, open_store

BROKEN = Rejected("no_id", "page 3 of https://desk.example", "record without an id", b'{"x": "\xff"}')


def test_progress_is_what_was_landed_last(store: Store) -> None:
    store.land("desk", [], progress={"watermark": 5, "parts": [1, None]})
    store.land("desk", [ev("1m", "op-1", "created")])
    store.land("crm", [], progress={"watermark": 9})

    assert (store.progress("desk"), store.progress("crm"), store.progress("none")) == ({"watermark": 5, "parts": [1, None]}, {"watermark": 9}, None)


def test_feeds_say_what_each_source_has_brought(store: Store) -> None:
    store.land("desk", [ev("9m", "op-1", "created", id="a")])
    store.land("desk", [ev("1m", "op-1", "created", id="b"), ev("9m", "op-1", "created", id="a")])
    store.land("crm", [], progress={})

    feeds = store.feeds()

    assert (feeds["desk"].events, feeds["desk"].newest, feeds["desk"].updated_at) == (2, after("9m"), T0)
    assert (feeds["crm"].events, feeds["crm"].newest, feeds["crm"].progress) == (0, None, {})


def test_a_landing_that_fails_leaves_neither_events_nor_progress(store: Store) -> None:
    with pytest.raises(TypeError):
        store.land("desk", [ev("1m", "op-1", "created")], progress={"bad": object()})

    assert store.progress("desk") is None
    assert list(store.all_histories()) == []
    assert store.land("desk", [ev("1m", "op-1", "created")]).new == 1


def test_a_lock_is_held_by_one_at_a_time_and_for_each_source(store: Store) -> None:
    with store.lock("desk") as first, store.lock("desk") as second, store.lock("crm") as other:
        held = (first, second, other)
    with store.lock("desk") as again:
        pass

    assert (held, again) == ((True, False, True), True)


def test_a_lock_keeps_other_threads_out(store: Store) -> None:
    seen = []

    def try_it() -> None:
        with store.lock("desk") as ours:
            seen.append(ours)

    with store.lock("desk"):
        thread = threading.Thread(target=try_it)
        thread.start()
        thread.join()

    assert seen == [False]


HOLD = """
import sys
from rollout_metrics.store import open_store
store = open_store(sys.argv[1], clock=lambda: 0)
with store.lock("desk") as ours:
    print(ours, flush=True)
    sys.stdin.read()
"""


@pytest.mark.e2e
def test_a_lock_keeps_other_processes_out_and_dies_with_its_process(url: str) -> None:
    other = subprocess.Popen([sys.executable, "-c", HOLD, url], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert other.stdout is not None
    told = other.stdout.readline()

    with open_store(url, clock=lambda: T0) as store:
        with store.lock("desk") as while_held:
            pass
        other.kill()
        other.communicate()
        after_kill, patience = False, time.monotonic() + 20
        while not after_kill and time.monotonic() < patience:  # a server takes a moment to notice
            with store.lock("desk") as after_kill:
                pass

    assert (told, while_held, after_kill) == ("True\n", False, True)


def test_a_rejected_record_is_kept_once_with_its_reason(store: Store) -> None:
    first = store.land("desk", [], [BROKEN, Rejected("odd", "page 4", "odd\0", b"")])
    second = store.land("desk", [], [BROKEN])

    kept = store.quarantined("desk")
    assert (first.quarantined, second.quarantined) == (2, 0)
    assert [(one.reason, one.where, one.message, one.payload, one.recorded_at) for one in kept] == [
        ("no_id", BROKEN.where, BROKEN.message, BROKEN.payload, T0),
        ("odd", "page 4", "odd\\0", b"", T0),
    ]
    assert store.quarantine_counts() == {("desk", "no_id"): 1, ("desk", "odd"): 1}
    assert store.quarantined("crm") == []
    assert [one.reason for one in store.quarantined(limit=1, after=kept[0].id)] == ["odd"]


BATCHES = [(500, 10**6, [[0, 1, 2, 3, 4]]), (2, 10**6, [[0, 1], [2, 3], [4]]), (500, 10, [[0, 1], [2], [3], [4]])]


@pytest.mark.parametrize(("records", "size", "numbers"), BATCHES)
def test_the_quarantine_is_read_in_batches_of_bounded_size(store: Store, records: int, size: int, numbers: list[list[int]]) -> None:
    store.land("desk", [], [Rejected("odd", str(number), "odd", b"x" * length) for number, length in enumerate((4, 6, 50, 1, 10))])

    assert [[int(one.where) for one in batch] for batch in store.quarantined_batches(records=records, size=size)] == numbers


def test_a_retried_record_leaves_the_quarantine_with_its_events(store: Store) -> None:
    store.land("desk", [], [BROKEN])

    store.land("desk", [ev("1m", "op-1", "created")], released=[store.quarantined()[0].id])

    assert store.quarantine_counts() == {}
    assert len(list(store.all_histories())) == 1


def test_the_pseudonym_key_stays_and_differs_between_stores(new_url: Callable[[], str]) -> None:
    one, other = new_url(), new_url()
    with open_store(one, clock=lambda: T0) as store:
        key = store.pseudonym_key()
        same = store.pseudonym_key()
    with open_store(one, clock=lambda: T0) as store, open_store(other, clock=lambda: T0) as second:
        assert (same, store.pseudonym_key(), len(key)) == (key, key, 32)
        assert second.pseudonym_key() != key
