#!/usr/bin/env python3
"""usage: scripts/pandas-example.py RUN [RUN …] [--plot FILE.png]

Certified accuracy and radii in pandas: reads the fleet's views, prints two tables, and plots certified accuracy against the
radius. The database is RRCM_DATABASE_URL, as for rrcm.

    python3 -m venv .venv-pandas
    .venv-pandas/bin/pip install pandas sqlalchemy 'psycopg[binary]' matplotlib
    .venv-pandas/bin/python scripts/pandas-example.py quickstart-certify --plot accuracy.png
"""
import argparse
import os

import pandas
import psycopg
import sqlalchemy

arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
arguments.add_argument("runs", nargs="+", metavar="RUN", help="names of certification runs")
arguments.add_argument("--plot", metavar="FILE.png", help="write a plot of certified accuracy against the radius")
options = arguments.parse_args()

url = os.environ.get("RRCM_DATABASE_URL") or arguments.error("RRCM_DATABASE_URL is not set")
# Any form that libpq knows, keyword strings too; nothing is changed over this connection.
engine = sqlalchemy.create_engine(
    "postgresql+psycopg://",
    creator=lambda: psycopg.connect(url, options="-c default_transaction_read_only=on -c statement_timeout=30s"),
)


def read(query: str) -> pandas.DataFrame:
    with engine.connect() as connection:
        return pandas.read_sql(sqlalchemy.text(query), connection, params={"runs": options.runs})


curve = read(
    """
    SELECT run.name AS run, sigma::float8 AS sigma, r::float8 AS r, accuracy, accuracy_low, accuracy_high
      FROM rrcm.accuracy_at_radius
      JOIN rrcm.run USING (run_id)
     WHERE run.name = ANY(:runs)
    """
)
images = read(
    """
    SELECT run_name AS run, sigma::float8 AS sigma, image_index, label, predicted, correct, abstained, radius, compute_seconds
      FROM rrcm.certificate_result
     WHERE run_name = ANY(:runs)
       AND state = 'certified'
    """
)
missing = sorted(set(options.runs) - set(curve["run"]))
if missing:
    raise SystemExit(f"no certification run named {', '.join(missing)}; see: rrcm run list")

# Beyond the largest radius a run has no rows: certified accuracy is 0 there.
table = curve.pivot_table(index=["run", "sigma"], columns="r", values="accuracy_low").fillna(0)
wanted = [r for r in (0, 0.25, 0.5, 0.75, 1, 1.5, 2) if r in table.columns]
print("Certified accuracy at r\n", table[wanted].round(3).to_string(), "\n")

# An abstention and a mistake have radius 0 here: the average certified radius (ACR).
images["certified_radius"] = images["radius"].where(images["correct"], 0.0)
summary = images.groupby(["run", "sigma"]).agg(
    images=("image_index", "size"),
    abstained=("abstained", "sum"),
    wrong=("correct", lambda correct: int((~correct & ~images.loc[correct.index, "abstained"]).sum())),
    average_radius=("certified_radius", "mean"),
    seconds_per_image=("compute_seconds", "mean"),
)
print("Images\n", summary.round(4).to_string())

if options.plot:
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(figsize=(7, 4.5), layout="constrained")
    # Certified accuracy only falls: between two radii the value at the larger one is on the safe side.
    for (run, sigma), rows in curve.sort_values("r").groupby(["run", "sigma"]):
        (line,) = axes.step(rows["r"], rows["accuracy_low"], where="pre", label=f"{run}, sigma {sigma:g}")
        # What is not finished yet may still turn out right.
        axes.fill_between(rows["r"], rows["accuracy_low"], rows["accuracy_high"], step="pre", alpha=0.15, color=line.get_color())
    axes.set(xlabel="L2 radius r", ylabel="certified accuracy", ylim=(0, 1), xlim=(0, None))
    axes.legend()
    figure.savefig(options.plot, dpi=150)
    print(f"\nwrote {options.plot}")
