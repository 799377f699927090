"""Sampling from the tiny model: gradus beside PyTorch, one thread each, in one run.

    python sample_speed.py [--rounds 3] [--seconds 3] [--cpu 1] [--out FILE]

PyTorch samples 2,048 sequences side by side over a preallocated cache of keys
and values, 64 for each prompt, 23 tokens after 22, and never stops early;
gradus samples the same requests through its `Generate` trait, one random
stream for each, and counts the tokens that it returned.
Prints one JSON line of medians and the ratio.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
from pathlib import Path

from train_speed import HERE, MODELS, cpu_name, cpu_seconds

PROMPT, COMPLETION, PROMPTS, SAMPLES = 22, 23, 32, 64


def worker(seconds):
    import torch
    import torch.nn.functional as F

    torch.set_num_threads(1)
    torch.manual_seed(1)
    c = MODELS["tiny"]
    d, heads = c["d"], c["heads"]
    half, longest = d // heads // 2, PROMPT + COMPLETION
    angles = torch.outer(torch.arange(longest), c["base"] ** (-torch.arange(half) / half))
    cos, sin = angles.cos(), angles.sin()
    matrix = lambda rows, columns: torch.randn(rows, columns) / columns ** 0.5
    embed, head = 0.5 * torch.randn(c["vocab"], d), 0.5 * matrix(c["vocab"], d)
    layers = [dict(qkv=matrix(3 * d, d), out=matrix(d, d), up=matrix(c["inner"], d),
                   down=matrix(d, c["inner"])) for _ in range(c["layers"])]
    batch = PROMPTS * SAMPLES
    cache = [[torch.empty(batch, heads, longest, 2 * half) for _ in "kv"] for _ in layers]

    def rotate(x, at):
        a, b = x[..., :half], x[..., half:]
        return torch.cat([a * cos[at] - b * sin[at], b * cos[at] + a * sin[at]], -1)

    def forward(ids, start):
        length = ids.shape[1]
        at = slice(start, start + length)
        x = embed[ids]
        for weights, (keys, values) in zip(layers, cache):
            y = F.linear(F.rms_norm(x, (d,)), weights["qkv"])
            q, k, v = y.view(len(ids), length, 3, heads, 2 * half).permute(2, 0, 3, 1, 4)
            keys[:len(ids), :, at], values[:len(ids), :, at] = rotate(k, at), v
            seen = slice(0, start + length)
            y = F.scaled_dot_product_attention(
                rotate(q, at), keys[:len(ids), :, seen], values[:len(ids), :, seen],
                is_causal=length > 1)
            x = x + F.linear(y.transpose(1, 2).reshape(len(ids), length, d), weights["out"])
            y = F.gelu(F.linear(F.rms_norm(x, (d,)), weights["up"]), approximate="tanh")
            x = x + F.linear(y, weights["down"])
        return F.linear(F.rms_norm(x[:, -1], (d,)), head)

    @torch.inference_mode()
    def sample():
        logits = forward(torch.randint(0, c["vocab"], (PROMPTS, PROMPT)), 0)
        for keys, values in cache:
            for kept in (keys, values):
                kept[:, :, :PROMPT] = kept[:PROMPTS, :, :PROMPT].repeat_interleave(SAMPLES, 0)
        logits = logits.repeat_interleave(SAMPLES, 0)
        for step in range(COMPLETION):
            picked = torch.multinomial(logits.softmax(-1), 1)
            if step + 1 < COMPLETION:
                logits = forward(picked, PROMPT + step)

    sample()
    begin, cpu, tokens = time.monotonic(), cpu_seconds(), 0
    while time.monotonic() - begin < seconds:
        sample()
        tokens += batch * COMPLETION
    print(json.dumps(dict(tokens_per_cpu_second=tokens / (cpu_seconds() - cpu),
                          torch=torch.__version__)))


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--worker", action="store_true")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=3.0)
    parser.add_argument("--cpu", type=int, default=1)
    parser.add_argument("--gradus", default=str(HERE / "target/release/sample_speed"))
    parser.add_argument("--out")
    asked = parser.parse_args()
    if asked.worker:
        return worker(asked.seconds)

    seconds = str(asked.seconds)
    stacks = {
        "gradus": [asked.gradus, seconds, str(SAMPLES)],
        "torch": [sys.executable, __file__, "--worker", "--seconds", seconds],
    }
    rows = {stack: [] for stack in stacks}
    for _ in range(asked.rounds):
        for stack, command in stacks.items():
            done = subprocess.run(
                command, env=os.environ | dict(OMP_NUM_THREADS="1", MKL_NUM_THREADS="1"),
                check=True, text=True, stdout=subprocess.PIPE,
                preexec_fn=lambda: os.sched_setaffinity(0, {asked.cpu}))
            rows[stack].append(json.loads(done.stdout))
    speed = {stack: statistics.median(row["tokens_per_cpu_second"] for row in found)
             for stack, found in rows.items()}
    row = dict(bench="sample_speed", cpu=cpu_name(), torch=rows["torch"][0]["torch"],
               rounds=asked.rounds, seconds=asked.seconds, samples_per_prompt=SAMPLES,
               tokens_per_cpu_second={stack: round(value) for stack, value in speed.items()},
               ratio_to_torch=round(speed["gradus"] / speed["torch"], 2))
    print(json.dumps(row))
    if asked.out:
        with Path(asked.out).open("a") as file:
            print(json.dumps(row), file=file)


if __name__ == "__main__":
    main()
