"""One arm of the forward benchmark that is not ours, on request over standard input.

usage: arm.py KIND SHAPE WEIGHTS-FOLDER THREADS
KIND: eager, compile, eager-bf16, compile-bf16, onnxruntime, openvino, openvino-bf16.
`votes N` answers seconds for N noise samples: normal noise on float32 pixels, normalised, classified, counted, in
batches of the size that was fastest here; `logits FILE` as in ForwardArm; `memory` the peak resident size in KiB.
"""
import os
import sys
import time

import torch
from safetensors.torch import load_file, save_file

from network import SHAPES, SIGMA, Classifier

# Answers go where standard output went; what libraries print goes to standard error.
answers = os.fdopen(os.dup(1), "w")
os.dup2(2, 1)


def answer(text):
    print(text, file=answers, flush=True)


kind, shape, folder, threads = sys.argv[1], sys.argv[2], sys.argv[3], int(sys.argv[4])
torch.set_num_threads(threads)
torch.set_grad_enabled(False)
shape = SHAPES[shape]
model = Classifier(**shape).eval()
model.load_state_dict(load_file(f"{folder}/model.safetensors"))
size = (3, shape["image_size"], shape["image_size"])


def make(batch):
    """The network as a function of [batch, 3, S, S] float32 tensors, and of that batch size only."""
    if kind == "eager":
        return model
    if kind == "compile":
        return torch.compile(model)
    if kind.endswith("-bf16") and kind != "openvino-bf16":
        half = Classifier(**shape).eval()
        half.load_state_dict(model.state_dict())
        half = half.to(torch.bfloat16)
        run = torch.compile(half) if kind.startswith("compile") else half
        return lambda x: run(x.to(torch.bfloat16)).float()
    path = f"{folder}/{kind}-{batch}-{threads}.onnx"
    torch.onnx.export(model, (torch.zeros(batch, *size),), path, input_names=["x"], output_names=["y"], dynamo=True)
    if kind == "onnxruntime":
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
        return lambda x: torch.from_numpy(session.run(None, {"x": x.numpy()})[0])
    import openvino

    core = openvino.Core()
    compiled = core.compile_model(path, "CPU", {
        "INFERENCE_NUM_THREADS": threads, "PERFORMANCE_HINT": "LATENCY",
        "INFERENCE_PRECISION_HINT": "bf16" if kind == "openvino-bf16" else "f32"})
    request = compiled.create_infer_request()
    return lambda x: torch.from_numpy(request.infer({0: x.numpy()})[0])


pixels = (torch.arange(size[0] * size[1] * size[2]) * 37 % 256).to(torch.uint8).view(size).float() / 255


def votes(run, batch, count):
    counts = torch.zeros(shape["classes"], dtype=torch.int64)
    for _ in range(0, count, batch):
        noisy = pixels + SIGMA * torch.randn(batch, *size)
        top = run((noisy - 0.5) / 0.5).argmax(1)
        counts += torch.bincount(top, minlength=shape["classes"])
    return counts


def seconds(body):
    start = time.perf_counter()
    body()
    return time.perf_counter() - start


best = None
for batch in [4, 16, 48] if size[1] == 224 else [8, 32, 96]:
    run = make(batch)
    votes(run, batch, batch)
    pace = min(seconds(lambda: votes(run, batch, batch)) for _ in range(2)) / batch
    if best is None or pace < best[0]:
        best = (pace, batch, run)
_, batch, run = best
answer(f"ready torch {torch.__version__}, batch {batch}")
for line in sys.stdin:
    word, *rest = line.split()
    if word == "votes":
        # Whole batches only; the time is scaled to what was asked for.
        count = max(int(rest[0]) // batch, 1) * batch
        answer(seconds(lambda: votes(run, batch, count)) * int(rest[0]) / count)
    elif word == "logits":
        inputs = load_file(rest[0])["inputs"]
        padded = torch.cat([inputs, torch.zeros(-len(inputs) % batch, *size)])
        logits = torch.cat([run(padded[i : i + batch]).clone() for i in range(0, len(padded), batch)])
        save_file({"logits": logits[: len(inputs)].contiguous()}, f"{rest[0]}.{kind}")
        answer("written")
    elif word == "memory":
        status = open("/proc/self/status").read()
        answer(status.split("VmHWM:")[1].split()[0])
