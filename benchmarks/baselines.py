"""What a classifier has to beat: the largest class, and NB-SVM on words and bigrams.

  python benchmarks/baselines.py --train_file=data/imdb/train.jsonl \
      --test_file=data/imdb/test.jsonl

The regularisation of NB-SVM (pipelines/nb_svm.py) is chosen on the dev split that
run_finetune.py would choose on; then it is trained on all. Two classes only.
"""

import sys
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from absl import flags as absl_flags

import flags
from bert_core.errors import UserError
from pipelines.dev_split import split_dev
from pipelines.examples import Example, read_examples
from pipelines.nb_svm import NbSvm
from pipelines.second_opinion import two_labels

STRENGTHS = (0.1, 0.3, 1.0, 3.0)  # C, the weight of the data against the regularisation


@flags.group
def benchmark_flags() -> None:
    """What to classify:"""
    absl_flags.DEFINE_string("train_file", None, "Labelled .jsonl, .csv or .tsv.")
    absl_flags.DEFINE_string("test_file", None, "Scored once.")
    absl_flags.DEFINE_float("dev_share", 0.1, "Share of the training file to choose on.")


def main() -> None:
    values, columns = flags.FLAGS, flags.examples_options()
    if not values.train_file or not values.test_file:
        raise UserError("--train_file and --test_file are needed; --help shows an example")
    all_train = read_examples(Path(values.train_file), columns)
    test = read_examples(Path(values.test_file), columns)
    labels = two_labels(all_train, values.train_file)
    started = time.monotonic()
    train, dev = split_dev(all_train, values.dev_share, seed=0)
    scores = {c: accuracy(train, dev, labels, c) for c in STRENGTHS}
    best = max(scores, key=lambda c: scores[c])
    largest = max(labels, key=lambda x: sum(example.label == x for example in all_train))
    print(f"majority: test accuracy {np.mean([x.label == largest for x in test]):.4f}")
    print(f"NB-SVM: dev accuracy {scores[best]:.4f} with C = {best}")
    result = accuracy(all_train, test, labels, best)
    print(f"NB-SVM: test accuracy {result:.4f} ({time.monotonic() - started:.0f} s)")


def accuracy(
    train: Sequence[Example], test: Sequence[Example], labels: tuple[str, str], strength: float
) -> float:
    """Accuracy of NB-SVM trained on `train` and tested on `test`."""
    model = NbSvm(train, labels, strength)
    return float(np.mean((model.margins(test) > 0) == (model.signs(test) > 0)))


if __name__ == "__main__":
    flags.launch(main, benchmark_flags, flags.column_flags)
