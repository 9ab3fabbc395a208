"""Variable names of google-research/bert: modeling.py, run_pretraining.py, run_classifier.py.

This is the table; bert_core/huggingface_names.py respells it.
"""

from collections.abc import Collection, Iterator, Sequence

from bert_core.config import BertConfig
from bert_core.name_map import Row

# How the names of each part begin, except the encoder's.
PREFIXES = {"head": "cls/predictions/", "pooler": "bert/pooler/", "output": "output_weights"}


def rows(config: BertConfig, parts: Collection[str], num_classes: int = 0) -> Iterator[Row]:
    """The encoder's variables and those of the other `parts`, in a fixed order."""
    hidden = config.hidden_size
    yield from _encoder(config)
    if "head" in parts:
        transform = "cls/predictions/transform"
        yield from _dense("head/transform", [f"{transform}/dense"], hidden, hidden)
        yield from _norm("head/norm", f"{transform}/LayerNorm", hidden)
        yield Row("head/bias", ("cls/predictions/output_bias",), (config.vocab_size,))
    if "pooler" in parts:
        yield from _dense("pooler/dense", ["bert/pooler/dense"], hidden, hidden)
    if "output" in parts:
        yield Row("output/kernel", ("output_weights",), (num_classes, hidden), transposed=True)
        yield Row("output/bias", ("output_bias",), (num_classes,))


def _encoder(config: BertConfig) -> Iterator[Row]:
    hidden, wide = config.hidden_size, config.intermediate_size
    for ours, theirs, size in (
        ("word", "word_embeddings", config.vocab_size),
        ("position", "position_embeddings", config.max_position_embeddings),
        ("segment", "token_type_embeddings", config.type_vocab_size),
    ):
        yield Row(f"encoder/embeddings/{ours}", (f"bert/embeddings/{theirs}",), (size, hidden))
    yield from _norm("encoder/embeddings/norm", "bert/embeddings/LayerNorm", hidden)
    for i in range(config.num_hidden_layers):
        ours, theirs = f"encoder/layers/{i}", f"bert/encoder/layer_{i}"
        qkv = [f"{theirs}/attention/self/{name}" for name in ("query", "key", "value")]
        attended = f"{theirs}/attention/output"
        yield from _dense(f"{ours}/attention/qkv", qkv, hidden, hidden)
        yield from _dense(f"{ours}/attention/output", [f"{attended}/dense"], hidden, hidden)
        yield from _norm(f"{ours}/attention_norm", f"{attended}/LayerNorm", hidden)
        intermediate = f"{theirs}/intermediate/dense"
        yield from _dense(f"{ours}/intermediate", [intermediate], hidden, wide)
        yield from _dense(f"{ours}/output", [f"{theirs}/output/dense"], wide, hidden)
        yield from _norm(f"{ours}/output_norm", f"{theirs}/output/LayerNorm", hidden)


def _dense(ours: str, theirs: Sequence[str], inputs: int, outputs: int) -> Iterator[Row]:
    yield Row(f"{ours}/kernel", tuple(f"{x}/kernel" for x in theirs), (inputs, outputs))
    yield Row(f"{ours}/bias", tuple(f"{x}/bias" for x in theirs), (outputs,))


def _norm(ours: str, theirs: str, size: int) -> Iterator[Row]:
    for name in ("gamma", "beta"):
        yield Row(f"{ours}/{name}", (f"{theirs}/{name}",), (size,))


def why_skipped(name: str) -> str | None:
    """Why a variable of a checkpoint is not wanted; None if it may be."""
    if name == "global_step" or name.endswith(("/adam_m", "/adam_v", "_power")):
        return "the optimiser's"
    if name.startswith("cls/seq_relationship/"):
        return "next-sentence prediction, which this project does without"
    return None
