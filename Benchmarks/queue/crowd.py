"""Simulated workers through PgBouncer in transaction mode; see `crowd`."""

import argparse
import json
import os
import shutil
import subprocess
import time

from cluster import Cluster, free_port, load, machine, stop, tree_cpu_seconds
from throughput import ARM, store_folder


def pgbouncer(cluster, clients, pool):
    """Starts PgBouncer before the cluster. Returns its process and port."""
    folder = os.path.join(cluster.folder, "pgbouncer")
    os.makedirs(folder)
    port = free_port()
    with open(os.path.join(folder, "pgbouncer.ini"), "w") as file:
        file.write(
            f"[databases]\n* = host=127.0.0.1 port={cluster.port} user=rrcm\n[pgbouncer]\nlisten_addr = 127.0.0.1\n"
            f"listen_port = {port}\nunix_socket_dir =\nauth_type = any\npool_mode = transaction\n"
            f"default_pool_size = {pool}\nmax_client_conn = {clients + 50}\nlogfile =\n"
            "ignore_startup_parameters = extra_float_digits\n")
    if cluster.account:
        shutil.chown(folder, cluster.account)
    command = ["/usr/sbin/pgbouncer", "-q", os.path.join(folder, "pgbouncer.ini")]
    if cluster.account:
        command = ["setpriv", f"--reuid={cluster.account}", f"--regid={cluster.account}", "--init-groups", "--"] + command
    shell = f"ulimit -n {clients * 2 + 1000}; exec \"$@\""
    process = subprocess.Popen(["bash", "-c", shell, "bash"] + command, stdout=subprocess.DEVNULL, cwd="/")
    time.sleep(1)
    if process.poll() is not None:
        raise SystemExit("pgbouncer does not start; install it: apt-get install pgbouncer")
    return process, port


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--workers", type=int, default=1000)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--units", type=int, default=10, help="units a lease")
    parser.add_argument("--unit-seconds", type=float, default=1.5, help="computing a unit; 15 s leases by default")
    parser.add_argument("--pool", type=int, default=20, help="PgBouncer's connections to the server")
    parser.add_argument("--output", choices=["markdown", "json"], default="markdown")
    options = parser.parse_args()
    expected = options.workers / options.unit_seconds
    images = int(expected * (options.seconds + 60) / 100 / 3) + 100
    with Cluster() as cluster:
        cluster.create("crowd")
        subprocess.run(
            [ARM, "prepare", "--database", cluster.url("crowd"), "--store", store_folder(), "--images", str(images), "--n",
             "99000"], check=True, stdout=subprocess.DEVNULL)
        cluster.run("crowd", "VACUUM ANALYZE")
        bouncer, port = pgbouncer(cluster, options.workers, options.pool)
        try:
            url = f"postgresql://rrcm@127.0.0.1:{port}/crowd"
            server, pooler = cluster.cpu_seconds(), tree_cpu_seconds(bouncer.pid)
            begun = time.monotonic()
            arm = subprocess.run(
                ["bash", "-c", f"ulimit -n {options.workers * 4 + 1000}; exec \"$@\"", "bash", ARM, "crowd", "--database",
                 url, "--store", store_folder(), "--workers", str(options.workers), "--lease-units", str(options.units),
                 "--unit-seconds", str(options.unit_seconds), "--seconds", str(options.seconds)], capture_output=True,
                text=True)
            if arm.returncode:
                raise SystemExit(arm.stderr[-2000:])
            answer = json.loads(arm.stdout)
            wall = time.monotonic() - begun
            answer["server_cpu_share"] = (cluster.cpu_seconds() - server) / wall / os.cpu_count()
            answer["pooler_cpu_share"] = (tree_cpu_seconds(bouncer.pid) - pooler) / wall / os.cpu_count()
            stored = cluster.one("crowd", "SELECT count(*) FROM rrcm.chunk_count")
            answer["lost"] = answer["chunks"] - stored
            answer["server"], answer["machine"], answer["load"] = cluster.version, machine(), load()
        finally:
            stop([bouncer])
    if options.output == "json":
        print(json.dumps(answer, indent=1))
        return
    print(
        f"{answer['machine']}, PostgreSQL {answer['server']}, PgBouncer in transaction mode with {options.pool} server"
        f" connections; {answer['workers']} workers, leases of {options.units} units of {options.unit_seconds:g} s; load"
        f" {answer['load']:.1f} at the end.\n")
    print(
        f"- {answer['chunks'] / answer['seconds']:,.0f} chunks/s and {answer['leases'] / answer['seconds']:,.1f} leases/s over"
        f" {answer['seconds']:.0f} s (with the ramp: at most {expected:,.0f} chunks/s); all registered within"
        f" {answer['register_seconds']:.1f} s.")
    for call in ("claim", "post", "beat"):
        times = answer.get(f"{call}_ms")
        if times:
            print(
                f"- {call}: median {times['p50']:.1f} ms, p90 {times['p90']:.1f}, p99 {times['p99']:.1f}, p99.9"
                f" {times['p999']:.1f}, greatest {times['max']:.1f}.")
    print(
        f"- Errors {answer['errors']}, late posts {answer['late_posts']}, duplicates {answer['duplicates']}, chunks lost"
        f" {answer['lost']} {' '.join(answer['first_errors'])}")
    print(
        f"- CPU of this machine, registration included: PostgreSQL {answer['server_cpu_share']:.1%}, PgBouncer"
        f" {answer['pooler_cpu_share']:.1%}.")


if __name__ == "__main__":
    main()
