"""Makes the golden files of the pretrained families: for each a small random
model as transformers writes it, and in `expected.safetensors` the tokens, the
logits after each of them and the state after every layer, in f32 on a CPU.

    python make.py            # transformers 5.24, torch 2.15
"""

import json
import shutil
from pathlib import Path

import torch
import transformers
from safetensors.torch import save_file

HERE = Path(__file__).parent
SIZES = dict(
    vocab_size=61,
    hidden_size=24,
    intermediate_size=40,
    num_hidden_layers=3,
    num_attention_heads=4,
    num_key_value_heads=2,
    max_position_embeddings=128,
    bos_token_id=1,
    eos_token_id=2,
    pad_token_id=0,
)

MODELS = {
    "llama": transformers.LlamaConfig(**SIZES, tie_word_embeddings=True),
    # Angles bend at wavelengths of 8 and 32 positions.
    "llama-scaled": transformers.LlamaConfig(
        **SIZES,
        head_dim=16,
        attention_bias=True,
        mlp_bias=True,
        rope_parameters=dict(
            rope_type="llama3",
            rope_theta=100.0,
            factor=4.0,
            low_freq_factor=1.0,
            high_freq_factor=4.0,
            original_max_position_embeddings=32,
        ),
    ),
    "qwen2": transformers.Qwen2Config(
        **SIZES,
        rope_parameters=dict(
            rope_type="yarn",
            rope_theta=1000.0,
            factor=4.0,
            original_max_position_embeddings=32,
        ),
    ),
    "qwen3": transformers.Qwen3Config(**SIZES, head_dim=10, tie_word_embeddings=True),
    "mistral": transformers.MistralConfig(**SIZES, head_dim=8, sliding_window=7),
    "gemma3": transformers.Gemma3TextConfig(
        **{**SIZES, "num_hidden_layers": 7, "num_key_value_heads": 1},
        head_dim=8,
        query_pre_attn_scalar=12,
        sliding_window=6,
        final_logit_softcapping=3.0,
        rope_parameters=dict(
            full_attention=dict(rope_type="linear", factor=2.0, rope_theta=1000.0),
            sliding_attention=dict(rope_type="default", rope_theta=50.0),
        ),
    ),
}


def main():
    for at, (name, config) in enumerate(MODELS.items()):
        torch.manual_seed(at)
        model = transformers.AutoModelForCausalLM.from_config(
            config, attn_implementation="eager", dtype=torch.float32
        ).eval()
        with torch.no_grad():
            for parameter_name, weight in model.named_parameters():
                # Large enough that every part matters; norms and biases away from 1 and 0.
                if "norm" in parameter_name:
                    weight.add_(0.3 * torch.randn_like(weight))
                elif weight.dim() == 1:
                    weight.copy_(0.3 * torch.randn_like(weight))
                elif "embed" in parameter_name:
                    weight.copy_(torch.randn_like(weight))
                else:
                    weight.copy_(torch.randn_like(weight) * 1.5 / weight.shape[1] ** 0.5)
            tokens = torch.randint(3, config.vocab_size, (1, 50))
            out = model(tokens, output_hidden_states=True)
        folder = HERE / name
        shutil.rmtree(folder, ignore_errors=True)
        model.save_pretrained(folder)
        (folder / "generation_config.json").unlink(missing_ok=True)
        states = torch.cat([state[0] for state in out.hidden_states])
        save_file(
            dict(
                tokens=tokens[0].to(torch.int32),
                logits=out.logits[0].contiguous(),
                states=states.reshape(config.num_hidden_layers + 1, 50, -1).contiguous(),
            ),
            folder / "expected.safetensors",
        )
        # What the config says, at one byte a space less.
        text = json.loads((folder / "config.json").read_text())
        (folder / "config.json").write_text(json.dumps(text, indent=1) + "\n")


main()
