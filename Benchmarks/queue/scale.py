"""One run of 1.5 million chunks, from submission to certificates; see `scale`."""

import argparse
import json
import os
import statistics
import subprocess
import sys
import time

from cluster import Cluster, load, machine
from throughput import ARM, store_folder

TABLES = ("item", "chunk_count", "lease", "gap", "certificate", "event")
VIEWS = {
    "run_progress": "SELECT * FROM rrcm.run_progress",
    "queue_depth": "SELECT * FROM rrcm.queue_depth",
    "certified accuracy": "SELECT rrcm.certified_accuracy(r.run_id, 0.5, 0.5) FROM rrcm.run r",
    "all results": "SELECT count(*), sum(radius) FROM rrcm.certificate_result",
}


def sizes(cluster):
    return {
        table: cluster.rows(
            "scale", "SELECT pg_table_size(t), pg_indexes_size(t) FROM (SELECT %s::regclass AS t) s", [f"rrcm.{table}"])[0]
        for table in TABLES}


def work(cluster, workers, units_per_item, items):
    """Real workers until nothing is left; seconds of each tenth, by the first open item: items are claimed in order."""
    process = subprocess.Popen(
        [ARM, "work", "--database", cluster.url("scale"), "--store", store_folder(), "--workers", str(workers),
         "--lease-units", str(units_per_item)], stdout=subprocess.PIPE, text=True)
    marks, begun = [], None
    with cluster.connect("scale") as connection:
        while process.poll() is None:
            given = connection.execute(
                "SELECT coalesce((SELECT item_id - 1 FROM rrcm.item WHERE run_id = 1 AND state = 'open' ORDER BY item_id"
                " LIMIT 1), %s)", [items]).fetchone()[0]
            now = time.monotonic()
            begun = begun or (now if given else None)
            if begun:
                marks.append((now - begun, given))
            time.sleep(0.05)
    total = time.monotonic() - begun
    marks.append((total, items))
    ends = [next(at for at, given in marks if given * 10 >= items * (tenth + 1)) for tenth in range(10)]
    return total, [end - start for start, end in zip([0] + ends, ends)], json.loads(process.stdout.read())


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--images", type=int, default=50_000)
    parser.add_argument("--workers", type=int, default=16)
    parser.add_argument("--output", choices=["markdown", "json"], default="markdown")
    options = parser.parse_args()
    note = lambda text: print(text, file=sys.stderr, flush=True)
    with Cluster() as cluster:
        cluster.create("scale")
        prepared = subprocess.run(
            [ARM, "prepare", "--database", cluster.url("scale"), "--store", store_folder(), "--images",
             str(options.images), "--n", "100000", "--chunk-samples", "10000"], check=True, capture_output=True, text=True)
        result = {"machine": machine(), "server": cluster.version, "load_before": load(), **json.loads(prepared.stdout)}
        note(f"prepared: {result}")
        items, units = int(result["items"]), int(result["units"])
        result["sizes_planned"] = sizes(cluster)
        total, tenths, answer = work(cluster, options.workers, units // items, items)
        result["work_seconds"], result["work_tenths"], result["worker_metrics"] = total, tenths, answer["metrics"]
        note(f"worked: {total:.1f} s, tenths {tenths}")
        result["stored"] = cluster.one("scale", "SELECT count(*) FROM rrcm.chunk_count")
        result["sizes_worked"] = sizes(cluster)
        folded = subprocess.run(
            [ARM, "fold", "--database", cluster.url("scale"), "--store", store_folder()], check=True, capture_output=True,
            text=True)
        result["fold"] = json.loads(folded.stdout)
        note(f"folded: {result['fold']}")
        result["sizes_folded"] = sizes(cluster)
        result["views"] = {}
        for name, sql in VIEWS.items():
            begun = time.monotonic()
            cluster.rows("scale", sql)
            result["views"][name] = time.monotonic() - begun
        result["load_after"] = load()
    if options.output == "json":
        print(json.dumps(result, indent=1))
        return
    print(markdown(result))


def markdown(result):
    units, items = int(result["units"]), int(result["items"])
    rates = [units / 10 / seconds for seconds in result["work_tenths"]]
    folds = [items / 10 / seconds for seconds in result["fold"]["tenth_seconds"]]
    lost = units - result["stored"]
    lines = [
        f"{result['machine']}, PostgreSQL {result['server']}, durable commits; load {result['load_before']:.1f} before,"
        f" {result['load_after']:.1f} after. {items:,} items, {units:,} chunks; {lost} lost.", "",
        f"- Submit {result['submit_seconds']:.2f} s, plan {result['plan_seconds']:.2f} s.",
        f"- Claimed, computed by nobody and posted in {result['work_seconds']:.1f} s; chunks/s by tenths"
        f" {', '.join(f'{rate:,.0f}' for rate in rates)}; last tenth over first {rates[-1] / rates[0]:.2f}, least over median"
        f" {min(rates) / statistics.median(rates):.2f} (required: 0.8).",
        f"- Certified in {result['fold']['seconds']:.1f} s; certificates/s by tenths"
        f" {', '.join(f'{rate:,.0f}' for rate in folds)}; last tenth over first {folds[-1] / folds[0]:.2f} (required: 0.8).",
        "- Seconds a view takes at the end: " + ", ".join(f"{name} {seconds:.2f}" for name, seconds in result["views"].items()) + ".",
        "", "| table | planned | with votes | with certificates |", "| --- | --- | --- | --- |",
    ]
    megabytes = lambda pair: f"{pair[0] / 1e6:,.0f} + {pair[1] / 1e6:,.0f} MB"
    for table in TABLES:
        lines.append(
            f"| {table}, and its indexes | {megabytes(result['sizes_planned'][table])} |"
            f" {megabytes(result['sizes_worked'][table])} | {megabytes(result['sizes_folded'][table])} |")
    return "\n".join(lines)


if __name__ == "__main__":
    main()
