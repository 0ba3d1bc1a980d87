"""Holds the peer against the parity fixtures, numbers measured on the published code. Not called by itself: see peer.py --check.

Fixtures are those of models/paritytest/testdata, or of the folder that MCVD_PARITY names; tolerances are those of its README.
"""

import os
from pathlib import Path

import torch
import yaml
from safetensors.torch import load_file

from network import Shape
from steps import Form, Sampler, Trainer, ddim

TESTDATA = Path(__file__).resolve().parents[2] / "models" / "paritytest" / "testdata"
SCHEDULE = {"betas", "alphas", "alphas_prev", "sigmas"}  # buffers, rebuilt from the configuration


class Report:
    """Collects what was compared and what failed."""

    def __init__(self, say):
        self.say, self.compared, self.failed = say, 0, 0

    def hold(self, what, got, limit):
        """got is in units of the tolerance or a relative distance; NaN fails."""
        self.compared += 1
        ok = got <= limit
        self.failed += not ok
        if self.say or not ok:
            print(f"{'ok  ' if ok else 'FAIL'} {what}: {got:.2g} of at most {limit:g}")


def worst(got, want, absolute, relative):
    """The largest difference as a share of absolute + relative |want|."""
    got, want = got.detach().cpu().double(), want.double()
    if got.shape != want.shape:
        return float("inf")
    return ((got - want).abs() / (absolute + relative * want.abs())).max().item()


def distance(got, want):
    """The norm of the difference by the norm of want."""
    got, want = got.detach().cpu().double(), want.double()
    return ((got - want).norm() / want.norm()).item() if got.shape == want.shape else float("inf")


def parameters_of(state):
    """A published state dict with the names of a UNet."""
    names = {k: k.removeprefix("module.").removeprefix("unet.") for k in state}
    return {names[k]: v for k, v in state.items() if names[k] not in SCHEDULE}


def inputs(form, fixture, *names):
    images = [form.images(fixture[n]) for n in names]
    return *images, fixture["labels"].to(form.device), fixture["cond_mask"].to(form.device)


def first_difference(net, io):
    """Says which of the published modules' outputs differs first, for a person to look at."""
    outputs = {}
    hooks = [
        m.register_forward_hook(lambda _m, _in, out, n=n: outputs.setdefault(n, out)) for n, m in enumerate(net.all_modules)
    ]
    yield
    for hook in hooks:
        hook.remove()
    for n, got in outputs.items():
        want = io.get(f"act.{n:02d}")
        if want is not None and not (d := worst(got, want, 2e-5, 2e-4)) <= 1:
            print(f"     the first that differs is the output of all_modules.{n}: {d:.2g} of the tolerance")
            return


def check_outputs(report, name, path, form):
    shape = Shape.of_published(yaml.safe_load((path / "config.yml").read_text()))
    checkpoint = torch.load(path / "checkpoint.pt", map_location="cpu", weights_only=True)
    io = load_file(path / "io.safetensors")
    x, cond, labels, visible = inputs(form, io, "x", "cond")
    net = form.network(shape, parameters_of(checkpoint[0]))
    run = form.compile(net)

    trains = (path / "grad.safetensors").exists()

    def evaluate(f, cond):
        # With gradients where they are checked, too: then compiling once is enough. One autocast an evaluation: it keeps cast weights.
        with torch.set_grad_enabled(trains), form.precision():
            return f(x, labels, cond, visible)

    def hold(what, got, want):
        if form.bf16:
            report.hold(f"{name}: {what}, distance", distance(got, want), 2e-2)
        else:
            report.hold(f"{name}: {what}", worst(got, want, 2e-5, 2e-4), 1)

    failed = report.failed
    hold("eps", evaluate(run, cond), io["eps"])
    if report.failed > failed and not form.bf16:
        for _ in first_difference(net, io):
            evaluate(net, cond)
    if (path / "ema.safetensors").exists():
        net.load_state_dict(parameters_of(checkpoint[4]))
        hold("eps under the average", evaluate(run, cond), load_file(path / "ema.safetensors")["eps_ema"])
        net.load_state_dict(parameters_of(checkpoint[0]))
    if shape.spatin_width:
        net.keep_maps(True)
        evaluate(net, cond)
        hold("eps with kept maps", evaluate(net, torch.zeros_like(cond)), io["eps"])
        net.keep_maps(False)
    if trains:
        check_gradients(report, name, load_file(path / "grad.safetensors"), net, run, form)


def check_gradients(report, name, fixture, net, run, form):
    xt, z, cond, labels, visible = inputs(form, fixture, "xt", "z", "cond")
    with form.precision():
        eps = run(xt, labels, cond, visible)
    loss = (z - eps.float()).square().sum((1, 2, 3)).mean() / 2
    loss.backward()
    report.hold(f"{name}: loss", abs(loss.item() / fixture["loss"].item() - 1), 1e-2 if form.bf16 else 1e-5)
    largest, where = 0.0, ""
    wanted = {k for k in fixture if k.startswith("grad.")}
    for n, p in net.named_parameters():
        wanted.discard(f"grad.unet.{n}")
        if n.endswith("NIN_1.b"):
            continue  # it is 0, softmax being blind to a constant, and both are rounding errors
        d = distance(p.grad, fixture[f"grad.unet.{n}"])
        if not d <= largest:
            largest, where = d, n
    report.hold(f"{name}: gradients, the worst {where}", largest, 0.2 if form.bf16 else 1e-3)
    report.hold(f"{name}: gradients that the network lacks", len(wanted), 0)


def check_training(report, name, path, form):
    """Loss, norm and rate of each recorded step; parameters and average after the last."""
    config = yaml.safe_load((path / "config.yml").read_text())
    record = load_file(path / "steps.safetensors")

    def part(prefix):
        return parameters_of({k.removeprefix(prefix): v for k, v in record.items() if k.startswith(prefix)})

    net = form.network(Shape.of_published(config), part("init."))
    trainer = Trainer(net, form, config["optim"]["lr"], config["optim"]["warmup"])
    largest, i = 0.0, 1
    while f"step{i}.loss" in record:
        x0, z, cond = (form.images(record[f"step{i}.{k}"]) for k in ("x0", "z", "cond"))
        got = trainer.step(x0, z, record[f"step{i}.labels"].to(form.device), cond, torch.ones(len(x0), dtype=torch.long, device=form.device))
        for value, key in zip(got, ("loss", "grad_norm", "lr")):
            d = abs(float(value) / record[f"step{i}.{key}"].item() - 1)
            largest = d if not d <= largest else largest
        i += 1
    report.hold(f"{name}: loss, norm and rate of {i - 1} steps", largest, 1e-5)
    for what, values, prefix in (("parameters", trainer.parameters, "final."), ("average", trainer.ema, "ema.")):
        want = part(prefix)
        differences = [(v.detach().cpu() - want[n]).abs().flatten() for (n, _), v in zip(net.named_parameters(), values)]
        d = torch.cat(differences)
        report.hold(f"{name}: {what}, at worst", d.max().item(), 5e-5)
        report.hold(f"{name}: {what}, on average", d.mean().item(), 1e-6)


def check_sampler(report, name, path, form):
    """DDIM on a closed-form model."""
    fixture = load_file(path)
    sampler = Sampler(torch.nn.Identity(), form, int(name.split("_s")[1].split("_")[0]))
    x = fixture["x_init"].to(form.device)
    for i, label in enumerate(sampler.labels):
        x = ddim(x, torch.tanh(0.7 * x + 0.2 * torch.sin(label / 100)), sampler.alphas[i], sampler.next[i])
    report.hold(f"{name}: DDIM", worst(x, fixture["ddim"], 1e-4, 1e-4), 1)


def check(variants, device, say=True):
    """Compares each variant with every fixture; returns how many comparisons failed. There must be some."""
    folder = Path(os.environ.get("MCVD_PARITY") or TESTDATA)
    precision = torch.get_float32_matmul_precision(), torch.backends.cudnn.allow_tf32
    torch.set_float32_matmul_precision("highest")
    torch.backends.cudnn.allow_tf32 = False
    report = Report(say)
    for variant in variants:
        form = Form(variant, device)
        for path in sorted((folder / "unet").glob("*/io.safetensors")):
            check_outputs(report, f"{variant}: unet/{path.parent.name}", path.parent, form)
        if form.bf16:
            continue  # the tolerances of the rest are those of float32
        for path in sorted((folder / "train").glob("*/steps.safetensors")):
            check_training(report, f"{variant}: train/{path.parent.name}", path.parent, form)
        for path in sorted((folder / "sampler").glob("linear_*_clip1_den0_tmin0.safetensors")):
            check_sampler(report, f"{variant}: sampler/{path.stem}", path, form)
    torch.set_float32_matmul_precision(precision[0])
    torch.backends.cudnn.allow_tf32 = precision[1]
    if say:
        print(f"{report.compared} comparisons, {report.failed} failed; fixtures of {folder}")
    if not report.compared:
        raise SystemExit(f"{folder}: no fixtures")
    return report.failed
