"""More of tests/bad_input_cases.py: programs that use a trained run."""

import json

from tests.bad_input_cases import START, VOCABULARY, Content, Files, changed, named, row

TRAINED = {"max_seq_length": 16, "truncation": "head"}
RECORD = {"program": "finetune", "classification": TRAINED, "labels": ["x", "y"]}
CLASSIFIER: Files = {
    **START,
    "start/run.json": json.dumps({**RECORD, "text_pairs": False}).encode(),
    "in.txt": b"a b\nc\n",
}
PAIRS: Content = json.dumps({**RECORD, "text_pairs": True}).encode()
FILES = ("--input={here}/in.txt", "--output={here}/out.csv")
VECTORS = ("--input={here}/in.csv", "--output={here}/out.npy")


def classify(name: str, *arguments: str, says: str | tuple[str, ...], **files: Content):
    usual = ("--checkpoint={here}/start", "--classify")
    return row(
        "predict",
        f"classify {name}",
        {**CLASSIFIER, **named(files)},
        (*usual, *arguments),
        says,
    )


def embed(name: str, *arguments: str, says: str | tuple[str, ...], **files: Content):
    usual = ("--checkpoint={here}/start", "--embed", "--input={here}/in.txt")
    return row(
        "predict", f"embed {name}", {**CLASSIFIER, **named(files)}, (*usual, *arguments), says
    )


def export(name: str, *arguments: str, says: str | tuple[str, ...], **files: Content):
    usual = ("--checkpoint={here}/start", "--output_dir={here}/served/1")
    return row("export", name, {**CLASSIFIER, **named(files)}, (*usual, *arguments), says)


def quantise(name: str, *says: str, arguments: tuple[str, ...] = (), **files: Content):
    usual = ("--quantize=dynamic", "--eval_file={here}/eval.csv", *arguments)
    files = {"eval__csv": b"text,label\na,x\nb,y\n", **files}
    return export(f"quantise: {name}", *usual, says=says, **files)


def inspect(name: str, *arguments: str, says: str | tuple[str, ...], **files: Content):
    usual = ("--checkpoint={here}/start", "--output={here}/report.html")
    return row("inspect", name, {**CLASSIFIER, **named(files)}, (*usual, *arguments), says)


PREDICT_CASES = [
    classify(
        "and embed", "--embed", says="--classify, --regress, --tag, --embed; given: classify"
    ),
    classify("nothing", "--noclassify", says="--embed; given: none"),
    classify("stray text", "--noclassify", "--fill_mask=[MASK]", "x", says="'x' is not a flag"),
    classify("text and file", "x", *FILES, says=("are for files; leave out 'x'",)),
    classify("no output", FILES[0], says="--output is missing"),
    classify("no input", FILES[1], says="--input is missing"),
    classify("no such file", "--input={here}/x.txt", FILES[1], says="x.txt: cannot be read"),
    classify("kind of output", FILES[0], "--output={here}/o.txt", says="must end in .jsonl or"),
    classify("output there", *FILES, says="out.csv: already exists", out__csv=b""),
    classify("output nowhere", FILES[0], "--output={here}/x/o.csv", says="cannot be written"),
    classify("output in /proc", FILES[0], "--output=/proc/o.csv", says="cannot be written"),
    classify("empty file", *FILES, says="in.txt: holds no texts", in__txt=b""),
    classify("blank file", *FILES, says="in.txt: holds no texts", in__txt=b"\n \n"),
    classify("Latin-1", *FILES, says="in.txt, line 2: is not UTF-8", in__txt=b"a\n\xe9\n"),
    classify(
        "kind of input", "--input={here}/in.pdf", FILES[1], says="unknown kind", in__pdf=b"x"
    ),
    classify(
        "missing column",
        "--input={here}/in.csv",
        FILES[1],
        says="'text' is missing; found 'body'; --text_column names it",
        in__csv=b"body\nx\n",
    ),
    classify("no columns", *FILES, "--text_column=label", says="--text_column=label: is a col"),
    classify("more columns", *FILES, "--text_column=probabilities", says="is a column of"),
    classify("odd columns", *FILES, "--text_column=p(x)", says="is a column of the output"),
    row(
        "predict",
        "a column to be",
        CLASSIFIER,
        ("--checkpoint={here}/start", "--regress", *FILES, "--text_column=predicted"),
        "--text_column=predicted: is a column of the output",
    ),
    row(
        "predict",
        "pairs for one segment",
        {**CLASSIFIER, "start/config.json": changed(type_vocab_size=1)},
        ("--checkpoint={here}/start", "--embed", *VECTORS, "--text_pair_column=b"),
        "start: has one segment, and pairs of texts need two",
    ),
    classify(
        "by a pretrained run",
        "x",
        says="was not fine-tuned for classification; run_finetune.py does it",
        **{"start_of_run__json": b'{"program": "pretrain"}'},
    ),
    classify(
        "by a regression run",
        *FILES,
        says="was fine-tuned for regression; use run_predict.py --regress or --embed",
        start_of_run__json=b'{"program": "finetune", "task": "regression"}',
    ),
    classify(
        "by a run for tags",
        "x",
        says="was fine-tuned for token_classification; use run_predict.py --tag or",
        start_of_run__json=b'{"program": "finetune", "task": "token_classification"}',
    ),
    classify("single texts of pairs", "x", says="trained on pairs", start_of_run__json=PAIRS),
    classify(
        "a column of no file",
        "x",
        "--text_pair_column=b",
        says="--text_pair_column: names a column of a file; give --input",
        start_of_run__json=PAIRS,
    ),
    classify("pairs of single texts", "--text_pair_column=b", *FILES, says="on single texts"),
    classify("too long", "x", "--max_seq_length=33", says="--max_seq_length=33: the model"),
    classify("too short", "x", "--max_seq_length=2", says="--max_seq_length=2: needs at least"),
    classify("no batch", "x", "--batch_size=0", says="--batch_size=0: needs at least 1"),
    classify("none to show", "x", "--top_k=0", says="--top_k=0: must be at least 1"),
    classify(
        "labels that are none",
        "x",
        says="its labels are not a list of names",
        start_of_run__json=b'{"labels": "xy"}',
    ),
    row(
        "predict",
        "numbers by a classifier",
        CLASSIFIER,
        ("--checkpoint={here}/start", "--regress", "x"),
        "was fine-tuned for classification; use run_predict.py --classify or --embed",
    ),
    row(
        "predict",
        "tags into a table",
        CLASSIFIER,
        ("--checkpoint={here}/start", "--tag", *FILES),
        "out.csv: must end in .conll",
    ),
    row(
        "predict",
        "a pattern for a path",
        {**CLASSIFIER, "a[1]/config.json": START["start/config.json"]},
        ("--checkpoint={here}/a[1]", "--classify", "x"),
        "a[1]: TensorFlow takes '[' in the name of a checkpoint for a pattern",
    ),
    row(
        "predict",
        "a scale that is none",
        {
            **CLASSIFIER,
            "start/run.json": b'{"task": "regression", "target_mean": "x"}',
        },
        ("--checkpoint={here}/start", "--regress", "x"),
        "run.json: the mean of its targets is not a number",
    ),
    embed("without output", says="--output is missing"),
    embed("without input", "--input=", "--output={here}/o.npy", says="--input is missing"),
    embed("of an argument", "x", "--output={here}/o.npy", says="are for files; leave out 'x'"),
    embed("into a table", "--output={here}/o.csv", says="o.csv: must end in .npy"),
    row(
        "predict",
        "fill_mask by a classifier",
        CLASSIFIER,
        ("--checkpoint={here}/start", "--fill_mask=[MASK]"),
        "has no masked-language-model head; name a pretrained run",
    ),
]

EXPORT_CASES = [
    export("no checkpoint", "--checkpoint=", says="--checkpoint is missing"),
    export("checkpoint gone", "--checkpoint={here}/x", says="x: is not there; name a run"),
    export("no output", "--output_dir=", says="--output_dir is missing"),
    export("output without a name", "--output_dir=/", says="has no name of its own"),
    export("output with a star", "--output_dir={here}/a*/1", says="takes '*' in the name of"),
    export(
        "tags",
        says="was fine-tuned for token_classification; only runs that classify",
        start_of_run__json=b'{"task": "token_classification", "tags": ["O", "B-X"]}',
    ),
    export("output is a file", "--output_dir={here}/in.txt", says="is a file; name a new"),
    export("output full", "--output_dir={here}/start", says="is not empty; name a new"),
    export("output below a file", "--output_dir={here}/in.txt/x", says="cannot be written to"),
    export("none to show", "--top_k=0", says="--top_k=0: must be at least 1"),
    export("too long", "--max_seq_length=33", says="--max_seq_length=33: the model has"),
    export(
        "no weights",
        says="no whole checkpoint",
        **{"start_of_checkpoints_of_ckpt-1__json": None},
    ),
    export(
        "vocabulary twice", says="vocab.txt: line 13", start_of_vocab__txt=VOCABULARY + b"a\n"
    ),
    export("8 bits and no texts", "--quantize=dynamic", says="--eval_file go together"),
    export("texts and no 8 bits", "--eval_file={here}/in.txt", says="--eval_file go together"),
    quantise("another way", "--quantize=int4: must be dynamic", arguments=("--quantize=int4",)),
    quantise(
        "no classifier",
        "was not fine-tuned for classification",
        start_of_run__json=b'{"program": "pretrain"}',
    ),
    quantise("of pairs", "trained on pairs of texts", start_of_run__json=PAIRS),
    quantise("no labels", "'label' is missing", eval__csv=b"text\na\n"),
    quantise(
        "unknown label", "label 'z' of example 1", "'x', 'y'", eval__csv=b"text,label\na,z\n"
    ),
    quantise("file gone", "eval.csv: cannot be read", eval__csv=None),
]

INSPECT_CASES = [
    inspect("no checkpoint", "--checkpoint=", says="--checkpoint is missing"),
    inspect("checkpoint gone", "--checkpoint={here}/x", says="x: is not there; name a run"),
    inspect("no output", "--output=", says="--output is missing"),
    inspect("kind of output", "--output={here}/r.pdf", says="r.pdf: must end in .html"),
    inspect("output there", says="report.html: already exists", report__html=b""),
    inspect("output nowhere", "--output={here}/x/r.html", says="cannot be written"),
    inspect("stray text", "a text", says="'a text' is not a flag"),
    inspect("empty text", "--text= ", says="--text: is empty"),
    inspect(
        "no weights",
        says="no whole checkpoint",
        **{"start_of_checkpoints_of_ckpt-1__json": None},
    ),
    inspect("metrics", says="line 1 is not as a run writes it", start_of_metrics__jsonl=b"{\n"),
    inspect("corpus", says="corpus.json: is not as", start_of_corpus__json=b'{"files": 1}'),
    inspect("samples", says="samples.txt: cannot be read", start_of_samples__txt=b"\xff\n"),
    inspect("vocabulary", says="line 13 repeats", start_of_vocab__txt=VOCABULARY + b"a\n"),
]
