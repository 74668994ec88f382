"""What is built once for a workflow, a company or a history and kept with it: configuration compiled to tables, a history read for several rules."""

from collections.abc import Callable
from functools import wraps
from typing import Any, Protocol, TypeVar


class _Keeper(Protocol):
    """A value that things can be kept with: it never changes, so neither do they."""

    __dict__: dict[str, Any]


K = TypeVar("K", bound=_Keeper)
V = TypeVar("V")


def kept(build: Callable[[K], V]) -> Callable[[K], V]:
    """A function decorator: the function is called once for each value it is asked about, and what it gave (never None) is kept as long as that
    value is."""
    name = f"{build.__module__}.{build.__qualname__}"

    @wraps(build)
    def look_up(of: K) -> V:
        found: V | None = of.__dict__.get(name)
        if found is None:
            found = of.__dict__[name] = build(of)
        return found

    return look_up
