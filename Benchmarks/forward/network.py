"""The rRCM classifier in PyTorch, as the paper's code evaluates it, for use as a yardstick."""
import math

import torch
from torch import nn
from torch.nn import functional as F

SHAPES = {
    "cifar-b": dict(image_size=32, patch_size=4, width=768, depth=12, heads=12, classes=10, final_norm=False),
    "imagenet-b": dict(image_size=224, patch_size=16, width=768, depth=12, heads=12, classes=1000, final_norm=True),
    "imagenet-s": dict(image_size=224, patch_size=16, width=512, depth=6, heads=8, classes=1000, final_norm=True),
    "golden-a": dict(image_size=32, patch_size=4, width=64, depth=2, heads=4, classes=10, final_norm=False),
}
SIGMA = 0.25
# The level nearest to 2·SIGMA, to float32, and what follows from it.
LEVEL = 0.49270707


class Block(nn.Module):
    def __init__(self, d, heads):
        super().__init__()
        self.heads = heads
        self.norm1, self.norm2 = nn.LayerNorm(d), nn.LayerNorm(d)
        self.attn = nn.ModuleDict({"qkv": nn.Linear(d, 3 * d, bias=False), "proj": nn.Linear(d, d)})
        self.mlp = nn.ModuleDict({"fc1": nn.Linear(d, 4 * d), "fc2": nn.Linear(4 * d, d)})

    def forward(self, x):
        b, t, d = x.shape
        q, k, v = self.attn["qkv"](self.norm1(x)).view(b, t, 3, self.heads, d // self.heads).permute(2, 0, 3, 1, 4)
        mixed = F.scaled_dot_product_attention(q, k, v).transpose(1, 2).reshape(b, t, d)
        x = x + self.attn["proj"](mixed)
        return x + self.mlp["fc2"](F.gelu(self.mlp["fc1"](self.norm2(x))))


class Classifier(nn.Module):
    """Inputs [B, 3, S, S], normalised and noisy; c_in and the level's time token are applied here."""

    def __init__(self, image_size, patch_size, width, depth, heads, classes, final_norm):
        super().__init__()
        tokens = (image_size // patch_size) ** 2 + 2
        self.cls_token = nn.Parameter(torch.zeros(1, 1, width))
        self.pos_embed = nn.Parameter(torch.zeros(1, tokens, width))
        self.patch_embed = nn.ModuleDict({"proj": nn.Conv2d(3, width, patch_size, patch_size)})
        self.blocks = nn.ModuleList(Block(width, heads) for _ in range(depth))
        self.norm = nn.LayerNorm(width)
        self.linear_head = nn.Linear(width, classes)
        self.final_norm = final_norm
        self.c_in = 1 / math.sqrt(LEVEL * LEVEL + 0.25)
        half = width // 2
        frequencies = torch.exp(torch.arange(half, dtype=torch.float32) * -math.log(10000) / half)
        angles = torch.tensor(250 * math.log(LEVEL), dtype=torch.float32) * frequencies
        self.register_buffer("time", torch.cat([angles.cos(), angles.sin()])[None, None], persistent=False)

    def randomise(self, seed=1):
        """Weights of a trained network's size, so that no layer saturates or vanishes."""
        generator = torch.Generator().manual_seed(seed)
        for name, p in self.named_parameters():
            noise = torch.randn(p.shape, generator=generator)
            if p.ndim > 1 and name.endswith("weight"):
                p.data = noise / math.sqrt(p[0].numel())
            elif name.endswith("weight"):
                p.data = 1 + 0.1 * noise
            else:
                p.data = 0.1 * noise
        return self

    def forward(self, x):
        x = self.patch_embed["proj"](x * self.c_in).flatten(2).transpose(1, 2)
        b = x.shape[0]
        x = torch.cat([self.cls_token.expand(b, -1, -1), self.time.to(x.dtype).expand(b, -1, -1), x], 1) + self.pos_embed
        for block in self.blocks:
            x = block(x)
        x = x[:, 0]
        return self.linear_head(self.norm(x) if self.final_norm else x)
