"""Writes a small random llama (base), two LoRA adapters of it made by PEFT (plain, stabilised),
and expected.safetensors: the tokens, and of each adapter the merged weights and the logits.

    pip install peft==0.21.2 torch==2.15 transformers==5.24 safetensors
    python make.py

plain has another rank and another alpha for some modules; stabilised uses rslora.
"""

import json
from pathlib import Path

import torch
import transformers
from peft import LoraConfig, get_peft_model
from safetensors.torch import load_file, save_file

HERE = Path(__file__).parent
torch.manual_seed(20261124)

config = transformers.LlamaConfig(
    vocab_size=48,
    hidden_size=24,
    intermediate_size=40,
    num_hidden_layers=2,
    num_attention_heads=3,
    num_key_value_heads=1,
    max_position_embeddings=64,
    initializer_range=0.3,
    tie_word_embeddings=True,
)
transformers.LlamaForCausalLM(config).save_pretrained(HERE / "base")
(HERE / "base" / "generation_config.json").unlink(missing_ok=True)

ADAPTERS = {
    "plain": LoraConfig(
        task_type="CAUSAL_LM",
        r=4,
        lora_alpha=12,
        target_modules=["q_proj", "v_proj", "down_proj"],
        rank_pattern={"layers.1.self_attn.q_proj": 2},
        alpha_pattern={"down_proj": 3},
    ),
    "stabilised": LoraConfig(
        task_type="CAUSAL_LM", r=4, lora_alpha=6, target_modules="all-linear", use_rslora=True
    ),
}

tokens = torch.randint(0, config.vocab_size, (1, 17))
expected = {"tokens": tokens[0].to(torch.int32)}
for name, adapter in ADAPTERS.items():
    base = transformers.LlamaForCausalLM.from_pretrained(HERE / "base", dtype=torch.float32)
    model = get_peft_model(base, adapter).eval()
    with torch.no_grad():
        for part, weight in model.named_parameters():
            if "lora_" in part:
                weight.normal_(std=0.2)
        expected[f"{name}.logits"] = model(tokens).logits[0].contiguous()
        model.save_pretrained(HERE / name)
        merged = model.merge_and_unload().state_dict()
    weights = load_file(HERE / "base" / "model.safetensors")
    for part in weights:
        if not torch.equal(merged[part], weights[part]):
            expected[f"{name}.{part}"] = merged[part].contiguous()
    (HERE / name / "README.md").unlink(missing_ok=True)
    # The folder of the base is of no interest to a reader.
    path = HERE / name / "adapter_config.json"
    fields = json.loads(path.read_text())
    fields["base_model_name_or_path"] = "base"
    path.write_text(json.dumps(fields, indent=2) + "\n")
save_file(expected, HERE / "expected.safetensors")
