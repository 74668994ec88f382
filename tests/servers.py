"""Real servers for tests: a private PostgreSQL cluster in a temporary folder, on a free port of the loopback, as an unprivileged user."""

import os
import pwd
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path

from sqlalchemy import create_engine

from rollout_metrics.store import upgrade
from rollout_metrics.store.schema import metadata
from rollout_metrics.store.schema_version import HEAD

_numbers = count(1)


def postgres_programs() -> Path | None:
    """The folder of the newest PostgreSQL server's programs, 15 or later; None where none is installed."""
    found = [path for path in Path("/usr/lib/postgresql").glob("*/bin") if (path / "initdb").exists() and int(path.parent.name) >= 15]
    if found:
        return max(found, key=lambda path: int(path.parent.name))
    on_path = shutil.which("initdb")
    return Path(on_path).parent if on_path else None


class Postgres:
    """A running cluster. Databases are made one for each test from a template that has the schema."""

    def __init__(self, programs: Path, folder: Path, port: int) -> None:
        self._programs = programs
        self.data = folder / "data"
        self._folder = folder
        self.port = port
        self.template = "template1"
        self._lent: list[str] = []
        self._free: list[str] = []
        self._user = _unprivileged()

    def url(self, database: str = "postgres") -> str:
        """The URL of one of its databases."""
        return f"postgresql://rollout@127.0.0.1:{self.port}/{database}"

    def create(self) -> None:
        """Make the cluster's files."""
        self._run("initdb", "-D", str(self.data), "-U", "rollout", "-A", "trust", "-E", "UTF8", "--no-sync", "--locale=C.UTF-8")

    def start(self) -> None:
        """Start it and wait until it answers."""
        options = f"-p {self.port} -c listen_addresses=127.0.0.1 -c unix_socket_directories={self._folder} -c fsync=off -c full_page_writes=off"
        self._run("pg_ctl", "-D", str(self.data), "-l", str(self._folder / "log"), "-o", options, "-w", "start")

    def stop(self) -> None:
        """Stop it at once."""
        self._run("pg_ctl", "-D", str(self.data), "-m", "immediate", "-w", "stop")

    def new_database(self) -> str:
        """The URL of an empty database, a new one or one taken back."""
        if self._free:
            name = self._free.pop()
            self._lent.append(name)
            return self.url(name)
        name = f"test_{next(_numbers)}"
        engine = create_engine(self.url().replace("postgresql:", "postgresql+psycopg:"), isolation_level="AUTOCOMMIT")
        with engine.connect() as connection:
            connection.exec_driver_sql(f"CREATE DATABASE {name} TEMPLATE {self.template} STRATEGY file_copy")
        engine.dispose()
        self._lent.append(name)
        return self.url(name)

    def take_back(self, *urls: str) -> None:
        """Empty the databases lent so far, or those named; they are lent again, which is much cheaper than making new ones."""
        back = [name for name in self._lent if not urls or self.url(name) in urls]
        for name in back:
            if name != self.template:
                engine = create_engine(self.url(name).replace("postgresql:", "postgresql+psycopg:"))
                with engine.begin() as connection:
                    connection.exec_driver_sql(f"TRUNCATE {', '.join(metadata.tables)} RESTART IDENTITY")
                    connection.exec_driver_sql(f"UPDATE alembic_version SET version_num = '{HEAD}'")
                engine.dispose()
                self._free.append(name)
        self._lent = [name for name in self._lent if name not in back]

    def _run(self, program: str, *arguments: str) -> None:
        done = subprocess.run(
            [str(self._programs / program), *arguments],
            user=self._user,
            cwd=self._folder,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
        assert done.returncode == 0, f"{program}: {done.stderr}"


@contextmanager
def postgres() -> Iterator[Postgres]:
    """A cluster for as long as the context lasts; every database made in it has the store's schema already."""
    programs = postgres_programs()
    assert programs is not None
    folder = Path(tempfile.mkdtemp(prefix="rollout-pg-"))
    user = _unprivileged()
    if user is not None:
        os.chown(folder, pwd.getpwnam(user).pw_uid, -1)
    server = Postgres(programs, folder, _free_port())
    try:
        server.create()
        server.start()
        try:
            server.template = server.new_database().rpartition("/")[2]
            upgrade(server.url(server.template))
            yield server
        finally:
            server.stop()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _unprivileged() -> str | None:
    """PostgreSQL refuses to run as root: whom to run it as then."""
    if os.geteuid() != 0:
        return None
    names = {entry.pw_name for entry in pwd.getpwall()}
    return "postgres" if "postgres" in names else "nobody"


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
