"""A Grafana as its HTTP API behaves: tokens with roles, folders, dashboards with versions, preconditions, and dashboards that files provision."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import urlsplit

EDITOR, VIEWER = "glsa_editor_5f1b", "glsa_viewer_09ac"


class GrafanaServer(ThreadingHTTPServer):
    """The state of one organisation."""

    def __init__(self, path: str = "") -> None:
        self.path = path
        self.folders: dict[str, str] = {"ops": "Operations"}
        self.dashboards: dict[str, dict[str, Any]] = {}
        self.writes: list[str] = []
        super().__init__(("127.0.0.1", 0), _Handler)

    @property
    def url(self) -> str:
        """Where it is, with its sub-path."""
        return f"http://127.0.0.1:{self.server_address[1]}{self.path}"

    def save(self, body: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        """POST api/dashboards/db."""
        dashboard, folder = body["dashboard"], body.get("folderUid", "")
        if folder and folder not in self.folders:
            return 404, {"message": "folder not found"}
        if not dashboard.get("title"):
            return 400, {"message": "Dashboard title cannot be empty", "status": "empty-name"}
        uid = dashboard["uid"]
        if len(uid) > 40:
            return 400, {"message": "uid too long, max 40 characters"}
        known = self.dashboards.get(uid)
        if known and known["meta"]["provisioned"]:
            return 400, {"message": "Cannot save provisioned dashboard"}
        if known and not body.get("overwrite") and dashboard.get("version", 0) != known["dashboard"]["version"]:
            return 412, {"message": "The dashboard has been changed by someone else", "status": "version-mismatch"}
        twin = [
            other
            for key, other in self.dashboards.items()
            if key != uid and other["dashboard"]["title"] == dashboard["title"] and other["meta"]["folderUid"] == folder
        ]
        if twin and not body.get("overwrite"):
            return 412, {"message": "A dashboard with the same name in the folder already exists", "status": "name-exists"}
        version = known["dashboard"]["version"] + 1 if known else 1
        number = known["dashboard"]["id"] if known else len(self.dashboards) + 1
        self.put({**dashboard, "id": number, "version": version}, folder, message=body.get("message", ""))
        return 200, {"id": number, "uid": uid, "url": f"{self.path}/d/{uid}/x", "status": "success", "version": version, "slug": "x"}

    def put(self, dashboard: dict[str, Any], folder: str, *, provisioned: bool = False, message: str = "") -> None:
        """Have a dashboard."""
        numbered = {"id": 99, "version": 1, **dashboard}
        self.dashboards[dashboard["uid"]] = {"dashboard": numbered, "meta": {"folderUid": folder, "provisioned": provisioned, "message": message}}


class _Handler(BaseHTTPRequestHandler):
    server: GrafanaServer

    def do_GET(self) -> None:
        self._answer(*self._asked(None))

    def do_POST(self) -> None:
        self._answer(*self._asked(json.loads(self.rfile.read(int(self.headers["Content-Length"])))))

    def _asked(self, body: dict[str, Any] | None) -> tuple[int, Any]:
        grafana = self.server
        path = urlsplit(self.path).path
        if not path.startswith(grafana.path + "/api/"):
            return 404, {"message": "Not found"}
        token = self.headers.get("Authorization", "").removeprefix("Bearer ")
        if token not in (EDITOR, VIEWER):
            return 401, {"message": "Invalid API key", "messageId": "api-key.invalid", "statusCode": 401}
        if body is not None and token == VIEWER:
            needed = "folders:create" if path.endswith("/folders") else "dashboards:create"
            return 403, {"accessErrorId": "ACE1", "message": f"You'll need additional permissions to perform this action. Permissions needed: {needed}"}
        what = path.removeprefix(grafana.path + "/api/")
        if body is not None:
            grafana.writes.append(what)
        if what == "folders" and body is None:
            return 200, [{"id": at, "uid": uid, "title": title} for at, (uid, title) in enumerate(grafana.folders.items())]
        if what == "folders" and body is not None:
            uid = body.get("uid") or f"f{len(grafana.folders)}"
            grafana.folders[uid] = body["title"]
            return 200, {"id": len(grafana.folders), "uid": uid, "title": body["title"]}
        if what == "dashboards/db" and body is not None:
            return grafana.save(body)
        if what.startswith("dashboards/uid/"):
            found = grafana.dashboards.get(what.removeprefix("dashboards/uid/"))
            return (200, found) if found else (404, {"message": "Dashboard not found"})
        return 404, {"message": "Not found"}

    def _answer(self, status: int, value: Any) -> None:
        body = json.dumps(value).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


@contextmanager
def grafana_server(path: str = "") -> Iterator[GrafanaServer]:
    """It runs as long as the context lasts."""
    server = GrafanaServer(path)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
