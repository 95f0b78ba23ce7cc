"""A PostgreSQL 15 of the benchmark's own, with durable commits, and what is asked of it again and again."""

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time

import psycopg

SETTINGS = {
    "fsync": "on",
    "synchronous_commit": "on",
    "full_page_writes": "on",
    "shared_buffers": "1GB",
    "max_wal_size": "16GB",
    "checkpoint_timeout": "30min",
    "max_connections": "400",
    "shared_preload_libraries": "'pg_stat_statements'",
    "track_io_timing": "off",
    "listen_addresses": "'127.0.0.1'",
    "logging_collector": "off",
}


def tool(name):
    """A program of PostgreSQL 15."""
    folder = os.environ.get("RRCM_PG_BIN", "/usr/lib/postgresql/15/bin")
    return os.path.join(folder, name)


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Cluster:
    """Made on entry, stopped and removed on exit. Everybody connects over TCP on this machine, without a password."""

    def __init__(self, **settings):
        self.settings = SETTINGS | settings
        self.port = free_port()
        self.account = "postgres" if os.geteuid() == 0 else None

    def as_server(self, command):
        return (["runuser", "-u", self.account, "--"] if self.account else []) + command

    def __enter__(self):
        self.folder = tempfile.mkdtemp(prefix="rrcm-queue-", dir=os.environ.get("BENCHMARK_TMPDIR", "/var/tmp"))
        self.data = os.path.join(self.folder, "data")
        os.chmod(self.folder, 0o755)
        os.makedirs(self.data, mode=0o700)
        if self.account:
            shutil.chown(self.data, self.account)
            shutil.chown(self.folder, self.account)
        subprocess.run(
            self.as_server([tool("initdb"), "-D", self.data, "-A", "trust", "-U", "rrcm", "-E", "UTF8", "--no-locale"]),
            check=True, stdout=subprocess.DEVNULL, cwd="/")
        with open(os.path.join(self.data, "postgresql.conf"), "a") as conf:
            conf.write(f"port = {self.port}\nunix_socket_directories = '{self.folder}'\n")
            conf.writelines(f"{key} = {value}\n" for key, value in self.settings.items())
        subprocess.run(
            self.as_server(
                [tool("pg_ctl"), "-D", self.data, "-l", os.path.join(self.folder, "log"), "-w", "start"]),
            check=True, stdout=subprocess.DEVNULL, cwd="/")
        self.run("postgres", "CREATE EXTENSION pg_stat_statements")
        self.version = self.one("postgres", "SHOW server_version")
        return self

    def __exit__(self, *_):
        subprocess.run(
            self.as_server([tool("pg_ctl"), "-D", self.data, "-m", "immediate", "-w", "stop"]), check=False,
            stdout=subprocess.DEVNULL, cwd="/")
        shutil.rmtree(self.folder, ignore_errors=True)

    def url(self, database):
        return f"postgresql://rrcm@127.0.0.1:{self.port}/{database}"

    def connect(self, database, **options):
        return psycopg.connect(self.url(database), autocommit=True, **options)

    def run(self, database, sql):
        with self.connect(database) as connection:
            connection.execute(sql)

    def rows(self, database, sql, parameters=None):
        with self.connect(database) as connection:
            return connection.execute(sql, parameters).fetchall()

    def one(self, database, sql, parameters=None):
        return self.rows(database, sql, parameters)[0][0]

    def create(self, database, template="template0"):
        self.drop(database)
        # Files are copied under two checkpoints, so that no round pays for the writing of its own seed.
        self.run("postgres", f'CREATE DATABASE "{database}" TEMPLATE "{template}" STRATEGY FILE_COPY')

    def drop(self, database):
        self.run("postgres", f'DROP DATABASE IF EXISTS "{database}" WITH (FORCE)')

    def counters(self, database, claim_pattern):
        """Commits of a database, and calls of the statements that claim, so far."""
        commits = self.one("postgres", "SELECT xact_commit FROM pg_stat_database WHERE datname = %s", [database])
        claims = self.one(
            "postgres",
            "SELECT coalesce(sum(calls), 0)::bigint FROM pg_stat_statements s JOIN pg_database d ON d.oid = s.dbid"
            " WHERE d.datname = %s AND s.query ~ %s", [database, claim_pattern])
        return commits, claims

    def cpu_seconds(self):
        """CPU time of the server's processes so far, those that ended included."""
        with open(os.path.join(self.data, "postmaster.pid")) as file:
            return tree_cpu_seconds(int(file.readline()))

    @contextlib.contextmanager
    def held_horizon(self, database):
        """An idle transaction that holds a snapshot and has a transaction number of its own."""
        with psycopg.connect(self.url(database)) as connection:
            connection.execute("SET idle_in_transaction_session_timeout = 0")
            connection.commit()
            connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
            connection.execute("SELECT pg_current_xact_id(), count(*) FROM pg_class")
            yield
            connection.rollback()


def tree_cpu_seconds(pid):
    """User and system seconds of a process and its children, waited-for ones included."""
    total = 0
    for name in os.listdir("/proc"):
        if not name.isdigit():
            continue
        try:
            with open(f"/proc/{name}/stat") as file:
                fields = file.read().rsplit(")", 1)[1].split()
        except OSError:
            continue
        if int(name) == pid:
            total += sum(int(value) for value in fields[11:15])
        elif int(fields[1]) == pid:
            total += int(fields[11]) + int(fields[12])
    return total / os.sysconf("SC_CLK_TCK")


def stop(processes, patience=20):
    """Asks processes to end, and ends those that do not."""
    for process in processes:
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
    deadline = time.monotonic() + patience
    for process in processes:
        try:
            process.wait(max(0.1, deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def machine():
    """Processor, memory and kernel, for the reader of a figure."""
    with open("/proc/cpuinfo") as file:
        model = next((line.split(":")[1].strip() for line in file if line.startswith("model name")), "unknown")
    return f"{os.cpu_count()} cores of {model}, Linux {os.uname().release}"


def load():
    return os.getloadavg()[0]
