"""Writes the golden files of the encoder's tests: three tiny random models by transformers,
with what they make of some texts; and of all-MiniLM-L6-v2 where its folder is given.

    pip install torch transformers tokenizers safetensors      # 2.15, 5.24, 0.23, 0.8
    python make.py [FOLDER OF all-MiniLM-L6-v2]
"""

import json
import sys
from pathlib import Path

import torch
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors
from tokenizers import trainers
from transformers import AutoModel, AutoTokenizer, BertConfig, BertForSequenceClassification
from transformers import BertModel, RobertaConfig, RobertaForSequenceClassification

HERE = Path(__file__).parent
TEXTS = [
    "A cat sat on the mat.",
    "",
    "What is 12 * 7? It is 84, since 10 * 7 = 70 and 2 * 7 = 14.",
    "caf\u00e9 \u4f60\u597d, unknown \U0001f600",
    "Two apples and three pears are five pieces of fruit; "
    "nobody ate one of them, so five are left.",
]
PAIRS = [("What is 2+2?", "Four."), ("Is it?", TEXTS[2])]


def word_pieces():
    tokenizer = Tokenizer(models.WordPiece(unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=True)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.decoder = decoders.WordPiece()
    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]"]
    trainer = trainers.WordPieceTrainer(
        vocab_size=160, special_tokens=special, show_progress=False
    )
    tokenizer.train_from_iterator(TEXTS * 3, trainer)
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]",
        pair="[CLS] $A [SEP] $B:1 [SEP]:1",
        special_tokens=[("[CLS]", 2), ("[SEP]", 3)],
    )
    # What an encoder's caller decides is in real files too.
    tokenizer.enable_truncation(16)
    tokenizer.enable_padding(length=16)
    return tokenizer


def byte_level():
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    special = ["<s>", "<pad>", "</s>", "<unk>", "<mask>"]
    trainer = trainers.BpeTrainer(
        vocab_size=330,
        special_tokens=special,
        show_progress=False,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
    )
    tokenizer.train_from_iterator(TEXTS * 3, trainer)
    tokenizer.post_processor = processors.RobertaProcessing(
        ("</s>", 2), ("<s>", 0), trim_offsets=True, add_prefix_space=False
    )
    return tokenizer


def sizes(tokenizer, **more):
    return dict(
        vocab_size=tokenizer.get_vocab_size(),
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=4,
        intermediate_size=48,
        initializer_range=0.3,
        **more,
    )


def make(name, model, tokenizer, pooling):
    torch.manual_seed(1)
    for parameter_name, parameter in model.named_parameters():
        # Biases and norms are 0 and 1 in a new model, which would hide them.
        if parameter.dim() == 1:
            with torch.no_grad():
                parameter.add_(0.2 * torch.randn_like(parameter))
    model.eval()
    out = HERE / name
    out.mkdir(exist_ok=True)
    model.save_pretrained(out)
    tokenizer.save(str(out / "tokenizer.json"), pretty=False)
    if pooling:
        modules = ["Transformer", "Pooling", "Normalize"]
        paths = ["", "1_Pooling", "2_Normalize"]
        modules = [
            {"idx": at, "path": path, "type": f"sentence_transformers.models.{kind}"}
            for at, (kind, path) in enumerate(zip(modules, paths))
        ]
        (out / "modules.json").write_text(json.dumps(modules))
        (out / "1_Pooling").mkdir(exist_ok=True)
        (out / "1_Pooling/config.json").write_text(json.dumps(pooling))
    plain = Tokenizer.from_file(str(out / "tokenizer.json"))
    plain.no_padding()
    plain.no_truncation()
    body = getattr(model, model.base_model_prefix, model)
    texts = []
    for text in TEXTS:
        encoded = plain.encode(text)
        ids = torch.tensor([encoded.ids])
        with torch.no_grad():
            states = body(ids, output_hidden_states=True).hidden_states
        texts.append({
            "text": text,
            "ids": encoded.ids,
            "mean": [state[0].mean(0).tolist() for state in states],
            "first": states[-1][0, 0].tolist(),
            "last": states[-1][0, -1].tolist(),
            "max": states[-1][0].max(0).values.tolist(),
        })
    judged = []
    if hasattr(model, "classifier"):
        for pair in [(text,) for text in TEXTS] + PAIRS:
            encoded = plain.encode(*pair)
            ids = torch.tensor([encoded.ids])
            kinds = torch.tensor([encoded.type_ids]).clamp(max=model.config.type_vocab_size - 1)
            with torch.no_grad():
                logits = model(ids, token_type_ids=kinds).logits[0]
            chance = logits.sigmoid()[0] if len(logits) == 1 else logits.softmax(-1)[1]
            judged.append({"texts": pair, "probability": chance.item()})
    (HERE / f"{name}.json").write_text(json.dumps({"texts": texts, "judged": judged}) + "\n")


words, bytes_ = word_pieces(), byte_level()
torch.manual_seed(0)
max_pooling = {"word_embedding_dimension": 32, "pooling_mode_cls_token": False}
max_pooling |= {"pooling_mode_mean_tokens": False, "pooling_mode_max_tokens": True}
bert = BertConfig(**sizes(words, max_position_embeddings=64))
make("bert", BertModel(bert), words, max_pooling)
bert = BertConfig(**sizes(words, max_position_embeddings=64, num_labels=2, hidden_act="gelu_new"))
make("bert-head", BertForSequenceClassification(bert), words, None)
roberta = RobertaConfig(
    **sizes(bytes_, max_position_embeddings=130, type_vocab_size=1, num_labels=1)
)
make("roberta", RobertaForSequenceClassification(roberta), bytes_, None)

if len(sys.argv) > 1:
    tokenizer = AutoTokenizer.from_pretrained(sys.argv[1])
    model = AutoModel.from_pretrained(sys.argv[1]).eval()
    rows = []
    for text in TEXTS:
        with torch.no_grad():
            states = model(**tokenizer(text, return_tensors="pt")).last_hidden_state[0]
        vector = torch.nn.functional.normalize(states.mean(0), dim=0)
        rows.append({"text": text, "first": vector[:16].tolist()})
    (HERE / "all-MiniLM-L6-v2.json").write_text(json.dumps(rows) + "\n")
