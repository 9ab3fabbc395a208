"""The speed of `run_predict.py --classify` against that of transformers' pipeline.

  python benchmarks/predict.py                     # 4,000 docstrings, L2 H128
  python benchmarks/predict.py --input=texts.jsonl --model=base --num_texts=200

Both classify the same file with the same random weights, cut to the same length, on
the same number of threads, and must arrive at the same probabilities. Everything from
texts to results counts: tokens, batches, the model, and here also tracing it and writing
the file; importing and loading do not. transformers gets its best of several batch sizes,
in the file's order and with the longest texts first. The fastest of several runs counts,
as other work on the machine only ever slows one down. transformers is installed into a
virtual environment of its own on first use.
"""

import itertools
import json
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from absl import flags as absl_flags

import flags
import run_predict
from benchmarks.peer_venv import HERE, peer_python
from loops import startup

LABELS = ("no", "yes")
CLOSE = 1e-5  # of probabilities in float32, computed in another order


@flags.group
def benchmark_flags() -> None:
    """What to measure:"""
    absl_flags.DEFINE_string("input", None, "A .jsonl of texts; unset: docstrings.")
    absl_flags.DEFINE_string("model", "tiny", "Shape of the classifier.")
    absl_flags.DEFINE_integer("num_texts", 4000, "How many texts of the file to use.")
    absl_flags.DEFINE_integer("max_seq_length", 256, "Tokens a text is cut to.")
    absl_flags.DEFINE_integer("batch_size", 32, "Of run_predict.py.")
    absl_flags.DEFINE_integer("repeats", 3, "Timed runs of each; the fastest counts.")


def main() -> None:
    python = peer_python("requirements-transformers.txt")
    runtime = flags.runtime_options()
    values = flags.FLAGS
    startup.start_tensorflow(runtime)
    with tempfile.TemporaryDirectory() as directory:
        here = Path(directory)
        texts = texts_to_classify()
        lines = (json.dumps({"text": text}) + "\n" for text in texts)
        (here / "texts.jsonl").write_text("".join(lines), encoding="utf-8")
        make_model(here, texts)
        before, expected = measure(here, "before")
        threads = startup.num_threads(runtime)
        peer = measure_peer(python, here, threads)
        ours = min(before, measure(here, "after")[0])
        check_same(expected, peer["probabilities"])
    print(f"\n{len(texts):,} texts, {values.model}, {threads} threads: texts a second")
    print(f"{len(texts) / ours:10,.0f}  run_predict.py, batches of {values.batch_size}")
    best = min(peer["seconds"].values())
    for name, seconds in peer["seconds"].items():
        mark = "  <- its best" if seconds == best else ""
        print(f"{len(texts) / seconds:10,.0f}  transformers, {name}{mark}")
    print(f"{best / ours:10.2f}  times as fast as its best")


def texts_to_classify() -> list[str]:
    from pipelines import docstrings
    from pipelines.options import ExamplesOptions
    from pipelines.unlabelled import read_texts

    values = flags.FLAGS
    if values.input:
        found = (example.text for example in read_texts(Path(values.input), ExamplesOptions()))
    else:
        found = (document.text for document in docstrings.source().documents)
    return list(itertools.islice(found, values.num_texts))


def make_model(here: Path, texts: list[str]) -> None:
    """Random weights as a run, here/run, and as transformers reads them, here/model."""
    from bert_core.config import preset
    from bert_core.models import Classifier
    from bert_core.names import named_variables
    from loops import huggingface_files, run_files
    from loops.portable import Portable
    from pipelines.vocabulary_learner import learn_vocabulary

    tokens = learn_vocabulary(texts, 8192, lower_case=True)
    config = preset(flags.FLAGS.model, len(tokens))
    variables = named_variables(Classifier(config, len(LABELS)))
    model = Portable(
        config=config,
        variables={name: variable.numpy() for name, variable in variables.items()},
        tokens=tuple(tokens),
        lower_case=True,
        labels=LABELS,
        report=[],
        source={},
    )
    for directory in (here / "run", here / "model"):
        directory.mkdir()
    run_files.write(here / "run", model, {})
    huggingface_files.write(here / "model", model)


def measure(here: Path, name: str) -> tuple[float, list[dict[str, float]]]:
    """Seconds from texts to results, as run_predict.py works, and the results."""
    from loops.trained_run import read_trained_run
    from loops.use_options import PredictOptions
    from pipelines.options import ExamplesOptions
    from pipelines.tokenizer import Tokenizer
    from pipelines.unlabelled import read_texts
    from pipelines.vocabulary import read_vocabulary

    run, columns, times = read_trained_run(here / "run"), ExamplesOptions(), []
    reading = flags.reading_options(flags.FLAGS.max_seq_length, run.truncation)
    vocabulary = read_vocabulary(run.path / "vocab.txt", run.lower_case)
    texts = read_texts(here / "texts.jsonl", columns)
    for repeat in range(flags.FLAGS.repeats):
        output = here / f"{name}-{repeat}.jsonl"
        options = PredictOptions("classify", input=here / "texts.jsonl", output=output)
        started = time.perf_counter()
        reader = run_predict.Reader(run, options, Tokenizer(vocabulary), reading)
        run_predict.work_through(reader, columns, texts)
        times.append(time.perf_counter() - started)
    lines = output.read_text(encoding="utf-8").removesuffix("\n").split("\n")
    return min(times), [json.loads(line)["probabilities"] for line in lines]


def measure_peer(python: Path, here: Path, threads: int) -> Any:
    """What benchmarks/transformers_predict.py says."""
    values = flags.FLAGS
    numbers = (values.max_seq_length, threads, values.repeats)
    program = HERE / "transformers_predict.py"
    command = [python, program, here / "model", here / "texts.jsonl", *numbers]
    done = subprocess.run(
        [str(x) for x in command], check=True, stdout=subprocess.PIPE, text=True
    )
    return json.loads(done.stdout.splitlines()[-1])


def check_same(ours: list[dict[str, float]], theirs: list[dict[str, float]]) -> None:
    """Says how far apart the probabilities are; ends the program if many are far apart."""
    apart = [abs(a["yes"] - b["yes"]) for a, b in zip(ours, theirs, strict=True)]
    far = sum(x > CLOSE for x in apart)  # some texts are tokenised differently
    print(f"probabilities differ by {statistics.median(apart):.1e}; {far} by over {CLOSE:g}")
    if far > len(apart) / 100:
        sys.exit("predict.py: the two do not compute the same; nothing is measured")


if __name__ == "__main__":
    flags.launch(main, benchmark_flags, flags.runtime_flags)
