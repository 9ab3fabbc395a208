"""Writes tests/golden/huggingface/ with Hugging Face's transformers, which tests compare to.

  python -m venv /tmp/hf && /tmp/hf/bin/pip install torch==2.13.0 transformers numpy
  /tmp/hf/bin/python tests/golden/make_huggingface.py

model/            a tiny BERT with every head, as `save_pretrained` writes it
expected.npz      inputs, and what transformers computes from them
tokenization.json nasty strings and their ids, uncased and cased
versions.json     what made them

Weights are random, norms and biases as well: a fresh model would hide a bias in the
wrong place. The head size is 6, the positions all 512.
"""

import json
import platform
import random
import tempfile
import unicodedata
from pathlib import Path

import numpy as np
import tokenizers
import torch
import transformers
from transformers import (
    BertConfig,
    BertForPreTraining,
    BertForSequenceClassification,
    BertTokenizer,
)

HERE = Path(__file__).resolve().parent / "huggingface"
SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
LABELS = ["sad", "so so", "glad"]


def main() -> None:
    torch.manual_seed(0)
    (HERE / "model").mkdir(parents=True, exist_ok=True)
    write_model()
    write_tokenization()
    versions = {
        "python": platform.python_version(),
        **{m.__name__: m.__version__ for m in (torch, transformers, tokenizers, np)},
        "unicode": unicodedata.unidata_version,
    }
    (HERE / "versions.json").write_text(json.dumps(versions, indent=2) + "\n")


def write_model() -> None:
    tokens = model_tokens()
    config = BertConfig(
        vocab_size=len(tokens),
        hidden_size=30,
        num_hidden_layers=2,
        num_attention_heads=5,
        intermediate_size=44,
        max_position_embeddings=512,
        id2label=dict(enumerate(LABELS)),
        label2id={name: i for i, name in enumerate(LABELS)},
        attn_implementation="eager",
    )
    mlm, classifier = BertForPreTraining(config), BertForSequenceClassification(config)
    for model in (mlm, classifier):
        randomise(model)
    classifier.bert.load_state_dict(mlm.bert.state_dict())
    state = {**mlm.state_dict(), **classifier.state_dict()}
    mlm.eval()
    classifier.eval()
    # Both heads in one file: the tests cut every layout from it.
    tied = "cls.predictions.decoder."
    state = {name: x.contiguous() for name, x in state.items() if not name.startswith(tied)}
    mlm.save_pretrained(HERE / "model")
    from safetensors.torch import save_file

    save_file(state, HERE / "model" / "model.safetensors", metadata={"format": "pt"})
    (HERE / "model" / "vocab.txt").write_text("\n".join(tokens) + "\n", encoding="utf-8")
    settings = json.loads((HERE / "model" / "config.json").read_text())
    del settings["architectures"]  # it is none of them, with every head there is
    (HERE / "model" / "config.json").write_text(json.dumps(settings, indent=2) + "\n")
    tokenizer = {"tokenizer_class": "BertTokenizer", "do_lower_case": True}
    (HERE / "model" / "tokenizer_config.json").write_text(json.dumps(tokenizer) + "\n")
    np.savez_compressed(HERE / "expected.npz", **outputs(mlm, classifier, config))


def model_tokens() -> list[str]:
    words = [
        "the",
        "a",
        "cat",
        "dog",
        "sat",
        "on",
        "mat",
        "and",
        "ran",
        "far",
        "un",
        "##able",
        "##s",
        "##ing",
    ]
    letters = [chr(c) for c in range(ord("a"), ord("z") + 1)]
    return list(dict.fromkeys([*SPECIAL, *words, *letters, *("##" + x for x in letters)]))


def randomise(model: torch.nn.Module) -> None:
    for name, value in model.named_parameters():
        around = 1.0 if name.endswith("LayerNorm.weight") else 0.0
        value.data.copy_(around + 0.2 * torch.randn(value.shape))


@torch.no_grad()
def outputs(mlm, classifier, config) -> dict[str, np.ndarray]:
    """Of a padded batch of pairs, and of one row of all 512 positions."""
    rng = np.random.default_rng(0)
    lengths, seq_length = [17, 9, 2, 12], 17
    # Padding holds random ids and segments, so that a mask that leaks shows.
    ids = rng.integers(0, config.vocab_size, (len(lengths), seq_length))
    mask = (np.arange(seq_length) < np.array(lengths)[:, None]).astype(np.int64)
    segments = rng.integers(0, 2, ids.shape)
    labels = np.where((rng.random(ids.shape) < 0.3) & (mask == 1), ids[::-1], -100)
    inputs = {
        "input_ids": torch.tensor(ids),
        "attention_mask": torch.tensor(mask),
        "token_type_ids": torch.tensor(segments),
    }
    encoded = mlm.bert(**inputs, output_hidden_states=True)
    logits = mlm(**inputs).prediction_logits
    loss = torch.nn.functional.cross_entropy(
        logits.reshape(-1, config.vocab_size), torch.tensor(labels).reshape(-1)
    )
    long_ids = rng.integers(0, config.vocab_size, (1, 512))
    long_states = mlm.bert(input_ids=torch.tensor(long_ids)).last_hidden_state
    arrays = {
        "input_ids": ids,
        "input_mask": mask,
        "segment_ids": segments,
        "mlm_labels": labels,
        "hidden_states": torch.stack(encoded.hidden_states),
        "pooled": encoded.pooler_output,
        "mlm_logits": logits,
        "mlm_loss": loss,
        "class_logits": classifier(**inputs).logits,
        "long_ids": long_ids,
        "long_states": long_states[0, ::16],  # every 16th row is enough
    }
    return {
        k: np.asarray(x, np.int32 if k in INTEGERS else np.float32) for k, x in arrays.items()
    }


INTEGERS = ("input_ids", "input_mask", "segment_ids", "mlm_labels", "long_ids")

# ---- tokenisation ----

PLAIN = [
    "the",
    "un",
    "##aff",
    "##able",
    "##ing",
    "play",
    "don",
    "mask",
    "new",
    "york",
    "##s",
    "naive",
    "cafe",
    "strasse",
]
CASED = ["The", "New", "York", "Café", "naïve", "Straße", "É", "##té", "MASK"]
ALPHABET = (
    [chr(c) for c in range(33, 127)]
    + list("áéüßñœøıſçÅΣσςабвгдЙйё中文字日本語カナ한국ไทยעבעברيةहिन्दी")
    + list("…“”½™№ﬁ²€£¿¡—·。、「」😀👍🏽❤🇩")
)
BREAKERS = [
    *("\u0301", "\u0308", "\u0345", "\u0307", "\u093f", "\u200d", "\u200b", "\u00ad", "\ufeff"),
    *("\x00", "\x01", "\x1b", "\x7f", "\x85", "\ufffd", "\ue000", "\u2028", "\u00a0", "\u3000"),
    *("\t", "\n", "\r", " ", "  ", "\u2009", "\u1680", "\u0130", "\u1e9e", "\u212a", "\u00c5"),
]


def vocabulary() -> list[str]:
    return list(
        dict.fromkeys([*SPECIAL, *ALPHABET, *("##" + c for c in ALPHABET), *PLAIN, *CASED])
    )


def nasty_strings() -> list[str]:
    """500: by hand, then random mixtures of everything above."""
    texts = [
        *("", " ", "\n\t ", "\x00", "\u200b", "\u0301", "[MASK]", "[CLS] a [SEP]", "[mask]"),
        *("The unaffable player's playing.", "ÉTÉ naïve Über Straße ŒUVRE ΣΊΣΥΦΟΣ İstanbul"),
        *("中文字 mixed日本語カナ 한국", "a\x00b\x01c\td\ne\x85f\u00adg\u200bh\ufeffi\ue000j"),
        *("½ ™ № ﬁ ² … “quoted” a…b", "don't $5 `a` ^b~ a_b <tag> {x|y}", "e\u0301 \u0301x"),
        *("👍🏽❤\ufe0f👨\u200d👩\u200d👧 🇩🇪", "!" * 300, "?!" * 50, ". . .", "-" * 101),
        *("x" * n for n in (99, 100, 101, 102, 200, 201, 400, 401, 1000)),
        *("é" * n for n in (50, 51, 99, 100, 101, 200, 201, 400)),
        *("中" * n for n in (100, 101, 201)),
        *("\U0001f600" * n for n in (25, 26, 99, 100, 101)),
        *("a" * 60 + "-" + "b" * 60, "e\u0301" * 60, "e\u0301" * 101, "\u0301" * 150),
        *("ไทยไทย", "עברית", "العربية", "हिन्दी", "Ελληνικά", "Ёлка Йод ЙЦУ", "Đồng Việt Nam"),
        *("2\u2075", "x\u20dd", "a\u0327b", "\u1e9eẞß", "ﬁﬂ", "Ⅷ", "①", "㍿", "\u1100\u1161"),
        *("\ud7a3\uac00", "\U00020000\U0002a6df", "\U0002b820\U0002ebe0", "\U00030000", "㐀"),
        *(
            "\u2f00",
            "\u3007",
            "々",
            "ー",
            "\uff21\uff01\u3002",
            "\u061c\u202e",
            "\u00b4`",
            "＄",
        ),
    ]
    rng = random.Random(0)
    pools = [ALPHABET, BREAKERS, PLAIN + CASED, list("aeéE "), [*"中文", " ", "a"], BREAKERS]
    while len(texts) < 500:
        pool = rng.sample(pools, 3)
        texts.append("".join(rng.choice(rng.choice(pool)) for _ in range(rng.randint(1, 60))))
    return texts[:500]


def write_tokenization() -> None:
    tokens, texts = vocabulary(), nasty_strings()
    golden = {"tokens": tokens, "texts": texts}
    with tempfile.TemporaryDirectory() as directory:
        file = Path(directory) / "vocab.txt"
        file.write_text("\n".join(tokens) + "\n", encoding="utf-8")
        for name, lower in (("uncased", True), ("cased", False)):
            tokenizer = BertTokenizer(str(file), do_lower_case=lower)
            # What a text says is text: "[MASK]" in it is not a special token.
            golden[name] = [
                tokenizer(text, add_special_tokens=False, split_special_tokens=True).input_ids
                for text in texts
            ]
    text = json.dumps(golden, separators=(",", ":"))
    (HERE / "tokenization.json").write_text(text + "\n")


if __name__ == "__main__":
    main()
