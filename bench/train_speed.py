"""Training steps of one model: gradus beside PyTorch, one thread each, in one run.

    python train_speed.py [--rounds 3] [--seconds 5] [--cpu 1] [--out FILE]

Needs torch in this Python, a C compiler and
`cargo build --release --manifest-path bench/Cargo.toml`. Three stacks take
turns: gradus, PyTorch as installed, and PyTorch with MKL told that it is on
an Intel processor (MKL takes AVX2 code on AMD otherwise). Each worker times
forward, backward, clipping and AdamW (gradus: its whole SFT trainer); CPU
seconds are user plus system.
Prints a table and one JSON line of medians and ratios.
"""

import argparse
import json
import os
import platform
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
SHIM = "int mkl_serv_intel_cpu_true(void) { return 1; }\n"
MODELS = {
    "tiny": dict(vocab=38, d=64, layers=4, heads=4, inner=256, swiglu=False, base=1000.0,
                 batch=32, length=45, unsupervised=22),
    "small": dict(vocab=64, d=256, layers=4, heads=4, inner=688, swiglu=True, base=10000.0,
                  batch=64, length=128, unsupervised=0),
}


def worker(name, seconds):
    import torch
    import torch.nn as nn
    import torch.nn.functional as F

    torch.set_num_threads(1)
    torch.manual_seed(1)
    c = MODELS[name]
    d, heads, length = c["d"], c["heads"], c["length"]
    half = d // heads // 2
    angles = torch.outer(torch.arange(length), c["base"] ** (-torch.arange(half) / half))
    cos, sin = angles.cos(), angles.sin()

    def rotate(x):
        a, b = x[..., :half], x[..., half:]
        return torch.cat([a * cos - b * sin, b * cos + a * sin], -1)

    class Layer(nn.Module):
        def __init__(self):
            super().__init__()
            self.norm1, self.norm2 = nn.RMSNorm(d, 1e-6), nn.RMSNorm(d, 1e-6)
            self.qkv = nn.Linear(d, 3 * d, bias=False)
            self.out = nn.Linear(d, d, bias=False)
            self.up = nn.Linear(d, c["inner"] * (2 if c["swiglu"] else 1), bias=False)
            self.down = nn.Linear(c["inner"], d, bias=False)

        def forward(self, x):
            batch = x.shape[0]
            qkv = self.qkv(self.norm1(x)).view(batch, length, 3, heads, 2 * half)
            q, k, v = (t.transpose(1, 2) for t in qkv.unbind(2))
            y = F.scaled_dot_product_attention(rotate(q), rotate(k), v, is_causal=True)
            x = x + self.out(y.transpose(1, 2).reshape(batch, length, d))
            h = self.up(self.norm2(x))
            if c["swiglu"]:
                gate, up = h.chunk(2, -1)
                h = F.silu(gate) * up
            else:
                h = F.gelu(h, approximate="tanh")
            return x + self.down(h)

    class Decoder(nn.Module):
        def __init__(self):
            super().__init__()
            self.embed = nn.Embedding(c["vocab"], d)
            self.layers = nn.ModuleList(Layer() for _ in range(c["layers"]))
            self.norm = nn.RMSNorm(d, 1e-6)
            self.head = nn.Linear(d, c["vocab"], bias=False)

        def forward(self, ids):
            x = self.embed(ids)
            for layer in self.layers:
                x = layer(x)
            return self.head(self.norm(x))

    model = Decoder()
    optimizer = torch.optim.AdamW(model.parameters(), lr=3e-3, betas=(0.9, 0.98),
                                  weight_decay=0.01, fused=True)
    ids = torch.randint(0, c["vocab"], (c["batch"], length))
    targets = torch.full_like(ids, -100)
    targets[:, c["unsupervised"]:-1] = ids[:, c["unsupervised"] + 1:]

    def step():
        logits = model(ids)
        loss = F.cross_entropy(logits.view(-1, c["vocab"]), targets.view(-1))
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        return loss.item()

    step()
    step()
    begin, cpu, steps = time.monotonic(), cpu_seconds(), 0
    while time.monotonic() - begin < seconds:
        last = step()
        steps += 1
    spent = cpu_seconds() - cpu
    tokens = steps * c["batch"] * length
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps(dict(tokens=tokens, cpu_seconds=spent, tokens_per_cpu_second=tokens / spent,
                          last_loss=last, peak_mb=peak, torch=torch.__version__)))


def cpu_seconds():
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


def cpu_name():
    """The processor, with its family and model where the system tells."""
    facts = {}
    try:
        for line in open("/proc/cpuinfo"):
            name, _, value = line.partition(":")
            facts.setdefault(name.strip(), value.strip())
    except OSError:
        return platform.processor()
    return "{model name}, family {cpu family}, model {model}".format_map(facts)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--worker")
    parser.add_argument("--models", default="tiny,small")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=5.0)
    parser.add_argument("--cpu", type=int, default=1)
    parser.add_argument("--gradus", default=str(HERE / "target/release/train_speed"))
    parser.add_argument("--out")
    asked = parser.parse_args()
    if asked.worker:
        return worker(asked.worker, asked.seconds)

    threads = dict(OMP_NUM_THREADS="1", MKL_NUM_THREADS="1")
    with tempfile.TemporaryDirectory() as folder:
        source, shim = Path(folder, "shim.c"), Path(folder, "shim.so")
        source.write_text(SHIM)
        subprocess.run(["cc", "-shared", "-fPIC", "-o", shim, source], check=True)
        torch = [sys.executable, __file__, "--seconds", str(asked.seconds), "--worker"]
        stacks = {
            "gradus": (lambda model: [asked.gradus, model, str(asked.seconds)], {}),
            "torch": (lambda model: torch + [model], threads),
            "torch_avx512": (lambda model: torch + [model], threads | dict(LD_PRELOAD=str(shim))),
        }
        results = {}
        for model in asked.models.split(","):
            rows = {stack: [] for stack in stacks}
            for _ in range(asked.rounds):
                for stack, (command, extra) in stacks.items():
                    done = subprocess.run(
                        command(model), env=os.environ | extra, check=True, text=True,
                        stdout=subprocess.PIPE,
                        preexec_fn=lambda: os.sched_setaffinity(0, {asked.cpu}))
                    rows[stack].append(json.loads(done.stdout))
            speed = {stack: statistics.median(row["tokens_per_cpu_second"] for row in found)
                     for stack, found in rows.items()}
            results[model] = dict(
                tokens_per_cpu_second={stack: round(value) for stack, value in speed.items()},
                ratio_to_torch=round(speed["gradus"] / speed["torch"], 2),
                ratio_to_torch_avx512=round(speed["gradus"] / speed["torch_avx512"], 2),
                peak_mb={stack: round(max(row["peak_mb"] for row in found))
                         for stack, found in rows.items()},
            )
            version = rows["torch"][0]["torch"]
            print(f"{model}:", json.dumps(results[model]), file=sys.stderr)
    row = dict(bench="train_speed", cpu=cpu_name(), torch=version, rounds=asked.rounds,
               seconds=asked.seconds, models=results)
    print(json.dumps(row))
    if asked.out:
        with open(asked.out, "a") as file:
            print(json.dumps(row), file=file)


if __name__ == "__main__":
    main()
