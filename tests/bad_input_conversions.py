"""More of tests/bad_input_cases.py: run_convert.py and run_recipe.py."""

import json
import pickle
from pathlib import Path

from tests.bad_input_cases import START, VOCABULARY, Content, Files, changed, named, recipe, row

GOLDEN = Path(__file__).resolve().parent / "golden" / "huggingface" / "model"
HUB = {f"hub/{path.name}": path.read_bytes() for path in GOLDEN.iterdir()}
GOOGLE: Files = {
    "google/bert_config.json": START["start/config.json"],
    "google/vocab.txt": VOCABULARY,
    "google/bert_model.ckpt.index": b"",
}
WEIGHTS = HUB["hub/model.safetensors"]
HEADER = int.from_bytes(WEIGHTS[:8], "little")
TENSORS = json.loads(WEIGHTS[8 : 8 + HEADER])


def convert(name: str, *arguments: str, says: str | tuple[str, ...], **files: Content):
    """A case of run_convert.py; a flag given again replaces the usual one."""
    usual = ("--from=huggingface", "--to=run", "--input={here}/hub", "--output={here}/out")
    found = {**HUB, **GOOGLE, **START, **named(files)}
    return row("convert", name, found, (*usual, *arguments), says)


def from_run(name: str, *arguments: str, says: str | tuple[str, ...], **files: Content):
    usual = ("--from=run", "--to=huggingface", "--input={here}/start")
    return convert(f"run: {name}", *usual, *arguments, says=says, **files)


def from_google(name: str, *arguments: str, says: str | tuple[str, ...], **files: Content):
    usual = ("--from=google", "--input={here}/google")
    return convert(f"google: {name}", *usual, *arguments, says=says, **files)


def settings(**changes: object) -> bytes:
    """The config.json of the golden model with some fields changed."""
    return json.dumps({**json.loads(HUB["hub/config.json"]), **changes}).encode()


def weights(**changes: object) -> bytes:
    """The golden model.safetensors with some entries of its header changed."""
    header = {**TENSORS, **{name.replace("__", "."): x for name, x in changes.items()}}
    text = json.dumps({name: x for name, x in header.items() if x is not None}).encode()
    return len(text).to_bytes(8, "little") + text + WEIGHTS[8 + HEADER :]


BIAS = "bert__pooler__dense__bias"
GIANT = {"dtype": "F32", "shape": [2**40], "data_offsets": [0, 2**42]}

FLAG_CASES = [
    convert("no from", "--from=", says="--from is missing"),
    convert("no to", "--to=", says="--to is missing"),
    convert("no input", "--input=", says="--input is missing"),
    convert("no output", "--output=", says="--output is missing"),
    convert("from torch", "--from=torch", says="--from=torch: must be one of google"),
    convert("to onnx", "--to=onnx", says="--to=onnx: must be one of google"),
    convert("unknown flag", "--inptu=x", says="'inptu'. Did you mean: input"),
    convert("input gone", "--input={here}/x", says="x: no such directory"),
    convert(
        "input is a file",
        "--input={here}/hub/vocab.txt",
        says=("vocab.txt: is a file", "directory that holds it"),
    ),
    convert("output not empty", "--output={here}/hub", says="hub: is not empty; name a new"),
    convert("output is a file", "--output={here}/hub/vocab.txt", says="is a file; name a new"),
    convert("output below a file", "--output={here}/hub/vocab.txt/x", says="be written to"),
    convert("output in /proc", "--output=/proc/x/out", says="/proc cannot be written to"),
]

HUB_CASES = [
    convert("no config", says="config.json: cannot be read", hub_of_config__json=None),
    convert("config list", says="must hold a JSON object", hub_of_config__json=b"[]"),
    convert(
        "pickled config", says="config.json: is not JSON", hub_of_config__json=pickle.dumps(1)
    ),
    convert(
        "no BERT",
        says=("model_type is 'gpt2'", "only BERT"),
        hub_of_config__json=settings(model_type="gpt2"),
    ),
    convert(
        "heads",
        says="hidden_size 30 is not a multiple of num_attention_heads 7",
        hub_of_config__json=settings(num_attention_heads=7),
    ),
    convert(
        "more layers",
        says="has no bert.encoder.layer.2.",
        hub_of_config__json=settings(num_hidden_layers=10**9),
    ),
    convert(
        "class names",
        says="id2label does not name the model's 3 classes",
        hub_of_config__json=settings(id2label={"0": "a"}),
    ),
    convert("no vocabulary", says="vocab.txt: cannot be read", hub_of_vocab__txt=None),
    convert(
        "no [MASK]",
        says=("hub: its vocabulary: the special token [MASK] is missing", "add it"),
        hub_of_vocab__txt=HUB["hub/vocab.txt"].replace(b"[MASK]", b"[mask]"),
    ),
    convert(
        "other tokeniser",
        says=("tokenizer_class is 'T5Tokenizer'", "BERT's"),
        hub_of_tokenizer_config__json=b'{"tokenizer_class": "T5Tokenizer"}',
    ),
    convert("no weights", says="has no model.safetensors", hub_of_model__safetensors=None),
    convert(
        "pickled weights",
        says=("has pytorch_model.bin instead", "save_pretrained"),
        hub_of_model__safetensors=None,
        hub_of_pytorch_model__bin=pickle.dumps({"a": 1}),
    ),
    convert("empty weights", says="was cut short", hub_of_model__safetensors=b""),
    convert(
        "weights cut short",
        says=("damaged header", "bytes announced"),
        hub_of_model__safetensors=WEIGHTS[:-1],
    ),
    convert(
        "weights of a giant",
        says="damaged header",
        hub_of_model__safetensors=weights(**{BIAS: GIANT}),
    ),
    convert(
        "half a pooler",
        says="has no bert.pooler.dense.bias, which its",
        hub_of_model__safetensors=weights(
            **{BIAS: None, "spare": TENSORS["bert.pooler.dense.bias"]}
        ),
    ),
    convert(
        "weights of integers",
        says=("bert.pooler.dense.bias is I32", "F32"),
        hub_of_model__safetensors=weights(
            **{BIAS: {**TENSORS["bert.pooler.dense.bias"], "dtype": "I32"}}
        ),
    ),
]

OTHER_CASES = [
    from_google("no config", says="bert_config.json: cannot be read", **{
        "google_of_bert_config__json": None
    }),
    from_google("deep config", says="is not JSON", **{
        "google_of_bert_config__json": b"[" * 10**6
    }),
    from_google("one direction", says="directionality is 'left'", **{
        "google_of_bert_config__json": changed(directionality="left")
    }),
    from_google("no checkpoint", says=("has no bert_model.ckpt.index", "no other"), **{
        "google_of_bert_model__ckpt__index": None
    }),
    from_google("more tokens", says="has 13 tokens, the configuration's vocab_size is 12", **{
        "google_of_vocab__txt": VOCABULARY + b"more\n"
    }),
    from_run("no run", "--input={here}/hub", says="is not a run directory (it"),
    from_run("no config", says="is not a run directory", start_of_config__json=None),
    from_run("run.json cut", says="run.json: is not JSON", start_of_run__json=b'{"program'),
    from_run("case unknown", says="do_lower_case", start_of_tokenizer_config__json=b"[]"),
    from_run("vocabulary twice", says="line 12 repeats the token 'a'", **{
        "start_of_vocab__txt": VOCABULARY[:-2] + b"a\n"
    }),
    from_run("no weights", says="no whole checkpoint", **{
        "start_of_checkpoints_of_ckpt-1__json": None
    }),
    from_run("config of a giant", says="too few for the architecture", **{
        "start_of_config__json": changed(hidden_size=2**20)
    }),
    from_run("slopes", says=("alibi_slopes is set", "--locality=none"), **{
        "start_of_config__json": changed(alibi_slopes=[1, 0.1])
    }),
    from_run("neighbours", says=("neighbour_offsets is set", "--locality=none"), **{
        "start_of_config__json": changed(neighbour_offsets=[1])
    }),
    from_run("epsilon", "--to=google", says=("layer_norm_eps is 1e-05", "--to=hugg"), **{
        "start_of_config__json": changed(layer_norm_eps=1e-5)
    }),
]  # fmt: skip

CONVERT_CASES = [*FLAG_CASES, *HUB_CASES, *OTHER_CASES]

RECIPE_CASES = [
    recipe("no output", says="--output_dir is missing"),
    recipe("unknown flag", "--outputdir=x", says="'outputdir'. Did you mean: output_dir"),
    recipe("stray", "x", says="'x' is not a flag"),
    recipe("no dataset", "--dataset=", "--output_dir={here}/d", says="--dataset is missing"),
    recipe(
        "half a budget",
        "--output_dir={here}/d",
        "--minutes=3",
        says="--minutes and --finetune_minutes go together",
    ),
    recipe(
        "a budget too small",
        "--output_dir={here}/d",
        "--minutes=3",
        "--finetune_minutes=3",
        says=("--finetune_minutes=3.0: must be above 0, and with", "below --minutes=3.0"),
    ),
    recipe(
        "no minutes for the student",
        "--output_dir={here}/d",
        *("--minutes=9", "--finetune_minutes=3", "--student=num_epochs=1"),
        says="--student_minutes=0.0: goes with --minutes and --student",
    ),
    recipe(
        "minutes for no student",
        "--output_dir={here}/d",
        *("--minutes=9", "--finetune_minutes=3", "--student_minutes=2"),
        says="--student_minutes=2.0: goes with --minutes and --student",
    ),
    recipe(
        "a flag that fine-tuning does not have",
        *("--output_dir={here}/d", "--finetune=num_epoch=1"),
        says=("--finetune: ", "'num_epoch'", "num_epochs"),
    ),
    recipe(
        "texts too long for the model",
        *("--output_dir={here}/d", "--finetune=max_seq_length=1024"),
        says="--finetune: --max_seq_length=1024: the model has max_position_embeddings 512",
    ),
    recipe(
        "a student that cannot be meant",
        *("--output_dir={here}/d", "--student=num_epochs=-1"),
        says="--student: --num_epochs=-1.0: must be above 0",
    ),
    recipe(
        "a pooling that there is not",
        *("--output_dir={here}/d", "--finetune=pooling=detector"),
        says="--finetune: --pooling=detector: must be one of",
    ),
    recipe(
        "no mask to fill in",
        *("--output_dir={here}/d", "--fill_mask=The [mask]."),
        says="has no [MASK] to fill in",
    ),
    recipe("output is a file", "--output_dir={here}/f", says="f: is a file; name a", f=b""),
    recipe("output below a file", "--output_dir={here}/f/d", says="cannot be written", f=b""),
    recipe("output in /proc", "--output_dir=/proc/x", says="/proc cannot be written to"),
    recipe(
        "strangers",
        "--output_dir={here}/d",
        says=("d: holds thesis.tex", "name a new directory"),
        d_of_thesis__tex=b"",
    ),
    recipe(
        "a file in the way",
        "--output_dir={here}/d",
        says=("d: holds runs", "name a new directory"),
        d_of_runs=b"",
    ),
]
