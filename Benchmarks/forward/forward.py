"""Our worker's loop against others' on the same weights and image; arms take turns within each round. See run."""
import argparse
import json
import os
import statistics
import subprocess
import sys
import time

import torch
from safetensors.torch import load_file, save_file

from network import SHAPES, SIGMA, Classifier

HERE = os.path.dirname(os.path.abspath(__file__))
RAISED = {"MALLOC_MMAP_THRESHOLD_": "4294967296", "MALLOC_TRIM_THRESHOLD_": "4294967296"}
# name: (precision, kind, environment)
PEERS = {
    "PyTorch eager": ("f32", "eager", {}),
    "PyTorch eager, malloc thresholds raised": ("f32", "eager", RAISED),
    "torch.compile": ("f32", "compile", RAISED),
    "ONNX Runtime": ("f32", "onnxruntime", {}),
    "OpenVINO": ("f32", "openvino", {}),
    "PyTorch bf16 eager": ("bf16", "eager-bf16", RAISED),
    "PyTorch bf16 compiled": ("bf16", "compile-bf16", RAISED),
    "OpenVINO bf16": ("bf16", "openvino-bf16", {}),
}
BASE = "PyTorch eager"
TRAINING_BATCH = 64


class Arm:
    def __init__(self, name, command, threads, environment):
        self.name, self.times, self.precision = name, [], None
        # OPENBLAS_* set on some machines make other libraries choose slow paths.
        inherited = {k: v for k, v in os.environ.items() if not k.startswith("OPENBLAS_")}
        started = time.perf_counter()
        self.process = subprocess.Popen(
            ["taskset", "-c", ",".join(map(str, range(threads)))] + command, stdin=subprocess.PIPE,
            stdout=subprocess.PIPE, text=True, env=inherited | {"OMP_NUM_THREADS": str(threads)} | environment)
        self.about = self.answer()
        self.start_seconds = time.perf_counter() - started

    def answer(self):
        line = self.process.stdout.readline()
        if not line:
            raise SystemExit(f"{self.name} ended with status {self.process.wait()}")
        return line.strip()

    def end(self):
        self.process.stdin.close()
        self.process.wait()

    def ask(self, request):
        self.process.stdin.write(request + "\n")
        self.process.stdin.flush()
        return self.answer()


def write_weights(folder, name):
    """Our checkpoint format: model.safetensors and config.json."""
    shape = SHAPES[name]
    os.makedirs(folder, exist_ok=True)
    model = Classifier(**shape).randomise()
    save_file({k: v.contiguous() for k, v in model.state_dict().items()}, f"{folder}/model.safetensors")
    json.dump(
        {"format": "rrcm-checkpoint-1", "kind": "classifier",
         "model": {**{k: shape[k] for k in ("image_size", "patch_size", "width", "depth", "heads", "classes", "final_norm")},
                   "channels": 3, "mlp_ratio": 4, "projector_hidden": 0, "projector_output": 0, "levels": 81},
         "provenance": {}}, open(f"{folder}/config.json", "w"))
    generator = torch.Generator().manual_seed(2)
    x = torch.rand(8, 3, shape["image_size"], shape["image_size"], generator=generator)
    noise = SIGMA * torch.randn(x.shape, generator=generator)
    inputs = ((x + noise) - 0.5) / 0.5
    save_file({"inputs": inputs, "level": torch.tensor([2 * SIGMA])}, f"{folder}/inputs.safetensors")
    many = torch.randn((TRAINING_BATCH,) + x.shape[1:], generator=generator)
    labels = torch.arange(TRAINING_BATCH, dtype=torch.float32) % shape["classes"]
    save_file({"inputs": many, "labels": labels, "level": torch.tensor([2 * SIGMA])}, f"{folder}/training.safetensors")


def gflop(name):
    """Per sample, of what is needed: the last block's queries, projection and MLP for the class token alone."""
    s = SHAPES[name]
    t, d = (s["image_size"] // s["patch_size"]) ** 2 + 2, s["width"]
    block = 24 * t * d * d + 4 * t * t * d
    last = 4 * t * d * d + 20 * d * d + 4 * t * d
    return ((s["depth"] - 1) * block + last + 2 * (t - 2) * 3 * s["patch_size"] ** 2 * d) / 1e9


def folder_of(name, options):
    folder = f"{options.work}/{name}"
    if not os.path.exists(f"{folder}/training.safetensors"):
        write_weights(folder, name)
    return folder


def command_of(kind, name, folder, threads, environment):
    """An arm's command line with the batch size that was fastest here, which is found once and kept beside the weights."""
    command = [sys.executable, f"{HERE}/arm.py", kind, name, folder, str(threads)]
    path = f"{folder}/batches.json"
    known = json.load(open(path)) if os.path.exists(path) else {}
    # torch.compile takes half a minute for a size, so it takes the size that is best without it.
    key = kind.replace("compile", "eager")
    if key not in known:
        command[2] = key
        known[key] = Arm(key, command, threads, environment).about
        json.dump(known, open(path, "w"))
        command[2] = kind
    return command + [known[key]]


def products(options):
    """GFLOP/s of the GEMMs of a forward pass, ours and the installed OpenBLAS's, one thread, taking turns."""
    folder = folder_of("cifar-b", options)
    arms = {
        "ours f32": Arm("ours", [options.ours, folder, "1", "f32"], 1, {}),
        "ours bf16": Arm("ours bf16", [options.ours, folder, "1", "bf16"], 1, {}),
    }
    try:
        arms["OpenBLAS"] = Arm("OpenBLAS", [sys.executable, f"{HERE}/arm.py", "openblas", "-", "-", "1"], 1, {})
        # What it takes for an AVX-512 machine when it does not know the processor.
        arms["OpenBLAS, SKYLAKEX"] = Arm(
            "OpenBLAS", [sys.executable, f"{HERE}/arm.py", "openblas", "-", "-", "1"], 1,
            {"OPENBLAS_CORETYPE": "SKYLAKEX"})
    except SystemExit:
        print("OpenBLAS is not installed (libopenblas0): its products are left out", file=sys.stderr)
    rows = []
    for name in options.shapes.split(","):
        s = SHAPES[name]
        t, d = (s["image_size"] // s["patch_size"]) ** 2 + 2, s["width"]
        # OpenBLAS packs its second factor on each call: it gets twice the rows and more.
        for shape in [(n, *dims) for dims in ((2 * d, d), (4 * d, d), (d, 4 * d)) for n in (max(1, 288 // t) * t, 792)]:
            best = {arm: min(float(arms[arm].ask("product %d %d %d" % shape)) for _ in range(3)) for arm in arms}
            rows.append({"shape": shape, **{arm: 2e-9 * shape[0] * shape[1] * shape[2] / best[arm] for arm in arms}})
    about = {name: arm.about for name, arm in arms.items()}
    for arm in arms.values():
        arm.end()
    return {"rows": rows, "about": about}


def training(name, threads, options):
    """Training steps beside PyTorch's on the same batch from the same weights: seconds a step and losses."""
    folder = folder_of(name, options)
    arms = [
        Arm("ours", [options.ours, folder, str(threads), "f32"], threads, {}),
        Arm(BASE, [sys.executable, f"{HERE}/arm.py", "eager", name, folder, str(threads), "16"], threads, {}),
    ]
    steps, losses = [[] for _ in arms], [[] for _ in arms]
    for r in range(options.training_steps):
        for i in [(r + k) % len(arms) for k in range(len(arms))]:
            seconds, loss = map(float, arms[i].ask(f"train {folder}/training.safetensors 1").split())
            steps[i].append(seconds)
            losses[i].append(loss)
    memory = [int(arm.ask("memory")) / 1024 for arm in arms]
    for arm in arms:
        arm.end()
    difference = max(abs(a - b) / abs(b) for a, b in zip(losses[0], losses[1]))
    if difference > 0.01:
        raise SystemExit(f"training: losses differ by {difference:.1%} of themselves: {losses[0]} and {losses[1]}")
    rows = []
    for arm, seconds, peak in zip(arms, steps, memory):
        # The first step makes buffers and moments.
        ratios = sorted(b / a for a, b in zip(seconds[1:], steps[1][1:]))
        rows.append({
            "arm": arm.name, "seconds": statistics.median(seconds[1:]), "ratio": statistics.median(ratios),
            "ratio_low": ratios[0], "ratio_high": ratios[-1], "peak_mib": peak})
    return {"shape": name, "threads": threads, "steps": options.training_steps, "batch": TRAINING_BATCH,
            "loss_difference": difference, "first_loss": losses[0][0], "last_loss": losses[0][-1], "arms": rows}


def measure(name, threads, options):
    folder = folder_of(name, options)
    ours = {
        "rRCM Fleet f32": ("f32", [options.ours, folder, str(threads), "f32"]),
        "rRCM Fleet bf16": ("bf16", [options.ours, folder, str(threads), "bf16"]),
    }
    arms = []
    for arm, (precision, command) in ours.items():
        arms.append(Arm(arm, command, threads, {}))
        arms[-1].precision = precision
    for arm, (precision, kind, environment) in PEERS.items():
        if options.only and kind not in options.only.split(","):
            continue
        print(f"starting {arm}", file=sys.stderr)
        arms.append(Arm(arm, command_of(kind, name, folder, threads, environment), threads, environment))
        arms[-1].precision = precision
    # Equal logits first.
    reference = None
    differences = {}
    for arm in arms[2:] + arms[:2]:
        arm.ask(f"logits {folder}/inputs.safetensors")
        suffix = "ours" if arm in arms[:2] else PEERS[arm.name][1]
        logits = load_file(f"{folder}/inputs.safetensors.{suffix}")["logits"]
        reference = logits if arm.name == BASE else reference
        differences[arm.name] = ((logits - reference).abs().max() / reference.abs().max()).item()
        limit = 1e-4 if arm.precision == "f32" else 5e-2
        if differences[arm.name] > limit:
            raise SystemExit(f"{arm.name}: logits differ from {BASE}'s by {differences[arm.name]:.2e} of the largest")
    # A round takes each arm about `seconds`.
    pace = float(arms[0].ask("votes 8")) / 8
    count = max(8, int(options.seconds / pace))
    for arm in arms:
        arm.ask(f"votes {count}")
    memory = {arm.name: int(arm.ask("memory")) / 1024 for arm in arms}
    bounds = {arm.name: [] for arm in arms[:2]}
    noise = []
    for r in range(options.rounds):
        for arm in arms[r % len(arms):] + arms[: r % len(arms)]:
            arm.times.append(float(arm.ask(f"votes {count}")) / count)
        for arm in arms[:2]:
            bounds[arm.name].append(float(arm.ask(f"bound {count}")) / count)
        noise.append(float(arms[0].ask(f"noise {count}")) / count)
    base = next(arm for arm in arms if arm.name == BASE).times
    rows = []
    for arm in arms:
        ratios = sorted(b / a for a, b in zip(arm.times, base))
        row = {
            "arm": arm.name, "precision": arm.precision, "samples_per_second": 1 / statistics.median(arm.times),
            "gflop_per_second": gflop(name) / statistics.median(arm.times),
            "ratio": statistics.median(ratios), "ratio_low": ratios[0], "ratio_high": ratios[-1],
            "peak_mib": memory[arm.name], "start_seconds": arm.start_seconds,
            "logit_difference": differences[arm.name], "about": arm.about,
        }
        if arm.name in bounds:
            row["share_of_products"] = statistics.median(b / t for b, t in zip(bounds[arm.name], arm.times))
        if arm.name == "rRCM Fleet f32":
            row["noise_share"] = statistics.median(n / t for n, t in zip(noise, arm.times))
        rows.append(row)
    for arm in arms:
        arm.end()
    return {"shape": name, "threads": threads, "rounds": options.rounds, "samples_per_round": count, "arms": rows}


def print_forward(result):
    print(f"\n**{result['shape']}, {result['threads']} thread{'s' * (result['threads'] > 1)}**, {result['rounds']} rounds of "
          f"{result['samples_per_round']} samples; ratios to {BASE}, median (least to greatest)\n")
    print("| | samples/s | GFLOP/s | ratio | peak MiB | start to first votes, s | of products |")
    print("| --- | ---: | ---: | ---: | ---: | ---: | ---: |")
    for row in result["arms"]:
        share = f"{row['share_of_products']:.1%}" if "share_of_products" in row else ""
        print(f"| {row['arm']} | {row['samples_per_second']:.2f} | {row['gflop_per_second']:.0f} | {row['ratio']:.2f} "
              f"({row['ratio_low']:.2f} to {row['ratio_high']:.2f}) | {row['peak_mib']:.0f} | {row['start_seconds']:.1f} | {share} |")
    print(f"\nNoise: {result['arms'][0]['noise_share']:.2%} of our float32 time. Ours: {result['arms'][0]['about']}; "
          f"{result['arms'][1]['about']}.")


def print_scaling(results):
    """Samples/s of two threads over one, where both were measured."""
    for name in dict.fromkeys(r["shape"] for r in results):
        found = {r["threads"]: r["arms"] for r in results if r["shape"] == name}
        if 1 in found and 2 in found:
            ratios = ", ".join(
                f"{two['arm']} {two['samples_per_second'] / one['samples_per_second']:.2f}"
                for one, two in zip(found[1], found[2]))
            print(f"\n{name}, two threads over one: {ratios}.")


def print_products(result):
    print("\n**Products**, one thread, GFLOP/s (best of 30), operands in cache where they fit\n")
    names = list(result["about"])
    print("| rows × columns × depth | " + " | ".join(names) + " |")
    print("| --- |" + " ---: |" * len(names))
    for row in result["rows"]:
        print("| " + " × ".join(map(str, row["shape"])) + " | " + " | ".join(f"{row[n]:.0f}" for n in names) + " |")
    print("\n" + "; ".join(f"{n}: {a}" for n, a in result["about"].items()) + ".")


def print_training(result):
    print(f"\n**Training step**, {result['shape']}, batch {result['batch']}, {result['threads']} "
          f"thread{'s' * (result['threads'] > 1)}, {result['steps']} steps, losses {result['first_loss']:.4f} to "
          f"{result['last_loss']:.4f}, differing by at most {result['loss_difference']:.1e} of themselves\n")
    print("| | seconds a step | ratio | peak MiB |")
    print("| --- | ---: | ---: | ---: |")
    for row in result["arms"]:
        print(f"| {row['arm']} | {row['seconds']:.2f} | {row['ratio']:.2f} ({row['ratio_low']:.2f} to {row['ratio_high']:.2f}) "
              f"| {row['peak_mib']:.0f} |")


parser = argparse.ArgumentParser()
parser.add_argument("--ours", required=True)
parser.add_argument("--work", required=True)
parser.add_argument("--quick", action="store_true", help="CIFAR-B, one thread, three rounds, four peers, no training")
parser.add_argument("--output", choices=["markdown", "json"], default="markdown")
parser.add_argument("--parts", default="forward,products,training")
parser.add_argument("--shapes", default="cifar-b,imagenet-b")
parser.add_argument("--threads", default="1,2")
parser.add_argument("--rounds", type=int, default=5)
parser.add_argument("--seconds", type=float, default=1.2, help="what our float32 arm takes in a round, about")
parser.add_argument("--training-steps", type=int, default=4)
parser.add_argument("--only", help="kinds of peers, separated by commas; eager is needed")
options = parser.parse_args()
if options.quick:
    options.shapes, options.threads, options.rounds, options.parts = "cifar-b", "1", 3, "forward,products"
    options.only = options.only or "eager,onnxruntime,openvino,openvino-bf16"
parts = options.parts.split(",")
counts = [int(threads) for threads in options.threads.split(",")]
processor = next((l.split(": ")[1].strip() for l in open("/proc/cpuinfo") if l.startswith("model name")), "?")
answer = {"processor": processor, "cores": os.cpu_count(), "load": os.getloadavg()[0]}
if options.output == "markdown":
    print(f"{processor}, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f} at the start", flush=True)
# Each part is printed when it is there: what was measured before a fault is not lost.
if "products" in parts:
    answer["products"] = products(options)
    if options.output == "markdown":
        print_products(answer["products"])
if "forward" in parts:
    answer["forward"] = []
    for name in options.shapes.split(","):
        for threads in counts:
            answer["forward"].append(measure(name, threads, options))
            if options.output == "markdown":
                print_forward(answer["forward"][-1])
                sys.stdout.flush()
    if options.output == "markdown":
        print_scaling(answer["forward"])
if "training" in parts:
    answer["training"] = []
    for threads in counts:
        answer["training"].append(training("cifar-b", threads, options))
        if options.output == "markdown":
            print_training(answer["training"][-1])
if options.output == "json":
    print(json.dumps(answer, indent=1))
