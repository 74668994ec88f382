"""Who looks at the pages and what they may see: by the name that the listener or a trusted proxy vouches for."""

from collections.abc import Iterable, Mapping, Sequence
from ipaddress import IPv4Network, IPv6Network, ip_address
from typing import Any, Protocol

import msgspec

EVERYONE = "*"
USER = "REMOTE_USER"
"""Where the listener's guard puts the name of whom it let in."""

Network = IPv4Network | IPv6Network


class Right(Protocol):
    """What some users may see. `workflows` None: all."""

    @property
    def users(self) -> frozenset[str]: ...
    @property
    def workflows(self) -> frozenset[str] | None: ...
    @property
    def evidence(self) -> bool: ...
    @property
    def persons(self) -> bool: ...


class Admission(Protocol):
    """Whom to believe and what to show them; without any right, everyone who gets here sees all but persons."""

    @property
    def proxy_header(self) -> str | None: ...
    @property
    def proxy_addresses(self) -> Sequence[Network]: ...
    @property
    def rights(self) -> Sequence[Right]: ...


class Viewer(msgspec.Struct, frozen=True):
    """Somebody who looks. `name` None: nobody said who; the others: workflow -> whether, `None` as the workflow standing for all."""

    name: str | None
    sees: frozenset[str | None]
    evidence: frozenset[str | None]
    persons: frozenset[str | None]

    @property
    def limited(self) -> bool:
        """Whether some workflows are not theirs to see."""
        return None not in self.sees

    def may_see(self, workflow: str) -> bool:
        """Whether a workflow's figures are theirs to see."""
        return _in(self.sees, workflow)

    def may_open(self, workflow: str) -> bool:
        """Whether the cases behind them are, too."""
        return _in(self.evidence, workflow)

    def may_see_persons(self, workflow: str) -> bool:
        """Whether what is derived from persons is, too."""
        return _in(self.persons, workflow)


def viewer(environ: Mapping[str, Any], admission: Admission) -> Viewer:
    """Whoever sent a request."""
    name = environ.get(USER) or _vouched(environ, admission)
    if not admission.rights:
        everything: frozenset[str | None] = frozenset((None,))
        return Viewer(name, everything, everything, frozenset())
    rights = [right for right in admission.rights if EVERYONE in right.users or (name is not None and name in right.users)]
    return Viewer(name, _granted(rights), _granted(r for r in rights if r.evidence), _granted(r for r in rights if r.evidence and r.persons))


def _granted(rights: Iterable[Right]) -> frozenset[str | None]:
    return frozenset[str | None]().union(*((None,) if right.workflows is None else right.workflows for right in rights))


def _in(granted: frozenset[str | None], workflow: str) -> bool:
    return None in granted or workflow in granted


def _vouched(environ: Mapping[str, Any], admission: Admission) -> str | None:
    """The name in the proxy's header, believed only from the proxy's address. Two names at once are none: somebody added one."""
    if admission.proxy_header is None:
        return None
    name = str(environ.get("HTTP_" + admission.proxy_header.upper().replace("-", "_"), "")).strip()
    try:
        sender = ip_address(str(environ.get("REMOTE_ADDR", "")))
    except ValueError:
        return None
    return name if name and "," not in name and any(sender in network for network in admission.proxy_addresses) else None
