"""A listener: Waitress on one address, with TLS where it is configured, in a thread of its own."""

import errno
import socket
import ssl
import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import Any, cast

from waitress.channel import HTTPChannel
from waitress.server import create_server

from rollout_metrics.domain.errors import ConfigurationError
from rollout_metrics.publish.app import Application
from rollout_metrics.publish.web_config import Guard, read_web_config, tls_context

CONNECTIONS = 400
"""At most so many at a time: two listeners stay below the 1,024 files that a process may commonly have open."""
IDLE_SECONDS = 30
"""After so long a silence a connection is dropped, so that clients that never finish a request cannot hold them all."""


class Listener:
    """Serves an application until it is closed. `address` is `host:port` with the port really bound."""

    def __init__(
        self,
        application: Application,
        address: str,
        *,
        web_config: Path | None = None,
        threads: int = 8,
        max_body: int = 16 * 1024 * 1024,
        open_to: tuple[str, ...] = (),
    ) -> None:
        """Bind at once. `open_to`: paths that look after their own authentication.

        Raises `ConfigurationError` where the address or the web configuration is not usable.
        """
        host, _, port = address.rpartition(":")
        context = None
        if web_config is not None:
            context = tls_context(read_web_config(web_config), web_config)
            application = Guard(application, web_config, open_to=open_to)
        listening = _bound(host.strip("[]"), int(port), address)
        if context is not None:
            listening = context.wrap_socket(listening, server_side=True, do_handshake_on_connect=False)
        server: Any = create_server(
            application,
            sockets=[listening],
            threads=threads,
            ident=None,
            max_request_body_size=max_body,
            clear_untrusted_proxy_headers=True,
            connection_limit=CONNECTIONS,
            channel_timeout=IDLE_SECONDS,
            asyncore_use_poll=True,  # select() breaks down at the 1024th open file
        )
        if context is not None:
            server.channel_class = _TlsChannel
        self._server = server
        bound = listening.getsockname()
        self.address = f"[{bound[0]}]:{bound[1]}" if ":" in bound[0] else f"{bound[0]}:{bound[1]}"
        self.url = f"{'https' if context else 'http'}://{self.address}"
        self._thread = threading.Thread(target=self._server.run, name=f"listener {self.address}", daemon=True)

    def start(self) -> "Listener":
        """Begin to serve."""
        self._thread.start()
        return self

    def close(self) -> None:
        """Stop serving, drop open connections and free the address."""
        with suppress(OSError):  # a loop that woke by itself has closed everything already
            self._server.trigger.pull_trigger(self._close_all)
        self._thread.join(timeout=3)
        self._server.task_dispatcher.shutdown(timeout=2)

    def _close_all(self) -> None:
        """Within the server's own loop: with nothing left to watch it ends."""
        for open_end in list(self._server._map.values()):
            (open_end.handle_close if isinstance(open_end, HTTPChannel) else open_end.close)()


def _bound(host: str, port: int, address: str) -> socket.socket:
    remedies = {
        errno.EADDRINUSE: "another program listens there: stop it or choose another port",
        errno.EACCES: "ports below 1024 need privileges: choose another port",
        errno.EADDRNOTAVAIL: "this machine has no such address: listen on one it has, or on 0.0.0.0",
    }
    try:
        family, kind, protocol, _, place = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0]
        listening = socket.socket(family, kind, protocol)
    except OSError as error:
        raise ConfigurationError(f"listen: {address} is no usable address ({error.strerror or error}): correct it") from None
    try:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind(place)
        listening.listen(1024)
        listening.setblocking(False)
    except OSError as error:
        listening.close()
        raise ConfigurationError(f"listen: {address} cannot be bound ({error.strerror}): {remedies.get(error.errno or 0, 'choose another address')}") from None
    return listening


class _TlsChannel(HTTPChannel):
    """A channel over TLS: the handshake happens within the first reads, and 'not yet' is no error."""

    def handle_read(self) -> None:
        try:
            data = self.recv(self.adj.recv_bytes)
            secured = cast(ssl.SSLSocket, self.socket)
            while self.connected and secured.pending():
                data += self.recv(secured.pending())
        except (ssl.SSLWantReadError, ssl.SSLWantWriteError):
            return
        except OSError:
            self.handle_close()
            return
        if data:
            self.last_activity = time.time()
            self.received(data)
        else:
            self.connected = False

    def send(self, data: bytes, do_close: bool = True) -> int:
        """Send what fits; nothing while TLS has to wait."""
        try:
            return int(super().send(data, do_close=do_close))
        except (ssl.SSLWantReadError, ssl.SSLWantWriteError):
            return 0
