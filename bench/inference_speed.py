"""Sampling and scoring with a pretrained model: gradus beside llama.cpp and transformers, one thread each, in one run.

    python inference_speed.py MODEL.gguf [--rounds 1] [--cpu 1] [--program PATH]
        [--llama-python PYTHON] [--torch-python PYTHON] [--out FILE]

MODEL.gguf is a Llama-like model of any quantisation. llama.cpp runs it as it is
and as Q8_0, which its own quantizer makes from it; transformers runs it as f32;
gradus as f32 and as q8 (weights of 8 bits, rows of 16). All get the same token
ids, of a text that counts. Timed are CPU seconds of: prefill of 512 tokens;
log-probs of 255 tokens at all positions; greedy decoding of 1, 8, 32 and 64
sequences that share a prompt of 128 tokens, 48, 24, 16 and 16 tokens each.
llama.cpp and transformers pick the largest logit in numpy or torch and keep
nothing else; gradus goes through `Generate` and `LogProb` and makes whole rows.
Needs llama-cpp-python and transformers (with torch, gguf and accelerate), each
in the Python that is named. Prints a table and one JSON line.
"""

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

from train_speed import HERE, cpu_name, cpu_seconds

SHARED, DECODES, REPEATS = 128, [(1, 48), (8, 24), (32, 16), (64, 16)], 3
TEXT = ", ".join(str(number) for number in range(1, 400))


def median(measure):
    return statistics.median(measure() for _ in range(REPEATS))


def report(found):
    found["peak_mb"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps(found))


def llama(path, ids):
    import ctypes

    import llama_cpp as cpp
    import numpy as np

    @cpp.llama_log_callback
    def quiet(level, text, data):
        pass

    cpp.llama_log_set(quiet, ctypes.c_void_p(0))
    cpp.llama_backend_init()
    before = cpu_seconds()
    model = cpp.llama_load_model_from_file(path.encode(), cpp.llama_model_default_params())
    found = {"version": cpp.__version__, "load": cpu_seconds() - before}
    vocabulary = cpp.llama_vocab_n_tokens(cpp.llama_model_get_vocab(model))
    params = cpp.llama_context_default_params()
    params.n_ctx, params.n_batch, params.n_ubatch, params.n_seq_max = 4096, 512, 512, 64
    params.n_threads = params.n_threads_batch = 1
    params.kv_unified = True
    context = cpp.llama_new_context_with_model(model, params)
    memory = cpp.llama_get_memory(context)

    def decode(tokens, positions, sequences, logits):
        batch = cpp.llama_batch_init(len(tokens), 0, 1)
        batch.n_tokens = len(tokens)
        for at, token in enumerate(tokens):
            batch.token[at], batch.pos[at] = token, positions[at]
            batch.n_seq_id[at], batch.seq_id[at][0] = 1, sequences[at]
            batch.logits[at] = logits[at]
        assert cpp.llama_decode(context, batch) == 0
        cpp.llama_batch_free(batch)

    def logits(row):
        return np.ctypeslib.as_array(cpp.llama_get_logits_ith(context, row), shape=(vocabulary,))

    def read(count):
        cpp.llama_memory_clear(memory, True)
        decode(ids[:count], range(count), [0] * count, [0] * (count - 1) + [1])
        return int(logits(count - 1).argmax())

    def prefill():
        before = cpu_seconds()
        read(512)
        return 512 / (cpu_seconds() - before)

    def score():
        before = cpu_seconds()
        cpp.llama_memory_clear(memory, True)
        decode(ids[:256], range(256), [0] * 256, [1] * 256)
        found["log_prob"] = 0.0
        for at in range(255):
            row = logits(at)
            largest = row.max()
            sum_ = np.exp(row - largest).sum()
            found["log_prob"] += float(row[ids[at + 1]] - largest - np.log(sum_))
        return 256 / (cpu_seconds() - before)

    def sample(count, steps):
        tokens = [read(SHARED)] * count
        for sequence in range(1, count):
            cpp.llama_memory_seq_cp(memory, 0, sequence, 0, -1)
        before = cpu_seconds()
        for step in range(steps):
            decode(tokens, [SHARED + step] * count, range(count), [1] * count)
            tokens = [int(logits(row).argmax()) for row in range(count)]
        return count * steps / (cpu_seconds() - before)

    found |= {"prefill512": median(prefill), "score256": median(score)}
    for count, steps in DECODES:
        found[f"decode{count}"] = median(lambda: sample(count, steps))
    report(found)


def quantize(path, to):
    import llama_cpp as cpp

    params = cpp.llama_model_quantize_default_params()
    params.ftype, params.allow_requantize, params.nthread = cpp.LLAMA_FTYPE_MOSTLY_Q8_0, True, 1
    assert cpp.llama_model_quantize(path.encode(), to.encode(), params) == 0


def torch(path, ids):
    import torch
    import transformers
    from transformers import AutoModelForCausalLM, DynamicCache

    torch.set_num_threads(1)
    transformers.logging.set_verbosity_error()
    before = cpu_seconds()
    model = AutoModelForCausalLM.from_pretrained(
        os.path.dirname(path), gguf_file=os.path.basename(path), dtype=torch.float32).eval()
    found = {"version": transformers.__version__, "torch": torch.__version__,
             "load": cpu_seconds() - before}
    tokens = torch.tensor([ids])

    def read(count):
        cache = DynamicCache()
        out = model(tokens[:, :count], past_key_values=cache, logits_to_keep=1)
        return cache, out.logits[:, -1].argmax(-1, keepdim=True)

    def prefill():
        before = cpu_seconds()
        read(512)
        return 512 / (cpu_seconds() - before)

    def score():
        before = cpu_seconds()
        logits = model(tokens[:, :256]).logits[0, :-1]
        picked = logits.log_softmax(-1).gather(-1, tokens[0, 1:256, None])
        found["log_prob"] = float(picked.double().sum())
        return 256 / (cpu_seconds() - before)

    def sample(count, steps):
        cache, first = read(SHARED)
        cache.batch_repeat_interleave(count)
        last = first.repeat(count, 1)
        before = cpu_seconds()
        for _ in range(steps):
            last = model(last, past_key_values=cache).logits[:, -1].argmax(-1, keepdim=True)
        return count * steps / (cpu_seconds() - before)

    with torch.inference_mode():
        found |= {"prefill512": median(prefill), "score256": median(score)}
        for count, steps in DECODES:
            found[f"decode{count}"] = median(lambda: sample(count, steps))
    report(found)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model")
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--cpu", type=int, default=1)
    parser.add_argument("--program", default=str(HERE / "target/release/inference_speed"))
    parser.add_argument("--llama-python", default=sys.executable)
    parser.add_argument("--torch-python", default=sys.executable)
    parser.add_argument("--out", type=Path)
    parser.add_argument("--worker", nargs=2, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.worker:
        kind, given = asked.worker
        return quantize(asked.model, given) if kind == "quantize" else \
            {"llama": llama, "torch": torch}[kind](asked.model, json.loads(given))

    def run(*command):
        done = subprocess.run(
            command, check=True, text=True, stdout=subprocess.PIPE,
            env=os.environ | dict(OMP_NUM_THREADS="1", MKL_NUM_THREADS="1"),
            preexec_fn=lambda: os.sched_setaffinity(0, {asked.cpu}))
        return done.stdout.strip().splitlines()[-1] if done.stdout.strip() else ""

    model = os.path.abspath(asked.model)
    with tempfile.TemporaryDirectory() as folder:
        text, rounded = f"{folder}/text", f"{folder}/q8_0.gguf"
        Path(text).write_text(TEXT)
        ids = run(asked.program, model, "ids", text, "512")
        run(asked.llama_python, __file__, model, "--worker", "quantize", rounded)
        stacks = {
            "gradus f32": [asked.program, model, "f32", ids],
            "gradus q8": [asked.program, model, "q8", ids],
            "llama.cpp Q8_0": [asked.llama_python, __file__, rounded, "--worker", "llama", ids],
            "llama.cpp as given": [asked.llama_python, __file__, model, "--worker", "llama", ids],
            "transformers f32": [asked.torch_python, __file__, model, "--worker", "torch", ids],
        }
        found = {stack: [] for stack in stacks}
        for _ in range(asked.rounds):
            for stack, command in stacks.items():
                found[stack].append(json.loads(run(*command)))
    of = lambda rows, name: statistics.median(row[name] for row in rows)
    speeds = ["prefill512", "score256"] + [f"decode{count}" for count, _ in DECODES]
    table = {stack: {name: round(of(rows, name), 3 if name == "load" else 1)
                     for name in [*speeds, "load", "peak_mb", "log_prob"]}
             for stack, rows in found.items()}
    for stack, row in table.items():
        print(f"{stack:20}", *(f"{name} {value}" for name, value in row.items()))
    ratios = {ours: {other: {name: round(table[ours][name] / table[other][name], 2)
                             for name in speeds} for other in list(stacks)[2:]}
              for ours in list(stacks)[:2]}
    row = dict(bench="inference_speed", cpu=cpu_name(), model=os.path.basename(model),
               rounds=asked.rounds, repeats=REPEATS,
               versions={stack: rows[0].get("version") for stack, rows in found.items()
                         if "version" in rows[0]},
               torch=found["transformers f32"][0]["torch"], tokens_per_cpu_second=table,
               ratios=ratios)
    print(json.dumps(row))
    if asked.out:
        with asked.out.open("a") as file:
            print(json.dumps(row), file=file)


if __name__ == "__main__":
    main()
