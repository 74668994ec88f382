"""The simulated company on loopback: both vendors behind Waitress, and the files its runtimes write, for as long as it is wanted."""

import socket
import threading
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from wsgiref.types import WSGIApplication

from waitress.channel import HTTPChannel
from waitress.server import create_server

from rollout_metrics.domain.time import Instant
from rollout_metrics.simulate import hubspot, zendesk
from rollout_metrics.simulate.cast import HUBSPOT, ZENDESK
from rollout_metrics.simulate.faults import Fault, Faults
from rollout_metrics.simulate.feed import SOURCES, Feed
from rollout_metrics.simulate.wire import Clock
from rollout_metrics.simulate.world import World


class Server:
    """One application on one loopback port, in a thread of its own; usable with `with`."""

    def __init__(self, application: WSGIApplication, *, port: int = 0, threads: int = 4) -> None:
        listening = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind(("127.0.0.1", port))
        self._server: Any = create_server(application, sockets=[listening], threads=threads, ident=None)
        self.url = f"http://127.0.0.1:{listening.getsockname()[1]}"
        self._thread = threading.Thread(target=self._server.run, name=f"simulated {self.url}", daemon=True)

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.stop()

    def start(self) -> Self:
        """Begin to serve."""
        self._thread.start()
        return self

    def stop(self) -> None:
        """Stop serving and free the port."""
        with suppress(OSError):  # a loop that woke by itself has closed everything already
            self._server.trigger.pull_trigger(self._close)
        self._thread.join(timeout=3)
        self._server.task_dispatcher.shutdown(timeout=2)

    def _close(self) -> None:
        for open_end in list(self._server._map.values()):
            (open_end.handle_close if isinstance(open_end, HTTPChannel) else open_end.close)()


class Company:
    """Zendesk and HubSpot of one world, and the feeds written into `directory`, as the clock passes."""

    def __init__(
        self,
        world: World,
        clock: Clock,
        *,
        directory: Path | None = None,
        zendesk_port: int = 0,
        hubspot_port: int = 0,
        generous: bool = True,
        faults: Iterable[Fault] = (),
        every_seconds: float = 5.0,
    ) -> None:
        """`generous`: far higher request limits than the vendors', so that ninety days are read in seconds. `faults` befall both."""
        faults = tuple(faults)
        applications: dict[str, WSGIApplication] = {
            ZENDESK: zendesk.application(world, clock, limits=zendesk.GENEROUS if generous else zendesk.Limits()),
            HUBSPOT: hubspot.application(world, clock, limits=hubspot.GENEROUS if generous else hubspot.Limits()),
        }
        ports = {ZENDESK: zendesk_port, HUBSPOT: hubspot_port}
        self.world = world
        self._servers = {name: Server(Faults(app, faults) if faults else app, port=ports[name]) for name, app in applications.items()}
        self._feeds = [Feed(world, source, directory / source) for source in SOURCES] if directory is not None else []
        self._clock, self._every = clock, every_seconds
        self._stopped = threading.Event()
        self._writer = threading.Thread(target=self._write_on, name="simulated feeds", daemon=True)

    @property
    def zendesk_url(self) -> str:
        """Where Zendesk is."""
        return self._servers[ZENDESK].url

    @property
    def hubspot_url(self) -> str:
        """Where HubSpot is."""
        return self._servers[HUBSPOT].url

    def start(self) -> Self:
        """Write history up to now, then serve and go on."""
        self.write(self._clock())
        for server in self._servers.values():
            server.start()
        if self._feeds:
            self._writer.start()
        return self

    def write(self, up_to: Instant) -> int:
        """Write the feeds up to an instant; how many events that were."""
        self.world.until(up_to)
        return sum(feed.write(up_to) for feed in self._feeds)

    def stop(self) -> None:
        """Stop serving and writing."""
        self._stopped.set()
        if self._feeds and self._writer.is_alive():
            self._writer.join(timeout=5)
        for server in self._servers.values():
            server.stop()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.stop()

    def _write_on(self) -> None:
        while not self._stopped.wait(self._every):
            self.write(self._clock())
