"""Serves a desk's pages over loopback HTTP from memory, keeping connections open: `python -m benchmarks.desk_server FOLDER` prints its port."""

import asyncio
import re
import subprocess
import sys
from bisect import bisect_right
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec

from benchmarks.desk import STAFF

_HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n%s\r\n"
_GZIP = b"Content-Encoding: gzip\r\n"
_ASKED = re.compile(rb"start_time=(\d+)")


class _Connection(asyncio.Protocol):
    def __init__(self, starts: list[int], pages: list[bytes]) -> None:
        self._starts, self._pages = starts, pages
        users = msgspec.json.encode({"users": [{"id": number} for number in STAFF], "meta": {"has_more": False}})
        self._users = _HEAD % (len(users), b"") + users
        self._received = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._received += data
        while (end := self._received.find(b"\r\n\r\n")) >= 0:
            line, self._received = self._received[:end].split(b"\r\n", 1)[0], self._received[end + 4 :]
            self._transport.write(self._users if b"/users" in line else self._page(line))  # type: ignore[attr-defined]

    def _page(self, line: bytes) -> bytes:
        asked = _ASKED.search(line)
        place = bisect_right(self._starts, int(asked[1])) - 1 if asked else 0
        return self._pages[max(place, 0)]


async def _serve(folder: Path) -> None:
    files = sorted(folder.glob("*.json.gz"))
    # a page answers from the second in which the one before it ended
    starts = [0, *(int(file.name.partition("-")[2].partition(".")[0]) for file in files[:-1])]
    pages = [_HEAD % (len(packed), _GZIP) + packed for packed in (file.read_bytes() for file in files)]
    server = await asyncio.get_running_loop().create_server(lambda: _Connection(starts, pages), "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


@contextmanager
def serving(folder: Path) -> Iterator[str]:
    """The address at which another process serves the folder."""
    with subprocess.Popen([sys.executable, "-m", "benchmarks.desk_server", str(folder)], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield f"http://127.0.0.1:{int(process.stdout.readline())}"
        finally:
            process.terminate()


if __name__ == "__main__":
    asyncio.run(_serve(Path(sys.argv[1])))
