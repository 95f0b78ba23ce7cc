"""The peers' arms, each through its library's own interface.

usage: peers.py NAME seed URL COUNT
       peers.py NAME work URL [--concurrency N] [--batch N] [--body-seconds S] [--as WORKER] [--stale-seconds S] [--queue Q]

A job's body stores one row in `result`, durably, as a user's job would. Workers run until SIGTERM.
"""

import argparse
import asyncio
import datetime
import importlib.metadata
import logging
import os
import signal
import sys
from dataclasses import dataclass

import asyncpg

RESULT = "CREATE TABLE IF NOT EXISTS result (job bigint NOT NULL, worker text NOT NULL, at timestamptz NOT NULL DEFAULT now())"
PACKAGES = {"pgqueuer": "pgqueuer", "awa": "awa-pg", "procrastinate": "procrastinate"}


def version(name):
    return f"{PACKAGES[name]} {importlib.metadata.version(PACKAGES[name])}"


class Body:
    """What every job does."""

    def __init__(self, pool, options):
        self.pool = pool
        self.options = options

    async def __call__(self, job):
        if self.options.body_seconds:
            print(f"started {job}", flush=True)
            # In slices, so that a process that was frozen does not take its sleep for done.
            for _ in range(int(self.options.body_seconds * 20)):
                await asyncio.sleep(0.05)
        await self.pool.execute("INSERT INTO result (job, worker) VALUES ($1, $2)", job, self.options.worker)
        if self.options.body_seconds:
            print(f"finished {job}", flush=True)


async def no_reset(connection):
    """Spares the body a round trip: it leaves nothing behind in its session."""


async def make_body(url, options):
    pool = await asyncpg.create_pool(url, min_size=1, max_size=options.connections, reset=no_reset)
    return Body(pool, options)


def stopping():
    event = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, event.set)
    return event


# pgqueuer


async def pgqueuer_seed(url, count):
    from pgqueuer.db import AsyncpgDriver
    from pgqueuer.queries import Queries

    connection = await asyncpg.connect(url)
    queries = Queries(AsyncpgDriver(connection))
    await queries.install()
    for start in range(0, count, 20_000):
        size = min(20_000, count - start)
        await queries.enqueue(["job"] * size, [b"1"] * size, [0] * size)


async def pgqueuer_work(url, options):
    from pgqueuer import PgQueuer
    from pgqueuer.db import AsyncpgDriver

    body = await make_body(url, options)
    pgq = PgQueuer(AsyncpgDriver(await asyncpg.connect(url)))

    @pgq.entrypoint("job")
    async def entry(job):
        await body(job.id)

    event = stopping()

    async def watch():
        await event.wait()
        pgq.qm.shutdown.set()

    asyncio.create_task(watch())
    await pgq.qm.run(
        batch_size=options.batch, max_concurrent_tasks=max(options.concurrency, 2 * options.batch),
        dequeue_timeout=datetime.timedelta(seconds=1),
        heartbeat_timeout=datetime.timedelta(seconds=options.stale_seconds))


# awa


@dataclass
class AwaJob:
    number: int


async def awa_seed(url, count):
    import awa

    client = awa.AsyncClient(url)
    await client.migrate()
    await client.install_queue_storage(schema="awa")
    for start in range(0, count, 20_000):
        jobs = [AwaJob(number) for number in range(start, min(start + 20_000, count))]
        await client.enqueue_many_copy(jobs, queue="job")
    await client.close()


async def awa_work(url, options):
    import awa

    body = await make_body(url, options)
    client = awa.AsyncClient(url, max_connections=options.connections)

    @client.task(AwaJob, queue=options.queue)
    async def entry(job):
        await body(job.id)

    event = stopping()
    await client.start(
        [{"name": options.queue, "max_workers": options.concurrency, **({"claim_batch_size": options.batch} if options.batch else {})}],
        poll_interval_ms=10, heartbeat_interval_ms=max(100, int(options.stale_seconds * 1000 / 3)),
        heartbeat_staleness_ms=int(options.stale_seconds * 1000),
        heartbeat_rescue_interval_ms=max(200, int(options.stale_seconds * 300)), leader_election_interval_ms=500)
    await event.wait()
    await client.shutdown(2000)


# procrastinate


def procrastinate_app(url, options=None):
    import procrastinate

    size = options.concurrency + 4 if options else 4
    return procrastinate.App(connector=procrastinate.PsycopgConnector(conninfo=url, min_size=1, max_size=min(size, 64)))


def procrastinate_task(app, body=None):
    @app.task(name="job", pass_context=True)
    async def entry(context):
        await body(context.job.id)

    return entry


async def procrastinate_seed(url, count):
    app = procrastinate_app(url)
    task = procrastinate_task(app)
    async with app.open_async():
        await app.schema_manager.apply_schema_async()
        for start in range(0, count, 10_000):
            await task.batch_defer_async(*[{} for _ in range(min(10_000, count - start))])


async def procrastinate_work(url, options):
    app = procrastinate_app(url, options)
    body = await make_body(url, options)
    procrastinate_task(app, body)
    async with app.open_async():
        await app.run_worker_async(
            name=options.worker, concurrency=options.concurrency, install_signal_handlers=True,
            fetch_job_polling_interval=0.2, delete_jobs="never" if options.body_seconds else "successful",
            update_heartbeat_interval=options.stale_seconds / 3, stalled_worker_timeout=3600)


async def procrastinate_rescue(url, stale_seconds):
    """What its documentation has a periodic task do: retry the jobs whose worker went silent."""
    app = procrastinate_app(url)
    procrastinate_task(app)
    async with app.open_async():
        stalled = list(await app.job_manager.get_stalled_jobs(seconds_since_heartbeat=stale_seconds))
        for job in stalled:
            await app.job_manager.retry_job(job)
        return len(stalled)


async def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("name", choices=PACKAGES)
    parser.add_argument("verb", choices=["seed", "work"])
    parser.add_argument("url")
    parser.add_argument("count", nargs="?", type=int, default=0)
    parser.add_argument("--concurrency", type=int, default=64)
    parser.add_argument("--batch", type=int, default=0)
    parser.add_argument("--connections", type=int, default=16)
    parser.add_argument("--body-seconds", type=float, default=0)
    parser.add_argument("--stale-seconds", type=float, default=30)
    parser.add_argument("--queue", default="job", help="awa only: another queue makes a process that only keeps house")
    parser.add_argument("--as", dest="worker", default="worker")
    options = parser.parse_args()
    logging.basicConfig(level=logging.ERROR)
    if options.verb == "seed":
        connection = await asyncpg.connect(options.url)
        await connection.execute(RESULT)
        await connection.close()
        await globals()[f"{options.name}_seed"](options.url, options.count)
    else:
        await globals()[f"{options.name}_work"](options.url, options)
    sys.stdout.flush()
    os._exit(0)


if __name__ == "__main__":
    try:
        import uvloop

        uvloop.install()
    except ImportError:
        pass
    asyncio.run(main())
