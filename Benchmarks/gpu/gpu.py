"""Times our worker's loop on a GPU and PyTorch's, arms taking turns within each round. See run."""
import argparse
import importlib.util
import json
import os
import statistics
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
# image side, patch, width, depth
SIZES = {"imagenet-b": (224, 16, 768, 12), "cifar-b": (32, 4, 768, 12)}


def flop(name):
    """Per sample, of what is needed: the last block's queries, projection and MLP for the class token alone."""
    side, patch, d, depth = SIZES[name]
    t = (side // patch) ** 2 + 2
    block, last = 24 * t * d * d + 4 * t * t * d, 4 * t * d * d + 20 * d * d + 4 * t * d
    return (depth - 1) * block + last + 2 * (t - 2) * 3 * patch**2 * d


class Arm:
    def __init__(self, name, command):
        self.name, self.times = name, []
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.about = self.answer()

    def answer(self):
        line = self.process.stdout.readline()
        if not line:
            raise SystemExit(f"{self.name} ended with status {self.process.wait()}")
        return line.strip()

    def ask(self, request):
        self.process.stdin.write(request + "\n")
        self.process.stdin.flush()
        return self.answer()

    def end(self):
        self.process.stdin.close()
        self.process.wait()


def missing():
    """Why PyTorch's arms cannot run; nothing when they can."""
    if importlib.util.find_spec("torch") is None:
        return "PyTorch is not installed"
    check = "import torch, sys; sys.exit(0 if torch.cuda.is_available() else 1)"
    return None if subprocess.run([sys.executable, "-c", check]).returncode == 0 else "PyTorch finds no GPU"


def spread(values):
    return {"median": statistics.median(values), "least": min(values), "greatest": max(values)}


def main():
    parser = argparse.ArgumentParser(prog="run")
    parser.add_argument("--output", choices=["text", "json"], default="text")
    parser.add_argument("--shapes", default="imagenet-b,cifar-b")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--work", default=os.path.join(HERE, "work"), help="folder for the random weights, about 700 MB")
    options = parser.parse_args()
    shapes = options.shapes.split(",")
    if unknown := [s for s in shapes if s not in SIZES]:
        parser.error(f"--shapes: {', '.join(unknown)} is not one of {', '.join(SIZES)}")
    reason = missing()
    results = {"skipped": {"PyTorch": reason} if reason else {}, "shapes": {}}
    for shape in shapes:
        folder = os.path.join(options.work, shape)
        if not os.path.exists(f"{folder}/model.safetensors"):
            subprocess.run([f"{HERE}/GPUArm", "weights", shape, "1", folder], check=True)
        ours = [Arm(f"ours {p}", [f"{HERE}/GPUArm", "time", folder, p]) for p in ("bf16", "tf32", "f32")]
        peers = [] if reason else [
            Arm(f"PyTorch bf16 {kind}", [sys.executable, f"{HERE}/arm.py", kind, shape, folder])
            for kind in ("eager", "compile", "graph")]
        # About two seconds a turn of the first arm.
        count = max(1024, int(2 * 1024 / float(ours[0].ask("votes 1024"))) // 1024 * 1024)
        noise, peaks = [], []
        for _ in range(options.rounds):
            for arm in ours + peers:
                arm.times.append(float(arm.ask(f"votes {count}")) / count)
            noise.append(float(ours[0].ask(f"noise {count}")) / count)
            peaks.append(float(ours[0].ask("peak")))
        peak, bf16 = statistics.median(peaks), statistics.median(ours[0].times)
        results["shapes"][shape] = {
            "samples_a_turn": count, "rounds": options.rounds, "peak_flop_s": spread(peaks),
            "peak_share": flop(shape) / bf16 / peak, "noise_and_counting_share": statistics.median(noise) / bf16,
            "seconds_for_100000": 1e5 * bf16,
            "best_peer_ratio": min(statistics.median(p.times) for p in peers) / bf16 if peers else None,
            "arms": {a.name: {"about": a.about, "seconds_a_sample": spread(a.times)} for a in ours + peers}}
        for arm in ours + peers:
            arm.end()
    if options.output == "json":
        print(json.dumps(results, indent=2))
        return
    for name, why in results["skipped"].items():
        print(f"{name}: left out, {why}")
    for shape, r in results["shapes"].items():
        print(f"\n{shape}, {r['samples_a_turn']} samples a turn, {r['rounds']} rounds: median (least to greatest)")
        for name, arm in r["arms"].items():
            s = arm["seconds_a_sample"]
            print(f"  {name:22} {1 / s['median']:10.0f} samples/s ({1 / s['greatest']:.0f} to {1 / s['least']:.0f})  {arm['about']}")
        print(f"  bf16 products {r['peak_flop_s']['median'] / 1e12:.0f} TFLOP/s; ours bf16 {100 * r['peak_share']:.1f} % of that")
        print(f"  noise and counting {100 * r['noise_and_counting_share']:.1f} %; 100,000 samples {r['seconds_for_100000']:.2f} s")
        if r["best_peer_ratio"]:
            print(f"  {r['best_peer_ratio']:.2f} times the best PyTorch arm")


main()
