"""More of tests/bad_input_cases.py: flags, paths, labelled files, checkpoints."""

import gzip
import json
import pickle

from tests.bad_input_cases import (
    CORPUS,
    START,
    TRAIN,
    VOCABULARY,
    bomb,
    changed,
    finetune,
    predict,
    prepare,
    pretrain,
    row,
)


def flag(argument: str, *says: str):
    return pretrain(argument, argument, says=says)


FLAG_CASES = [
    flag("--corpusdir=x", "'corpusdir'. Did you mean: corpus_dir"),
    flag("--batchsize=8", "'batchsize'. Did you mean: batch_size"),
    flag("--colour=red", "'colour'", "--help"),
    flag("stray", "'stray' is not a flag"),
    flag("--batch_size=many", "batch_size=many"),
    flag("--batch_size=0", "--batch_size=0: needs at least 1"),
    flag("--micro_batch_size=3", "--micro_batch_size=3: must divide --batch_size=32"),
    flag("--micro_batch_size=0", "--micro_batch_size=0: must divide --batch_size=32"),
    flag("--xla=perhaps", "xla=perhaps"),
    flag(
        "--precision=half",
        "--precision=half: must be auto or one of float32, bfloat16, float16",
    ),
    flag("--optimizer=sgd", "--optimizer=sgd: must be one of adamw, lamb"),
    flag(
        "--optimizer=lamb",
        "--optimizer=lamb: --learning_rate is missing; its paper takes 0.005",
        "0.00016 for 32",
    ),
    flag("--seq_length=7", "--seq_length=7: needs at least 8"),
    flag("--masked_share=0", "--masked_share=0.0: must be above 0 and below 1"),
    flag("--masked_share=1", "--masked_share=1.0: must be"),
    flag("--masked_share=nan", "--masked_share=nan: must be"),
    flag("--learning_rate=0", "--learning_rate=0.0: must be above 0"),
    flag("--learning_rate=-1", "--learning_rate=-1.0: must be"),
    flag("--learning_rate=nan", "--learning_rate=nan: must be"),
    flag("--learning_rate=inf", "--learning_rate=inf: must be"),
    flag("--warmup_share=1", "--warmup_share=1.0", "before the warmup does"),
    flag("--warmup_share=nan", "--warmup_share=nan"),
    flag("--decay_power=inf", "--decay_power=inf"),
    flag("--num_train_steps=-5", "--num_train_steps=-5: must be above 0"),
    flag("--num_train_steps=0", "--num_train_steps=0: must be above 0"),
    flag("--num_epochs=inf", "--num_epochs=inf: must be"),
    flag("--max_minutes=nan", "--max_minutes=nan: must be"),
    flag("--profile_steps=5", "--profile_steps=5: must be A:B"),
    flag("--profile_steps=5:5", "--profile_steps=5:5: must be A:B, two step numbers"),
    flag("--profile_steps=9:x", "--profile_steps=9:x: must be A:B"),
    flag("--profile_steps=-1:4", "--profile_steps=-1:4: must be A:B"),
    flag("--profile_steps=", "--profile_steps=: must be A:B"),
    flag("--attention_images=perhaps", "attention_images=perhaps"),
    flag("--distribution=horovod", "--distribution=horovod: must be one of auto, one_device"),
    flag("--distribution=multi_worker", "TF_CONFIG is missing", "docs/scaling.md"),
    flag("--peer_timeout=0", "--peer_timeout=0.0: must be 1 or more seconds"),
    flag("--peer_timeout=nan", "--peer_timeout=nan: must be 1 or more seconds"),
    flag("--num_threads=-1", "--num_threads=-1: must be 0"),
    flag("--seed=-1", "--seed=-1: must be at least 0"),
    flag("--seed=99999999999", "--seed=99999999999: must be", "at most"),
    flag("--dropout=1", "--dropout=1.0: must be 0 or more, and below 1"),
    flag("--dropout=nan", "--dropout=nan: must be 0 or more, and below 1"),
    flag("--weight_decay=inf", "--weight_decay=inf: must be a number"),
    flag("--epsilon=0", "--epsilon=0.0: must be"),
    flag("--beta1=1", "--beta1=1.0: must be in [0, 1)"),
    flag("--clip_norm=-1", "--clip_norm=-1.0: must be"),
    flag("--vocab_size=5", "--vocab_size=5: needs at least 200"),
    flag("--dev_fraction=1", "--dev_fraction=1.0: must be"),
    flag("--max_unknown_rate=2", "--max_unknown_rate=2.0: must be at least 0 and at most 1"),
    flag("--eval_sequences=0", "--eval_sequences=0: must be at least 1"),
    flag("--eval_steps=0", "--eval_steps=0: must be at least 1"),
    flag("--max_to_keep=0", "--max_to_keep=0: must be at least 2"),
    flag("--model=huge", "--model=huge: not one of tiny"),
    flag("--on_bad_text=ignore", "not one of error, replace, skip"),
    flag("--document_boundary=page", "not one of line, blank_line, file"),
    flag("--flagfile={here}/none", "Unable to open flagfile", "none"),
    pretrain(
        "binary flagfile",
        "--flagfile={here}/flags",
        says="--flagfile: names a file that is not text",
        files={**CORPUS, "flags": b"\xff\xfe"},
    ),
    pretrain(
        "two lengths", "--num_epochs=1", "--num_train_steps=1", says=("not both", "given")
    ),
]


PATH_CASES = [
    pretrain("output is a file", "--output_dir={here}/corpus/a.txt", says="is a file; name a"),
    pretrain("output below a file", "--output_dir={here}/corpus/a.txt/x", says="be written to"),
    pretrain("output in /proc", "--output_dir=/proc/x/run", says="/proc cannot be written to"),
    pretrain("cache in /proc", "--cache_dir=/proc/x", says="/proc cannot be written to"),
    pretrain("cache below a file", "--cache_dir={here}/corpus/a.txt/x", says="--cache_dir="),
    pretrain(
        "long name", "--output_dir={here}/" + "x" * 300, says=("--output_dir", "too long")
    ),
    pretrain(
        "NUL", "--flagfile={here}/f", says="--output_dir=", files={"f": b"--output_dir=a\0"}
    ),
    pretrain("output in corpus", "--output_dir={here}/corpus/run", says="lies in --corpus_dir"),
    pretrain("cache in corpus", "--cache_dir={here}/corpus/c", says="lies in --corpus_dir"),
    pretrain(
        "strangers in the output",
        says=("run: holds thesis.tex but no run", "name a new directory"),
        files={**CORPUS, "run/thesis.tex": b""},
    ),
    prepare("no dataset", "--data_dir={here}/d", says="--dataset is missing"),
    prepare("no data_dir", "--dataset=docstrings", says="--data_dir is missing"),
    prepare(
        "escape",
        "--dataset=../../x",
        "--data_dir={here}/d",
        says="is not the name of a dataset",
    ),
    prepare(
        "strangers",
        "--dataset=docstrings",
        "--data_dir={here}/d",
        says=("is not empty", "another --data_dir"),
        d_of_mine__txt=b"",
    ),
    prepare(
        "strangers to overwrite",
        "--dataset=docstrings",
        "--data_dir={here}/d",
        "--overwrite",
        says=("was not written by this program", "not overwritten"),
        d_of_mine__txt=b"",
    ),
    prepare(
        "below a file",
        "--dataset=docstrings",
        "--data_dir={here}/f/d",
        says="cannot be written (Not a directory)",
        f=b"",
    ),
]


def labelled(name: str, content: object, *says: str, suffix: str = "jsonl"):
    path = f"--train_file={{here}}/bad.{suffix}"
    bad = f"bad__{suffix.replace('.', '__')}"
    return finetune(f"labelled: {name}", path, says=(f"bad.{suffix}", *says), **{bad: content})


EXAMPLE_CASES = [
    finetune(
        "a dataset and a file",
        "--dataset=imdb_reviews",
        says="--dataset and --train_file: give the one or the other",
    ),
    finetune("no train file", "--train_file=", says="--train_file is missing"),
    finetune(
        "missing file", "--train_file={here}/no.csv", says="no.csv: cannot be read (No such"
    ),
    finetune(
        "escapes in a name",
        "--train_file={here}/\x1b[2Jno.csv",
        says=r"/\x1b[2Jno.csv: cannot be read",
    ),
    labelled("unknown kind", b"a", "give .jsonl, .csv or .tsv", suffix="txt"),
    labelled("empty", b"", "holds no examples"),
    labelled("header alone", b"text,label\n", "holds no examples", suffix="csv"),
    labelled("ragged", b"text,label\na,b\nc,d,e\n", "line 3: has 3 fields where", suffix="csv"),
    labelled("open quote", b'text,label\n"a,b\n', "line 2: ", "balanced", suffix="csv"),
    labelled(
        "no column", b"text,class\na,b\n", "'label' is missing", "--label_column", suffix="csv"
    ),
    labelled("JSON list", b"[1]\n", "line 1: must be a JSON object"),
    labelled("no key", TRAIN + b'{"text": "a"}', "line 4: column 'label' is missing"),
    labelled("no JSON", TRAIN + b"oops", "line 4: is not JSON"),
    labelled("Latin-1", b"text\tlabel\n\xe9\tx\n", "line 2: is not UTF-8", suffix="tsv"),
    labelled("cut gzip", gzip.compress(TRAIN)[:-5], "not a whole gzip", suffix="jsonl.gz"),
    labelled("bomb", lambda: bomb(b" " * (2**20 - 1) + b"\n"), "100-fold", suffix="jsonl.gz"),
    labelled("50 MB line", lambda: b"x" * 50_000_000, "line 1: is longer than"),
    labelled(
        "label of two lines", TRAIN + b'{"text": "a", "label": "b\\nc"}', "line 4: the label"
    ),
    finetune(
        "one class",
        says=("only the label 'x'", "two or more"),
        train__jsonl=b'{"text": "a", "label": "x"}\n' * 3,
    ),
    finetune(
        "label unseen in training",
        "--dev_file={here}/dev.csv",
        says=("dev.csv: label 'z' of example 2", "'x', 'y'"),
        dev__csv=b"text,label\na,x\nb,z\n",
    ),
    finetune(
        "same text",
        says="give a dev file",
        train__jsonl=TRAIN[:1]
        and (b'{"text": "a", "label": "x"}\n{"text": "a", "label": "y"}\n'),
    ),
    finetune("text is label", "--label_column=text", says="is --text_column already"),
    finetune(
        "too long", "--max_seq_length=33", says=("--max_seq_length=33", "at most that many")
    ),
    finetune("pooling", "--pooling=max", says="--pooling=max: must be one of"),
    finetune(
        "the first window alone",
        *("--pooling=cls", "--attention_window=8", "--max_seq_length=16"),
        says="--attention_window=8: pooling cls would read the first window alone",
    ),
    finetune(
        "guesses of a dataset",
        *("--dataset=docstrings", "--train_file=", "--guessed_file={here}/g.jsonl"),
        says="--dataset and --guessed_file: give the one or the other",
    ),
    finetune(
        "a guess that is not a label",
        "--guessed_file={here}/g.jsonl",
        says=("g.jsonl: label 'z' of example 1", "'x', 'y'"),
        g__jsonl=b'{"text": "a", "label": "z"}\n',
    ),
    finetune(
        "guesses without labels",
        "--guessed_file={here}/g.csv",
        says=("g.csv, line 1: column 'label' is missing",),
        g__csv=b"text,stars\na,x\n",
    ),
    finetune("no dev share", "--dev_share=1", says="--dev_share=1.0: must be"),
    finetune("no seeds", "--num_seeds=0", says="--num_seeds=0: must be at least 1"),
    finetune("negative seed", "--seed=-2", says="--seed=-2: must be at least 0"),
]

PICKLE = pickle.dumps({"weights": [1.0]})
CHECKPOINT_CASES = [
    finetune("no start", "--init_checkpoint=", says="--init_checkpoint is missing"),
    finetune("start gone", "--init_checkpoint={here}/x", says="x: is not there; name a run"),
    finetune(
        "pickle", "--init_checkpoint={here}/m.pt", says="is a file; name a run", m__pt=PICKLE
    ),
    finetune(
        "folder of a pickle",
        "--init_checkpoint={here}/hub",
        says=("has no config.json", "run_convert.py"),
        hub_of_pytorch_model__bin=PICKLE,
    ),
    finetune(
        "no weights",
        says="no whole checkpoint",
        **{"start_of_checkpoints_of_ckpt-1__json": None},
    ),
    finetune(
        "config of a giant",
        says="too few for the architecture",
        start_of_config__json=changed(hidden_size=2**20),
    ),
    finetune(
        "other architecture",
        says="has 12 tokens, the model's config.json says vocab_size 13",
        start_of_config__json=changed(vocab_size=13),
    ),
    finetune("config is a list", says="must hold a JSON object", start_of_config__json=b"[]"),
    finetune(
        "config is a pickle", says="config.json: is not JSON", start_of_config__json=PICKLE
    ),
    finetune(
        "deep config", says="config.json: is not JSON", start_of_config__json=b"[" * 10**6
    ),
    finetune("no vocabulary", says="vocab.txt: cannot be read", start_of_vocab__txt=None),
    finetune(
        "vocabulary twice",
        says="vocab.txt: line 13 repeats",
        start_of_vocab__txt=VOCABULARY + b"a\n",
    ),
    finetune("case unknown", says="do_lower_case", start_of_tokenizer_config__json=b"[]"),
    finetune(
        "run.json is a list",
        says="run.json: is not JSON (no object)",
        start_of_run__json=json.dumps([1]).encode(),
    ),
    predict("no checkpoint", "--checkpoint=", says="--checkpoint is missing"),
    predict("checkpoint gone", "--checkpoint={here}/x", says="x: is not there; name a run"),
    predict("no mask", "--fill_mask=no mask", says=("'no mask': has no [MASK]", "write one")),
    predict("top_k", "--top_k=0", says="--top_k=0: must be at least 1"),
    predict("threads", "--num_threads=-3", says="--num_threads=-3"),
    predict(
        "no weights",
        says="no whole checkpoint",
        **{"start_of_checkpoints_of_ckpt-1__json": None},
    ),
]

REGRESSION = "text,label\na,1.5\nb,2\nc,-3e-1\nd,2\n"
CONLL = b"a O\nb B-X\n\nc O\n\nd I-X\n"


def regression(name: str, content: str, *says: str, **files: bytes):
    flags = ("--task=regression", "--train_file={here}/t.csv")
    files = {"t__csv": content.encode(), **files}
    more = ("--dev_file={here}/dev.csv",) if "dev__csv" in files else ()
    return finetune(f"regression: {name}", *flags, *more, says=says, **files)


def tokens(name: str, content: bytes, *says: str, more: tuple[str, ...] = (), **files: bytes):
    flags = ("--task=token_classification", "--train_file={here}/t.conll", *more)
    return finetune(f"tokens: {name}", *flags, says=says, t__conll=content, **files)


TASK_CASES = [
    finetune("no such task", "--task=ranking", says=("--task=ranking: must be one of", "reg")),
    finetune(
        "regression: guesses",
        *("--task=regression", "--train_file={here}/t.csv", "--guessed_file={here}/g.jsonl"),
        says="--guessed_file: holds classes, --task=regression learns numbers",
        t__csv=REGRESSION.encode(),
        g__jsonl=b"{}",
    ),
    regression("a word", REGRESSION + "e,good\n", "t.csv: target 'good' of example 5 is not a"),
    regression("decimal comma", REGRESSION + 'e,"3,5"\n', "target '3,5' of example 5"),
    regression("NaN", REGRESSION + "e,nan\n", "target 'nan' of example 5 is not a number"),
    regression("infinity", REGRESSION + "e,-inf\n", "target '-inf' of example 5"),
    regression("beyond floats", REGRESSION + "e,1e999\n", "target '1e999' of example 5"),
    regression("no number", REGRESSION + "e,\n", "line 6: the label in 'label' is empty"),
    regression("one value", "text,label\na,2\nb,2.0\n", "every target is 2; there is nothing"),
    regression("spread", "text,label\na,1e308\nb,-1e308\n", "rescale them"),
    regression(
        "in the dev file", REGRESSION, "dev.csv: target 'x'", dev__csv=b"text,label\na,x\n"
    ),
    regression("one text", "text,label\na,1\na,2\n", "give a dev file"),
    finetune(
        "regression: JSON's NaN",
        "--task=regression",
        says=("train.jsonl: target 'NaN' of example 1",),
        train__jsonl=b'{"text": "a", "label": NaN}\n',
    ),
    finetune(
        "regression: a dataset",
        "--task=regression",
        "--dataset=imdb_reviews",
        "--train_file=",
        says=("--dataset: has classes", "--train_file"),
    ),
    tokens(
        "ragged", CONLL + b"\ne NN O\n", "t.conll, line 8: has 3 columns where line 1 has 2"
    ),
    tokens("no tag", b"a\n\nb\n", "t.conll, line 1: has one column"),
    tokens("strange tag", CONLL + b"e NN\n", "line 7: tag 'NN' is neither O nor B-"),
    tokens("empty", b"\n\n", "t.conll: holds no sentences"),
    tokens("all outside", b"a O\n\nb O\n", "every tag is O; there is no entity"),
    tokens("one sentence", b"a O\nb B-X\n", "give a dev file"),
    tokens("binary", b"a O\n\0\0\n", "t.conll, line 2: holds a zero byte"),
    finetune(
        "tokens: cut gzip",
        "--task=token_classification",
        "--train_file={here}/t.gz",
        says="t.gz: is not a whole gzip file",
        t__gz=gzip.compress(CONLL)[:-5],
    ),
    tokens(
        "unseen tag",
        CONLL,
        "dev.conll: tag 'B-Y' of sentence 1",
        more=("--dev_file={here}/dev.conll",),
        dev__conll=b"a B-Y\n",
    ),
    tokens("columns", CONLL, "--label_column have no meaning", more=("--label_column=tag",)),
    tokens("pooling", CONLL, "--pooling: --task=token_class", more=("--pooling=mean",)),
    tokens("missing", CONLL, "no.conll: cannot be read", more=("--test_file={here}/no.conll",)),
]


def phase(name: str, *arguments: str, says: str | tuple[str, ...], new: bytes | None = None):
    """A case of run_pretrain.py that goes on from a run."""
    files = {**CORPUS, **START} | ({} if new is None else {"new.txt": new})
    more = () if new is None else ("--extend_vocab_file={here}/new.txt",)
    usual = ("--init_checkpoint={here}/start", "--seq_length=16")
    return pretrain(f"phase: {name}", *usual, *more, *arguments, says=says, files=files)


BEAM = ("--corpus_dir={here}/corpus", "--cache_dir={here}/cache")
BEAM_CASES = [
    row("prepare_beam", name, CORPUS, (*BEAM, *arguments), says)
    for name, arguments, says in (
        ("no corpus", ("--corpus_dir=",), "--corpus_dir is missing"),
        ("stray", ("x",), "'x' is not a flag; Beam's options are --name=value"),
        ("stray behind", ("--", "--runner=DirectRunner", "x"), "'x' is not a flag"),
        ("Beam's option in front", ("--runner=DirectRunner",), "'runner'"),
        (
            "work in the corpus",
            ("--work_dir={here}/corpus/w",),
            "corpus/w: lies in --corpus_dir",
        ),
        (
            "work in /proc",
            ("--work_dir=/proc/w",),
            "--work_dir=/proc/w: /proc cannot be written",
        ),
        (
            "cache in /proc",
            ("--cache_dir=/proc/c",),
            "--cache_dir=/proc/c: /proc cannot be wri",
        ),
        (
            "vocabulary twice",
            ("--vocab_file=v", "--vocab_size=300"),
            "--vocab_size has no mean",
        ),
        ("small vocabulary", ("--vocab_size=5",), "--vocab_size=5: needs at least 200"),
    )
]
PHASE_CASES = [
    phase("model", "--model=small", says="--model: comes from --init_checkpoint; leave it out"),
    phase("vocabulary", "--vocab_file={here}/v", says="--vocab_file: comes from"),
    phase("words", "--word_init=random", says="--word_init: comes from --init_checkpoint"),
    phase("size", "--vocab_size=300", says="--vocab_size: comes from --init_checkpoint"),
    phase("case", "--nolower_case", says="--lower_case: comes from --init_checkpoint"),
    phase("gone", "--init_checkpoint={here}/x", says="x: is not there; name a run"),
    pretrain(
        "phase: nothing to extend",
        "--extend_vocab_file={here}/new.txt",
        says="--extend_vocab_file: there is no --init_checkpoint to extend",
    ),
    phase("no file", "--extend_vocab_file={here}/no", says="no: cannot be read (No such file"),
    phase("gap", says="new.txt: line 2 is empty", new=b"x\n\ny\n"),
    phase("twice", says="new.txt: line 2 repeats the token 'x' of line 1", new=b"x\nx\n"),
    phase("known", says="new.txt: all its tokens are in the vocabulary", new=b"a\nb\n[MASK]\n"),
    phase("empty", says="new.txt: line 1 is empty", new=b""),
    phase("binary", says="new.txt: line 1 is not UTF-8", new=b"\x80\x04"),
]


def cluster(name: str, tf_config: str, *arguments: str, says: str | tuple[str, ...]):
    """A case of both programs' beginning, TF_CONFIG."""
    name, case = pretrain(f"cluster: {name}", *arguments, says=says)
    return name, case._replace(tf_config=tf_config)


def tf_config(cluster: object, index: int = 0) -> str:
    return json.dumps({"cluster": cluster, "task": {"type": "worker", "index": index}})


TWO = {"worker": ["localhost:2222", "localhost:2223"]}
CLUSTER_CASES = [
    cluster("no JSON", "{'cluster'", says="TF_CONFIG: is not JSON"),
    cluster("parameter server", tf_config({"ps": ["a:1"]}), says="has the job 'ps'"),
    cluster("nobody", "{}", "--distribution=multi_worker", says='has no "cluster"'),
    cluster("no port", tf_config({"worker": ["a", "b"]}), says='"a" is not host:port'),
    cluster("a third of two", tf_config(TWO, 2), says='its "task"'),
    cluster(
        "odd batch",
        tf_config(TWO),
        "--batch_size=3",
        says=("--batch_size=3: the 2 workers of TF_CONFIG cannot share it", "multiple of 2"),
    ),
    cluster(
        "peer port", tf_config(TWO), "--peer_port=70000", says="--peer_port=70000: must be"
    ),
]
_, ODD = finetune("cluster: odd", "--batch_size=5", says="--batch_size=5: the 2 workers of")
CLUSTER_CASES.append(("cluster: fine-tuning", ODD._replace(tf_config=tf_config(TWO))))
