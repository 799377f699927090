"""Greedy continuations by transformers in f32, of GGUF files that are not in this repository.

    GRADUS_TEST_MODELS=folder python greedy.py    # transformers 5.24, torch 2.15

Reads the files of MODELS in that folder and writes `greedy.json` beside itself; given the
name of one, it replaces that one's part.
"""

import json
import os
import sys
from pathlib import Path

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

PROMPTS = [
    "The capital of France is",
    "def fibonacci(n):\n",
    "Natalia sold 48 clips in April and half as many in May. How many did she sell in all?",
    "Once upon a time, in a small village by the sea,",
    "1, 2, 3, 4, 5, 6, 7, 8, 9, 10,",
]


# Prompts and tokens of each.
MODELS = {
    "SmolLM2-135M-Instruct.Q4_1.gguf": (5, 32),
    "gemma-3-270m.Q4_K_M.gguf": (3, 12),
    "Qwen2.5-Coder-0.5B-Instruct.Q4_K_M.gguf": (3, 12),
}


def greedy(file, prompts, most):
    folder = os.environ["GRADUS_TEST_MODELS"]
    model = AutoModelForCausalLM.from_pretrained(folder, gguf_file=file, dtype=torch.float32)
    tokenizer = AutoTokenizer.from_pretrained(folder, gguf_file=file)
    rows = []
    for prompt in PROMPTS[:prompts]:
        ids = tokenizer(prompt).input_ids
        with torch.no_grad():
            out = model.generate(
                torch.tensor([ids]),
                do_sample=False,
                max_new_tokens=most,
                output_logits=True,
                return_dict_in_generate=True,
                repetition_penalty=1.0,
            )
        tokens = out.sequences[0][len(ids) :].tolist()
        log_probs = [
            round(torch.log_softmax(logits[0], -1)[token].item(), 5)
            for logits, token in zip(out.logits, tokens)
        ]
        rows.append(dict(prompt=ids, text=prompt, tokens=tokens, log_probs=log_probs))
    return dict(file=file, rows=rows)


def main():
    path = Path(__file__).parent / "greedy.json"
    wanted = sys.argv[1:] or list(MODELS)
    models = [] if wanted == list(MODELS) else json.loads(path.read_text())
    models = [model for model in models if model["file"] not in wanted]
    models += [greedy(file, *MODELS[file]) for file in wanted]
    models.sort(key=lambda model: list(MODELS).index(model["file"]))
    text = json.dumps(models)
    for row in ('{"file', '{"prompt'):
        text = text.replace(row, "\n" + row)
    path.write_text(text + "\n")


main()
