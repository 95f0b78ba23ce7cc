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
    save_file({"inputs": ((x + noise) - 0.5) / 0.5, "level": torch.tensor([2 * SIGMA])}, f"{folder}/inputs.safetensors")


def gflop(name):
    """Per sample, of what is needed: the last block's queries, projection and MLP for the class token alone."""
    s = SHAPES[name]
    t, d = (s["image_size"] // s["patch_size"]) ** 2 + 2, s["width"]
    block = 24 * t * d * d + 4 * t * t * d
    last = 4 * t * d * d + 20 * d * d + 4 * t * d
    return ((s["depth"] - 1) * block + last + 2 * (t - 2) * 3 * s["patch_size"] ** 2 * d) / 1e9


def measure(name, threads, options):
    folder = f"{options.work}/{name}"
    if not os.path.exists(f"{folder}/inputs.safetensors"):
        write_weights(folder, name)
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
        arms.append(Arm(arm, [sys.executable, f"{HERE}/arm.py", kind, name, folder, str(threads)], threads, environment))
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
        arm.process.stdin.close()
        arm.process.wait()
    return {"shape": name, "threads": threads, "rounds": options.rounds, "samples_per_round": count, "arms": rows}


parser = argparse.ArgumentParser()
parser.add_argument("--ours", required=True)
parser.add_argument("--work", required=True)
parser.add_argument("--quick", action="store_true", help="one shape, one thread, three rounds")
parser.add_argument("--output", choices=["table", "json"], default="table")
parser.add_argument("--shapes", default="cifar-b,imagenet-b")
parser.add_argument("--threads", default="1,2")
parser.add_argument("--rounds", type=int, default=7)
parser.add_argument("--seconds", type=float, default=2.0, help="what our float32 arm takes in a round, about")
parser.add_argument("--only", help="kinds of peers, separated by commas; eager is needed")
options = parser.parse_args()
if options.quick:
    options.shapes, options.threads, options.rounds = "cifar-b", "1", 3
results = [
    measure(name, int(threads), options) for name in options.shapes.split(",") for threads in options.threads.split(",")]
processor = next((l.split(": ")[1].strip() for l in open("/proc/cpuinfo") if l.startswith("model name")), "?")
if options.output == "json":
    print(json.dumps({"processor": processor, "cores": os.cpu_count(), "results": results}, indent=1))
else:
    print(f"{processor}, {os.cpu_count()} cores")
    for result in results:
        print(f"\n{result['shape']}, {result['threads']} thread(s), {result['rounds']} rounds of "
              f"{result['samples_per_round']} samples; ratios to {BASE}: median (least to greatest)\n")
        print(f"{'':42} samples/s  GFLOP/s  ratio                peak MiB  start s  of products")
        for row in result["arms"]:
            share = f"{row['share_of_products']:.1%}" if "share_of_products" in row else ""
            print(f"{row['arm']:42} {row['samples_per_second']:9.2f} {row['gflop_per_second']:8.1f}  {row['ratio']:.2f} "
                  f"({row['ratio_low']:.2f} to {row['ratio_high']:.2f})  {row['peak_mib']:8.0f}  {row['start_seconds']:7.1f}  {share}")
        print(f"noise: {result['arms'][0]['noise_share']:.2%} of our float32 time")
