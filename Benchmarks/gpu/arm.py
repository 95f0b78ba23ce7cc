"""PyTorch's arm of the GPU benchmark, on request over standard input; see GPUArm's `time`.

usage: arm.py KIND CHECKPOINT-FOLDER    KIND: eager, compile (max-autotune, CUDA graphs), graph (eager, captured) or train
All in bfloat16, attention by scaled_dot_product_attention; noise and counting on the device, in batches of the size that
was fastest here. `train` is compiled training instead: bfloat16 by autocast, float32 weights, fused AdamW.
"""
import json
import os
import struct
import sys
import time

import torch

from network import SIGMA, Classifier

answers = os.fdopen(os.dup(1), "w")
os.dup2(2, 1)


def answer(text):
    print(text, file=answers, flush=True)


def load(path):
    """A safetensors file of float32 tensors."""
    with open(path, "rb") as file:
        header = json.loads(file.read(struct.unpack("<Q", file.read(8))[0]))
        data = bytearray(file.read())
    header.pop("__metadata__", None)
    return {
        name: torch.frombuffer(data, dtype=torch.float32, offset=place["data_offsets"][0],
                               count=(place["data_offsets"][1] - place["data_offsets"][0]) // 4).view(place["shape"])
        for name, place in header.items()}


def store(path, tensor):
    """A safetensors file of one float32 tensor, `logits`."""
    data = tensor.detach().to("cpu", torch.float32).contiguous()
    header = json.dumps({"logits": {"dtype": "F32", "shape": list(data.shape), "data_offsets": [0, 4 * data.numel()]}})
    with open(path, "wb") as file:
        file.write(struct.pack("<Q", len(header)) + header.encode() + data.numpy().tobytes())


kind, folder = sys.argv[1], sys.argv[2]
with open(f"{folder}/config.json") as file:
    config = json.load(file)["model"]
shape = {k: config[k] for k in ("image_size", "patch_size", "width", "depth", "heads", "classes", "final_norm")}
torch.set_grad_enabled(kind == "train")
device = torch.device("cuda")
model = Classifier(**shape).eval()
model.load_state_dict(load(f"{folder}/model.safetensors"))
model = model.to(device, torch.float32 if kind == "train" else torch.bfloat16)
size = (3, shape["image_size"], shape["image_size"])
pixels = (torch.arange(size[0] * size[1] * size[2]) * 37 % 256).view(size).to(device, torch.float32) / 255
counts = torch.zeros(shape["classes"], dtype=torch.int64, device=device)
network = torch.compile(model, mode="max-autotune", dynamic=False) if kind == "compile" else model


def make(batch):
    def step():
        noisy = pixels + SIGMA * torch.randn(batch, *size, device=device)
        top = network(((noisy - 0.5) / 0.5).to(torch.bfloat16)).argmax(1)
        counts.scatter_add_(0, top, torch.ones_like(top))

    for _ in range(3):
        step()
    if kind != "graph":
        return step
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        step()
    return graph.replay


def seconds(step, times):
    torch.cuda.synchronize()
    start = time.perf_counter()
    for _ in range(times):
        step()
    torch.cuda.synchronize()
    return time.perf_counter() - start


def trainer(path):
    """Makes one step a call: forward, mean cross-entropy, backward, AdamW; returns its loss."""
    data = {name: tensor.to(device) for name, tensor in load(path).items()}
    labels = data["labels"].long()
    # Without the final norm where it is not applied: it has no gradient, and AdamW would only decay it.
    trained = [p for n, p in model.named_parameters() if shape["final_norm"] or not n.startswith("norm.")]
    optimizer = torch.optim.AdamW(trained, lr=1e-5, weight_decay=0.01, fused=True)
    compiled = torch.compile(model.train(), mode="max-autotune", dynamic=False)

    def step():
        with torch.autocast("cuda", torch.bfloat16):
            loss = torch.nn.functional.cross_entropy(compiled(data["inputs"]), labels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return loss.detach().clone()

    return step


if kind == "train":
    answer(f"ready torch {torch.__version__}, compiled, autocast to bfloat16, fused AdamW")
    step = None
    for line in sys.stdin:
        _, path, count = line.split()
        step = step or trainer(path)
        torch.cuda.synchronize()
        start = time.perf_counter()
        # As in our arm, the loss of each step is read before the next.
        losses = [step().item() for _ in range(int(count))]
        torch.cuda.synchronize()
        answer(" ".join(map(str, [time.perf_counter() - start] + losses)))
    sys.exit()

best = None
for batch in [128, 256, 512]:
    step = make(batch)
    pace = min(seconds(step, 4) for _ in range(3)) / batch
    if best is None or pace < best[0]:
        best = (pace, batch, step)
_, batch, step = best
answer(f"ready torch {torch.__version__}, batch {batch}")
for line in sys.stdin:
    word, *rest = line.split()
    if word == "logits":
        store(rest[1], network(load(rest[0])["inputs"].to(device, torch.bfloat16)))
        answer("written")
        continue
    count = int(rest[0])
    times = max(count // batch, 1)
    answer(seconds(step, times) * count / (times * batch))
