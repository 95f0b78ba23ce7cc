"""The stage: a PostgreSQL cluster with durable commits, hosts and lines that can be cut, and the fleet's processes."""
import asyncio
import os
import secrets
import shutil
import select
import signal
import subprocess
import threading
import time
from pathlib import Path


class Obstacle(Exception):
    """This machine cannot do it, and why."""


class Unreachable(Exception):
    """The database did not answer."""


def lives(pid):
    """Whether a process is there and not a zombie."""
    try:
        return Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rsplit(") ", 1)[1][0] != "Z"
    except OSError:
        return False


def postgres_folder():
    """The folder of PostgreSQL's programs."""
    given = os.environ.get("RRCM_PG_BIN")
    found = [Path(given)] if given else sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda p: int(p.parent.name))
    if not found or not (found[-1] / "pg_ctl").exists():
        raise Obstacle("PostgreSQL is not installed, or RRCM_PG_BIN does not name the folder of its programs")
    return found[-1]


class Cluster:
    """A PostgreSQL of its own, with fsync and synchronous commits on: what it says is stored survives a crash."""

    def __init__(self, work, namespace):
        self.programs = postgres_folder()
        self.work = work
        self.data = work / "pg"
        self.namespace = namespace
        self.account = "postgres" if os.getuid() == 0 else None
        if shutil.which("psql") is None:
            raise Obstacle("psql is not installed")
        password = secrets.token_hex(16)
        self.passwords = work / "pgpass"
        self.passwords.touch(mode=0o600)
        self.passwords.write_text(f"*:*:*:*:{password}\n")
        self.data.mkdir(mode=0o700)
        secret = self.data.parent / "password"
        secret.touch(mode=0o600)
        secret.write_text(password)
        if self.account:
            shutil.chown(self.data, self.account, self.account)
            shutil.chown(secret, self.account, self.account)
        self.run("initdb", "-D", str(self.data), "--username=postgres", "--encoding=UTF8", "--locale=C",
                 "--auth=scram-sha-256", f"--pwfile={secret}")
        secret.unlink()
        with open(self.data / "postgresql.conf", "a", encoding="utf-8") as settings:
            settings.write(
                f"listen_addresses = '{'*' if namespace else ''}'\nunix_socket_directories = '{self.data}'\n"
                "fsync = on\nsynchronous_commit = on\nfull_page_writes = on\nmax_connections = 100\n"
                "tcp_keepalives_idle = 5\ntcp_keepalives_interval = 2\ntcp_keepalives_count = 3\n")
        with open(self.data / "pg_hba.conf", "a", encoding="utf-8") as rules:
            rules.write("host rrcm rrcm 10.78.0.0/16 scram-sha-256\n")
        self.start()
        self.psql("postgres", f"CREATE ROLE rrcm LOGIN PASSWORD '{password}'", "CREATE DATABASE rrcm OWNER rrcm")

    def command(self, *words):
        """A command as the server's account, inside its host's namespace."""
        inside = ["ip", "netns", "exec", self.namespace] if self.namespace else []
        account = ["setpriv", "--reuid", self.account, "--regid", self.account, "--init-groups"] if self.account else []
        return inside + account + list(words)

    def run(self, program, *arguments, check=True):
        done = subprocess.run(self.command(str(self.programs / program), *arguments), cwd="/", check=False, text=True,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=120)
        if check and done.returncode != 0:
            raise Obstacle(f"{program} ended with {done.returncode}: {done.stdout.strip()[-500:]}")
        return done.returncode == 0

    def start(self):
        """Starts it; after a crash the old backends may need a moment to go."""
        for attempt in range(40):
            log = ["-l", str(self.data / "log"), "-s", "-w", "-t", "60"]
            if self.run("pg_ctl", "start", "-D", str(self.data), *log, check=attempt == 39):
                return
            time.sleep(0.25)

    def stop(self, mode):
        self.run("pg_ctl", "stop", "-D", str(self.data), "-m", mode, "-s", "-w", "-t", "60")

    def crash(self):
        """Kills the postmaster outright, and waits until it is gone."""
        pid = int((self.data / "postmaster.pid").read_text().split()[0])
        os.kill(pid, signal.SIGKILL)
        while lives(pid):
            time.sleep(0.01)

    def url(self, host, user="rrcm", database="rrcm"):
        return f"host={host} port=5432 user={user} dbname={database}"

    def psql(self, database, *statements):
        words = [word for statement in statements for word in ("-c", statement)]
        done = subprocess.run(
            ["psql", "-XAtq", "-v", "ON_ERROR_STOP=1", self.url(self.data, "postgres", database), *words], text=True,
            env={**os.environ, "PGPASSFILE": str(self.passwords)}, capture_output=True, check=False, timeout=60)
        if done.returncode != 0:
            raise Unreachable(done.stderr.strip())
        return done.stdout


class Asker:
    """Questions to the database over one psql, which is started anew when it was cut off."""

    def __init__(self, cluster):
        self.cluster = cluster
        self.process = None

    def ask(self, sql, patience=5.0):
        """Rows of texts. Raises Unreachable at once when the database does not answer, on a new session neither."""
        if self.process is not None:
            try:
                return self.once(sql, patience)
            except Unreachable:
                pass
        return self.once(sql, patience)

    def once(self, sql, patience):
        if self.process is None or self.process.poll() is not None:
            self.close()
            self.process = subprocess.Popen(
                ["psql", "-XAtq", "-F", "\x1f", self.cluster.url(self.cluster.data, "postgres")], bufsize=0,
                stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                env={**os.environ, "PGPASSFILE": str(self.cluster.passwords), "PGAPPNAME": "chaos"})
        try:
            self.process.stdin.write(sql.encode() + b";\n\\echo \x1e:ERROR\n")
            answer = b""
            deadline = time.monotonic() + patience
            while b"\x1e" not in answer or not answer.endswith(b"\n"):
                ready, _, _ = select.select([self.process.stdout], [], [], max(0.0, deadline - time.monotonic()))
                part = os.read(self.process.stdout.fileno(), 1 << 20) if ready else b""
                if not part:
                    raise Unreachable("the database does not answer")
                answer += part
        except (OSError, Unreachable) as error:
            self.close()
            raise Unreachable(str(error)) from error
        rows, verdict = answer.decode().rsplit("\x1e", 1)
        if verdict.strip() != "false":
            raise Unreachable(f"a question failed: {sql[:80]}")
        return [line.split("\x1f") for line in rows.splitlines()]

    def close(self):
        if self.process:
            self.process.kill()
            self.process.wait()
            self.process.stdin.close()
            self.process.stdout.close()
            self.process = None


class Lines:
    """Lines to the database through Unix sockets, each of which can be stalled or severed. One thread serves them all."""

    def __init__(self, work, server):
        self.work = work
        self.server = str(server / ".s.PGSQL.5432")
        self.loop = asyncio.new_event_loop()
        self.states = {}
        threading.Thread(target=self.loop.run_forever, daemon=True).start()

    def add(self, name):
        """Opens a line. Returns the host to connect to."""
        folder = self.work / f"line-{name}"
        folder.mkdir()
        state = {"flows": asyncio.Event(), "severed": False, "writers": set()}
        self.states[name] = state

        async def pump(reader, writer):
            try:
                while data := await reader.read(1 << 16):
                    await state["flows"].wait()
                    writer.write(data)
                    await writer.drain()
            except OSError:
                pass
            finally:
                writer.close()

        async def serve(reader, writer):
            if state["severed"]:
                writer.close()
                return
            try:
                back, onward = await asyncio.open_unix_connection(self.server)
            except OSError:
                writer.close()
                return
            state["writers"] |= {writer, onward}
            await asyncio.gather(pump(reader, onward), pump(back, writer), return_exceptions=True)
            state["writers"] -= {writer, onward}

        async def listen():
            state["flows"].set()
            await asyncio.start_unix_server(serve, path=str(folder / ".s.PGSQL.5432"))

        asyncio.run_coroutine_threadsafe(listen(), self.loop).result(10)
        os.chmod(folder, 0o755)
        os.chmod(folder / ".s.PGSQL.5432", 0o777)
        return folder

    def stall(self, name):
        """Nothing flows, nothing is closed."""
        self.loop.call_soon_threadsafe(self.states[name]["flows"].clear)

    def sever(self, name):
        """What is open is closed, what comes is refused."""
        state = self.states[name]

        def cut():
            state["severed"] = True
            for writer in list(state["writers"]):
                writer.transport.abort()

        self.loop.call_soon_threadsafe(cut)

    def restore(self, name):
        state = self.states[name]

        def mend():
            state["severed"] = False
            state["flows"].set()

        self.loop.call_soon_threadsafe(mend)


class Hosts:
    """Network namespaces: a hub with the database, and a host per worker, each on a link of its own."""

    def __init__(self, names):
        self.hub = f"rrcm-chaos-{os.getpid()}"
        self.names = {name: f"{self.hub}-{name}" for name in names}
        self.addresses = {}
        self.made = []

    @staticmethod
    def obstacle():
        """Why namespaces cannot be made; None when they can."""
        if os.getuid() != 0:
            return "network namespaces need root"
        if shutil.which("ip") is None:
            return "ip (iproute2) is not installed"
        if subprocess.run(["unshare", "--net", "true"], capture_output=True, check=False).returncode != 0:
            return "this machine may not make network namespaces"
        return None

    def make(self):
        def ip(*words):
            subprocess.run(["ip", *words], check=True, capture_output=True)

        for namespace in [self.hub, *self.names.values()]:
            ip("netns", "add", namespace)
            self.made.append(namespace)
            ip("-n", namespace, "link", "set", "lo", "up")
        for number, (name, namespace) in enumerate(self.names.items(), 1):
            ip("link", "add", "eth0", "netns", namespace, "type", "veth", "peer", "name", f"to-{name}", "netns", self.hub)
            ip("-n", self.hub, "addr", "add", f"10.78.{number}.1/30", "dev", f"to-{name}")
            ip("-n", self.hub, "link", "set", "dev", f"to-{name}", "up")
            ip("-n", namespace, "addr", "add", f"10.78.{number}.2/30", "dev", "eth0")
            ip("-n", namespace, "link", "set", "dev", "eth0", "up")
            self.addresses[name] = f"10.78.{number}.1"

    def cut(self, name):
        subprocess.run(["ip", "-n", self.hub, "link", "set", "dev", f"to-{name}", "down"], check=True)

    def restore(self, name):
        subprocess.run(["ip", "-n", self.hub, "link", "set", "dev", f"to-{name}", "up"], check=True)

    def remove(self):
        for namespace in self.made:
            subprocess.run(["ip", "netns", "del", namespace], check=False, capture_output=True)


class Part:
    """One process of the fleet, which the stage starts again when a fault ended it."""

    def __init__(self, name, command, environment, log):
        self.name = name
        self.command = command
        self.environment = environment
        self.log = log
        self.process = None
        self.frozen = False
        self.ended = []

    @property
    def pid(self):
        return self.process.pid if self.process else None

    @property
    def runs(self):
        return self.process is not None and self.process.poll() is None

    def start(self):
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen(
                self.command, env=self.environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                start_new_session=True)
        self.frozen = False

    def kill(self):
        if self.runs:
            self.process.kill()
            self.process.wait()
        self.process = None

    def freeze(self):
        self.process.send_signal(signal.SIGSTOP)
        self.frozen = True

    def thaw(self):
        if self.frozen and self.runs:
            self.process.send_signal(signal.SIGCONT)
        self.frozen = False

    def drain(self, patience=40):
        """Asks it to end. Returns its exit code; None when it had to be killed."""
        self.thaw()
        if not self.process:
            return 0
        self.process.terminate()
        try:
            return self.process.wait(patience)
        except subprocess.TimeoutExpired:
            self.kill()
            return None
