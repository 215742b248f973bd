"""PostgreSQL, PgBouncer and Redis for a while: for tests and benchmarks, from the programs installed here.

Each server lives in a directory of its own under a guard, a shell that reads our words from a
pipe. When the pipe ends, because we are done or because we died, the guard ends the server and
removes the directory. So nothing outlives us, not even after a kill.
"""

import os
import pwd
import random
import shlex
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Self

import psycopg
import redis

START_SECONDS = 60.0

# In both scripts $0 is the directory.
DIRECTORY_GUARD = 'read -r end; rm -rf "$0"'
# $1 is the signal that ends the server for good, $2 what to do before the first start, and the
# rest the command line of the server.
SERVER_GUARD = """
last=$1; eval "$2" >"$0/log" 2>&1; echo $?
shift 2
while read -r word; do
  if [ "$word" = start ]; then "$@" >>"$0/log" 2>&1 &
  else kill -s "$word" $!; wait $!
  fi
  echo $!
done
kill -s CONT $!
# Once may not do: a shell starts what runs beside it deaf to some signals, until it listens itself.
while kill -s "$last" $!; do sleep 0.05; done
rm -rf "$0"
"""


class Missing(Exception):
    """A program that is not installed."""


class NotStarted(Exception):
    """A server did not come up; the text is its log."""


class Directory:
    """A directory that is gone when we are. `close` it, or use it in a `with` statement."""

    def __init__(self) -> None:
        self.path = Path(tempfile.mkdtemp(prefix="hookline-"))
        self.guard = _guard(self.path, DIRECTORY_GUARD)

    def close(self) -> None:
        """Ends what runs there and removes it."""
        self.guard.communicate()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *fault: object) -> None:
        self.close()


class Server(Directory):
    """A running server in a directory of its own."""

    gentle = "TERM"
    sudden = "KILL"

    def __init__(self, path: Path, port: int, command: Sequence[str], prepare: str = "true") -> None:
        self.path, self.port = path, port
        self.guard = _guard(path, SERVER_GUARD, self.sudden, prepare, *command, **_server_user())
        try:
            if self._hear() != 0:
                raise NotStarted(self._log())
            self.start()
        except BaseException:
            self.close()
            raise

    @property
    def url(self) -> str:
        raise NotImplementedError

    def start(self) -> None:
        """Starts it, also again after `stop` or `kill`, and waits until it answers."""
        self.pid = self._tell("start")
        deadline = time.monotonic() + START_SECONDS
        while not self._answers():
            if time.monotonic() > deadline or self._has_ended():
                raise NotStarted(self._log())
            time.sleep(0.02)

    def stop(self) -> None:
        """Stops it as an operator would. What it stored stays."""
        self._tell(self.gentle)

    def kill(self) -> None:
        """Ends it at once, as a crash would."""
        self._tell(self.sudden)

    def restart(self) -> None:
        self.stop()
        self.start()

    def _tell(self, word: str) -> int:
        assert self.guard.stdin
        self.guard.stdin.write(f"{word}\n")
        self.guard.stdin.flush()
        return self._hear()

    def _hear(self) -> int:
        assert self.guard.stdout
        return int(self.guard.stdout.readline())

    def _log(self) -> str:
        return (self.path / "log").read_text()

    def _has_ended(self) -> bool:
        """Our guard has not waited for it then, so that it is a zombie."""
        _, _, state = Path(f"/proc/{self.pid}/stat").read_text().rpartition(") ")
        return state.startswith("Z")

    def _answers(self) -> bool:
        raise NotImplementedError


class Postgres(Server):
    # Fast and immediate shutdown. After the second, the next start recovers as from a crash.
    gentle = "INT"
    sudden = "QUIT"

    @property
    def url(self) -> str:
        """For a role that may create databases and is no superuser."""
        return f"postgres://hookline@127.0.0.1:{self.port}/hookline"

    @property
    def superuser_url(self) -> str:
        return f"postgres://postgres@127.0.0.1:{self.port}/postgres"

    def wait_for_standby(self) -> None:
        """From now on a commit waits until a standby has it on its disk, too."""
        with psycopg.connect(self.superuser_url, autocommit=True) as connection:
            connection.execute("ALTER SYSTEM SET synchronous_standby_names = '*'")
            connection.execute("SELECT pg_reload_conf()")

    def promote(self) -> None:
        """Makes a standby the primary."""
        with psycopg.connect(self.superuser_url, autocommit=True) as connection:
            connection.execute("SELECT pg_promote(true, 60)")

    def _answers(self) -> bool:
        try:
            psycopg.connect(self.superuser_url, connect_timeout=1).close()
        except psycopg.OperationalError:
            return False
        return True


class PgBouncer(Server):
    """A pooler in transaction mode before a Postgres: each transaction may meet another connection."""

    before: Postgres

    @property
    def url(self) -> str:
        return f"postgres://hookline@127.0.0.1:{self.port}/hookline"

    def turn_to(self, postgres: Postgres) -> None:
        """Goes on before another server, for clients that stay connected."""
        file = self.path / "pgbouncer.ini"
        file.write_text(file.read_text().replace(f"port={self.before.port}\n", f"port={postgres.port}\n"))
        self.before = postgres
        os.kill(self.pid, signal.SIGHUP)

    def _answers(self) -> bool:
        try:
            psycopg.connect(self.url, connect_timeout=1).close()
        except psycopg.OperationalError:
            return False
        return True


class Redis(Server):
    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}/0"

    def pause(self) -> None:
        """Makes it hang: it accepts connections and answers nothing."""
        os.kill(self.pid, signal.SIGSTOP)

    def resume(self) -> None:
        os.kill(self.pid, signal.SIGCONT)

    def _answers(self) -> bool:
        try:
            with redis.Redis(port=self.port) as client:
                return bool(client.ping())
        except redis.ConnectionError:
            return False


def start_postgres(*, is_durable: bool = True, **parameters: object) -> Postgres:
    """An empty database `hookline`. `parameters` are PostgreSQL's own, such as max_connections."""
    programs = postgres_programs()
    path, port = _server_directory(), free_port()
    settings = _postgres_settings(path, port)
    if not is_durable:
        settings |= {"fsync": "off", "full_page_writes": "off"}
    initdb = [f"{programs}/initdb", "-D", f"{path}/data", "-U", "postgres", "-A", "trust", "--no-sync"]
    command = [f"{programs}/postgres", "-D", f"{path}/data", *_options(settings | parameters)]
    server = Postgres(path, port, command, prepare=shlex.join(initdb))
    with psycopg.connect(server.superuser_url, autocommit=True) as connection:
        connection.execute("CREATE ROLE hookline LOGIN CREATEDB")
        connection.execute("CREATE DATABASE hookline OWNER hookline")
    return server


def start_standby(primary: Postgres) -> Postgres:
    """A copy of a server of ours, which follows it until it is promoted."""
    programs = postgres_programs()
    path, port = _server_directory(), free_port()
    copy = [f"{programs}/pg_basebackup", "-d", primary.superuser_url, "-D", f"{path}/data"]
    copy += ["--write-recovery-conf", "--wal-method=stream", "--checkpoint=fast"]
    settings = _postgres_settings(path, port)
    command = [f"{programs}/postgres", "-D", f"{path}/data", *_options(settings)]
    return Postgres(path, port, command, prepare=shlex.join(copy))


def start_pgbouncer(postgres: Postgres, **parameters: object) -> PgBouncer:
    """Before a server of ours. `parameters` are PgBouncer's own, such as default_pool_size."""
    program = pgbouncer_program()
    path, port = _server_directory(), free_port()
    settings = {
        "listen_addr": "127.0.0.1",
        "listen_port": port,
        "unix_socket_dir": "",
        "auth_type": "trust",
        "auth_file": path / "users",
        "pool_mode": "transaction",
        "max_client_conn": 1000,
        "max_db_connections": 50,
    }
    lines = [f"{name} = {value}" for name, value in (settings | parameters).items()]
    database = f"[databases]\n* = host=127.0.0.1 port={postgres.port}\n[pgbouncer]"
    (path / "pgbouncer.ini").write_text("\n".join([database, *lines, ""]))
    (path / "users").write_text('"hookline" ""\n"postgres" ""\n')
    pooler = PgBouncer(path, port, [program, str(path / "pgbouncer.ini")])
    pooler.before = postgres
    return pooler


def start_redis(**parameters: object) -> Redis:
    """An empty Redis that writes nothing to disk. `parameters` are its own, such as maxmemory."""
    program = redis_program()
    path, port = _server_directory(), free_port()
    settings = {"port": port, "bind": "127.0.0.1", "dir": path, "save": "", "appendonly": "no"}
    options = [text for name, value in (settings | parameters).items() for text in (f"--{name}", str(value))]
    return Redis(path, port, [program, *options])


def postgres_programs() -> Path:
    """The directory of initdb and postgres. Debian keeps them out of the path, by version."""
    kept_apart = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: int(path.parts[4]))
    found = shutil.which("initdb") or (kept_apart[-1] if kept_apart else None)
    if found is None:
        raise Missing("PostgreSQL is not installed.")
    return Path(found).resolve().parent


def pgbouncer_program() -> str:
    # Debian keeps it where only root looks.
    found = shutil.which("pgbouncer") or shutil.which("pgbouncer", path="/usr/sbin")
    if found is None:
        raise Missing("PgBouncer is not installed.")
    return found


def redis_program() -> str:
    found = shutil.which("redis-server") or shutil.which("valkey-server")
    if found is None:
        raise Missing("Redis is not installed.")
    return found


def _postgres_settings(path: Path, port: int) -> dict[str, object]:
    return {
        "port": port,
        "listen_addresses": "127.0.0.1",
        "unix_socket_directories": path,
        "dynamic_shared_memory_type": "mmap",  # in the directory, so that it goes with it
        "max_connections": 300,
    }


def _options(settings: dict[str, object]) -> list[str]:
    return [f"--{name}={value}" for name, value in settings.items()]


def _server_directory() -> Path:
    """Owned by the server's user; where that is not us, under no directory that only we may enter."""
    user = _server_user()
    path = Path(tempfile.mkdtemp(prefix="hookline-", dir="/tmp" if user else None))  # noqa: S108
    if user:
        os.chown(path, user["user"], user["group"])
    return path


def _server_user() -> dict[str, Any]:
    """PostgreSQL refuses to run as root."""
    if os.geteuid() != 0:
        return {}
    users = {user.pw_name: user for user in pwd.getpwall()}
    user = users.get("postgres") or users["nobody"]
    return {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []}


def _guard(path: Path, script: str, *arguments: str, **user: Any) -> subprocess.Popen[str]:
    return subprocess.Popen(
        ["sh", "-c", script, str(path), *arguments],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
        cwd=path, env={"PATH": os.defpath, "LC_ALL": "C.UTF-8"},
        start_new_session=True,  # Ctrl-C is for us, and we tell the guard
        **user,
    )  # fmt: skip


def free_port() -> int:
    """Outside the range that the kernel takes clients' ports from: no client can sit on it while
    its server is away."""
    while True:
        port = random.randrange(10_000, 32_768)
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) != 0:
                return port
