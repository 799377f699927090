"""Writes the golden files that tests/golden.rs reads: a decoder in plain PyTorch.

    pip install torch safetensors
    python make.py            # writes gelu.safetensors and swiglu.safetensors beside itself

Weights carry their names in a checkpoint; `gradient.NAME` is the gradient of
the weighted sum of the losses. The batch is `tokens` (sequences one behind the
other) with `lengths`; `lm.*` and `values.*` list the targets.
"""

import math
from pathlib import Path

import torch
import torch.nn.functional as F
from safetensors.torch import save_file

VOCAB, D, LAYERS, HEADS, INNER, BASE, EPS = 38, 32, 2, 4, 48, 1000.0, 1e-6
LENGTHS = [21, 1, 9, 16]


def rotate(x):
    half = x.shape[-1] // 2
    frequency = BASE ** (-torch.arange(half, dtype=torch.float64) / half)
    angles = torch.outer(torch.arange(x.shape[-2], dtype=torch.float64), frequency)
    cos, sin = angles.cos().to(x.dtype), angles.sin().to(x.dtype)
    first, second = x[..., :half], x[..., half:]
    return torch.cat([first * cos - second * sin, second * cos + first * sin], -1)


def norm(x, weight):
    return F.rms_norm(x, (D,), weight, EPS)


def states(weights, ids, swiglu):
    x = weights["model.embed_tokens.weight"][ids]
    for layer in range(LAYERS):
        w = lambda name: weights[f"model.layers.{layer}.{name}.weight"]
        y = norm(x, w("input_layernorm"))
        q, k, v = ((y @ w(f"self_attn.{p}_proj").T).view(len(ids), HEADS, -1).transpose(0, 1)
                   for p in "qkv")
        y = F.scaled_dot_product_attention(rotate(q), rotate(k), v, is_causal=True)
        x = x + y.transpose(0, 1).reshape(len(ids), D) @ w("self_attn.o_proj").T
        y = norm(x, w("post_attention_layernorm"))
        if swiglu:
            y = F.silu(y @ w("mlp.gate_proj").T) * (y @ w("mlp.up_proj").T)
        else:
            y = F.gelu(y @ w("mlp.up_proj").T, approximate="tanh")
        x = x + y @ w("mlp.down_proj").T
    return norm(x, weights["model.norm.weight"])


def make(swiglu):
    torch.manual_seed(7)
    shapes = {"model.embed_tokens": (VOCAB, D)}
    for layer in range(LAYERS):
        base = f"model.layers.{layer}."
        shapes |= {base + f"self_attn.{p}_proj": (D, D) for p in "qkvo"}
        shapes |= {base + "input_layernorm": (D,), base + "post_attention_layernorm": (D,)}
        shapes |= {base + "mlp.up_proj": (INNER, D), base + "mlp.down_proj": (D, INNER)}
        if swiglu:
            shapes[base + "mlp.gate_proj"] = (INNER, D)
    shapes |= {"model.norm": (D,), "lm_head": (VOCAB, D), "score": (1, D)}
    weights = {}
    for name, shape in shapes.items():
        noise = torch.randn(shape)
        weights[name + ".weight"] = (1 + 0.2 * noise if len(shape) == 1
                                     else noise / math.sqrt(shape[1]) * 1.5).requires_grad_()

    tokens, lm, values = [], [], []
    lm_sum = value_sum = torch.zeros(())
    for sequence, length in enumerate(LENGTHS):
        ids = torch.randint(0, VOCAB, (length,))
        tokens.append(ids)
        hidden = states(weights, ids, swiglu)
        for position in range(length // 3, length):
            token, weight = torch.randint(0, VOCAB, ()), torch.rand(())
            loss = F.cross_entropy(hidden[position] @ weights["lm_head.weight"].T, token)
            lm_sum = lm_sum + weight * loss
            lm.append((sequence, position, token.item(), weight.item()))
        for position in range(length // 2, length, 3):
            label, weight = torch.randint(0, 2, ()).float(), torch.rand(())
            logit = (hidden[position] @ weights["score.weight"].T).squeeze()
            value_sum = value_sum + weight * F.binary_cross_entropy_with_logits(logit, label)
            values.append((sequence, position, label.item(), weight.item()))
    (lm_sum + value_sum).backward()

    out = {name: weight.detach().contiguous() for name, weight in weights.items()}
    out |= {"gradient." + name: weight.grad for name, weight in weights.items()}
    out["tokens"] = torch.cat(tokens).to(torch.int64)
    out["lengths"] = torch.tensor(LENGTHS)
    for name, targets, sum in (("lm", lm, lm_sum), ("values", values, value_sum)):
        out[name + ".place"] = torch.tensor([target[:2] for target in targets])
        out[name + ".target"] = torch.tensor([target[2] for target in targets], dtype=torch.float32)
        out[name + ".weight"] = torch.tensor([target[3] for target in targets])
        out[name + ".sum"] = sum.detach().reshape(1)
    name = "swiglu" if swiglu else "gelu"
    save_file(out, Path(__file__).with_name(name + ".safetensors"),
              metadata={"torch": torch.__version__})


if __name__ == "__main__":
    make(False)
    make(True)
