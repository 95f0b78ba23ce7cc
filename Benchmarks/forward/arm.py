"""One arm of the forward benchmark that is not ours, on request over standard input.

usage: arm.py KIND SHAPE WEIGHTS-FOLDER THREADS [BATCH]
Without BATCH it answers with the fastest batch size here and ends. A process is measured at one size, so that its memory and
its start are those of that size.
KIND: eager, compile, eager-bf16, compile-bf16, onnxruntime, openvino, openvino-bf16; openblas, which has no network and
answers `product ROWS COLUMNS DEPTH` for cblas_sgemm, the least seconds of ten.
`votes N` answers seconds for N noise samples: normal noise on float32 pixels, normalised, classified, counted, in
batches of BATCH; `train FILE N` as in ForwardArm, eager only; `logits FILE` as in ForwardArm; `memory` the peak resident size in KiB.
"""
import os
import sys
import time

if sys.argv[1] == "openblas":
    import ctypes

    import numpy

    blas = ctypes.CDLL("libopenblas.so.0")
    blas.openblas_set_num_threads(int(sys.argv[4]))
    blas.openblas_get_config.restype = ctypes.c_char_p
    f, p, i = ctypes.c_float, ctypes.c_void_p, ctypes.c_int
    blas.cblas_sgemm.argtypes = [i, i, i, i, i, i, f, p, i, p, i, f, p, i]
    print("ready", blas.openblas_get_config().decode(), flush=True)
    for line in sys.stdin:
        m, n, k = map(int, line.split()[1:])
        a, w, c = (numpy.zeros(size, numpy.float32) for size in ((m, k), (n, k), (m, n)))
        best = float("inf")
        for _ in range(10):
            start = time.perf_counter()
            # c = a·wᵀ, all row-major, as a linear layer asks for it.
            blas.cblas_sgemm(101, 111, 112, m, n, k, 1, a.ctypes.data, k, w.ctypes.data, k, 0, c.ctypes.data, n)
            best = min(best, time.perf_counter() - start)
        print(best, flush=True)
    sys.exit()

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
size = (3, shape["image_size"], shape["image_size"])


def load():
    network = Classifier(**shape).eval()
    network.load_state_dict(load_file(f"{folder}/model.safetensors"))
    return network


# The runtimes that read ONNX files keep no network of PyTorch's beside theirs.
model = load() if "eager" in kind or "compile" in kind else None


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
    path = f"{folder}/{batch}.onnx"
    if not os.path.exists(path):
        torch.onnx.export(load(), (torch.zeros(batch, *size),), path, input_names=["x"], output_names=["y"], dynamo=True)
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


if len(sys.argv) < 6:
    paces = {}
    for batch in [4, 16] if size[1] == 224 else [16, 64]:
        run = make(batch)
        votes(run, batch, batch)
        paces[batch] = min(seconds(lambda: votes(run, batch, batch)) for _ in range(2)) / batch
    answer(min(paces, key=paces.get))
    sys.exit()

batch = int(sys.argv[5])
run = make(batch)
votes(run, batch, batch)
answer(f"ready torch {torch.__version__}, batch {batch}")
trained = None


def train(path, count):
    """Losses of `count` steps of forward, mean cross-entropy, backward and AdamW (fused, its fastest)."""
    global trained
    with torch.enable_grad():
        if trained is None:
            # Without the final norm where it is not applied: it has no gradient, and AdamW would only decay it.
            names = [p for n, p in model.named_parameters() if shape["final_norm"] or not n.startswith("norm.")]
            trained = model.train(), torch.optim.AdamW(names, lr=1e-5, weight_decay=0.01, fused=True), load_file(path)
        network, optimizer, data = trained
        losses = []
        for _ in range(count):
            loss = torch.nn.functional.cross_entropy(network(data["inputs"]), data["labels"].long())
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
    return losses


for line in sys.stdin:
    word, *rest = line.split()
    if word == "votes":
        # Whole batches only; the time is scaled to what was asked for.
        count = max(int(rest[0]) // batch, 1) * batch
        answer(seconds(lambda: votes(run, batch, count)) * int(rest[0]) / count)
    elif word == "train":
        start = time.perf_counter()
        losses = train(rest[0], int(rest[1]))
        answer(" ".join(map(str, [time.perf_counter() - start] + losses)))
    elif word == "logits":
        inputs = load_file(rest[0])["inputs"]
        padded = torch.cat([inputs, torch.zeros(-len(inputs) % batch, *size)])
        logits = torch.cat([run(padded[i : i + batch]).clone() for i in range(0, len(padded), batch)])
        save_file({"logits": logits[: len(inputs)].contiguous()}, f"{rest[0]}.{kind}")
        answer("written")
    elif word == "memory":
        status = open("/proc/self/status").read()
        answer(status.split("VmHWM:")[1].split()[0])
