"""Dashboards into a Grafana over its HTTP API: its folder, what it has already, how that differs, and saving. The one importer of that API."""

import difflib
from collections.abc import Mapping
from enum import StrEnum
from typing import Any

import msgspec
from pydantic import SecretStr

from rollout_metrics.collect.http import Answer, Api, Endpoint, bearer, decode
from rollout_metrics.domain.errors import ConfigurationError, CredentialsError, PayloadError
from rollout_metrics.generate.dashboards import as_text

Json = Mapping[str, Any]

_UNAUTHORIZED, _FORBIDDEN, _MISSING, _CONFLICT, _PRECONDITION = 401, 403, 404, 409, 412
_ANSWERED = frozenset((400, _UNAUTHORIZED, _FORBIDDEN, _MISSING, _CONFLICT, _PRECONDITION, 422))
_OF_ITS_GRAFANA = frozenset(("id", "version"))
"""Keys that each Grafana gives its copy."""

_PRECONDITIONS = {
    "version-mismatch": "is there already and differs: see how with --dry-run --diff, then repeat with --overwrite",
    "name-exists": "has a namesake with another uid in the folder: remove or rename that, or choose another --folder",
    "plugin-dashboard": "belongs to a plugin there: choose another --folder",
}


class State(StrEnum):
    """How a dashboard stands to what the Grafana has."""

    NEW = "new"
    CHANGED = "changed"
    MOVED = "moved"
    SAME = "same"


class Standing(msgspec.Struct, frozen=True):
    """A dashboard compared with what is there: the lines that differ, `-` there and `+` here, and whether files provision it."""

    state: State
    difference: tuple[str, ...] = ()
    provisioned: bool = False


class _Said(msgspec.Struct):
    message: str = ""
    status: str = ""


_ANYTHING: msgspec.json.Decoder[Any] = msgspec.json.Decoder()
_SAID = msgspec.json.Decoder(_Said)


class Grafana:
    """One Grafana, seen with one token. Raises `CredentialsError`, `ConfigurationError`, `RetryLater`, `PayloadError`."""

    def __init__(self, url: str, token: SecretStr) -> None:
        self._api = Api(Endpoint(base_url=url, authorization=bearer(token), attempts=3, patience=10.0, read_timeout=30.0, then="try again later"))

    def folder(self, title: str, *, make: bool) -> str | None:
        """The uid of the folder with this title; where there is none it is made, or None."""
        found = [folder for folder in self._got(self._api.get("api/folders", {"limit": 1000}, accept=_ANSWERED)) if folder["title"] == title]
        if found:
            return str(found[0]["uid"])
        if not make:
            return None
        return str(self._got(self._api.post("api/folders", {"title": title}, label=f"folder {title!r}", accept=_ANSWERED))["uid"])

    def compare(self, dashboard: Json, folder: str | None) -> Standing:
        """How a dashboard differs from the one of its uid there."""
        answer = self._api.get(f"api/dashboards/uid/{dashboard['uid']}", accept=_ANSWERED)
        if answer.status == _MISSING:
            if "not found" not in _said(answer).message.lower():
                raise ConfigurationError(_no_grafana(answer))
            return Standing(State.NEW)
        there = self._got(answer)
        before, after = (as_text({key: value for key, value in made.items() if key not in _OF_ITS_GRAFANA}) for made in (there["dashboard"], dashboard))
        provisioned = bool(there["meta"].get("provisioned"))
        if before != after:
            lines = difflib.unified_diff(before.splitlines(), after.splitlines(), "in Grafana", "here", lineterm="", n=2)
            return Standing(State.CHANGED, tuple(lines), provisioned)
        return Standing(State.SAME if there["meta"].get("folderUid") == folder else State.MOVED, (), provisioned)

    def save(self, dashboard: Json, folder: str, *, overwrite: bool, message: str) -> str:
        """Save a dashboard; returns its path there."""
        body = {"dashboard": {**dashboard, "id": None}, "folderUid": folder, "overwrite": overwrite, "message": message}
        answer = self._api.post("api/dashboards/db", body, label=f"dashboard {dashboard['title']!r}", accept=_ANSWERED)
        if answer.status == _PRECONDITION:
            said = _said(answer)
            raise ConfigurationError(f"{dashboard['title']} {_PRECONDITIONS.get(said.status, f'was refused: {said.message}')}")
        return str(self._got(answer).get("url", ""))

    def close(self) -> None:
        """Give the connection back."""
        self._api.close()

    @staticmethod
    def _got(answer: Answer) -> Any:
        if answer.status < 300:
            return decode(answer, _ANYTHING)
        said = _said(answer).message
        more = f" ({said[:300]})" if said else ""
        if answer.status == _UNAUTHORIZED:
            raise CredentialsError(f"401 from {answer.where}{more}: the token is not accepted: make one for a service account in Grafana, under Administration")
        if answer.status == _FORBIDDEN:
            raise CredentialsError(f"403 from {answer.where}{more}: give the token's service account the role Editor, or the permission that is named")
        if answer.status == _MISSING:
            raise ConfigurationError(_no_grafana(answer))
        if "provisioned" in said.lower():
            raise ConfigurationError(f"{answer.where} is refused{more}: files provision it there: change those, or take them away")
        raise PayloadError(f"{answer.status} from {answer.where}{more}")


def _no_grafana(answer: Answer) -> str:
    said = _said(answer).message
    return f"404 from {answer.where}{f' ({said[:300]})' if said else ''}: check the address: it is that of Grafana itself, with its sub-path where it has one"


def _said(answer: Answer) -> _Said:
    try:
        return _SAID.decode(answer.body)
    except msgspec.DecodeError:
        return _Said()
