"""PyTorch's arm of the GPU benchmark, on request over standard input; see GPUArm's `time`.

usage: arm.py KIND SHAPE CHECKPOINT-FOLDER    KIND: eager, compile (max-autotune, CUDA graphs) or graph (eager, captured)
All in bfloat16, attention by scaled_dot_product_attention; noise and counting on the device, in batches of the size that
was fastest here.
"""
import json
import os
import struct
import sys
import time

import torch

from network import SHAPES, SIGMA, Classifier

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


kind, shape, folder = sys.argv[1], SHAPES[sys.argv[2]], sys.argv[3]
torch.set_grad_enabled(False)
device = torch.device("cuda")
model = Classifier(**shape).eval()
model.load_state_dict(load(f"{folder}/model.safetensors"))
model = model.to(device, torch.bfloat16)
size = (3, shape["image_size"], shape["image_size"])
pixels = (torch.arange(size[0] * size[1] * size[2]) * 37 % 256).view(size).to(device, torch.float32) / 255
counts = torch.zeros(shape["classes"], dtype=torch.int64, device=device)
network = torch.compile(model, mode="max-autotune") if kind == "compile" else model


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


best = None
for batch in [128, 256, 512]:
    step = make(batch)
    pace = min(seconds(step, 4) for _ in range(3)) / batch
    if best is None or pace < best[0]:
        best = (pace, batch, step)
_, batch, step = best
answer(f"ready torch {torch.__version__}, batch {batch}")
for line in sys.stdin:
    count = int(line.split()[1])
    times = max(count // batch, 1)
    answer(seconds(step, times) * count / (times * batch))
