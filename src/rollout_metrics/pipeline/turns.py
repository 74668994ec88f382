"""Several processes on one store: one derives at a time, and each notices that another one has, so that its figures in memory are loaded again."""

import secrets
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager

from rollout_metrics.store import Store

DERIVING = "derive"
"""The name of the lock."""

DERIVED = "derived"
"""Under which the store keeps who derived last, and for the how-manieth time."""

TRIES, BETWEEN = 100, 0.1
"""How often, and at what seconds' distance, the lock is asked for: two that derive at once do no harm but double work, so nobody waits for ever."""


class Turns:
    """This process among those that derive."""

    def __init__(self, store: Store, pause: Callable[[float], None]) -> None:
        self._store = store
        self._pause = pause
        self._name = secrets.token_hex(8)
        self._times = 0
        self._seen: str | None = None
        self._strangers = False

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Derive while no other process does, if that can be had within some seconds."""
        for _ in range(TRIES):
            with ExitStack() as held:
                if held.enter_context(self._store.lock(DERIVING)):
                    yield
                    return
            self._pause(BETWEEN)
        yield

    def begin(self) -> None:
        """Tell the others, before anything is changed."""
        self._look()
        self._times += 1
        self._seen = f"{self._name}:{self._times}"
        self._store.set_meta(DERIVED, self._seen)

    def others_have_derived(self) -> bool:
        """Whether any other process has begun to since we asked last."""
        self._look()
        strangers, self._strangers = self._strangers, False
        return strangers

    def _look(self) -> None:
        found = self._store.meta(DERIVED)
        self._strangers = self._strangers or found != self._seen
        self._seen = found
