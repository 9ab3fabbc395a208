"""Running the programs as processes that can be watched, signalled and killed."""

import json
import os
import random
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

ROOT = Path(__file__).resolve().parents[1]
MODEL = {
    "hidden_size": 16,
    "num_hidden_layers": 1,
    "num_attention_heads": 2,
    "intermediate_size": 32,
    "max_position_embeddings": 32,
}
_DEADLINE = 120.0  # seconds; nothing here takes a tenth of it on a quiet machine


class Ended(NamedTuple):
    status: int  # exit code, or minus the signal that killed it
    output: str  # stdout and stderr
    seconds: float  # since the signal, or since the start


class Runs(NamedTuple):
    """Run directories of the two tasks, and the seconds that one took."""

    pretrain: Path
    finetune: Path
    seconds: float


class Program:
    """A running program."""

    def __init__(self, pid: int, output: Path, wait: Callable[[], int]):
        self.pid = pid
        self._output, self._wait = output, wait
        self._since = time.monotonic()

    @property
    def output(self) -> str:
        return self._output.read_text(encoding="utf-8")

    def alive(self) -> bool:
        try:
            state = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()[0]
        except OSError:
            return False
        return state != "Z"

    def until(self, condition: Callable[[], bool]) -> bool:
        """Waits for a condition; False if the program ended before it came."""
        deadline = time.monotonic() + _DEADLINE
        while not condition():
            if not self.alive():
                return False
            assert time.monotonic() < deadline, self.output
            time.sleep(0.001)
        return True

    def send(self, number: int) -> None:
        self._since = time.monotonic()
        os.kill(self.pid, number)

    def end(self) -> Ended:
        status = self._wait()
        return Ended(status, self.output, time.monotonic() - self._since)

    def kill(self) -> Ended:
        self.send(signal.SIGKILL)
        return self.end()


class Zygote:
    """Starts programs one at a time; see tests/zygote.py."""

    def __init__(self, directory: Path, *arguments: str):
        self._directory = directory
        self._started = 0
        self._process = subprocess.Popen(
            [sys.executable, str(ROOT / "tests" / "zygote.py"), *arguments],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            # What startup.start_tensorflow sets, as TensorFlow reads it when imported.
            env={**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3", "TF_ENABLE_ONEDNN_OPTS": "1"},
            stderr=(directory / "zygote.txt").open("w"),
        )

    def start(self, *argv: str, stdin: str = os.devnull, **environment: str) -> Program:
        self._started += 1
        output = self._directory / f"output-{self._started}.txt"
        output.touch()
        request = {"argv": argv, "environment": environment}
        request |= {"input": stdin, "output": str(output)}
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(request) + "\n")
        self._process.stdin.flush()
        return Program(self._answer("pid"), output, lambda: self._answer("status"))

    def run(self, *argv: str, stdin: str = os.devnull, **environment: str) -> Ended:
        return self.start(*argv, stdin=stdin, **environment).end()

    def _answer(self, name: str) -> int:
        assert self._process.stdout is not None
        return int(json.loads(self._process.stdout.readline())[name])

    def close(self) -> None:
        self._process.kill()
        self._process.wait()


def error_of(ended: Ended, status: int) -> str:
    """The one line that says what is wrong."""
    assert ended.status == status, ended.output
    assert "Traceback" not in ended.output
    (line,) = re.findall(r"^run_\w+\.py: .*$", ended.output, re.MULTILINE)
    assert ended.output.rstrip().endswith(line)
    return line


def write_corpus(directory: Path, documents: int = 300) -> None:
    """Text that a tiny model learns a little of, `corpus/a.txt` and `train.jsonl`."""
    chooser = random.Random(0)
    words = ["".join(chooser.choices("abcdefghij", k=1 + i % 6)) for i in range(200)]
    texts = [" ".join(chooser.choices(words, k=12)) for _ in range(documents)]
    (directory / "corpus").mkdir(parents=True)
    (directory / "corpus" / "a.txt").write_text("\n".join(texts) + "\n")
    (directory / "model.json").write_text(json.dumps(MODEL))
    lines = [{"text": text, "label": "ab"[text.count("a") > 6]} for text in texts[:80]]
    (directory / "train.jsonl").write_text("".join(json.dumps(x) + "\n" for x in lines))


def pretrain_command(data: Path, run: Path, cache: Path, *more: str) -> list[str]:
    return [
        "run_pretrain.py",
        f"--corpus_dir={data / 'corpus'}",
        f"--model_config={data / 'model.json'}",
        f"--output_dir={run}",
        f"--cache_dir={cache}",
        "--dropout=0.1",
        "--vocab_size=200",
        "--seq_length=16",
        "--batch_size=4",
        "--eval_sequences=16",
        "--num_train_steps=60",
        "--eval_steps=15",
        "--checkpoint_steps=10",
        "--steps_per_loop=5",
        "--num_threads=1",
        *more,
    ]


def finetune_command(data: Path, start: Path, run: Path, *more: str) -> list[str]:
    return [
        "run_finetune.py",
        f"--init_checkpoint={start}",
        f"--train_file={data / 'train.jsonl'}",
        f"--test_file={data / 'train.jsonl'}",
        f"--output_dir={run}",
        "--max_seq_length=32",
        "--batch_size=8",
        "--num_train_steps=45",
        "--eval_steps=15",
        "--checkpoint_steps=10",
        "--steps_per_loop=5",
        "--num_threads=1",
        *more,
    ]


def variables_of(prefix: Path) -> dict[str, bytes]:
    """All that a checkpoint holds of training: weights, moments, step."""
    import tensorflow as tf

    reader = tf.train.load_checkpoint(str(prefix))
    return {
        name: reader.get_tensor(name).tobytes()
        for name in reader.get_variable_to_shape_map()
        if name.startswith("state/")
    }


def scalar_steps(logs: Path) -> Iterator[tuple[str, str, list[int]]]:
    """(split, chart, its steps) as TensorBoard reads them."""
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    for split in sorted(path for path in logs.iterdir() if path.is_dir()):
        events: Any = EventAccumulator(str(split), size_guidance={"tensors": 0})
        events.Reload()
        for tag in events.Tags()["tensors"]:
            yield split.name, tag, [event.step for event in events.Tensors(tag)]
