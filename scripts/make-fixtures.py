#!/usr/bin/env python3
"""Makes Tests/Fixtures/golden: small reference files for `rrcm verify golden`, computed by PyTorch.

Usage: python3 scripts/make-fixtures.py [DIRECTORY]

Needs torch, numpy, safetensors, scipy, mpmath and pillow. Everything is written from the description of the method, with
autograd for gradients and torch.optim for the optimizer, so that it shares no code and no derivation with the program it
checks. One thread and fixed seeds: running it again gives the same numbers on the same machine.
"""

import json
import math
import pathlib
import sys

import mpmath
import numpy as np
import scipy.stats
import torch
import torch.nn.functional as F
from PIL import Image
from safetensors.torch import save_file

OUT = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else
                   pathlib.Path(__file__).resolve().parent.parent / "Tests" / "Fixtures" / "golden")

# An odd width with an odd number of heads, and one channel: what the published configurations do not have.
CONFIGS = {
    "odd": dict(in_channels=3, mlp_ratio=4, qkv_bias=False, mlp_time_embed=False, image_size=9, patch_size=3,
                embed_dim=15, depth=2, num_heads=3, hidden_dim=14, output_dim=7),
    "grey": dict(in_channels=1, mlp_ratio=4, qkv_bias=False, mlp_time_embed=False, image_size=8, patch_size=4,
                 embed_dim=16, depth=3, num_heads=2, hidden_dim=12, output_dim=6),
    "tiny": dict(in_channels=1, mlp_ratio=4, qkv_bias=False, mlp_time_embed=False, image_size=4, patch_size=2,
                 embed_dim=6, depth=1, num_heads=2, hidden_dim=5, output_dim=3),
}
CLASSES = {"odd": 5, "grey": 10}


# ---------------------------------------------------------------- noise levels and schedules

def levels(n, kind="loss"):
    """Decreasing grid of n levels; `loss` and `search` differ in where float32 rounding happens."""
    start, span = 80 ** (1 / 7), 0.002 ** (1 / 7) - 80 ** (1 / 7)
    i = np.arange(n)
    if kind == "exact":
        return (start + i / (n - 1) * span) ** 7
    if kind == "search":
        v = (start + i / (n - 1) * span).astype(np.float32)
    else:
        r = i.astype(np.float32) / np.float32(n - 1)
        v = (np.float32(start) + (r * np.float32(span)).astype(np.float32)).astype(np.float32)
    return (v.astype(np.float64) ** 7).astype(np.float32)


def classifier_level(v):
    t = levels(81)
    return float(t[80] if v == 0 else t[int(np.argmin(np.abs(levels(81, "search") - np.float32(v))))])


def c_in(t):
    return 1 / torch.sqrt(torch.as_tensor(t, dtype=torch.float32) ** 2 + 0.25)


def rescaled(t):
    return 250 * torch.log(torch.as_tensor(t, dtype=torch.float32))


def num_scales(p, k):
    if p["scale_mode"] == "fixed":
        return p["start_scales"]
    s, e, total = p["start_scales"], p["end_scales"], p["total_steps"]
    stage = math.ceil(total / math.log2(math.ceil(e / s) + 1))
    return min(s * 2 ** math.ceil(k / stage), e) + 1


def target_rate(p, k):
    s, e, a = p["start_ema"], p["end_ema"], p["target_ema_A"]
    if p["target_ema_mode"] == "fixed":
        return s
    d = p.get("ema_decay_steps", p["total_steps"])
    l = math.sqrt(k / d * (e * e - s * s) + s * s) if k < d else e
    c = 2 / (1 + math.exp(-a * (l - s) / (e - s))) - 1
    return c * e + (1 - c) * s


def lr_factor(p, j):
    if p is None:
        return 1.0
    w = p["warmup_steps"]
    if w <= 0:
        return 1.0
    if j <= w:
        return j / w
    if p["name"] == "warmup":
        return 1.0
    low = p.get("min_scale", -1)
    if j >= p["total_training_steps"]:
        return 0.0 if low == -1 else low
    return max(low, 0.5 * (1 + math.cos(math.pi * (j - w) / (p["total_training_steps"] - w))))


# ---------------------------------------------------------------- the network

def time_token(s, width):
    half = width // 2
    f = torch.exp(torch.arange(half, dtype=torch.float32) * np.float32(-math.log(10000)) / half)
    a = s[:, None] * f[None]
    parts = [torch.cos(a), torch.sin(a)] + ([torch.zeros(len(s), 1)] if width % 2 else [])
    return torch.cat(parts, 1)


def new_model(cfg, generator):
    """Random weights with every gain, bias and statistic away from its default, so that none can be forgotten."""
    def normal(*shape, std=1.0, mean=0.0):
        return mean + std * torch.randn(*shape, generator=generator)
    d, c, p = cfg["embed_dim"], cfg["in_channels"], cfg["patch_size"]
    tokens = 2 + (cfg["image_size"] // p) ** 2
    m = {"cls_token": normal(1, 1, d, std=0.1), "pos_embed": normal(1, tokens, d, std=0.05),
         "patch_embed.proj.weight": normal(d, c, p, p, std=1 / math.sqrt(c * p * p)),
         "patch_embed.proj.bias": normal(d, std=0.1)}

    def linear(name, o, i, bias=True):
        m[name + ".weight"] = normal(o, i, std=0.8 / math.sqrt(i))
        if bias:
            m[name + ".bias"] = normal(o, std=0.1)

    def norm(name, n):
        m[name + ".weight"] = normal(n, std=0.1, mean=1)
        m[name + ".bias"] = normal(n, std=0.1)
    for i in range(cfg["depth"]):
        b = f"blocks.{i}."
        norm(b + "norm1", d)
        linear(b + "attn.qkv", 3 * d, d, bias=False)
        linear(b + "attn.proj", d, d)
        norm(b + "norm2", d)
        linear(b + "mlp.fc1", 4 * d, d)
        linear(b + "mlp.fc2", d, 4 * d)
    norm("norm", d)
    h, o = cfg["hidden_dim"], cfg["output_dim"]
    for linear_index, shape, norm_index in [(0, (h, d), 1), (3, (h, h), 4), (6, (o, h), None)]:
        m[f"projection_head.{linear_index}.weight"] = normal(*shape, std=1 / math.sqrt(shape[1]))
        if norm_index:
            n = f"projection_head.{norm_index}"
            norm(n, h)
            m[n + ".running_mean"] = normal(h, std=0.2)
            m[n + ".running_var"] = 0.5 + torch.rand(h, generator=generator)
            m[n + ".num_batches_tracked"] = torch.tensor(3)
    return m


def is_buffer(name):
    return "running_" in name or "num_batches" in name


def encode(m, cfg, u, s, final_norm=True, record=None):
    """Class token after the blocks [B, d]."""
    d, heads, p = cfg["embed_dim"], cfg["num_heads"], cfg["patch_size"]
    patches = F.conv2d(u, m["patch_embed.proj.weight"], m["patch_embed.proj.bias"], stride=p).flatten(2).transpose(1, 2)
    time = time_token(s, d)[:, None]
    x = torch.cat([m["cls_token"].expand(len(u), -1, -1), time, patches], 1) + m["pos_embed"]
    if record is not None:
        record |= {"act_patch_tokens": patches[:2], "act_block0_in": x[:2]}
    for i in range(cfg["depth"]):
        b = f"blocks.{i}."
        y = F.layer_norm(x, (d,), m[b + "norm1.weight"], m[b + "norm1.bias"], 1e-5)
        q, k, v = (y @ m[b + "attn.qkv.weight"].T).reshape(len(u), -1, 3, heads, d // heads).permute(2, 0, 3, 1, 4)
        a = torch.softmax(q @ k.transpose(-1, -2) / math.sqrt(d // heads), -1) @ v
        a = F.linear(a.transpose(1, 2).flatten(2), m[b + "attn.proj.weight"], m[b + "attn.proj.bias"])
        x = x + a
        y = F.layer_norm(x, (d,), m[b + "norm2.weight"], m[b + "norm2.bias"], 1e-5)
        y = F.gelu(F.linear(y, m[b + "mlp.fc1.weight"], m[b + "mlp.fc1.bias"]))
        x = x + F.linear(y, m[b + "mlp.fc2.weight"], m[b + "mlp.fc2.bias"])
        if record is not None and i == 0:
            record |= {"act_block0_attn": a[:2], "act_block0_out": x[:2]}
    c = x[:, 0]
    return F.layer_norm(c, (d,), m["norm.weight"], m["norm.bias"], 1e-5) if final_norm else c


def project(m, c, training):
    for linear_index, norm_index in [(0, 1), (3, 4)]:
        n = f"projection_head.{norm_index}."
        c = F.linear(c, m[f"projection_head.{linear_index}.weight"])
        c = F.batch_norm(c, m[n + "running_mean"], m[n + "running_var"], m[n + "weight"], m[n + "bias"], training, 0.1, 1e-5)
        if training:
            m[n + "num_batches_tracked"] += 1
        c = F.relu(c)
    return F.linear(c, m["projection_head.6.weight"])


def clone(m):
    return {k: v.clone() for k, v in m.items()}


# ---------------------------------------------------------------- losses

def nce(f, target, tau):
    f, target = F.normalize(f, eps=1e-12), F.normalize(target, eps=1e-12)
    s = f @ target.T / tau
    return torch.logsumexp(s, 1) - s.diagonal()


def consistency(logits, lbd, eta, variant="default"):
    """Regulariser per image [B] over the list of logits, and its two parts."""
    logs = [F.log_softmax(q, 1) for q in logits]
    p = [l.exp() for l in logs]
    mean = sum(p) / len(p)
    kl = sum(F.kl_div(l, mean, reduction="none").sum(1) for l in logs) / len(logs)
    entropy = -(mean * mean.clamp(min=1e-20).log()).sum(1)
    total = {"default": lbd * kl + eta * entropy, "xent": lbd * (kl + entropy), "kl": lbd * kl,
             "mse": lbd * ((p[1] - p[0]) ** 2).sum(1)}[variant]
    return total, kl, entropy


# ---------------------------------------------------------------- writing

def tensors(name, t):
    save_file({k: (v.detach() if torch.is_tensor(v) else torch.as_tensor(v)).contiguous().clone() for k, v in t.items()},
              OUT / f"{name}.safetensors")


def text(name, value):
    (OUT / f"{name}.json").write_text(json.dumps(value, indent=1))


def floats(x):
    return torch.as_tensor(x).detach().double().tolist()


# ---------------------------------------------------------------- the files

def write_schedules():
    tables = {}
    for n in (9, 33, 81):
        t = levels(n)
        tables[n] = dict(f64=floats(levels(n, "exact")), denoiser_f32=floats(levels(n, "exact").astype(np.float32)),
                         loss_f32=floats(t), finetune_f32=floats(levels(n, "search")),
                         rescaled_t_f32=floats(rescaled(t)), c_in_f32=floats(c_in(t)))
    nearest = {}
    for v in ("0.0", "0.1", "0.5", "1.0", "2.0", "3.7", "90.0"):
        index = 80 if float(v) == 0 else int(np.argmin(np.abs(levels(81, "search") - np.float32(float(v)))))
        nearest[v] = dict(index=index, sigma=float(levels(81)[index]))
    ema = []
    for p, steps in [
        (dict(target_ema_mode="sigmoid", target_ema_A=12, start_ema=0.95, end_ema=0.9995, ema_decay_steps=300,
              scale_mode="icm", start_scales=10, end_scales=80, total_steps=400), [0, 1, 50, 100, 101, 250, 299, 300, 400]),
        (dict(target_ema_mode="sigmoid", target_ema_A=10, start_ema=0.99, end_ema=0.9999, scale_mode="icm",
              start_scales=20, end_scales=80, total_steps=1000), [0, 1, 430, 431, 432, 999, 1000, 1001]),
        (dict(target_ema_mode="fixed", target_ema_A=10, start_ema=0.9, end_ema=0.9, scale_mode="fixed", start_scales=12,
              end_scales=24, total_steps=50), [0, 7, 50])]:
        ema.append(dict(params=p, rows=[dict(step=k, target_ema=target_rate(p, k), num_scales=num_scales(p, k)) for k in steps]))
    lr = []
    for base, p in [(0.002, dict(name="warmup-cosine", warmup_steps=5, total_training_steps=40, min_scale=-1.0)),
                    (0.001, dict(name="warmup-cosine", warmup_steps=4, total_training_steps=30, min_scale=0.05)),
                    (0.003, dict(name="warmup", warmup_steps=6)),
                    (0.004, dict(name="warmup-cosine", warmup_steps=0, total_training_steps=10))]:
        lr.append(dict(base_lr=base, params=p, rows=[
            dict(step=j, scale=lr_factor(p, j), lr=base * lr_factor(p, j)) for j in (0, 1, 3, 4, 5, 6, 17, 29, 30, 39, 40, 41)]))
    text("schedules", dict(sigma_tables=tables, nearest_in_81=nearest, ema_and_scales=ema, lr=lr))


def write_time_embedding():
    s = rescaled(levels(81)[[0, 9, 31, 48, 53, 67, 80]])
    tensors("time_embedding", {"timesteps": s} | {f"dim{w}": time_token(s, w) for w in (15, 16, 21, 64)})


def write_forward(name, cfg, m, g):
    size = (4, cfg["in_channels"], cfg["image_size"], cfg["image_size"])
    x, noise = torch.rand(size, generator=g) * 2 - 1, torch.randn(size, generator=g)
    index = torch.tensor([2, 40, 53, 80])
    sigma = torch.from_numpy(levels(81))[index]
    scale, s = c_in(sigma), rescaled(sigma)
    u = scale[:, None, None, None] * (x + sigma[:, None, None, None] * noise)
    record = {}
    cls = encode(m, cfg, u, s, record=record)
    out = dict(x=x, noise=noise, sigma_index=index, sigma=sigma, c_in=scale, rescaled_t=s, model_input=u,
               time_token=time_token(s, cfg["embed_dim"]), cls=cls, proj_eval=project(m, cls, False)) | record
    trained = clone(m)
    out["proj_train"] = project(trained, cls, True)
    out |= {"after_train_forward." + k: v for k, v in trained.items() if is_buffer(k)}
    times = torch.tensor([-900.0, -3.5, 120.25, 1000.0])
    raw = encode(m, cfg, x, times)
    tensors(f"forward_{name}", out | dict(raw_timesteps=times, raw_cls=raw, raw_proj_eval=project(m, raw, False)))


def new_head(cfg, classes, g):
    d = cfg["embed_dim"]
    return {"weight": torch.randn(classes, d, generator=g) / math.sqrt(d), "bias": torch.randn(classes, generator=g) * 0.1}


def classify(m, cfg, head, x, v, final_norm):
    """Logits of noisy normalised images at the level nearest to v."""
    t = classifier_level(v)
    c = encode(m, cfg, c_in(t) * x, rescaled(t).expand(len(x)), final_norm)
    return F.linear(c, head["weight"], head["bias"])


def write_finetune_forward(name, cfg, m, g):
    size = (3, cfg["in_channels"], cfg["image_size"], cfg["image_size"])
    x01, noise = torch.rand(size, generator=g), torch.randn(size, generator=g)
    head = new_head(cfg, CLASSES[name], g)
    x = (x01 - 0.5) / 0.5
    out = dict(x=x, x01=x01, noise=noise) | {"head." + k: v for k, v in head.items()}
    for flag, norm in (("ln", True), ("noln", False)):
        for v in ("0", "0.5", "2.0"):
            out[f"logits_{flag}_noiseaug{v}"] = classify(m, cfg, head, x + float(v) * noise, float(v), norm)
        for v in ("0.12", "0.5"):
            noisy = ((x01 + float(v) * noise) - 0.5) / 0.5
            out[f"certify_logits_{flag}_sigma{v}"] = classify(m, cfg, head, noisy, 2 * float(v), norm)
    tensors(f"finetune_forward_{name}", out)


def write_contrastive(g):
    f, target = torch.randn(4, 6, generator=g).requires_grad_(), torch.randn(3, 4, 6, generator=g)
    rank, tau = 2, 0.3
    own_first = torch.cat([target[rank]] + [target[r] for r in range(3) if r != rank])
    out = dict(f=f, f_target_all=target, rank=torch.tensor(rank), tau=torch.tensor(tau))
    for key, t in (("gathered", own_first), ("local", target[rank])):
        loss = nce(f, t, tau)
        out["nce_" + key] = loss
        out["grad_f_" + key] = torch.autograd.grad(loss.mean(), f)[0]
    tensors("contrastive", out)


def write_pretrain(tag, name, cfg, m, g, *, lr, wd, schedule, warmup, clip, ema, ema_rate, tau, frozen, steps):
    config = dict(config=cfg, start_weights=f"model_{name}.safetensors", lr_schedule=schedule, warmup_steps=warmup,
                  optimizer=dict(name="AdamW", lr=lr, betas=[0.9, 0.999], eps=1e-8, weight_decay=wd),
                  ema_and_scales=ema, tau=tau, frozen=frozen, steps=[])
    online, target = clone(m), clone(m)
    trained = {k: v.requires_grad_() for k, v in online.items() if not is_buffer(k) and k not in frozen}
    optimizer = torch.optim.AdamW(trained.values(), lr=lr, weight_decay=wd)
    size = (4, cfg["in_channels"], cfg["image_size"], cfg["image_size"])
    data = {}
    for k in range(steps):
        n = num_scales(ema, k)
        i = int(torch.randint(n - 1, (1,), generator=g))
        grid = levels(n)
        t, t2, t0 = (float(grid[j]) for j in (i, i + 1, n - 1))
        x, x1, x2 = (torch.rand(size, generator=g) * 2 - 1 for _ in range(3))
        noise = torch.randn(size, generator=g)
        data |= {f"x_start_{k}": x, f"x_aug1_{k}": x1, f"x_aug2_{k}": x2, f"noise_{k}": noise}

        def both(net, image, level):
            c = encode(net, cfg, c_in(level) * (image + level * noise), rescaled(level).expand(4))
            return project(net, c, True), c
        f1 = both(online, x1, t0)[0]
        g2 = both(target, x2, t0)[0].detach()
        f2 = both(online, x2, t0)[0]
        g1 = both(target, x1, t0)[0].detach()
        noisy = both(online, x, t)[1]
        cleaner = both(online, x, t2)[1].detach()
        l1, l2, l3 = nce(f1, g2, tau), nce(f2, g1, tau), nce(noisy, cleaner, tau)
        loss = l1 + l2 + l3
        optimizer.zero_grad()
        loss.mean().backward()
        if k == 0:
            tensors(f"{tag}_grads_step0", {key: v.grad for key, v in trained.items()})
        norm = torch.sqrt(sum((v.grad.double() ** 2).sum() for v in trained.values()))
        clips = clip > 0 and k >= warmup
        if clips:
            torch.nn.utils.clip_grad_norm_(trained.values(), clip)
        now = lr * lr_factor(schedule, k)
        optimizer.param_groups[0]["lr"] = now
        optimizer.step()
        rate = target_rate(ema, k)
        with torch.no_grad():
            for key in target:
                if not is_buffer(key):
                    target[key] = rate * target[key] + (1 - rate) * online[key].detach()
        config["steps"].append(dict(
            step=k, num_scales=n, index=i, t=t, t2=t2, t0=t0, lr=now, target_ema_rate=rate, nnet_ema_rate=ema_rate,
            clip_applied=clips, clip_max_norm=clip, grad_norm_before_clip=float(norm), contrast_view1_online=floats(l1),
            contrast_view2_online=floats(l2), consistency=floats(l3), loss_per_sample=floats(loss), loss=float(loss.detach().mean())))
    text(tag, config)
    tensors(f"{tag}_data", data)
    tensors(f"{tag}_nnet_after", online)
    tensors(f"{tag}_target_after", target)


def layer_id(name, depth):
    if name in ("cls_token", "pos_embed") or name.startswith("patch_embed"):
        return 0
    return int(name.split(".")[1]) + 1 if name.startswith("blocks.") else depth + 1


def write_finetune(tag, name, cfg, m, g, *, layernorm, frozen_head, soft, noise_aug, lbd, eta, decay, wd, lr, copies, steps=3):
    classes, batch = CLASSES[name], 3
    net, head = clone(m), new_head(cfg, classes, g)
    config = dict(config=cfg, num_classes=classes, start_weights=f"model_{name}.safetensors (add the prefix base_model.)",
                  layernorm=layernorm, frozen_head=frozen_head, soft=soft, noise_aug=noise_aug, lbd=lbd, eta=eta,
                  decay=decay, wd=wd, lr_=lr, B=batch, m=copies, lr_schedule="constant",
                  optimizer=dict(name="AdamW", betas=[0.9, 0.999], eps=1e-8))
    data = {"linear_head." + k: v.clone() for k, v in head.items()}
    everything = {"base_model." + k: v for k, v in net.items() if not is_buffer(k)}
    everything |= {"linear_head." + k: v for k, v in head.items()}
    for v in everything.values():
        v.requires_grad_()
    groups = {}
    for key, v in everything.items():
        if frozen_head and key.startswith("linear_head"):
            continue
        rate = lr * decay ** (cfg["depth"] + 1 - layer_id(key.removeprefix("base_model."), cfg["depth"]))
        groups.setdefault((rate, 0.0 if v.ndim == 1 else wd), []).append(key)
    config["param_groups"] = [dict(lr=r, weight_decay=w, params=keys) for (r, w), keys in groups.items()]
    optimizer = torch.optim.AdamW([dict(params=[everything[k] for k in keys], lr=r, weight_decay=w)
                                   for (r, w), keys in groups.items()])
    config["steps"] = []
    t = classifier_level(noise_aug)
    for k in range(steps):
        x = torch.rand(batch, cfg["in_channels"], cfg["image_size"], cfg["image_size"], generator=g) * 2 - 1
        labels = torch.randint(classes, (batch,), generator=g)
        y = labels
        if soft:
            s, lam = 0.1, 0.7
            one = F.one_hot(labels, classes).float() * (1 - s) + s / classes
            y = lam * one + (1 - lam) * one.flip(0)
            data[f"labels_{k}"] = labels
        noise = torch.randn(batch * copies, *x.shape[1:], generator=g)
        u = c_in(t) * (x.repeat(copies, 1, 1, 1) + noise_aug * noise)
        c = encode(net, cfg, u, rescaled(t).expand(len(u)), layernorm)
        logits = F.linear(c, head["weight"], head["bias"])
        ce = F.cross_entropy(logits, y.repeat(copies, 1) if soft else y.repeat(copies))
        con, kl, entropy = consistency(logits.chunk(copies), lbd, eta)
        optimizer.zero_grad()
        for v in everything.values():
            v.grad = None
        loss = ce + con.mean()
        loss.backward()
        if k == 0 and not soft:
            tensors(f"{tag}_grads_step0", {key: v.grad for key, v in everything.items() if v.grad is not None})
        optimizer.step()
        data |= {f"x_{k}": x, f"y_{k}": y, f"noise_{k}": noise, f"logits_{k}": logits}
        config["steps"].append(dict(step=k, ce=float(ce.detach()), consistency=float(con.detach().mean()), loss=float(loss.detach()),
                                    kl_per_sample=floats(kl), entropy_per_sample=floats(entropy)))
    text(tag, config)
    tensors(f"{tag}_data", data)
    tensors(f"{tag}_after", {k: v for k, v in everything.items() if "projection_head" not in k})


def write_finetune_losses(g):
    logits = [torch.randn(4, 6, generator=g) * 2 for _ in range(3)]
    labels = torch.randint(6, (4,), generator=g)
    lbd, eta = 5.0, 0.4
    out = dict(labels=floats(labels), lbd=lbd, eta=eta)
    for m in (2, 3):
        for variant in ("default", "xent", "kl", "mse"):
            out[f"consistency_m{m}_{variant}"] = float(consistency(logits[:m], lbd, eta, variant)[0].mean())
    p = F.softmax(logits[0], 1)
    out["linear_or_finetune_task_loss_on_logits0"] = float(
        F.cross_entropy(logits[0], labels) - (p * F.log_softmax(logits[0], 1)).sum(1).mean())
    text("finetune_losses", out)
    tensors("finetune_losses", {f"logits{i}": q for i, q in enumerate(logits)} | {"labels": labels})


def lower_bound(hits, draws, alpha):
    """Clopper–Pearson lower bound with 60 digits: the p at which P(Bin(draws, p) ≥ hits) is alpha."""
    mpmath.mp.dps = 60
    alpha = mpmath.mpf(alpha)
    if hits == 0:
        return mpmath.mpf(0)
    if hits == draws:
        return mpmath.root(alpha, draws)

    def tail(p):
        return mpmath.betainc(hits, draws - hits + 1, 0, p, regularized=True) - alpha
    low, high = mpmath.mpf(0), mpmath.mpf(1)
    for _ in range(190):
        middle = (low + high) / 2
        low, high = (low, middle) if tail(middle) > 0 else (middle, high)
    return (low + high) / 2


def quantile(p):
    mpmath.mp.dps = 60
    return mpmath.sqrt(2) * mpmath.erfinv(2 * mpmath.mpf(p) - 1)


def write_clopper_pearson():
    bounds = []
    for hits, draws, alpha in [(0, 1, "0.001"), (1, 1, "0.05"), (9, 10, "0.001"), (10, 10, "0.001"), (60, 100, "0.01"),
                               (66, 100, "0.001"), (65, 100, "0.001"), (99, 100, "0.001"), (550, 1000, "0.001"),
                               (731, 1000, "0.0005"), (1000, 1000, "0.001"), (3, 1000, "0.05")]:
        p = lower_bound(hits, draws, alpha)
        row = dict(nA=hits, n=draws, alpha=float(alpha), alpha_text=alpha, p_lower_mpmath=mpmath.nstr(p, 40),
                   abstain=bool(p < 0.5))
        if p > 0.5:
            row["z_mpmath"] = mpmath.nstr(quantile(p), 40)
        for sigma in ("0.25", "1.0"):
            row["radius_" + sigma] = float(mpmath.mpf(sigma) * quantile(p)) if p > 0.5 else 0.0
        bounds.append(row)
    smallest = {}
    for n in (10, 100, 1000):
        smallest[n] = next(k for k in range(n + 1) if lower_bound(k, n, "0.001") > 0.5)
    tests = []
    for a, b in [(12, 0), (60, 40), (70, 30), (5, 5), (300, 200)]:
        p = scipy.stats.binomtest(max(a, b), a + b, 0.5).pvalue
        tests.append(dict(count1=a, count2=b, p_value=p, abstain_at_0_001=bool(p > 0.001)))
    text("clopper_pearson", dict(
        bounds=bounds, smallest_nA_not_abstaining_alpha_0_001=smallest, two_sided_binomial_test=tests,
        inverse_normal_cdf=[dict(p=p, z=mpmath.nstr(quantile(p), 40)) for p in ("0.5", "0.8", "0.999", "0.02")]))


def write_certify(models, g):
    rows, out = [], {}
    for name, norm, sigma, n0, n in [("odd", False, 0.25, 9, 30), ("grey", True, 0.5, 11, 25)]:
        cfg, m = CONFIGS[name], models[name]
        head = new_head(cfg, CLASSES[name], g)
        out |= {f"{name}.head.{k}": v for k, v in head.items()}
        tag = f"{name}_{sigma}"
        # Draw until no vote is so close that rounding could turn it.
        while True:
            x01 = torch.rand(1, cfg["in_channels"], cfg["image_size"], cfg["image_size"], generator=g)
            noise = torch.randn(n0 + n, *x01.shape[1:], generator=g)
            logits = classify(m, cfg, head, ((x01 + sigma * noise) - 0.5) / 0.5, 2 * sigma, norm)
            top = logits.topk(2, 1).values
            margin = float((top[:, 0] - top[:, 1]).min())
            if margin > 0.002:
                break
        votes = logits.argmax(1)
        selection, estimation = (torch.bincount(v, minlength=logits.shape[1]).tolist() for v in (votes[:n0], votes[n0:]))
        best = selection.index(max(selection))
        p = lower_bound(estimation[best], n, "0.001")
        radius = float(sigma * quantile(p)) if p > 0.5 else 0.0
        rows.append(dict(tag=tag, config=name, layernorm=norm, sigma=sigma, n0=n0, n=n, batch=8, alpha=0.001,
                         selection_counts=selection, estimation_counts=estimation, prediction=best if p >= 0.5 else -1,
                         radius=radius, smallest_logit_margin=margin))
        out |= {f"{tag}.x01": x01, f"{tag}.noise": noise, f"{tag}.logits": logits}
    text("certify", rows)
    tensors("certify", out)


def write_mixup(g):
    x, y = torch.rand(4, 2, 6, 6, generator=g), torch.tensor([1, 3, 0, 2])
    out = dict(x=x, y=y)
    for lam in (0.0, 0.4, 1.0):
        out[f"mixup_x_lam{lam}"] = lam * x + (1 - lam) * x.flip(0)
        for s in (0.0, 0.2):
            one = F.one_hot(y, 5).float() * (1 - s) + s / 5
            out[f"target_lam{lam}_smooth{s}"] = lam * one + (1 - lam) * one.flip(0)
    cut = x.clone()
    cut[:, :, 1:4, 2:6] = x.flip(0)[:, :, 1:4, 2:6]
    tensors("mixup", out | {"cutmix_x_bbox_yl1_yh4_xl2_xh6": cut, "cutmix_corrected_lam": torch.tensor(1 - 12 / 36)})


def write_image_ops():
    rng = np.random.default_rng(5)
    y, x = np.mgrid[0:47, 0:53]
    smooth = np.stack([127 + 90 * np.sin(x / 6 + c) * np.cos(y / (5 + c)) for c in range(3)], 2)
    image = Image.fromarray(np.clip(smooth + rng.normal(0, 20, smooth.shape), 0, 255).astype(np.uint8))

    def square(side):
        im = image
        while min(im.size) >= 2 * side:
            im = im.resize((im.width // 2, im.height // 2), Image.BOX)
        scale = side / min(im.size)
        im = im.resize((round(im.width * scale), round(im.height * scale)), Image.BICUBIC)
        left, top = (im.width - side) // 2, (im.height - side) // 2
        return im.crop((left, top, left + side, top + side))
    small = image.crop((4, 3, 20, 19))
    out = dict(image=image, jitter_input=small, hflip=small.transpose(Image.FLIP_LEFT_RIGHT),
               center_crop_20=square(20), center_crop_32=square(32))
    for name, method in (("bilinear", Image.BILINEAR), ("bicubic", Image.BICUBIC)):
        for top, left, height, width, side in ((5, 8, 31, 22, 16), (10, 20, 9, 12, 16)):
            out[f"crop_{top}_{left}_{height}_{width}_{name}_{side}"] = \
                image.crop((left, top, left + width, top + height)).resize((side, side), method)
    arrays = {k: torch.from_numpy(np.array(v)) for k, v in out.items()}
    arrays["normalised_chw"] = (arrays["jitter_input"].permute(2, 0, 1).float() / 255 - 0.5) / 0.5
    tensors("image_ops", arrays)


def describe(value):
    if torch.is_tensor(value):
        wide = value.double()
        return dict(shape=list(value.shape), dtype=str(value.dtype), sum=float(wide.sum()), abs_sum=float(wide.abs().sum()),
                    first=floats(wide.flatten()[:3]))
    if isinstance(value, dict):
        return {str(k): describe(v) for k, v in value.items()}
    return [describe(v) for v in value] if isinstance(value, (list, tuple)) else value


def write_checkpoint(cfg, g):
    from collections import OrderedDict
    m = new_model(cfg, g)
    net = OrderedDict((k, v) for k, v in m.items())
    parameters = [torch.nn.Parameter(v.clone()) for k, v in m.items() if not is_buffer(k)]
    optimizer = torch.optim.AdamW(parameters, lr=0.001, weight_decay=0.03)
    scheduler = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda j: min(1, j / 2))
    for _ in range(2):
        for p in parameters:
            p.grad = torch.randn(p.shape, generator=g)
        optimizer.step()
        scheduler.step()
    fine = OrderedDict((f"module.base_model.{k}", v) for k, v in m.items())
    fine["module.linear_head.weight"] = torch.randn(4, cfg["embed_dim"], generator=g) * 2e-5
    fine["module.linear_head.bias"] = torch.zeros(4)
    moved = OrderedDict((k, v * 0.99 if not is_buffer(k) else v) for k, v in m.items())
    files = {"2.ckpt/nnet.pth": net, "2.ckpt/nnet_ema.pth": moved, "2.ckpt/target_model.pth": moved,
             "2.ckpt/optimizer.pth": optimizer.state_dict(), "2.ckpt/lr_scheduler.pth": scheduler.state_dict(),
             "2.ckpt/step.pth": 2, "n05_2k_tiny.pt": fine}
    folder = OUT / "checkpoint_tiny"
    (folder / "2.ckpt").mkdir(parents=True, exist_ok=True)
    for name, value in files.items():
        torch.save(value, folder / name)
    text("checkpoint_tiny", dict(config=cfg, files={k: describe(v) for k, v in files.items()}))


def main():
    torch.set_num_threads(1)
    OUT.mkdir(parents=True, exist_ok=True)
    g = torch.Generator().manual_seed(20240607)
    models = {name: new_model(CONFIGS[name], g) for name in ("odd", "grey")}
    for name, m in models.items():
        tensors(f"model_{name}", m)
    write_schedules()
    write_time_embedding()
    for name, m in models.items():
        write_forward(name, CONFIGS[name], m, g)
        write_finetune_forward(name, CONFIGS[name], m, g)
    write_contrastive(g)
    write_finetune_losses(g)
    write_pretrain("pretrain_odd", "odd", CONFIGS["odd"], models["odd"], g, lr=0.001, wd=0.02, schedule=None, warmup=-1,
                   clip=-1, ema_rate=0.9999, tau=0.25, frozen=[], steps=3,
                   ema=dict(target_ema_mode="sigmoid", target_ema_A=10, start_ema=0.98, end_ema=0.999, ema_decay_steps=30,
                            scale_mode="icm", start_scales=20, end_scales=80, total_steps=30))
    write_pretrain("pretrain_loop_grey", "grey", CONFIGS["grey"], models["grey"], g, lr=0.002, wd=0.03,
                   schedule=dict(name="warmup-cosine", warmup_steps=2, total_training_steps=5, min_scale=0.1), warmup=2,
                   clip=0.7, ema_rate=0.99, tau=0.2, steps=5,
                   frozen=["patch_embed.proj.weight", "patch_embed.proj.bias"],
                   ema=dict(target_ema_mode="sigmoid", target_ema_A=12, start_ema=0.9, end_ema=0.999, ema_decay_steps=5,
                            scale_mode="icm", start_scales=4, end_scales=16, total_steps=5))
    write_finetune("finetune_odd", "odd", CONFIGS["odd"], models["odd"], g, layernorm=False, frozen_head=True, soft=False,
                   noise_aug=1.0, lbd=20.0, eta=0.5, decay=0.65, wd=0.05, lr=0.001, copies=2)
    write_finetune("finetune_soft_grey", "grey", CONFIGS["grey"], models["grey"], g, layernorm=True, frozen_head=False,
                   soft=True, noise_aug=0.5, lbd=10.0, eta=0.3, decay=0.8, wd=0.01, lr=0.001, copies=3)
    write_certify(models, g)
    write_clopper_pearson()
    write_mixup(g)
    write_image_ops()
    write_checkpoint(CONFIGS["tiny"], g)


if __name__ == "__main__":
    main()
