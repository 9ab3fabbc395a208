"""How much of the labels a pretrained model knows already: a linear classifier on its vectors.

  python run_predict.py --checkpoint=runs/pretrain --embed --input=data/imdb/train.jsonl \
      --output=vectors.npy --max_seq_length=128
  python benchmarks/linear_probe.py --vectors=vectors.npy --train_file=data/imdb/train.jsonl

Ridge regression of a label's sign on vectors of mean 0 and variance 1. A share --held_out of
the texts, drawn with seed 0, is not trained on; the best of four strengths is shown. Two
classes.
"""

import sys
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from absl import flags as absl_flags

import flags
from bert_core.errors import UserError
from pipelines.examples import read_examples

STRENGTHS = (10.0, 100.0, 1000.0, 5000.0)  # on the diagonal of X^T X


@flags.group
def benchmark_flags() -> None:
    """What to classify:"""
    absl_flags.DEFINE_string("vectors", None, "Of run_predict.py --embed: .npy, [texts, H].")
    absl_flags.DEFINE_string("train_file", None, "The labelled texts they are of.")
    absl_flags.DEFINE_float("held_out", 0.25, "Share of the texts to judge by.")


def main() -> None:
    values = flags.FLAGS
    if not values.vectors or not values.train_file:
        raise UserError("--vectors and --train_file are needed; --help shows an example")
    vectors = np.load(values.vectors, allow_pickle=False)
    labels = [x.label for x in read_examples(Path(values.train_file), flags.examples_options())]
    if len(labels) != len(vectors) or len(set(labels)) != 2:
        raise UserError(
            f"--train_file={values.train_file}: has {len(labels)} texts of {len(set(labels))} "
            f"labels; two labels and as many texts as vectors ({len(vectors)}) are needed"
        )
    signs = np.where(np.array(labels) == labels[0], 1.0, -1.0)
    order = np.random.default_rng(0).permutation(len(signs))
    judged, trained = np.split(order, [round(values.held_out * len(order))])
    x = (vectors - vectors.mean(axis=0)) / vectors.std(axis=0)
    x = np.concatenate([x, np.ones((len(x), 1))], axis=1)
    scores = {c: accuracy(x, signs, trained, judged, c) for c in STRENGTHS}
    best = max(scores, key=lambda c: scores[c])
    print(f"{scores[best]:.4f} of {len(judged):,} held out are right, with strength {best:g}")


def accuracy(
    x: np.ndarray, signs: np.ndarray, trained: np.ndarray, judged: np.ndarray, strength: float
) -> float:
    """On the rows `judged` of x [texts, H + 1], of the regression on the rows `trained`."""
    own = x[trained]
    weights = np.linalg.solve(
        own.T @ own + strength * np.eye(x.shape[1]), own.T @ signs[trained]
    )
    return float(np.mean((x[judged] @ weights > 0) == (signs[judged] > 0)))


if __name__ == "__main__":
    flags.launch(main, benchmark_flags, flags.column_flags)
