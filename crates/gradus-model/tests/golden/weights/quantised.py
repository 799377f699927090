"""Writes quantised.gguf and quantised.safetensors: blocks of every type that is read, and
what the Python package `gguf` makes of them.

    pip install gguf==0.19 numpy safetensors
    python quantised.py

The file is one of architecture llama with four heads and two key heads. Blocks are random
bytes with finite scales, so that every bit is used. `blk.0.attn_q.weight` and
`blk.0.attn_k.weight` are written in the order of the interleaved rotation, by the
function of llama.cpp's converter; the safetensors file has them as they were before.
"""

from pathlib import Path

import gguf
import numpy as np
from gguf import GGMLQuantizationType as Q
from safetensors.numpy import save_file

HERE = Path(__file__).parent
HEADS, KEY_HEADS, HEAD = 4, 2, 8
draw = np.random.default_rng(20261124)


def permute(weights, heads):
    """convert_hf_to_gguf.py, LlamaModel.permute."""
    return (
        weights.reshape(heads, 2, weights.shape[0] // heads // 2, *weights.shape[1:])
        .swapaxes(1, 2)
        .reshape(weights.shape)
    )


def random_blocks(kind, rows, columns):
    numbers, size = gguf.GGML_QUANT_SIZES[kind]
    blocks = draw.integers(0, 256, (rows, columns // numbers, size), dtype=np.uint8)
    halves = {Q.Q4_0: [0], Q.Q4_1: [0, 2], Q.Q5_0: [0], Q.Q5_1: [0, 2], Q.Q8_0: [0],
              Q.Q4_K: [0, 2], Q.Q5_K: [0, 2], Q.Q6_K: [208]}[kind]
    for at in halves:
        scales = (draw.standard_normal(blocks.shape[:2]) * 0.1).astype(np.float16)
        blocks[:, :, at : at + 2] = scales[..., None].view(np.uint8)
    return blocks.reshape(rows, -1)


writer = gguf.GGUFWriter(HERE / "quantised.gguf", "llama")
writer.add_head_count(HEADS)
writer.add_head_count_kv(KEY_HEADS)
writer.add_rope_freq_base(10000.0)
writer.add_tokenizer_model("gpt2")
writer.add_token_list(["a", "é", "\n"])
writer.add_token_scores([0.5, -1.0, 2.0])
writer.add_token_types([1, 1, 3])
writer.add_bool("tokenizer.ggml.add_bos_token", True)
expected = {}

kinds = [Q.Q4_0, Q.Q4_1, Q.Q5_0, Q.Q5_1, Q.Q8_0, Q.Q4_K, Q.Q5_K, Q.Q6_K]
for layer, kind in enumerate(kinds):
    blocks = random_blocks(kind, 4, 512)
    writer.add_tensor(f"blk.{layer}.ffn_up.weight", blocks, raw_dtype=kind)
    expected[f"model.layers.{layer}.mlp.up_proj.weight"] = gguf.dequantize(blocks, kind)

for part, name, heads in [("attn_q", "q_proj", HEADS), ("attn_k", "k_proj", KEY_HEADS)]:
    weight = draw.standard_normal((heads * HEAD, 32)).astype(np.float32)
    bias = draw.standard_normal(heads * HEAD).astype(np.float32)
    writer.add_tensor(f"blk.0.{part}.weight", permute(weight, heads))
    writer.add_tensor(f"blk.0.{part}.bias", permute(bias, heads))
    expected[f"model.layers.0.self_attn.{name}.weight"] = weight
    expected[f"model.layers.0.self_attn.{name}.bias"] = bias
    # The same as blocks of 8 bits, which run along the rows.
    blocks = random_blocks(Q.Q8_0, heads * HEAD, 64)
    writer.add_tensor(f"blk.1.{part}.weight", permute(blocks, heads), raw_dtype=Q.Q8_0)
    expected[f"model.layers.1.self_attn.{name}.weight"] = gguf.dequantize(blocks, Q.Q8_0)

numbers = draw.standard_normal((3, 32)).astype(np.float32)
half = numbers.astype(np.float16)
writer.add_tensor("token_embd.weight", half)
expected["model.embed_tokens.weight"] = half.astype(np.float32)
brain = (numbers.view(np.uint32) >> 16).astype(np.uint16)
writer.add_tensor("output.weight", brain.view(np.uint8), raw_dtype=Q.BF16)
expected["lm_head.weight"] = gguf.dequantize(brain.view(np.uint8), Q.BF16)
writer.add_tensor("output_norm.weight", numbers[0])
expected["model.norm.weight"] = numbers[0]
writer.add_tensor("rope_freqs.weight", numbers[1, :4].copy())
expected["rope_freqs.weight"] = numbers[1, :4].copy()

writer.write_header_to_file()
writer.write_kv_data_to_file()
writer.write_tensors_to_file()
writer.close()
save_file(expected, HERE / "quantised.safetensors")
