"""Every command-line flag, grouped by what it is about, and the way programs start.

A program calls `launch(main, ...groups)`. Each group is a function that defines
flags; each `*_options()` function reads them into the frozen dataclass of the package
that uses them. Nothing here imports TensorFlow, so `--help` and a wrong flag answer
at once.
"""

import contextlib
import dataclasses
import math
import os
import re
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NoReturn

from absl import flags

from bert_core import config as bert_config
from bert_core.adamw_options import AdamWOptions
from bert_core.errors import RunError, UserError
from bert_core.escapes import escaped
from loops import console, stopping
from loops.cluster import read_cluster
from loops.options import (
    DistributionOptions,
    LengthOptions,
    LoopOptions,
    RuntimeOptions,
    ScheduleOptions,
    TrainingOptions,
)
from loops.processor import fastest_precision
from loops.recipe_options import Budget, RecipeOptions
from loops.use_options import (
    ACTIONS,
    FORMATS,
    ConvertOptions,
    ExportOptions,
    InspectOptions,
    PredictOptions,
    SecondOpinionOptions,
)
from pipelines import options

FLAGS = flags.FLAGS
WIDEST_SMALL = 512  # the largest H for which auto picks what helps small models


def launch(
    main: Callable[[], None], *groups: Callable[[], None], takes_texts: bool = False
) -> None:
    """Defines the groups, parses the command line and runs `main()`.

    With `takes_texts`, other arguments are kept: texts, or Beam's options after `--`.

    A user's mistake, in flags or later, gives one line on stderr and exit code 2; a full
    disk or memory, 1; a signal, 129, 130 or 143. `--help` prints the program's docstring and
    its flags, with exit code 0.
    """
    console.harden_output()
    program = sys.modules["__main__"].__doc__ or ""
    for group in groups:
        group()
    if any(argument in ("--help", "-help", "-h", "--h") for argument in sys.argv[1:]):
        print(_help_text(program, groups))
        sys.exit(0)
    try:
        _parse_command_line(takes_texts)
        stopping.install()
        main()
    except UserError as error:
        _exit_with(2, error)
    except stopping.Stopped as stopped:
        _exit_with(stopping.exit_code(), stopped)
    except (RunError, OSError) as error:  # also from saving after a signal
        _exit_with(1, error)
    except Exception:
        if stopping.requested():  # TensorFlow turns Stopped into its own exception
            _exit_with(stopping.exit_code(), "stopped")
        raise


_texts: list[str] = []


def _parse_command_line(takes_texts: bool) -> None:
    FLAGS.set_gnu_getopt(True)  # flags may follow other arguments
    try:
        extra = FLAGS(sys.argv)[1:]
    except flags.Error as error:
        raise UserError(f"{str(error).removeprefix('ERROR:: ')}; --help lists all") from None
    except UnicodeDecodeError as error:
        raise UserError(f"--flagfile: names a file that is not text ({error})") from None
    if takes_texts:
        _texts.extend(extra)
    elif extra:
        raise UserError(f"{extra[0]!r} is not a flag; flags are written --name=value")


def _exit_with(code: int, message: object) -> NoReturn:
    one_line = " ".join(str(message).splitlines())
    with contextlib.suppress(OSError):  # a terminal that is gone
        print(f"{Path(sys.argv[0]).name}: {escaped(one_line)}", file=sys.stderr)
    sys.exit(code)


def _help_text(program: str, groups: Sequence[Callable[[], None]]) -> str:
    """The docstring, then each group's flags with their defaults, in order."""
    lines = [program.strip()]
    for group in groups:
        lines += ["", (group.__doc__ or group.__name__).strip().splitlines()[0]]
        for name in _names_defined_by[group]:
            flag = FLAGS[name]
            default = "" if flag.default is None else f" (default: {flag.default_as_str})"
            lines += [f"  --{name}: {flag.help}{default}"]
    return "\n".join(lines)


_names_defined_by: dict[Callable[[], None], list[str]] = {}


def group(define: Callable[[], None]) -> Callable[[], None]:
    """Remembers which flags a group defines, for `--help`; a second call defines nothing."""

    def define_once() -> None:
        if define_once in _names_defined_by:
            return
        before = set(FLAGS)
        define()
        _names_defined_by[define_once] = [name for name in FLAGS if name not in before]

    define_once.__doc__ = define.__doc__
    define_once.__name__ = define.__name__
    return define_once


@group
def dataset_flags() -> None:
    """A public dataset:"""
    flags.DEFINE_string(
        "dataset", None, "docstrings (embedded), or a text dataset of TensorFlow Datasets."
    )
    flags.DEFINE_string(
        "tfds_data_dir", None, "Where TFDS datasets are kept; unset: ~/tensorflow_datasets."
    )
    flags.DEFINE_bool("download", True, "Fetch a TFDS dataset that is not there yet.")
    flags.DEFINE_bool("unlabelled", True, "Let TFDS splits without labels join the corpus.")
    flags.DEFINE_string("text_key", "text", "Field of a TFDS dataset that holds the text.")
    flags.DEFINE_string(
        "label_key", None, "Field that holds the label; unset: label, if there is one."
    )


@group
def prepare_flags() -> None:
    """Where to write it:"""
    flags.DEFINE_string("data_dir", None, "Directory to write.")
    flags.DEFINE_bool("overwrite", False, "Replace what an earlier run wrote to --data_dir.")


def given_dataset_flags() -> list[str]:
    """The flags of `dataset_flags` that the command line gives, for another program."""
    names = _names_defined_by[dataset_flags]
    return [
        part
        for name in names
        if FLAGS[name].present
        for part in FLAGS[name].serialize().splitlines()
    ]


def prepare_options() -> options.PrepareOptions:
    return dataset_options(_required_path("data_dir"), FLAGS.overwrite)


def dataset_options(data_dir: Path, overwrite: bool = False) -> options.PrepareOptions:
    if not FLAGS.dataset:
        raise UserError("--dataset is missing; --help shows examples")
    if not re.fullmatch(r"[\w./:-]+", FLAGS.dataset) or ".." in FLAGS.dataset:
        raise UserError(
            f"--dataset={FLAGS.dataset!r}: is not the name of a dataset, see --help"
        )
    for name in ("unlabelled", "text_key", "label_key"):
        if FLAGS.dataset == options.EMBEDDED and FLAGS[name].present:
            raise UserError(f"--{name}: is for datasets of TFDS, not {FLAGS.dataset}")
    return options.PrepareOptions(
        dataset=FLAGS.dataset,
        data_dir=data_dir,
        overwrite=overwrite,
        tfds_data_dir=_path("tfds_data_dir"),
        download=FLAGS.download,
        unlabelled=FLAGS.unlabelled,
        text_key=FLAGS.text_key,
        label_key=FLAGS.label_key,
    )


@group
def corpus_flags() -> None:
    """Text to pretrain on:"""
    flags.DEFINE_string("corpus_dir", None, "Folder of .txt, .jsonl, each optionally .gz.")
    flags.DEFINE_string(
        "document_boundary", "line", "Where a document in a .txt ends: line, blank_line, file."
    )
    flags.DEFINE_string("text_key", "text", "Field of a .jsonl line that holds the text.")
    flags.DEFINE_string(
        "on_bad_text", "error", "Invalid UTF-8 or binary: error, replace, or skip the document."
    )


def corpus_options() -> options.CorpusOptions:
    return options.CorpusOptions(
        corpus_dir=_required_path("corpus_dir"),
        document_boundary=FLAGS.document_boundary,
        text_key=FLAGS.text_key,
        on_bad_text=FLAGS.on_bad_text,
    )


@group
def cache_flags() -> None:
    """What is made once and then kept:"""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache") / "bert_trainer"
    flags.DEFINE_string("cache_dir", str(cache), "For vocabularies, token stores, datasets.")


def dataset_cache() -> Path:
    """Where --dataset is written by a program that only reads it."""
    return _required_path("cache_dir") / "datasets" / FLAGS.dataset


@group
def store_flags() -> None:
    """Vocabulary and token store:"""
    flags.DEFINE_integer("vocab_size", 8192, "Word pieces to learn.")
    flags.DEFINE_string("vocab_file", None, "A vocab.txt to use instead of learning one.")
    flags.DEFINE_bool("lower_case", True, "Lowercase and strip accents, as BERT uncased does.")
    flags.DEFINE_float("dev_fraction", 0.01, "Share of the documents kept for evaluation.")
    flags.DEFINE_float("max_unknown_rate", 0.05, "Highest share of unknown tokens to accept.")


def store_options() -> options.StoreOptions:
    if FLAGS.vocab_file and FLAGS["vocab_size"].present:
        raise UserError("--vocab_size has no meaning with --vocab_file; give one of the two")
    extends = "extend_vocab_file" in FLAGS  # some programs start from no run
    if extends and FLAGS.extend_vocab_file and not FLAGS.init_checkpoint:
        raise UserError("--extend_vocab_file: there is no --init_checkpoint to extend")
    return options.StoreOptions(
        cache_dir=_required_path("cache_dir"),
        vocab_size=FLAGS.vocab_size,
        vocab_file=_path("vocab_file"),
        extend_vocab_file=_path("extend_vocab_file") if extends else None,
        lower_case=FLAGS.lower_case,
        dev_fraction=FLAGS.dev_fraction,
        max_unknown_rate=FLAGS.max_unknown_rate,
    )


@group
def beam_flags() -> None:
    """Preparing on a cluster (Beam's own options go after --):"""
    flags.DEFINE_string(
        "work_dir",
        None,
        "Directory that all workers can write to, such as gs://bucket/tmp; unset: --cache_dir.",
    )


def beam_options() -> tuple[str, str, list[str]]:
    """Where the corpus is and where workers write, perhaps gs://..., and Beam's options."""
    for argument in _texts:
        if not argument.startswith("--"):
            raise UserError(f"{argument!r} is not a flag; Beam's options are --name=value too")
    places = []
    for name in ("corpus_dir", "work_dir" if FLAGS.work_dir else "cache_dir"):
        value = str(FLAGS[name].value)
        places.append(value if "://" in value else str(_expanded(name, value)))
    return places[0], places[1], list(_texts)


@group
def model_flags() -> None:
    """The model to train from scratch:"""
    shapes = ", ".join(f"{name} L{n} H{h}" for name, (n, h) in bert_config.PRESETS.items())
    flags.DEFINE_string("model", "tiny", f"One of Google's published shapes: {shapes}.")
    flags.DEFINE_string("model_config", None, "A JSON file of BertConfig fields instead.")
    flags.DEFINE_string(
        "locality",
        "auto",
        "alibi: steep distance penalties in attention, so that a small model leaves the "
        "unigram plateau; neighbours: these, and in each embedding a vector of the token "
        "before and of the one after; none: faithful BERT; auto: neighbours for tiny to "
        "medium.",
    )
    flags.DEFINE_string(
        "word_init",
        "auto",
        "cooccurrence: embeddings of words, and of neighbours, begin as vectors counted in the "
        "corpus; random: as in BERT; auto: cooccurrence up to a width of 512.",
    )
    flags.DEFINE_float(
        "dropout",
        0.0,
        "Dropout in pretraining, whatever --model_config says; with little text try 0.1.",
    )


def model_config(vocab_size: int | None, seq_length: int) -> bert_config.BertConfig:
    """The architecture for a vocabulary of that size and sequences of that length.

    Without a size, --vocab_size stands in: good enough to find mistakes early.
    """
    expected = FLAGS.vocab_size if vocab_size is None else vocab_size
    locality = FLAGS.locality
    if locality not in ("auto", "neighbours", "alibi", "none"):
        raise UserError(f"--locality={locality}: must be one of auto, neighbours, alibi, none")
    path = _path("model_config")
    if path is None:
        config = bert_config.preset(FLAGS.model, expected)
        small = config.hidden_size <= WIDEST_SMALL
        locality = ("neighbours" if small else "none") if locality == "auto" else locality
    else:
        if FLAGS["model"].present:
            raise UserError("--model and --model_config both name an architecture; give one")
        config = bert_config.read_config(path, expected)
    if locality != "auto":  # with --model_config, auto is what the file says
        slopes = bert_config.steep_slopes(config.num_attention_heads)
        config = dataclasses.replace(
            config,
            alibi_slopes=() if locality == "none" else slopes,
            neighbour_offsets=(-1, 1) if locality == "neighbours" else (),
        )
    config.check_length(seq_length, "--seq_length")
    return with_dropout(config)


def word_init(hidden_size: int) -> str:
    """--word_init for a model of width H: "cooccurrence" or "random"; or UserError."""
    if FLAGS.word_init not in ("auto", "cooccurrence", "random"):
        raise UserError(
            f"--word_init={FLAGS.word_init}: must be one of auto, cooccurrence, random"
        )
    if FLAGS.word_init != "auto":
        return FLAGS.word_init
    return "cooccurrence" if hidden_size <= WIDEST_SMALL else "random"


def with_dropout(config: bert_config.BertConfig) -> bert_config.BertConfig:
    """The architecture, with --dropout everywhere."""
    return dataclasses.replace(
        config, hidden_dropout_prob=dropout(), attention_probs_dropout_prob=dropout()
    )


def dropout() -> float:
    if not 0 <= FLAGS.dropout < 1:
        raise UserError(f"--dropout={FLAGS.dropout}: must be 0 or more, and below 1")
    return FLAGS.dropout


@group
def phase_flags() -> None:
    """Instead, the model to continue from:"""
    flags.DEFINE_string(
        "init_checkpoint",
        None,
        "Run directory to take weights, architecture and vocabulary from; positions are added "
        "for a longer --seq_length, and the schedule begins anew.",
    )
    flags.DEFINE_string(
        "extend_vocab_file", None, "Tokens to add to its vocabulary, one per line."
    )


def start_of_phase() -> Path | None:
    """--init_checkpoint; UserError if another flag says what comes from there."""
    start = _path("init_checkpoint")
    if start is not None:
        for name in (
            "model",
            "model_config",
            "locality",
            "word_init",
            "vocab_file",
            "vocab_size",
            "lower_case",
        ):
            if FLAGS[name].present:
                raise UserError(f"--{name}: comes from --init_checkpoint; leave it out")
    return start


def pretraining_config(
    earlier: bert_config.BertConfig | None, vocab_size: int, seq_length: int
) -> bert_config.BertConfig:
    """A new architecture, or an earlier one with room for more tokens and positions."""
    if earlier is None:
        return model_config(vocab_size, seq_length)
    positions = max(earlier.max_position_embeddings, seq_length)
    return with_dropout(
        dataclasses.replace(earlier, vocab_size=vocab_size, max_position_embeddings=positions)
    )


@group
def mlm_flags() -> None:
    """Masked language modelling:"""
    flags.DEFINE_integer("seq_length", 128, "Tokens per sequence, [CLS] and [SEP] included.")
    flags.DEFINE_integer("batch_size", 32, "Sequences per step, over all devices.")
    flags.DEFINE_float("masked_share", 0.15, "Share of the tokens to predict.")
    flags.DEFINE_bool("whole_word_masking", False, "Mask all pieces of a word together.")
    flags.DEFINE_integer("eval_sequences", 256, "Most dev sequences an evaluation reads.")
    flags.DEFINE_bool("prepare_only", False, "Stop when vocabulary and token store are made.")


def mlm_options() -> options.MlmOptions:
    return options.MlmOptions(
        seq_length=FLAGS.seq_length,
        batch_size=FLAGS.batch_size,
        masked_share=FLAGS.masked_share,
        whole_word_masking=FLAGS.whole_word_masking,
        seed=FLAGS.seed,
    )


def check_pretraining_flags() -> None:
    """UserError for flags that are wrong whatever the start and the corpus hold."""
    as_flagfile()
    eval_sequences()
    dropout()


@group
def column_flags() -> None:
    """What labelled files hold:"""
    flags.DEFINE_string("text_column", "text", "Column or field of the text.")
    flags.DEFINE_string("text_pair_column", None, "Column of a second text, if there is one.")
    flags.DEFINE_string("label_column", "label", "Column or field of the label, or the number.")


def examples_options() -> options.ExamplesOptions:
    return options.ExamplesOptions(
        text_column=FLAGS.text_column,
        label_column=FLAGS.label_column,
        text_pair_column=FLAGS.text_pair_column,
    )


@group
def finetune_flags() -> None:
    """What to fine-tune, and on what:"""
    flags.DEFINE_string(
        "task", "classification", "classification, regression or token_classification."
    )
    flags.DEFINE_string("init_checkpoint", None, "Run directory to start from.")
    flags.DEFINE_bool("from_scratch", False, "Only its shape, with random weights: a baseline.")
    flags.DEFINE_string(
        "train_file",
        None,
        "Labelled .jsonl, .csv or .tsv, optionally .gz; for tags, a word and its tag per line.",
    )
    flags.DEFINE_string(
        "guessed_file",
        None,
        "More to train on, with labels guessed by run_predict.py --classify --output.",
    )
    flags.DEFINE_string(
        "dev_file", None, "To choose the best weights on; unset: cut from --train_file."
    )
    flags.DEFINE_string("test_file", None, "Scored once, at the end.")
    flags.DEFINE_float("dev_share", 0.1, "Share of the training file to use as dev split.")
    flags.DEFINE_integer("max_seq_length", 256, "Tokens a text is cut to.")
    flags.DEFINE_string("truncation", "head", "What is kept of a longer text: head, head_tail.")
    flags.DEFINE_integer("batch_size", 32, "Texts per step, of all devices.")
    flags.DEFINE_string(
        "pooling",
        "auto",
        "What is read of a text: mean of the tokens, detectors (that, and each learned "
        "feature where it is strongest), BERT's cls, or auto: as in the run that it starts "
        "from if that is fine-tuned or imported, else mean.",
    )
    flags.DEFINE_integer(
        "attention_window",
        None,
        "Read longer texts in windows of at most this many tokens, such as pretraining's "
        "--seq_length: faster, with --pooling=mean or detectors; unset: as in that run.",
    )
    flags.DEFINE_integer("num_seeds", 1, "Repeat with this many seeds; mean and deviation.")
    flags.DEFINE_float("dropout", 0.1, "Dropout in fine-tuning.")
    flags.DEFINE_float(
        "token_dropout", 0.0, "Share of a text's tokens hidden behind [MASK], anew each epoch."
    )
    flags.DEFINE_integer(
        "only_check_flags",
        None,
        "Only check the flags, and the files that exist, for a start with this many positions; "
        "0: with enough.",
    )


def eval_sequences() -> int:
    if FLAGS.eval_sequences < 1:
        raise UserError(f"--eval_sequences={FLAGS.eval_sequences}: must be at least 1")
    return FLAGS.eval_sequences


def init_checkpoint() -> Path:
    return _required_path("init_checkpoint")


def task(known: Sequence[str]) -> str:
    """--task, one of those that the program knows."""
    if FLAGS.task not in known:
        raise UserError(f"--task={FLAGS.task}: must be one of {', '.join(known)}")
    return FLAGS.task


def labelled_files() -> dict[str, Path | None]:
    """{"train", "guessed", "dev", "test"} -> file; None for what is not given."""
    if FLAGS.dataset is None and FLAGS.train_file is None:
        raise UserError("--train_file is missing (or name a --dataset); --help shows examples")
    train = _required_path("train_file")
    others = {name: _path(f"{name}_file") for name in ("guessed", "dev", "test")}
    return {"train": train, **others}


def reads_dataset() -> bool:
    """Whether --dataset is given; UserError if a file of one's own is given too."""
    if not FLAGS.dataset:
        return False
    files = ("train_file", "guessed_file", "dev_file", "test_file")
    for name in (*files, "text_column", "text_pair_column", "label_column"):
        if FLAGS[name].present and FLAGS[name].value:
            raise UserError(f"--dataset and --{name}: give one or the other")
    if FLAGS.task != "classification":
        raise UserError(f"--dataset: has classes; for --task={FLAGS.task} give --train_file")
    return True


def num_seeds() -> int:
    if not 1 <= FLAGS.num_seeds <= 1000:
        raise UserError(f"--num_seeds={FLAGS.num_seeds}: must be at least 1, at most 1000")
    return FLAGS.num_seeds


def finetuning_config(
    config: bert_config.BertConfig, trained_pooling: str, pools: bool
) -> bert_config.BertConfig:
    """The pretrained architecture, as fine-tuning is to train it.

    trained_pooling: what "auto" means, from `run_directory.trained_pooling`.
    pools: whether the task reads a text as one vector; else no pooler is kept.
    """
    if FLAGS.attention_window is not None:
        config = dataclasses.replace(config, attention_window=FLAGS.attention_window)
    config.check_length(FLAGS.max_seq_length, "--max_seq_length")
    if FLAGS.text_pair_column:
        config.check_pairs(f"--init_checkpoint={FLAGS.init_checkpoint}")
    allowed = ("auto", *bert_config.POOLINGS)
    if FLAGS.pooling not in allowed:
        raise UserError(f"--pooling={FLAGS.pooling}: must be one of {', '.join(allowed)}")
    if not pools and FLAGS.pooling != "auto":
        raise UserError(f"--pooling: --task={FLAGS.task} reads each token and pools none")
    automatic = trained_pooling if pools else "mean"
    pooling = automatic if FLAGS.pooling == "auto" else FLAGS.pooling
    if pooling == "cls" and not config.fits_one_window(FLAGS.max_seq_length):
        raise UserError(
            f"--attention_window={config.attention_window}: pooling cls would read only the "
            "first window; give --pooling=mean or detectors, or --attention_window=0"
        )
    return with_dropout(dataclasses.replace(config, pooling=pooling))


def check_finetuning_flags(pools: bool) -> None:
    """UserError for flags that are wrong whatever the start and the files hold."""
    as_flagfile()
    if not reads_dataset():
        labelled_files()
    if FLAGS.task == "regression" and FLAGS.guessed_file:
        raise UserError("--guessed_file: holds classes, --task=regression learns numbers")
    positions = FLAGS.only_check_flags or max(512, FLAGS.max_seq_length)
    any_start = bert_config.BertConfig(vocab_size=8192, max_position_embeddings=positions)
    finetuning_config(any_start, "mean", pools)


def text_options(seed: int) -> options.TextOptions:
    return options.TextOptions(
        max_seq_length=FLAGS.max_seq_length,
        batch_size=FLAGS.batch_size,
        truncation=FLAGS.truncation,
        token_dropout=FLAGS.token_dropout,
        seed=seed,
    )


def dev_share() -> float:
    if not 0 < FLAGS.dev_share < 1:
        raise UserError(f"--dev_share={FLAGS.dev_share}: must be above 0 and below 1")
    return FLAGS.dev_share


@group
def output_flags() -> None:
    """What to write:"""
    flags.DEFINE_string("output_dir", None, "Directory; a run already in it is resumed.")


@group
def training_flags() -> None:
    """Training:"""
    flags.DEFINE_integer("seed", 0, "For weights, order, masks and dropout.")
    flags.DEFINE_integer("num_train_steps", None, "Optimiser steps.")
    flags.DEFINE_float("num_epochs", None, "Passes over the training data instead.")
    flags.DEFINE_float("max_minutes", None, "Or minutes; the first steps are measured.")
    flags.DEFINE_integer(
        "micro_batch_size",
        None,
        "Rows of a batch taken at a time, for less memory; unset: all of a device's share.",
    )
    flags.DEFINE_string(
        "precision",
        "float32",
        "Of matrix products: float32, bfloat16, float16, or auto: bfloat16 where the CPU has "
        "instructions for it, else float32. The rest stays float32.",
    )
    flags.DEFINE_bool("xla", False, "Compile the step with XLA.")
    flags.DEFINE_bool(
        "recompute", False, "Compute blocks again for their gradients, for less memory."
    )
    flags.DEFINE_string("optimizer", "adamw", "adamw, or lamb for very large batches.")
    flags.DEFINE_float("learning_rate", None, "Peak; unset: chosen from the model's width.")
    flags.DEFINE_float("warmup_share", 0.06, "Share of the steps over which the rate rises.")
    flags.DEFINE_float("decay_power", 1.0, "Power of the polynomial by which the rate falls.")
    flags.DEFINE_float("weight_decay", 0.01, "Decoupled; not on biases and LayerNorm.")
    flags.DEFINE_float("beta1", 0.9, "AdamW's first decay rate.")
    flags.DEFINE_float("beta2", 0.98, "AdamW's second decay rate.")
    flags.DEFINE_float("epsilon", 1e-6, "AdamW's epsilon.")
    flags.DEFINE_float("clip_norm", 1.0, "Global norm that gradients are clipped to; 0: none.")
    flags.DEFINE_integer(
        "steps_per_loop", None, "Steps per host call; unset: a few seconds' worth, at most 10."
    )
    flags.DEFINE_integer(
        "eval_steps", None, "Steps between evaluations; unset: ten per run, or every epoch."
    )
    flags.DEFINE_integer("checkpoint_steps", 500, "Steps between checkpoints.")
    flags.DEFINE_integer("max_to_keep", 3, "Checkpoints to keep.")
    flags.DEFINE_integer(
        "max_bad_steps",
        0,
        "Most steps to skip whose gradient is not finite; float16 has its own rule.",
    )
    flags.DEFINE_bool("allow_drift", False, "Resume although settings differ from the run's.")
    flags.DEFINE_bool(
        "attention_images", False, "Attention maps of a dev text at each evaluation."
    )
    flags.DEFINE_string(
        "profile_steps", None, "A:B: trace the steps from A to before B for the profiler."
    )


def training_runtime(**default_length: float) -> RuntimeOptions:
    """How to start TensorFlow for training; UserError for a mistake in any training flag.

    The peak rate depends on the model's width, which need not be known yet.
    """
    return training_options(default_peak=1.0, **default_length).runtime


def length_options(**default: float) -> LengthOptions:
    """How long to train; `default` if no flag says."""
    lengths = ("num_train_steps", "num_epochs", "max_minutes")
    given = {name: FLAGS[name].value for name in lengths if FLAGS[name].value is not None}
    return LengthOptions(**(given or default))


def training_options(default_peak: float, **default_length: float) -> TrainingOptions:
    """What the training and runtime flags say; the defaults are the task's."""
    return TrainingOptions(
        adamw=AdamWOptions(
            beta1=FLAGS.beta1,
            beta2=FLAGS.beta2,
            epsilon=FLAGS.epsilon,
            weight_decay=FLAGS.weight_decay,
            clip_norm=FLAGS.clip_norm,
        ),
        schedule=ScheduleOptions(
            _peak_rate(default_peak),
            FLAGS.warmup_share,
            FLAGS.decay_power,
        ),
        length=length_options(**default_length),
        loop=LoopOptions(
            steps_per_loop=FLAGS.steps_per_loop,
            eval_steps=FLAGS.eval_steps,
            checkpoint_steps=FLAGS.checkpoint_steps,
            max_to_keep=FLAGS.max_to_keep,
            max_bad_steps=FLAGS.max_bad_steps,
        ),
        runtime=dataclasses.replace(
            runtime_options(),
            allow_drift=FLAGS.allow_drift,
            xla=FLAGS.xla,
            precision=_precision(),
            recompute=FLAGS.recompute,
        ),
        micro_batch_size=_micro_batch_size(),
        profile_steps=_profile_steps(),
        optimizer=FLAGS.optimizer,
    )


def _precision() -> str:
    return fastest_precision() if FLAGS.precision == "auto" else FLAGS.precision


def _peak_rate(default: float) -> float:
    if FLAGS.learning_rate is not None:
        return FLAGS.learning_rate
    if FLAGS.optimizer == "lamb":
        # The rates that You et al. 2019 did not tune; the default is AdamW's, and does not
        # suit steps as long as the weights.
        paper = 5e-3 * math.sqrt(max(FLAGS.batch_size, 1) / 32768)
        raise UserError(
            "--optimizer=lamb: --learning_rate is missing; its paper takes 0.005 for 32,768 "
            f"rows per step, which scales by the square root to {paper:.2g} for "
            f"{FLAGS.batch_size}"
        )
    return default


def _micro_batch_size() -> int | None:
    batch, micro = FLAGS.batch_size, FLAGS.micro_batch_size
    if micro is not None and (micro < 1 or batch % micro):
        raise UserError(f"--micro_batch_size={micro}: must divide --batch_size={batch}")
    return micro


def _profile_steps() -> tuple[int, int] | None:
    if FLAGS.profile_steps is None:
        return None
    match = re.fullmatch("([0-9]{1,15}):([0-9]{1,15})", FLAGS.profile_steps)
    first, end = map(int, match.groups()) if match else (0, 0)
    if first >= end:
        raise UserError(
            f"--profile_steps={FLAGS.profile_steps}: must be A:B, two step numbers with A "
            "below B, such as 20:25"
        )
    return first, end


@group
def distribution_flags() -> None:
    """The devices to train on:"""
    flags.DEFINE_string(
        "distribution",
        "auto",
        "one_device; mirrored: all GPUs of this machine; multi_worker: those of all workers "
        "in TF_CONFIG; auto: whatever is there.",
    )
    flags.DEFINE_float(
        "peer_timeout",
        300.0,
        "Seconds that workers wait for one that does not join or makes no progress.",
    )
    flags.DEFINE_integer(
        "peer_port",
        None,
        "Chief's port, for workers to agree by; unset: 1000 above TensorFlow's.",
    )


def distribution_options() -> DistributionOptions:
    """What the flags and TF_CONFIG say."""
    asked = FLAGS.distribution
    reads = asked in ("auto", "multi_worker")
    return DistributionOptions(
        kind=asked,
        cluster=read_cluster(required=asked == "multi_worker") if reads else None,
        batch_size=FLAGS.batch_size,
        micro_batch_size=_micro_batch_size(),
        peer_timeout=FLAGS.peer_timeout,
        peer_port=FLAGS.peer_port,
    )


@group
def predict_flags() -> None:
    """What to use, and on what:"""
    flags.DEFINE_string("checkpoint", None, "Run directory.")
    flags.DEFINE_multi_string("fill_mask", [], "A text with [MASK] in it; may be repeated.")
    flags.DEFINE_bool("classify", False, "Classes of texts, by a fine-tuned run.")
    flags.DEFINE_bool("regress", False, "Numbers for texts, by a run of --task=regression.")
    flags.DEFINE_bool(
        "tag", False, "Tags of space-separated words, by a run of --task=token_classification."
    )
    flags.DEFINE_bool("embed", False, "Sentence vectors: means of the last layer.")
    flags.DEFINE_string("input", None, "Texts: .txt, .jsonl, .csv or .tsv, optionally .gz.")
    flags.DEFINE_string(
        "output",
        None,
        "New file: .jsonl, .csv or .tsv of classes or numbers; .conll of tags; .npy of "
        "vectors.",
    )
    flags.DEFINE_string("text_column", "text", "Column or field of the text in --input.")
    flags.DEFINE_string("text_pair_column", None, "Column of a second text, if there is one.")
    flags.DEFINE_integer("top_k", 5, "Words or classes to show, the likeliest first.")
    flags.DEFINE_integer(
        "max_seq_length", None, "Tokens a text is cut to; unset: as many as in training."
    )
    flags.DEFINE_integer("batch_size", 32, "Texts of a file to compute at once.")


def checkpoint() -> Path:
    return _required_path("checkpoint")


def predict_options() -> PredictOptions:
    given = [name for name in ACTIONS if FLAGS[name].value]
    if len(given) != 1:
        choice = ", ".join(f"--{name}" for name in ACTIONS)
        raise UserError(f"give one of {choice}; given: {', '.join(given) or 'none'}")
    if given == ["fill_mask"] and _texts:
        raise UserError(f'{_texts[0]!r} is not a flag; write --fill_mask="a [MASK] word"')
    return PredictOptions(
        action=given[0],
        texts=tuple(FLAGS.fill_mask or _texts),
        input=_path("input"),
        output=_path("output"),
        top_k=FLAGS.top_k,
    )


def unlabelled_columns() -> options.ExamplesOptions:
    """The columns of texts whose labels are to be found."""
    for flag in ("text_column", "text_pair_column"):
        name = FLAGS[flag].value or ""
        if (
            FLAGS.classify and (name in ("label", "probabilities") or name.startswith("p("))
        ) or (FLAGS.regress and name == "predicted"):
            raise UserError(f"--{flag}={name}: is a column of the output; rename it")
    return options.ExamplesOptions(
        text_column=FLAGS.text_column,
        label_column=None,
        text_pair_column=FLAGS.text_pair_column,
    )


def reading_options(max_seq_length: int, truncation: str) -> options.TextOptions:
    """How texts become batches for a trained run."""
    return options.TextOptions(max_seq_length, FLAGS.batch_size, truncation)


@group
def second_opinion_flags() -> None:
    """Whose guesses to amend:"""
    flags.DEFINE_string("train_file", None, "Labelled .jsonl, .csv or .tsv, optionally .gz.")
    flags.DEFINE_multi_string(
        "guessed_file",
        [],
        "What run_predict.py --classify --output=x.jsonl wrote; repeat it for several runs.",
    )
    flags.DEFINE_float(
        "dev_share",
        0.1,
        "As for run_finetune.py: its dev split is left out here too; 0 if it has a --dev_file.",
    )
    flags.DEFINE_string("output", None, "New .jsonl file, in the same form.")


def second_opinion_options() -> SecondOpinionOptions:
    return SecondOpinionOptions(
        train_file=_required_path("train_file"),
        guessed_files=tuple(_expanded("guessed_file", x) for x in FLAGS.guessed_file if x),
        output=_required_path("output"),
        dev_share=FLAGS.dev_share,
    )


@group
def recipe_flags() -> None:
    """The recipe:"""
    flags.DEFINE_multi_string("pretrain", [], "A flag of run_pretrain.py, without its dashes.")
    flags.DEFINE_multi_string("finetune", [], "A flag of run_finetune.py, without its dashes.")
    flags.DEFINE_multi_string(
        "student",
        [],
        "A flag of run_finetune.py for a second fine-tuning, which also learns the labels that "
        "the first guesses for the dataset's other texts; unset: there is none.",
    )
    flags.DEFINE_bool(
        "second_opinion", False, "With --student: NB-SVM guesses, too (run_second_opinion.py)."
    )
    flags.DEFINE_integer(
        "num_teachers", 1, "How many models guess, each with its share of --finetune_minutes."
    )
    flags.DEFINE_float(
        "minutes",
        None,
        "From raw text to the first model that is scored; with --student, the first student.",
    )
    flags.DEFINE_float("finetune_minutes", None, "Of these, at most this many for fine-tuning.")
    flags.DEFINE_float("student_minutes", 0.0, "Of these, for guessing and the --student.")
    flags.DEFINE_multi_string("fill_mask", [], "A text with [MASK] in it, to be filled in.")


def recipe_options() -> RecipeOptions:
    if not FLAGS.dataset:
        raise UserError("--dataset is missing; --flagfile=configs/demo.flags has one")
    if FLAGS.fill_mask:
        PredictOptions("fill_mask", tuple(FLAGS.fill_mask))  # checks them
    return RecipeOptions(
        pretrain=tuple(f"--{x}" for x in FLAGS.pretrain),
        finetune=tuple(f"--{x}" for x in FLAGS.finetune),
        student=tuple(f"--{x}" for x in FLAGS.student),
        second_opinion=FLAGS.second_opinion,
        num_teachers=FLAGS.num_teachers,
        fill_mask=tuple(f"--fill_mask={x}" for x in FLAGS.fill_mask),
        budget=_budget(),
    )


def _budget() -> Budget | None:
    minutes, finetune, student = FLAGS.minutes, FLAGS.finetune_minutes, FLAGS.student_minutes
    if (minutes is None) != (finetune is None):
        raise UserError("--minutes and --finetune_minutes go together; give both, or neither")
    if bool(minutes and FLAGS.student) != bool(student):
        raise UserError(
            f"--student_minutes={student}: goes with --minutes and --student; give it where "
            "both are given, and only there"
        )
    return None if minutes is None else Budget(minutes, finetune, student)


@group
def export_flags() -> None:
    """What to export:"""
    flags.DEFINE_string("checkpoint", None, "Run directory.")
    flags.DEFINE_string("output_dir", None, "New directory to write.")
    flags.DEFINE_integer("top_k", 5, "Words for each [MASK] of a masked-language model.")
    flags.DEFINE_integer(
        "max_seq_length", None, "Tokens a text is cut to; unset: as many as in training."
    )
    flags.DEFINE_string(
        "quantize", None, "dynamic: also a TFLite classifier with 8-bit weights."
    )
    flags.DEFINE_string("eval_file", None, "Labelled texts, to see what quantising costs.")
    flags.DEFINE_integer("batch_size", 32, "Texts of --eval_file to compute at once.")


def export_options() -> ExportOptions:
    return ExportOptions(
        output_dir=output_dir(),
        top_k=FLAGS.top_k,
        quantize=FLAGS.quantize,
        eval_file=_path("eval_file"),
    )


@group
def inspect_flags() -> None:
    """What to look into:"""
    flags.DEFINE_string("checkpoint", None, "Run directory.")
    flags.DEFINE_string("output", None, "New file, .html.")
    flags.DEFINE_multi_string(
        "text",
        [],
        "A text to show the model on; may be repeated. Unset: some that the run has kept.",
    )


def inspect_options() -> InspectOptions:
    return InspectOptions(output=_required_path("output"), texts=tuple(FLAGS.text))


@group
def convert_flags() -> None:
    """What to convert, and into what:"""
    formats = ", ".join(FORMATS)
    flags.DEFINE_string("from", None, f"Format of --input: {formats}.")
    flags.DEFINE_string("to", None, f"Format of --output: {formats}.")
    flags.DEFINE_string("input", None, "Directory to read.")
    flags.DEFINE_string("output", None, "New directory to write.")
    flags.DEFINE_bool(
        "lower_case", None, "Whether the vocabulary is uncased; unset: as the input says."
    )


def convert_options() -> ConvertOptions:
    source, target = FLAGS["from"].value, FLAGS["to"].value
    if not source or not target:
        missing = "to" if source else "from"
        raise UserError(f"--{missing} is missing; --help shows examples")
    return ConvertOptions(
        source=source,
        target=target,
        input=_required_path("input"),
        output=_required_path("output"),
        lower_case=FLAGS.lower_case,
    )


@group
def runtime_flags() -> None:
    """The process:"""
    flags.DEFINE_integer("num_threads", 0, "TensorFlow's threads; 0: one per core.")
    flags.DEFINE_bool("verbose", False, "Show what TensorFlow prints.")


def runtime_options() -> RuntimeOptions:
    return RuntimeOptions(num_threads=FLAGS.num_threads, verbose=FLAGS.verbose)


def output_dir() -> Path:
    return _required_path("output_dir")


def as_flagfile() -> str:
    """The flags that were given, one per line, for use as a --flagfile.

    Flagfiles among them are spelled out: one may be the very file this is written to.
    UserError for a value that such a file cannot hold.
    """
    lines = []
    for name in sorted(FLAGS):
        # Resuming under other settings is allowed once, not from then on.
        if not FLAGS[name].present or name == "allow_drift":
            continue
        value = FLAGS[name].value
        for each in map(str, value if isinstance(value, list) else [value]):
            if each != each.rstrip() or len(each.splitlines()) > 1:
                raise UserError(
                    f"--{name}={each!r}: has a line break or ends in a space, which a run's "
                    "flags.txt cannot hold; rename it"
                )
        lines.append(f"{FLAGS[name].serialize()}\n")
    return "".join(lines)


def _path(name: str) -> Path | None:
    """The path a flag gives, or None; UserError if nothing could be there."""
    return _expanded(name, str(FLAGS[name].value)) if FLAGS[name].value else None


def _expanded(name: str, value: str) -> Path:
    path = Path(value)
    try:
        path = path.expanduser()
        path.stat()
    except (FileNotFoundError, NotADirectoryError):
        pass  # to be made, or missed by whoever needs it
    except (OSError, ValueError, RuntimeError) as error:  # too long, NUL, no such user
        problem = getattr(error, "strerror", None) or error
        raise UserError(
            f"--{name}={str(path)[:80]!r}: is not a usable path ({problem})"
        ) from None
    return path


def _required_path(name: str) -> Path:
    path = _path(name)
    if path is None:
        raise UserError(f"--{name} is missing; --help shows examples")
    return path
