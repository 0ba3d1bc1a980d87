"""The published U-Net of MCVD (concat and SPATIN) in plain PyTorch, as the peer of the benchmarks. Own code, written from the network's
description; parameters have the published names, so that loading a published checkpoint checks the structure.

Not called by itself: see peer.py. Images are [batch, frames*channels, height, width], frame by frame, in [-1, 1].
"""

import math
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import nn


@dataclass
class Shape:
    """What a network is: see networks.json, whose entries are configurations of mcvd."""

    size: int
    channels: int
    past: int
    current: int
    future: int
    width: int
    multipliers: list
    blocks: int
    attention: list
    head_channels: int
    dropout: float
    spatin_width: int  # channels inside SPATIN's norms; 0 = concat
    mask_embedding: bool = False

    @staticmethod
    def of_config(c):
        """The shape that a configuration of mcvd describes."""
        frames, data, m = c["frames"], c["data"], c["model"]
        return Shape(
            data["size"], data["channels"], frames["past"], frames["current"], frames["future"], m["width"], m["multipliers"], m["blocks"],
            m["attention"], m["head_channels"], m["dropout"], m["spatin_width"] if m["conditioning"] == "spatin" else 0,
        )  # fmt: skip

    @staticmethod
    def of_published(c):
        """The shape that a configuration of the published code describes."""
        data, m = c["data"], c["model"]
        return Shape(
            data["image_size"], data["channels"], data["num_frames_cond"], data["num_frames"], data["num_frames_future"], m["ngf"], m["ch_mult"],
            m["num_res_blocks"], m["attn_resolutions"], m["n_head_channels"], m["dropout"], m["spade_dim"] if m["spade"] else 0, m["cond_emb"],
        )  # fmt: skip


def initialize(weight, fan_in, fan_out, scale):
    """Uniform with variance scale / fan_avg; 1e-10 stands for zero."""
    bound = math.sqrt(3 * scale / ((fan_in + fan_out) / 2))
    nn.init.uniform_(weight, -bound, bound)


def conv(channels_in, channels_out, size=3, scale=1.0):
    layer = nn.Conv2d(channels_in, channels_out, size, padding=size // 2)
    initialize(layer.weight, channels_in * size * size, channels_out * size * size, scale)
    nn.init.zeros_(layer.bias)
    return layer


def dense(features_in, features_out):
    layer = nn.Linear(features_in, features_out)
    initialize(layer.weight, features_in, features_out, 1.0)
    nn.init.zeros_(layer.bias)
    return layer


class Group(nn.GroupNorm):
    """Group norm of min(C/4, 32) groups, lowered until that divides C."""

    def __init__(self, channels, eps, affine):
        groups = min(channels // 4, 32)
        while channels % groups:
            groups -= 1
        super().__init__(groups, channels, eps=eps, affine=affine)


class Spatin(nn.Module):
    """Group norm whose gain and shift, a value a pixel and channel, are made of the conditioning frames."""

    def __init__(self, channels, cond_channels, width):
        super().__init__()
        self.norm = Group(channels, 1e-6, affine=False)
        self.mlp_shared = nn.Sequential(conv(cond_channels, width), nn.SiLU())
        self.mlp_gamma = conv(width, channels)
        self.mlp_beta = conv(width, channels)
        self.keep, self.kept = False, None

    def maps(self, size, cond):
        if cond.shape[2:] != size:
            cond = F.interpolate(cond, size=size, mode="nearest")
        hidden = self.mlp_shared(cond)
        return self.mlp_gamma(hidden), self.mlp_beta(hidden)

    def forward(self, x, cond):
        gamma, beta = self.kept or self.maps(x.shape[2:], cond)
        if self.keep:
            self.kept = gamma, beta
        return self.norm(x) * (1 + gamma) + beta


class ActNorm(nn.Module):
    """Norm, then scale and shift by the embedding (none at the end of the network), then SiLU."""

    def __init__(self, s, channels, features):
        super().__init__()
        self.spatin = s.spatin_width > 0
        if self.spatin:
            self.Norm_0 = Spatin(channels, (s.past + s.future) * s.channels, s.spatin_width)
        else:
            self.Norm_0 = Group(channels, 1e-5, affine=not features)
        self.Dense_0 = dense(features, 2 * channels) if features else None

    def forward(self, x, temb, cond):
        x = self.Norm_0(x, cond) if self.spatin else self.Norm_0(x)
        if self.Dense_0 is not None:
            scale, shift = self.Dense_0(temb)[:, :, None, None].chunk(2, dim=1)
            x = x * (1 + scale) + shift
        return F.silu(x)


class Resample(nn.Module):
    """FIR resampling by 2 with [1, 3, 3, 1] in both directions."""

    def __init__(self, channels, double):
        super().__init__()
        k = torch.tensor([1.0, 3.0, 3.0, 1.0])
        k = torch.outer(k, k) * ((4 if double else 1) / 64)
        self.register_buffer("kernel", k.expand(channels, 1, 4, 4).contiguous(), persistent=False)
        self.resample = F.conv_transpose2d if double else F.conv2d  # both filter with 4x4 around each new pixel

    def forward(self, x):
        return self.resample(x, self.kernel.to(x.dtype), stride=2, padding=1, groups=x.shape[1])


class Block(nn.Module):
    """Residual block, at the same size, or to half or double."""

    def __init__(self, s, channels_in, channels_out, features, change=None):
        super().__init__()
        self.actnorm0 = ActNorm(s, channels_in, features)
        self.resample = Resample(channels_in, change == "double") if change else None
        self.Conv_0 = conv(channels_in, channels_out)
        self.actnorm1 = ActNorm(s, channels_out, features)
        self.dropout = nn.Dropout(s.dropout)
        self.Conv_1 = conv(channels_out, channels_out, scale=1e-10)
        self.Conv_2 = conv(channels_in, channels_out, 1) if change or channels_in != channels_out else None

    def forward(self, x, temb, cond):
        h = self.actnorm0(x, temb, cond)
        if self.resample is not None:
            h, x = self.resample(h), self.resample(x)
        h = self.actnorm1(self.Conv_0(h), temb, cond)
        h = self.Conv_1(self.dropout(h))
        if self.Conv_2 is not None:
            x = self.Conv_2(x)
        return (x + h) * math.sqrt(0.5)


class Nin(nn.Module):
    """Dense layer over channels, its weights [in, out]."""

    def __init__(self, channels, scale):
        super().__init__()
        self.W = nn.Parameter(torch.empty(channels, channels))
        initialize(self.W, channels, channels, scale)
        self.b = nn.Parameter(torch.zeros(channels))

    def forward(self, x):
        return F.linear(x, self.W.t(), self.b)


class Attention(nn.Module):
    """Attention over all pixels; a head is consecutive channels."""

    def __init__(self, channels, head_channels):
        super().__init__()
        self.heads = 1 if channels < head_channels else channels // head_channels
        self.GroupNorm_0 = Group(channels, 1e-6, affine=True)
        self.NIN_0, self.NIN_1, self.NIN_2 = (Nin(channels, 0.1) for _ in range(3))
        self.NIN_3 = Nin(channels, 1e-10)

    def forward(self, x):
        b, c, height, width = x.shape
        h = self.GroupNorm_0(x).flatten(2).transpose(1, 2)  # [batch, pixels, channels]
        q, k, v = (n(h).unflatten(2, (self.heads, -1)).transpose(1, 2) for n in (self.NIN_0, self.NIN_1, self.NIN_2))
        h = F.scaled_dot_product_attention(q, k, v).transpose(1, 2).flatten(2)
        h = self.NIN_3(h).transpose(1, 2).unflatten(2, (height, width))
        return (x + h) * math.sqrt(0.5)


class UNet(nn.Module):
    """Predicts the noise in the current frames: see forward."""

    def __init__(self, s):
        super().__init__()
        self.shape = s
        self.all_modules = nn.ModuleList()  # in the published order, which numbers the parameters

        def add(module):
            self.all_modules.append(module)
            return module

        w, features = s.width, 4 * s.width
        plan = {"time": [add(dense(w, features)), add(dense(features, features))], "mask": None}
        if s.mask_embedding:
            plan["mask"] = add(nn.Embedding(2, w // 2))
            features += w // 2
        frames = s.current if s.spatin_width else s.current + s.past + s.future
        plan["in"] = add(conv(frames * s.channels, w))

        size, c, skips = s.size, w, [w]
        plan["down"] = []  # (block, attention or None)
        for level, m in enumerate(s.multipliers):
            for _ in range(s.blocks):
                block = add(Block(s, c, w * m, features))
                c = w * m
                plan["down"].append((block, add(Attention(c, s.head_channels)) if size in s.attention else None))
                skips.append(c)
            if level < len(s.multipliers) - 1:
                plan["down"].append((add(Block(s, c, c, features, "half")), None))
                size //= 2
                skips.append(c)
        plan["middle"] = add(Block(s, c, c, features)), add(Attention(c, s.head_channels)), add(Block(s, c, c, features))
        plan["up"] = []  # (block, whether it takes what the way down left, attention or None)
        for level, m in reversed(list(enumerate(s.multipliers))):
            for i in range(s.blocks + 1):
                block = add(Block(s, c + skips.pop(), w * m, features))
                c = w * m
                last = i == s.blocks and size in s.attention
                plan["up"].append((block, True, add(Attention(c, s.head_channels)) if last else None))
            if level > 0:
                plan["up"].append((add(Block(s, c, c, features, "double")), False, None))
                size *= 2
        plan["norm"] = add(ActNorm(s, c, 0))
        plan["out"] = add(conv(c, s.current * s.channels, scale=1e-10))
        self.plan = plan

    def embedding(self, labels, visible):
        half = self.shape.width // 2
        rates = torch.exp(torch.arange(half, device=labels.device) * (-math.log(10000) / (half - 1)))
        e = labels.float()[:, None] * rates
        e = F.pad(torch.cat([e.sin(), e.cos()], dim=1), (0, self.shape.width % 2))
        first, second = self.plan["time"]
        e = second(F.silu(first(e)))
        if self.plan["mask"] is not None:
            e = torch.cat([e, self.plan["mask"](visible)], dim=1)
        return F.silu(e)

    def forward(self, x, labels, cond, visible=None):
        """The noise in x [batch, current*channels, height, width]; labels [batch] count from the noisiest step, cond is the past and
        future frames, zeros where hidden, visible [batch] says whether the past is."""
        temb = self.embedding(labels, visible)
        h = self.plan["in"](x if self.shape.spatin_width else torch.cat([x, cond], dim=1))
        skips = [h]
        for block, attention in self.plan["down"]:
            h = block(h, temb, cond)
            if attention is not None:
                h = attention(h)
            skips.append(h)
        first, attention, second = self.plan["middle"]
        h = second(attention(first(h, temb, cond)), temb, cond)
        for block, joins, attention in self.plan["up"]:
            h = block(torch.cat([h, skips.pop()], dim=1) if joins else h, temb, cond)
            if attention is not None:
                h = attention(h)
        return self.plan["out"](self.plan["norm"](h, temb, cond))

    def keep_maps(self, keep):
        """From the next evaluation on, keep SPATIN's gamma and beta instead of making them each time. Not what the published code does."""
        for m in self.modules():
            if isinstance(m, Spatin):
                m.keep, m.kept = keep, None
