"""A help desk's ticket events in Zendesk's real shape (the changed field's name is a key of its own), drawn from a seed, as gzipped pages of a thousand."""

import gzip
import subprocess
import sys
import time
from pathlib import Path
from random import Random
from typing import Any

import msgspec

START = 1_767_225_600
"""2026-01-01T00:00:00Z, in seconds: no event is older."""
PAGE = 1000
AGENTS = (900_001, 900_002, 900_003)
"""The AI agents, one for each workflow."""
STAFF = range(5000, 5200)
FORMS = ("31", "32", "33")
"""The ticket form that puts a ticket into a workflow."""
PRIORITIES, TYPES, GROUPS = ("low", "normal", "high", "urgent"), ("question", "incident", "problem", "task"), tuple(str(40 + n) for n in range(20))
CHOICES = {"priority": PRIORITIES, "group_id": GROUPS, "ticket_type": TYPES}
CUSTOM = ("360001", "360002", "360003", "360004")
WORDS = [
    "order",
    "item",
    "refund",
    "late",
    "parcel",
    "broken",
    "screen",
    "invoice",
    "account",
    "please",
    "help",
    "password",
    "charge",
    "twice",
    "return",
    "label",
    "size",
    "colour",
    "address",
    "stock",
]

Audit = dict[str, Any]


def tickets(count: int, span: int, *, seed: int = 7, first: int = 1000, start: int = START, texts: bool = False) -> list[Audit]:
    """`count` audits, in order of time, within `span` seconds from `start`, of as many tickets as that takes."""
    draw = Random(seed)
    audits: list[Audit] = []
    number = first
    while len(audits) < count:
        begun = start + draw.randrange(-14 * 86_400, span)  # some are in work already where the desk begins, and go on where it ends
        audits += [audit for audit in _ticket(draw, number, begun, texts=texts) if start <= audit["timestamp"] < start + span]
        number += 1
    audits.sort(key=lambda audit: (audit["timestamp"], audit["ticket_id"]))
    return _numbered(audits[:count], seed)


def changes_of(known: list[Audit], count: int, span: int, *, start: int, seed: int) -> list[Audit]:
    """One pass worth of news within `span` seconds: half of it new tickets, half of it people's changes to tickets that are there."""
    draw = Random(seed)
    audits = [
        audit
        for number in range(count)
        for audit in _ticket(draw, 500_000_000 + seed * 1_000_000 + number, start + draw.randrange(span), texts=False)[:2]
        if audit["timestamp"] < start + span
    ][: count // 2]
    recent = sorted({audit["ticket_id"] for audit in known[-20 * count :]})
    for ticket in draw.sample(recent, min(count - len(audits), len(recent))):
        change = _change("priority", draw.choice(PRIORITIES), draw.choice((None, "low")))
        audits.append(_audit(ticket, start + draw.randrange(span), draw.choice(STAFF), "Web", [change]))
    audits.sort(key=lambda audit: (audit["timestamp"], audit["ticket_id"]))
    return _numbered(audits, 1000 + seed)


def _ticket(draw: Random, number: int, at: int, *, texts: bool) -> list[Audit]:
    workflow = draw.randrange(3)
    agent, human, customer = AGENTS[workflow], draw.choice(STAFF), 100_000 + draw.randrange(50_000)
    held: dict[str, Any] = {"status": "new", "priority": None, "ticket_type": None, "group_id": None}
    created = {"event_type": "Create", "subject": f"Order {draw.randrange(10**6)} has a problem", "requester_id": customer, "status": "new",
               "priority": None, "ticket_type": None, "ticket_form_id": int(FORMS[workflow]), "tags": ["web"]}  # fmt: skip
    audits = [_audit(number, at, customer, "Web form", [created, _comment(draw, public=True, texts=texts)])]

    def change(field: str, value: str) -> Audit:
        before, held[field] = held[field], value
        return _change(field, value, before)

    at += 5 + draw.randrange(60)
    if draw.random() < 0.9:
        set_ = [change("priority", draw.choice(PRIORITIES)), change("group_id", draw.choice(GROUPS)), change("ticket_type", draw.choice(TYPES))]
        audits.append(_audit(number, at, agent, "Web service", set_))
        at += 60 + draw.randrange(7200)
    for _ in range(draw.randrange(5) + draw.randrange(4)):
        chance = draw.random()
        if chance < 0.30:
            field = draw.choice(tuple(CHOICES))
            value = draw.choice(CHOICES[field])
            said = _comment(draw, public=False, texts=texts) if value == held[field] else change(field, value)
            audits.append(_audit(number, at, human, "Web", [said]))
        elif chance < 0.60:
            custom = _change(draw.choice(CUSTOM), f"v{draw.randrange(50)}", None)
            audits.append(_audit(number, at, agent, "Web service", [_comment(draw, public=True, texts=texts), custom]))
        elif chance < 0.68:
            audits.append(_audit(number, at, agent, "Web service", [change("group_id", draw.choice(GROUPS))]))
        elif chance < 0.78 and held["status"] != "open":
            by_rule = change("status", "open") | {"via": "Rule", "via_reference_id": 22}
            audits.append(_audit(number, at, human, "Web", [_comment(draw, public=False, texts=texts), by_rule]))
        else:
            audits.append(_audit(number, at, human if draw.random() < 0.6 else customer, "Web", [_comment(draw, public=True, texts=texts)]))
        at += 60 + draw.randrange(43_200)
    closer = agent if draw.random() < 0.5 else human
    audits.append(_audit(number, at, closer, "Web service" if closer == agent else "Web", [change("status", "solved")]))
    at += 3600 + draw.randrange(86_400)
    if draw.random() < 0.12:
        audits.append(_audit(number, at, customer, "Mail", [change("status", "open"), _comment(draw, public=True, texts=texts)]))
        at += 3600 + draw.randrange(86_400)
        audits.append(_audit(number, at, human, "Web", [change("status", "solved")]))
    at += 4 * 86_400
    if draw.random() < 0.8:
        audits.append(_audit(number, at, -1, "Rule", [change("status", "closed")]))
    return audits


def _change(field: str, value: str, before: str | None) -> Audit:
    return {"event_type": "Change", field: value, "previous_value": before}


def _comment(draw: Random, *, public: bool, texts: bool) -> Audit:
    said: Audit = {"event_type": "Comment", "comment_present": True, "comment_public": public}
    if texts:
        body = " ".join(draw.choices(WORDS, k=20 + draw.randrange(60)))
        said |= {"type": "Comment", "body": body, "html_body": f"<div><p>{body}</p></div>", "plain_body": body, "public": public, "attachments": []}
    return said


def _audit(ticket: int, at: int, updater: int, via: str, children: list[Audit]) -> Audit:
    return {"ticket_id": ticket, "timestamp": at, "updater_id": updater, "via": via, "child_events": children}


def _numbered(audits: list[Audit], seed: int) -> list[Audit]:
    """Ids in order of time, and the rest of the envelope."""
    system = {"client": "Mozilla/5.0 (X11; Linux x86_64)", "location": "Copenhagen, 84, Denmark", "latitude": 55.6, "longitude": 12.5}
    child_id = 7_000_000_000 + seed * 100_000_000
    for number, audit in enumerate(audits):
        audit |= {"id": 926_000_000_000 + seed * 10_000_000 + number, "event_type": "Audit", "system": system, "metadata": {}}
        audit["created_at"] = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(audit["timestamp"]))
        children = []
        for child in audit["child_events"]:
            child_id += 1
            children.append({"id": child_id, "via": audit["via"], "via_reference_id": None} | child)
        audits[number] = audit | {"child_events": children}
    return audits


def write_pages(audits: list[Audit], folder: Path, *, end_of_stream: bool = True) -> None:
    """Append pages to a folder, named by their first second. None begins in the second in which the one before ends, so each can be asked for by its start."""
    folder.mkdir(parents=True, exist_ok=True)
    begin = 0
    while begin < len(audits):
        end = min(begin + PAGE, len(audits))
        while end < len(audits) and audits[end]["timestamp"] == audits[end - 1]["timestamp"]:
            end += 1
        last = end == len(audits)
        rows = audits[begin:end]
        after = rows[-1]["timestamp"] + 1
        page = {
            "ticket_events": rows, "count": len(rows), "end_of_stream": last and end_of_stream, "end_time": after,
            "next_page": None if last else f"/api/v2/incremental/ticket_events.json?start_time={after}",
        }  # fmt: skip
        (folder / f"{rows[0]['timestamp']:012}-{after:012}.json.gz").write_bytes(gzip.compress(msgspec.json.encode(page), 6, mtime=0))
        begin = end


def desk(folder: Path, count: int, *, span: int = 13 * 86_400, texts: bool = False) -> Path:
    """The folder of a desk's pages with `count` audits, written once and kept."""
    kept = folder / f"desk-{count}-{span // 86_400}d{'-texts' if texts else ''}"
    if not (kept / "complete").exists():  # in a process of its own: the peak memory of a process includes that of the one that started it
        subprocess.run([sys.executable, "-m", "benchmarks.desk", str(kept), str(count), str(span), *(["texts"] if texts else [])], check=True)
        (kept / "complete").touch()
    return kept


if __name__ == "__main__":
    write_pages(tickets(int(sys.argv[2]), int(sys.argv[3]), texts=len(sys.argv) > 4), Path(sys.argv[1]))
