"""Writes the golden files that tests/text.rs reads: ids by transformers and tokenizers,
rendered chats by transformers.

    pip install transformers tokenizers gguf jinja2      # 5.24, 0.23, 0.19, 3.1.6
    python make.py [FOLDER OF GGUF FILES]

Without the folder, the ids of the real models are left as they are.
The templates of smollm2 and qwen2.5 are those of the models' own files (Apache-2.0);
those of llama3, mistral, qwen3 and gemma3 are small ones with the constructs of theirs.
"""

import json
import sys
from pathlib import Path

import gguf
from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers
from tokenizers import pre_tokenizers, processors, trainers
from transformers import AutoTokenizer
from transformers.utils import chat_template_utils

HERE = Path(__file__).parent
TEXTS = [
    "",
    " ",
    "The quick brown fox jumps over the lazy dog.",
    " The quick  brown   fox\n\n\njumps\tover\t\tit. \n",
    "1234567890 + 12.5 = 3,141 and 42nd; x2y3 \u0663\u0664\u0665 \u00bd \u2167",
    "It's we'll THEY'RE I'M don't 'tis '90s",
    "def f(x):\n    return x**2  # square\n\n\nprint(f(3))\n",
    "caf\u00e9 cafe\u0301 na\u00efve \u00c5ngstr\u00f6m A\u030angstro\u0308m",
    "\u4f60\u597d\uff0c\u4e16\u754c\u3002\u3053\u3093\u306b\u3061\u306f \uc548\ub155\ud558\uc138\uc694",
    "\u0417\u0434\u0440\u0430\u0432\u0441\u0442\u0432\u0443\u0439, \u043c\u0438\u0440! \u0645\u0631\u062d\u0628\u0627 \u05e9\u05dc\u05d5\u05dd",
    "\U0001f600\U0001f468\u200d\U0001f469\u200d\U0001f467 \U0001d54f \u2603\ufe0f",
    "<|im_start|>system\nYou are.<|im_end|>\n<|im_start|>user\n<|endoftext|> hi <|im_end|>",
    "<|im_start|>assistant<|im_end|><tool_call>{}</tool_call>",
    "$$\\frac{1}{2} \\cdot x_{i}^{2} \\leq \\sqrt{y}$$ #### 72",
    "a\u00a0b\u2003c\r\nd\u200be\u2028f\u0000g\u0007h",
    "   leading and trailing   ",
    "\n\n\n\n    indented\n        more\n",
    "\u2581already\u2581marked <0x41> <s> </s> [INST] \u0120",
]
PATTERNS = {
    "llama-bpe": r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}"
    r"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+",
    "qwen2": r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}"
    r"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+",
}
SPECIAL = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]
PLAIN = ["<tool_call>", "</tool_call>"]


def corpus():
    words = Path(__file__).read_text(encoding="utf-8")
    return [words] * 4 + TEXTS * 4


def rule(pre):
    """Normalizer and pre-tokenizer as the tokenizer.json files of these models have them."""
    if pre == "smollm":
        digits = pre_tokenizers.Digits(individual_digits=True)
        return None, pre_tokenizers.Sequence(
            [digits, pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True)]
        )
    if pre == "gpt-2":
        return None, pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True)
    split = pre_tokenizers.Split(Regex(PATTERNS[pre]), behavior="isolated")
    bytes_ = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    normalizer = normalizers.NFC() if pre == "qwen2" else None
    return normalizer, pre_tokenizers.Sequence([split, bytes_])


def byte_level(pre):
    tokenizer = Tokenizer(models.BPE(ignore_merges=pre == "llama-bpe"))
    normalizer, pre_tokenizer = rule(pre)
    if normalizer:
        tokenizer.normalizer = normalizer
    tokenizer.pre_tokenizer = pre_tokenizer
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=520,
        show_progress=False,
        special_tokens=SPECIAL,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
    )
    tokenizer.train_from_iterator(corpus(), trainer)
    tokenizer.add_tokens([AddedToken(text, normalized=False) for text in PLAIN])
    return tokenizer


def describe(tokenizer):
    ids = [tokenizer.encode(text, add_special_tokens=False).ids for text in TEXTS]
    # What cannot be decoded is shown by replacement characters: every id alone, and all in a row.
    return {
        "ids": ids,
        "decoded": [tokenizer.decode(row, skip_special_tokens=True) for row in ids],
    }


def write_gguf(pre, tokenizer):
    """A file without tensors: what the builder reads is in the metadata."""
    state = json.loads(tokenizer.to_str())
    vocab = tokenizer.get_vocab(with_added_tokens=True)
    tokens = sorted(vocab, key=vocab.get)
    kinds = [3 if text in SPECIAL else 4 if text in PLAIN else 1 for text in tokens]
    writer = gguf.GGUFWriter(HERE / f"{pre}.gguf", "llama")
    writer.add_head_count(1)
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre(pre)
    writer.add_token_list(tokens)
    writer.add_token_types(kinds)
    writer.add_token_merges([" ".join(pair) for pair in state["model"]["merges"]])
    writer.add_bos_token_id(1)
    writer.add_eos_token_id(2)
    writer.add_pad_token_id(0)
    writer.add_add_bos_token(False)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.close()


def sentence_pieces():
    """The kind of llama 2: merges by score, bytes where there is no piece."""
    tokenizer = Tokenizer(models.BPE(byte_fallback=True, fuse_unk=True, unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="first", split=False)
    tokenizer.decoder = decoders.Sequence(
        [
            decoders.Replace("\u2581", " "),
            decoders.ByteFallback(),
            decoders.Fuse(),
            decoders.Strip(" ", 1, 0),
        ]
    )
    specials = ["<unk>", "<s>", "</s>"] + [f"<0x{byte:02X}>" for byte in range(256)]
    trainer = trainers.BpeTrainer(vocab_size=700, show_progress=False, limit_alphabet=120)
    words = Tokenizer(models.BPE())
    words.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="first", split=True)
    words.train_from_iterator(corpus(), trainer)
    learned = words.get_vocab()
    learned = [text for text in sorted(learned, key=learned.get) if text not in specials]
    tokens = specials + learned
    vocab = {text: at for at, text in enumerate(tokens)}
    merges = []
    for text in learned:
        cuts = [(text[:at], text[at:]) for at in range(1, len(text))]
        cuts = [cut for cut in cuts if cut[0] in vocab and cut[1] in vocab]
        merges += sorted(cuts, key=lambda cut: (-len(cut[0]), -len(cut[1])))
    tokenizer.model = models.BPE(
        vocab, merges, byte_fallback=True, fuse_unk=True, unk_token="<unk>"
    )
    tokenizer.add_special_tokens([AddedToken(text, normalized=False) for text in specials[:3]])
    return tokenizer, tokens


def write_sentence_pieces(tokens):
    kinds = [2, 3, 3] + [6] * 256 + [1] * (len(tokens) - 259)
    writer = gguf.GGUFWriter(HERE / "sentence-pieces.gguf", "llama")
    writer.add_head_count(1)
    writer.add_tokenizer_model("llama")
    writer.add_tokenizer_pre("default")
    writer.add_token_list(tokens)
    writer.add_token_scores([-float(at) for at in range(len(tokens))])
    writer.add_token_types(kinds)
    writer.add_bos_token_id(1)
    writer.add_eos_token_id(2)
    writer.add_unk_token_id(0)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.close()


def folder(tokenizer):
    """A Hugging Face folder's tokenizer, with a post-processor and several ends."""
    out = HERE / "folder"
    out.mkdir(exist_ok=True)
    tokenizer.post_processor = processors.Sequence(
        [
            processors.ByteLevel(trim_offsets=True),
            processors.TemplateProcessing(
                single="<|im_start|> $A", special_tokens=[("<|im_start|>", 1)]
            ),
        ]
    )
    tokenizer.save(str(out / "tokenizer.json"), pretty=False)
    config = {
        "bos_token": "<|im_start|>",
        "eos_token": {"__type": "AddedToken", "content": "<|im_end|>"},
        "chat_template": [
            {"name": "default", "template": "{{ bos_token }}{{ messages[0].content }}"},
            {"name": "tool_use", "template": "{{ raise_exception('not this') }}"},
        ],
    }
    (out / "tokenizer_config.json").write_text(json.dumps(config, indent=1) + "\n")
    (out / "generation_config.json").write_text('{"eos_token_id": [0, 2]}\n')
    (out / "config.json").write_text('{"eos_token_id": 1, "pad_token_id": 0}\n')


CHATS = {
    "system": [("system", " Be brief.\n"), ("user", "What is 2+2? ")],
    "no system": [("user", "Hi")],
    "turns": [
        ("system", "S"),
        ("user", "U1"),
        ("assistant", "\nA1 "),
        ("user", "U2\n\n"),
        ("assistant", "<think>\nhm\n</think>\n\nA2"),
        ("user", "U3 <0x41> {{ x }}"),
    ],
    "answered": [("user", "U1"), ("assistant", "<think>\nhm\n</think>\n\nA1")],
    "two users": [("user", "U1"), ("user", "U2")],
    "late system": [("user", "U1"), ("system", "S"), ("user", "U2")],
    "strange role": [("user", "U1"), ("critic", "C")],
}


class Noon:
    """The clock of templates that ask for the date."""

    @staticmethod
    def now():
        import datetime

        return datetime.datetime(2024, 7, 4, 12, 30, 5)


def render(template, chat, generation):
    messages = [{"role": role, "content": content} for role, content in chat]
    try:
        rendered, _ = chat_template_utils.render_jinja_template(
            [messages],
            chat_template=template,
            add_generation_prompt=generation,
            bos_token="<BOS>",
            eos_token="<EOS>",
        )
        return {"text": rendered[0]}
    except Exception as error:
        return {"refused": str(error)}


def main():
    chat_template_utils.datetime = Noon
    rows = []
    for path in sorted((HERE / "templates").glob("*.jinja")):
        for name, chat in CHATS.items():
            for generation in (False, True):
                row = {"template": path.name, "chat": name, "messages": chat}
                row |= {"generation": generation}
                rows.append(row | render(path.read_text(), chat, generation))
    lines = ",\n".join(json.dumps(row, ensure_ascii=False) for row in rows)
    (HERE / "chats.json").write_text(f"[\n{lines}\n]\n")

    path = HERE / "tokens.json"
    expected = json.loads(path.read_text()) if path.exists() else {}
    expected["texts"] = TEXTS
    for pre in ["gpt-2", "smollm", "llama-bpe", "qwen2"]:
        tokenizer = byte_level(pre)
        expected[f"{pre}.gguf"] = describe(tokenizer)
        write_gguf(pre, tokenizer)
        if pre == "qwen2":
            folder(tokenizer)
    tokenizer, tokens = sentence_pieces()
    expected["sentence-pieces.gguf"] = describe(tokenizer)
    write_sentence_pieces(tokens)

    if len(sys.argv) > 1:
        for file in sorted(Path(sys.argv[1]).glob("*.gguf")):
            loaded = AutoTokenizer.from_pretrained(file.parent, gguf_file=file.name)
            tokenizer = loaded.backend_tokenizer
            if "qwen" in file.name.lower():
                # Qwen's own tokenizer.json composes characters; the loader of GGUF files forgets it.
                tokenizer.normalizer = normalizers.NFC()
            if "smollm" in file.name.lower():
                # And it does not know SmolLM2's rule of single digits.
                tokenizer.pre_tokenizer = rule("smollm")[1]
            expected[file.name] = describe(tokenizer)
    lines = ",\n".join(
        json.dumps(key) + ": " + json.dumps(value) for key, value in expected.items()
    )
    path.write_text("{\n" + lines + "\n}\n")


main()
