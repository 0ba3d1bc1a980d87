"""A training step and a sampling step of the published code, in plain PyTorch. Not called by itself: see peer.py."""

import contextlib

import torch

from network import UNet

STEPS = 1000  # of the diffusion


def alphas_bar(device):
    """The linear schedule by label (0 = noisiest), and that of the next cleaner label, in float32."""
    betas = torch.linspace(0.02, 1e-4, STEPS, device=device)
    alphas = (1 - betas).flip(0).cumprod(0).flip(0)
    return alphas, torch.cat([alphas[1:], alphas.new_ones(1)])


def ddim(x, eps, alpha, alpha_next):
    """DDIM's step from the noise level of alpha to that of alpha_next, the clean frames clipped."""
    x0 = ((x - (1 - alpha).sqrt() * eps) / alpha.sqrt()).clamp(-1, 1)
    return alpha_next.sqrt() * x0 + (1 - alpha_next).sqrt() * eps


class Form:
    """How the same numbers are computed: words joined by "-" of eager, compiled, channels-last and bf16 (autocast)."""

    def __init__(self, variant, device):
        words = variant.replace("channels-last", "channels_last").split("-")
        if unknown := set(words) - {"eager", "compiled", "channels_last", "bf16"}:
            raise SystemExit(f"--variant {variant}: unknown {', '.join(sorted(unknown))}; known: eager, compiled, channels-last, bf16")
        self.device = torch.device(device)
        self.compiled, self.bf16 = "compiled" in words, "bf16" in words
        self.layout = torch.channels_last if "channels_last" in words else torch.contiguous_format

    def compile(self, f):
        return torch.compile(f) if self.compiled else f

    def images(self, x):
        return x.to(self.device).contiguous(memory_format=self.layout)

    def network(self, shape, state=None):
        net = UNet(shape)
        if state is not None:
            net.load_state_dict(state)
        return net.to(self.device, memory_format=self.layout)

    def precision(self):
        return torch.autocast(self.device.type, torch.bfloat16) if self.bf16 else contextlib.nullcontext()


class Trainer:
    """Adam(0.9, 0.999, 1e-8) with linear warm-up, gradients clipped to norm 1, and an average of all parameters with decay 0.999."""

    def __init__(self, net, form, rate=2e-4, warmup=1000):
        self.net, self.form, self.rate, self.warmup, self.steps = net, form, rate, warmup, 0
        self.parameters = list(net.parameters())
        self.ema = [p.detach().clone() for p in self.parameters]
        self.optimizer = torch.optim.Adam(self.parameters, lr=rate, betas=(0.9, 0.999), eps=1e-8, fused=True)
        self.alphas, _ = alphas_bar(form.device)
        self.loss = form.compile(self.loss_of)

    def loss_of(self, x0, z, labels, cond, visible):
        """Half the squared error of the predicted noise, summed over pixels, averaged over the batch."""
        alpha = self.alphas[labels][:, None, None, None]
        xt = alpha.sqrt() * x0 + (1 - alpha).sqrt() * z
        with self.form.precision():
            eps = self.net(xt, labels, cond, visible)
        return (z - eps.float()).square().sum((1, 2, 3)).mean() / 2

    def step(self, x0, z, labels, cond, visible):
        """One update; returns the loss, the norm of the gradients before clipping, and the learning rate."""
        self.optimizer.zero_grad(set_to_none=True)
        loss = self.loss(x0, z, labels, cond, visible)
        loss.backward()
        norm = torch.nn.utils.clip_grad_norm_(self.parameters, 1.0)
        self.steps += 1
        rate = self.rate * min(self.steps / self.warmup, 1)
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        self.optimizer.step()
        torch._foreach_lerp_(self.ema, self.parameters, 1 - 0.999)
        return loss.detach(), norm, rate

    def random_step(self, x0, past, future):
        """A step on clips: labels, noise, and what is hidden of the past and the future (each with probability 1/2) are drawn."""
        batch = len(x0)
        labels = torch.randint(STEPS, (batch,), device=x0.device)
        z = torch.randn_like(x0)
        seen = torch.rand(2, batch, 1, 1, 1, device=x0.device) > 0.5
        cond = torch.cat([past * seen[0], future * seen[1]], dim=1).contiguous(memory_format=self.form.layout)
        return self.step(x0, z, labels, cond, seen[0].flatten().long())


class Sampler:
    """DDIM over a subset of the schedule."""

    def __init__(self, net, form, steps=100):
        self.net, self.form = net.eval(), form
        self.labels = torch.arange(0, STEPS, STEPS // steps, device=form.device)
        alphas, _ = alphas_bar(form.device)
        self.alphas = alphas[self.labels]
        self.next = torch.cat([self.alphas[1:], self.alphas.new_ones(1)])
        self.update = form.compile(self.update_of)

    def update_of(self, x, label, alpha, alpha_next, cond, visible):
        with self.form.precision():
            eps = self.net(x, label.expand(len(x)), cond, visible)
        return ddim(x, eps.float(), alpha, alpha_next)

    @torch.no_grad()
    def step(self, i, x, cond, visible):
        """Step i of the window: a network evaluation and DDIM's update."""
        return self.update(x, self.labels[i], self.alphas[i], self.next[i], cond, visible)
