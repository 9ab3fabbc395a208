"""A run's own directory: everything needed to go on with it, or to use it.

config.json            the architecture
vocab.txt              the vocabulary; tokenizer_config.json says whether lowercased
labels.txt             the classes, or tags, of a fine-tuned run
flags.txt              the command line, as a flagfile
corpus.json            what was pretrained on: counts of documents, characters, tokens
samples.txt            the beginnings of a few dev texts, for run_inspect.py
run.json               what the run's numbers depend on; a resume must agree with it
checkpoints/           train state (loops/checkpoints.py)
best/                  the best weights of a fine-tuned run
logs/                  TensorBoard
metrics.jsonl          every logged number
curves.png             the curves of these, drawn at the end
predictions.tsv        the answers of a fine-tuned run; confusion.png
"""

import fcntl
import json
import os
import shlex
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TextIO

from bert_core.config import BertConfig, read_config
from bert_core.errors import UserError
from loops.files import check_name, check_writable, naming, write_whole

# A start that died before run.json was written may leave these: the lock, and what comes
# after it, with `checkpoints` empty.
_LEFT_BY_A_DEAD_START = (
    ".lock",
    "checkpoints",
    "config.json",
    "vocab.txt",
    "tokenizer_config.json",
    "labels.txt",
    "flags.txt",
    "corpus.json",
    "samples.txt",
    "run.json",
)
# Fields of run.json that are not settings.
_RESULTS = ("num_train_steps", "drift", "test_baseline")
# Settings without which the run's weights mean nothing, or something else.
_OF_THE_WEIGHTS = (
    *("program", "task", "vocabulary", "labels", "tags", "target_mean", "target_deviation"),
    *("model.vocab_size", "model.hidden_size", "model.num_hidden_layers"),
    *("model.num_attention_heads", "model.intermediate_size", "model.type_vocab_size"),
    *("model.max_position_embeddings", "model.alibi_slopes", "model.neighbour_offsets"),
    "model.pooling",
)


class RunDirectory:
    """An output directory, locked for this process as long as it lives."""

    def __init__(self, path: Path):
        """Makes the directory and locks it; UserError when another process has it."""
        if path.exists() and not path.is_dir():
            raise UserError(f"--output_dir={path}: is a file; name a directory")
        try:
            path.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise _unwritable(path, error) from None
        self._lock = _locked(path)
        with naming(path / ".lock"):
            os.ftruncate(self._lock.fileno(), 0)
            os.write(self._lock.fileno(), str(os.getpid()).encode())
        self.path = path
        self.checkpoints = path / "checkpoints"
        self.best = path / "best"
        self.logs = path / "logs"
        self.metrics = path / "metrics.jsonl"

    @property
    def is_new(self) -> bool:
        """Whether no run has been recorded here yet."""
        return not (self.path / "run.json").exists()

    def write(self, name: str, data: str | bytes) -> None:
        write_whole(self.path / name, data)

    def record(self, values: Mapping[str, Any]) -> None:
        """Writes run.json; from then on the run exists."""
        self.write("run.json", json.dumps(values, indent=2) + "\n")

    def recorded(self) -> dict[str, Any]:
        """run.json as it was written."""
        return read_record(self.path)

    def check_same(self, values: Mapping[str, Any], allow_drift: bool) -> list[str]:
        """Compares what this process would record with what the run recorded.

        Returns the fields that differ, a line each; raises UserError if there are any
        and `allow_drift` is false, or the weights belong to another vocabulary, labels or
        architecture. The step count, once fixed, is not compared.
        """
        now = flat(json.loads(json.dumps(values)))  # a tuple comes back as a list
        then = {k: v for k, v in flat(self.recorded()).items() if k not in _RESULTS}
        # The same weights are the same start, wherever they lie.
        if "init_sha256" in now and then.get("init_sha256") == now["init_sha256"]:
            then["init_checkpoint"] = now["init_checkpoint"]
        differing = [name for name in {**then, **now} if then.get(name) != now.get(name)]
        others = [name for name in differing if name in _OF_THE_WEIGHTS]
        if others:
            raise UserError(
                f"{self.path}: its weights were trained with another {', '.join(others)}; name "
                f"another --output_dir, and start there from --init_checkpoint={self.path}"
            )
        drift = [
            f"{name}: {then.get(name)!r} then, {now.get(name)!r} now" for name in differing
        ]
        if drift and not allow_drift:
            raise UserError(
                f"{self.path}: holds a run made with other settings ({'; '.join(drift)}); "
                "use the same, another --output_dir, or --allow_drift to go on anyway"
            )
        return drift

    def command(self, *more_flags: str) -> str:
        """What to type to go on with this run."""
        flagfile = f"--flagfile={self.path / 'flags.txt'}"
        return shlex.join(["python", sys.argv[0], flagfile, *more_flags])


def _unwritable(path: Path, error: OSError) -> UserError:
    return UserError(f"--output_dir={path}: cannot be written ({error.strerror})")


def _locked(path: Path) -> TextIO:
    """The .lock of a directory, locked as long as it stays open; UserError if it cannot be."""
    try:
        file = (path / ".lock").open("a+")
    except OSError as error:
        raise _unwritable(path, error) from None
    try:
        # The kernel drops it with the process, so a dead owner does not stand in the way.
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        file.seek(0)
        owner = file.read().strip() or "unknown"
        raise UserError(
            f"--output_dir={path}: process {owner} is writing to it; wait or stop it"
        ) from None
    except OSError as error:
        raise UserError(
            f"--output_dir={path}: cannot be locked ({error.strerror}); name a directory on "
            "another disk"
        ) from None
    return file


def check_output_dir(path: Path, program: str) -> None:
    """UserError when `path` cannot become a run directory; writes nothing.

    program: "pretrain" or "finetune", which a run that is there must be of.
    """
    check_name(path, "--output_dir=")
    if path.exists() and not path.is_dir():
        raise UserError(f"--output_dir={path}: is a file; name a directory")
    check_writable(path, "--output_dir")
    if (path / ".lock").exists():  # no long work for a directory that another process uses
        _locked(path).close()
    if (path / "run.json").exists():
        other = read_record(path).get("program", program)
        if other != program:
            raise UserError(
                f"--output_dir={path}: holds a run of run_{other}.py; name another directory"
            )
    elif path.exists():
        names = [x.name.removesuffix(".tmp") for x in path.iterdir()]
        strangers = sorted(set(names) - set(_LEFT_BY_A_DEAD_START))
        strangers += [f"checkpoints/{x.name}" for x in path.glob("checkpoints/*")]
        if not strangers and ".lock" not in names:
            strangers = sorted(names)
        if strangers:
            raise UserError(
                f"--output_dir={path}: holds {strangers[0]} but no run; name a new directory"
            )


def flat(values: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """{"mlm": {"seed": 0}} -> {"mlm.seed": 0}."""
    leaves: dict[str, Any] = {}
    for name, value in values.items():
        if isinstance(value, Mapping):
            leaves |= flat(value, f"{prefix}{name}.")
        else:
            leaves[prefix + name] = value
    return leaves


def read_record(path: Path) -> dict[str, Any]:
    """The run.json of a run directory."""
    try:
        record = json.loads((path / "run.json").read_text(encoding="utf-8"))
        if not isinstance(record, dict):
            raise ValueError("no object")
        return record
    except OSError:
        raise UserError(f"{path}: is not a run directory (it has no run.json)") from None
    except (ValueError, RecursionError) as error:
        raise UserError(f"{path / 'run.json'}: is not JSON ({error})") from None


def read_run_config(path: Path) -> BertConfig:
    """The architecture of a run directory."""
    if not path.is_dir():
        problem = "is a file" if path.exists() else "is not there"
        raise UserError(f"{path}: {problem}; name a run directory")
    check_name(path)
    if not (path / "config.json").exists():
        seeds = sorted(path.glob("seed-*/config.json"))
        if seeds:
            raise UserError(f"{path}: holds several runs; name one, such as {seeds[0].parent}")
        raise UserError(
            f"{path}: is not a run directory (it has no config.json); run_pretrain.py makes "
            "one, run_convert.py makes one from others' checkpoints"
        )
    return read_config(path / "config.json")


def check_weights(path: Path, config: BertConfig) -> None:
    """UserError unless a run has saved weights, of about the size its configuration says.

    So a made-up configuration is refused before memory is set aside for it.
    """
    directory = path / "best" if (path / "best").is_dir() else path / "checkpoints"
    if not any(directory.glob("ckpt-*.json")):
        raise UserError(
            f"{directory}: holds no whole checkpoint; name a run directory that training "
            "has saved into"
        )
    saved = sum(file.stat().st_size for file in directory.glob("ckpt-*.data-*"))
    if config.encoder_bytes > saved:
        raise UserError(
            f"{directory}: its {saved:,} bytes are too few for the architecture in "
            f"{path / 'config.json'}, {config.encoder_bytes:,} bytes; bring back the files "
            "that belong together"
        )


def trained_pooling(path: Path) -> str:
    """What a run's pooler, trained or imported, reads of a text; the mean, which has no
    weights, if there is no pooler."""
    # Pretraining here records BERT's configuration, "cls", but trains no pooler: it has
    # no next-sentence loss.
    pretrained_here = read_record(path).get("program") == "pretrain"
    return "mean" if pretrained_here else read_run_config(path).pooling


def read_lower_case(path: Path) -> bool:
    """Whether a run directory's vocabulary is uncased."""
    file = path / "tokenizer_config.json"
    try:
        return bool(json.loads(file.read_text(encoding="utf-8"))["do_lower_case"])
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        raise UserError(f"{file}: does not say do_lower_case; is it a run directory?") from None
