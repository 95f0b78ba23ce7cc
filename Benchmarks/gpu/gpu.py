"""Times our worker's loop on a GPU and PyTorch's, arms taking turns within each round. See run."""
import argparse
import array
import importlib.util
import json
import os
import statistics
import struct
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
# image side, patch, width, depth
SIZES = {"imagenet-b": (224, 16, 768, 12), "cifar-b": (32, 4, 768, 12), "tiny": (8, 4, 32, 2)}
# The largest difference from our float32 logits, of the largest of those.
TF32_BOUND, BF16_BOUND = 0.01, 0.06
# Of losses between our training and theirs, of the loss.
LOSS_BOUND = 0.05


def flop(name):
    """Per sample, of what is needed: the last block's queries, projection and MLP for the class token alone."""
    side, patch, d, depth = SIZES[name]
    t = (side // patch) ** 2 + 2
    block, last = 24 * t * d * d + 4 * t * t * d, 4 * t * d * d + 20 * d * d + 4 * t * d
    return (depth - 1) * block + last + 2 * (t - 2) * 3 * patch**2 * d


def environment(program):
    """That of a process: ours finds the libraries packed with it, others do not."""
    ours = os.environ.get("GPU_ARM_LIBRARIES")
    return {**os.environ, "LD_LIBRARY_PATH": ours} if ours and program.endswith("GPUArm") else None


class Arm:
    def __init__(self, name, command):
        self.name, self.times = name, []
        self.process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment(command[0]))
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


def tensor(path, name):
    """The values of a float32 tensor in a safetensors file."""
    with open(path, "rb") as file:
        header = json.loads(file.read(struct.unpack("<Q", file.read(8))[0]))
        data = file.read()
    start, end = header[name]["data_offsets"]
    return array.array("f", data[start:end])


def compare_logits(arms, folder):
    """Ends the run when an arm computes another function than ours in float32. Returns the differences."""
    for arm in arms:
        arm.ask(f"logits {folder}/inputs.safetensors {folder}/{arm.name.replace(' ', '-')}.safetensors")
    values = {arm.name: tensor(f"{folder}/{arm.name.replace(' ', '-')}.safetensors", "logits") for arm in arms}
    expected = values.pop("ours f32")
    size = max(map(abs, expected))
    differences = {n: max(abs(a - b) for a, b in zip(v, expected, strict=True)) / size for n, v in values.items()}
    wrong = [f"{n}: {d:.3f}" for n, d in differences.items() if not d <= (TF32_BOUND if "tf32" in n else BF16_BOUND)]
    if wrong:
        raise SystemExit(f"logits differ from ours in float32, in parts of the largest: {', '.join(wrong)}")
    return differences


def training(folder, reason, rounds, steps, batch):
    """Training steps of batch 64 in bf16, the arms taking turns, from the same weights on the same batch."""
    arms = [Arm("ours bf16", [f"{HERE}/GPUArm", "time", folder, "bf16", *batch])]
    if not reason:
        arms.append(Arm("PyTorch compiled", [sys.executable, f"{HERE}/arm.py", "train", folder]))
    losses = {arm.name: [] for arm in arms}
    # The first steps make buffers and compile.
    for r, count in enumerate([min(3, steps)] + [steps] * rounds):
        for arm in arms:
            seconds, *found = map(float, arm.ask(f"train {folder}/training.safetensors {count}").split())
            losses[arm.name] += found
            if r:
                arm.times.append(seconds / count)
    for arm in arms:
        arm.end()
    difference = None
    if not reason:
        a, b = losses.values()
        difference = max(abs(x - y) / abs(y) for x, y in zip(a, b))
        if difference > LOSS_BOUND:
            raise SystemExit(f"training: losses differ by {difference:.1%} of themselves: {a} and {b}")
    ours = statistics.median(arms[0].times)
    return {"batch": 64, "rounds": rounds, "steps_a_turn": steps, "losses": losses, "loss_difference": difference,
            "peer_ratio": None if reason else statistics.median(arms[1].times) / ours,
            "arms": {a.name: {"about": a.about, "seconds_a_step": spread(a.times)} for a in arms}}


def spread(values):
    return {"median": statistics.median(values), "least": min(values), "greatest": max(values)}


def main():
    parser = argparse.ArgumentParser(prog="run")
    parser.add_argument("--output", choices=["text", "json"], default="text")
    parser.add_argument("--shapes", default="imagenet-b,cifar-b")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--quick", action="store_true", help="a tiny network; its figures mean nothing")
    parser.add_argument("--work", default=os.path.join(HERE, "work"), help="folder for the random weights, about 700 MB")
    options = parser.parse_args()
    if options.quick:
        options.shapes, options.rounds = "tiny", 1
    shapes = options.shapes.split(",")
    # What an emulated GPU does in seconds.
    samples, side, steps, batch = (32, 32, 1, ["16"]) if options.quick else (1024, 8192, 10, [])
    if unknown := [s for s in shapes if s not in SIZES]:
        parser.error(f"--shapes: {', '.join(unknown)} is not one of {', '.join(SIZES)}")
    reason = missing()
    results = {"skipped": {"PyTorch": reason} if reason else {}, "shapes": {}, "training": {}}
    for shape in shapes:
        folder = os.path.join(options.work, shape)
        if not os.path.exists(f"{folder}/model.safetensors"):
            subprocess.run([f"{HERE}/GPUArm", "weights", shape, "1", folder], check=True, env=environment("GPUArm"))
        ours = [Arm(f"ours {p}", [f"{HERE}/GPUArm", "time", folder, p, *batch]) for p in ("bf16", "tf32", "f32")]
        peers = [] if reason else [
            Arm(f"PyTorch bf16 {kind}", [sys.executable, f"{HERE}/arm.py", kind, folder])
            for kind in ("eager", "compile", "graph")]
        differences = compare_logits(ours + peers, folder)
        # About two seconds a turn of the first arm.
        count = max(samples, int(2 * samples / float(ours[0].ask(f"votes {samples}"))) // samples * samples)
        if options.quick:
            count = samples
        noise, peaks = [], []
        for _ in range(options.rounds):
            for arm in ours + peers:
                arm.times.append(float(arm.ask(f"votes {count}")) / count)
            noise.append(float(ours[0].ask(f"noise {count}")) / count)
            peaks.append(float(ours[0].ask(f"peak {side}")))
        peak, bf16 = statistics.median(peaks), statistics.median(ours[0].times)
        results["shapes"][shape] = {
            "logits_differences": differences, "samples_a_turn": count, "rounds": options.rounds,
            "peak_flop_s": spread(peaks),
            "peak_share": flop(shape) / bf16 / peak, "noise_and_counting_share": statistics.median(noise) / bf16,
            "seconds_for_100000": 1e5 * bf16,
            "best_peer_ratio": min(statistics.median(p.times) for p in peers) / bf16 if peers else None,
            "arms": {a.name: {"about": a.about, "seconds_a_sample": spread(a.times)} for a in ours + peers}}
        for arm in ours + peers:
            arm.end()
        if shape != "imagenet-b":
            results["training"][shape] = training(folder, reason, options.rounds, steps, batch)
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
        print("  logits from ours in f32: " + ", ".join(f"{n} {d:.4f}" for n, d in r["logits_differences"].items()))
    for shape, r in results["training"].items():
        print(f"\n{shape}, training steps of batch {r['batch']}, {r['rounds']} rounds: median (least to greatest)")
        for name, arm in r["arms"].items():
            s = arm["seconds_a_step"]
            print(f"  {name:22} {1e3 * s['median']:10.2f} ms ({1e3 * s['least']:.2f} to {1e3 * s['greatest']:.2f})  {arm['about']}")
        if r["peer_ratio"]:
            print(f"  {r['peer_ratio']:.2f} times PyTorch compiled; losses differ by at most {r['loss_difference']:.1e}")


main()
