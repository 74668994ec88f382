"""What a scenario needs of a ticketing system: people who act on cases through its API, and how our program reads it."""

import json
import os
import subprocess
from abc import abstractmethod
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import requests

from checkout import ROOT
from e2e.exporter import free_port, until

HERE = Path(__file__).parent
PEOPLE = ("agent", "alice", "bob", "carol", "reader")


class Desk:
    """A running system. People are `agent`, `alice`, `bob`, `carol` (who approves) and `reader` (whose token our program has)."""

    kind: str
    installed: Path
    """What is there where the system is installed."""
    package: str
    low: str
    high: str
    urgent: str
    decided = "priority"
    """The attribute that `set_priority` changes."""
    books_time = True
    approves = False
    """Whether it has approvals and mergers."""
    called: tuple[str, ...] = ()
    """Names that it has for ids in its events."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.url = f"http://127.0.0.1:{free_port()}"
        self.made: dict[str, Any] = {}

    def missing(self) -> str:
        """Why nothing can be played on it here; empty: it can."""
        return "" if self.installed.exists() else f"{self.kind} is not installed here: apt-get install {self.package}"

    @abstractmethod
    def command(self) -> tuple[list[str], Mapping[str, str]]:
        """The server's command and environment."""

    @abstractmethod
    def call(self, who: str, method: str, path: str, body: Any = None) -> Any:
        """Ask the API as somebody; raises for anything but success."""

    @abstractmethod
    def up(self) -> bool:
        """Whether it answers."""

    def environment(self) -> Mapping[str, str]:
        """What the script is told besides the folder and the port."""
        return {}

    def prepare(self) -> None:
        """Make the database with people and projects."""
        with (self.folder / "prepare.log").open("w") as log:
            script = [str(HERE / f"{self.kind}.sh"), str(self.folder), self.url.rpartition(":")[2]]
            environment = {**os.environ, **self.environment()}
            done = subprocess.run(script, stdout=log, stderr=log, timeout=400, check=False, stdin=subprocess.DEVNULL, env=environment)
        assert done.returncode == 0, (self.folder / "prepare.log").read_text()[-3000:]
        self.made = json.loads((self.folder / "desk.json").read_text())

    # what people do; cases are told by their number
    create: Any
    set_priority: Any
    assign: Any
    close: Any
    reopen: Any
    comment: Any
    delete: Any
    log_minutes: Any

    def person(self, name: str) -> str:
        """A person as the trail names them."""
        return name

    def source(self) -> dict[str, Any]:
        """The options of our source."""
        return {"kind": self.kind, "base_url": self.url, "token": self.made["tokens"]["reader"]}

    def refused(self) -> dict[str, str]:
        """Tokens with which something cannot be read, and what is said of it."""
        return {"a-wrong-token": "check the token: it is wrong"}

    @abstractmethod
    def scope(self) -> dict[str, list[str]]:
        """The cases of the support team."""


class RequestTracker(Desk):
    """Request Tracker 5."""

    kind = "request_tracker"
    installed = Path("/usr/share/request-tracker5/libexec/rt-server")
    package = "request-tracker5"
    low, high, urgent = "10", "50", "90"
    approves = True
    called = ("Support", "Tone of voice")

    def command(self) -> tuple[list[str], Mapping[str, str]]:
        """Its own server, with two workers."""
        where = {"RT_SITE_CONFIG": str(self.folder / "RT_SiteConfig.pm"), "RT_SITE_CONFIG_DIR": str(self.folder / "conf.d")}
        port = self.url.rpartition(":")[2]
        return [str(self.installed), "--server", "Starlet", "--host", "127.0.0.1", "--port", port, "--max-workers", "2", "--env", "deployment"], where

    def call(self, who: str, method: str, path: str, body: Any = None) -> Any:
        """RT answers 200 also to what it refuses: what was refused is told in words."""
        headers = {"Authorization": f"token {self.made['tokens'][who]}"}
        answer = requests.request(method, f"{self.url}/REST/2.0{path}", json=body, headers=headers, timeout=30)
        assert answer.status_code in (200, 201), f"{who} {method} {path}: {answer.status_code} {answer.text[:300]}"
        assert not any(word in answer.text for word in ("Permission Denied", "unresolved dependencies", "Invalid")), answer.text
        return answer.json()

    def up(self) -> bool:
        """Whether the API answers at all."""
        try:
            return requests.get(f"{self.url}/REST/2.0/rt", timeout=10).status_code == 401
        except requests.RequestException:
            return False

    def create(self, who: str = "alice", queue: str = "Support") -> str:
        """A new ticket of a customer's."""
        body = {"Queue": queue, "Subject": "Order 17", "Requestor": "customer@example.test", "Content": "It is broken", "Priority": 20}
        return str(self.call(who, "POST", "/ticket", body)["id"])

    def set_priority(self, who: str, case: str, value: str) -> None:
        self.call(who, "PUT", f"/ticket/{case}", {"Priority": int(value)})

    def assign(self, who: str, case: str, whom: str) -> None:
        self.call(who, "PUT", f"/ticket/{case}", {"Owner": whom})

    def close(self, who: str, case: str) -> None:
        self.call(who, "PUT", f"/ticket/{case}", {"Status": "resolved"})

    def reopen(self, who: str, case: str) -> None:
        self.call(who, "PUT", f"/ticket/{case}", {"Status": "open"})

    def comment(self, who: str, case: str, text: str) -> None:
        self.call(who, "POST", f"/ticket/{case}/comment", {"Content": text, "ContentType": "text/plain"})

    def log_minutes(self, who: str, case: str, minutes: int) -> None:
        body = {"Content": "worked on it", "ContentType": "text/plain", "TimeTaken": minutes}
        self.call(who, "POST", f"/ticket/{case}/comment", body)

    def merge(self, who: str, case: str, into: str) -> None:
        self.call(who, "PUT", f"/ticket/{case}", {"MergeInto": int(into)})

    def delete(self, who: str, case: str) -> None:
        self.call(who, "PUT", f"/ticket/{case}", {"Status": "deleted"})

    def decide(self, who: str, case: str, *, granted: bool) -> None:
        """Approve or reject what a ticket waits for."""
        links = self.call(who, "GET", f"/ticket/{case}")["_hyperlinks"]
        approval = next(str(link["id"]) for link in links if link["ref"] == "depends-on")
        self.call(who, "PUT", f"/ticket/{approval}", {"Status": "resolved" if granted else "rejected"})

    def scope(self) -> dict[str, list[str]]:
        return {"queue": [self.made["queues"]["Support"], self.made["queues"]["Refunds"]]}


class Redmine(Desk):
    """Redmine 5."""

    kind = "redmine"
    installed = Path("/usr/share/redmine/config.ru")
    package = "redmine"
    called = ("support", "Closed")

    def command(self) -> tuple[list[str], Mapping[str, str]]:
        """Puma, as Debian has it."""
        where = {"REDMINE_INSTANCE": self.folder.name, "RAILS_ENV": "production", "RUBYOPT": "-W0", "REDMINE_LANG": "en"}
        bind = self.url.replace("http:", "tcp:")
        return ["puma", "-q", "-e", "production", "-b", bind, "-t", "1:4", "--dir", "/usr/share/redmine", "config.ru"], where

    def call(self, who: str, method: str, path: str, body: Any = None) -> Any:
        """Writes answer without a body."""
        headers = {"X-Redmine-API-Key": self.made["tokens"][who]}
        answer = requests.request(method, self.url + path, json=body, headers=headers, timeout=30)
        assert answer.status_code in (200, 201, 204), f"{who} {method} {path}: {answer.status_code} {answer.text[:300]}"
        return answer.json() if answer.text.strip() else None

    def up(self) -> bool:
        """Whether the API answers at all."""
        try:
            return requests.get(f"{self.url}/users/current.json", timeout=20).status_code == 401
        except requests.RequestException:
            return False

    def prepare(self) -> None:
        super().prepare()
        self.low, self.high, self.urgent = (self.made["priorities"][name] for name in ("Low", "High", "Urgent"))

    def create(self, who: str = "alice") -> str:
        """A new issue."""
        issue = {
            "project_id": self.made["projects"]["support"],
            "tracker_id": self.made["trackers"]["Support"],
            "subject": "Order 17",
            "description": "It is broken",
        }
        return str(self.call(who, "POST", "/issues.json", {"issue": issue})["issue"]["id"])

    def _update(self, who: str, case: str, **fields: Any) -> None:
        self.call(who, "PUT", f"/issues/{case}.json", {"issue": fields})

    def set_priority(self, who: str, case: str, value: str) -> None:
        self._update(who, case, priority_id=value)

    def assign(self, who: str, case: str, whom: str) -> None:
        self._update(who, case, assigned_to_id=self.person(whom))

    def close(self, who: str, case: str) -> None:
        self._update(who, case, status_id=self.made["statuses"]["Closed"])

    def reopen(self, who: str, case: str) -> None:
        self._update(who, case, status_id=self.made["statuses"]["In Progress"])

    def comment(self, who: str, case: str, text: str) -> None:
        self._update(who, case, notes=text, private_notes=True)

    def delete(self, who: str, case: str) -> None:
        self.call(who, "DELETE", f"/issues/{case}.json")

    def log_minutes(self, who: str, case: str, minutes: int) -> None:
        booked = {"issue_id": case, "hours": minutes / 60, "activity_id": next(iter(self.made["activities"].values()))}
        self.call(who, "POST", "/time_entries.json", {"time_entry": booked})

    def person(self, name: str) -> str:
        return str(self.made["users"][name])

    def source(self) -> dict[str, Any]:
        return {**super().source(), "reconcile_every": "1s"}

    def scope(self) -> dict[str, list[str]]:
        return {"project": [self.made["projects"]["support"]]}


class Tryton(Desk):
    """Tryton 8 with its module for opportunities, in an environment of its own that is made from the package index."""

    kind = "tryton"
    installed = ROOT / ".venv-tryton" / "bin"
    low, high, urgent = "0.1", "0.7", "0.9"
    decided = "conversion_probability"
    books_time = False

    def missing(self) -> str:
        made = subprocess.run(["make", "--silent", ".venv-tryton/.installed"], cwd=ROOT, capture_output=True, text=True, timeout=300, check=False)
        if made.returncode and "No matching distribution" in made.stderr:
            return "no package index is within reach to install Tryton from"
        assert made.returncode == 0, made.stderr[-3000:]
        return ""

    def environment(self) -> Mapping[str, str]:
        return {"TRYTON": str(self.installed)}

    def command(self) -> tuple[list[str], Mapping[str, str]]:
        """Its own server."""
        return [str(self.installed / "trytond"), "-c", str(self.folder / "trytond.conf"), "-d", "crm"], {}

    def call(self, who: str, method: str, path: str, body: Any = None) -> Any:
        """What cannot be done is refused with a status."""
        headers = {"Authorization": f"Bearer {self.made['tokens'][who]}"}
        answer = requests.request(method, f"{self.url}/crm/rest/model/{path}", json=body, headers=headers, timeout=30)
        assert answer.status_code in (200, 204), f"{who} {method} {path}: {answer.status_code} {answer.text[:300]}"
        return answer.json() if answer.text else None

    def up(self) -> bool:
        """Whether the API answers at all."""
        try:
            return requests.get(f"{self.url}/crm/rest/model/sale.opportunity", timeout=20).status_code == 401
        except requests.RequestException:
            return False

    def create(self, who: str = "alice") -> str:
        """A new lead."""
        values = {**self.made["values"], "description": "Order 17", "amount": {"__class__": "Decimal", "decimal": "1000.00"}}
        return str(self.call(who, "POST", "sale.opportunity", {**values, "employee": self.made["employees"][who]})["id"])

    def _update(self, who: str, case: str, **fields: Any) -> None:
        self.call(who, "PUT", f"sale.opportunity/{case}", fields)

    def set_priority(self, who: str, case: str, value: str) -> None:
        self._update(who, case, conversion_probability=float(value))

    def assign(self, who: str, case: str, whom: str) -> None:
        self._update(who, case, employee=self.made["employees"][whom])

    def close(self, who: str, case: str) -> None:
        self.call(who, "POST", f"sale.opportunity/{case}/lost", {})

    def reopen(self, who: str, case: str) -> None:
        self.call(who, "POST", f"sale.opportunity/{case}/lead", {})

    def comment(self, who: str, case: str, text: str) -> None:
        self.call(who, "POST", "ir.note", {"resource": f"sale.opportunity,{case}", "message": text})

    def delete(self, who: str, case: str) -> None:
        """Only what was cancelled can be deleted."""
        self.call(who, "POST", f"sale.opportunity/{case}/cancel", {})
        self.call(who, "DELETE", f"sale.opportunity/{case}")

    def source(self) -> dict[str, Any]:
        return {**super().source(), "database": "crm", "reconcile_every": "1s"}

    def refused(self) -> dict[str, str]:
        """A stranger is in no group, an outsider in another company."""
        tokens = self.made["tokens"]
        return {
            **super().refused(),
            tokens["stranger"]: "a group of its user must have the right",
            tokens["outsider"]: "no sale.opportunity is shown",
        }

    def scope(self) -> dict[str, list[str]]:
        return {"company": [str(self.made["values"]["company"])]}


@contextmanager
def running(desk: Desk) -> Iterator[Desk]:
    """Prepare and start a system; skip where it is not installed."""
    if reason := desk.missing():
        pytest.skip(reason)
    desk.prepare()
    command, environment = desk.command()
    with (desk.folder / "server.log").open("w") as log:
        server = subprocess.Popen(command, stdout=log, stderr=log, stdin=subprocess.DEVNULL, env={**os.environ, **environment}, start_new_session=True)
    try:
        until(lambda: server.poll() is None and desk.up(), f"{desk.kind} answering: {desk.folder / 'server.log'}", 120)
        yield desk
    finally:
        server.terminate()
        server.wait(timeout=20)
