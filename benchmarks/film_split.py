"""A dev split of IMDb whose films are not among those trained on.

  python benchmarks/film_split.py --train_file=data/imdb/train.jsonl --output_dir=data/films

In IMDb the test reviews are of other films than the training reviews, while a dev split cut
from these at random shares their films, and is about two points too kind. The data does not
say which film a review is of. Two reviews are taken to be of the same film if they share two
names; a name is a word that is hardly ever in small letters, and in no more than 40 reviews.

A quarter of the reviews, equally many of each label, are drawn as dev.jsonl. Others that seem
to be of one of their films are left out, and the rest is train.jsonl. (Not all of a film's
reviews are drawn, since those that name many people are longer than others.)
"""

import json
import re
import sys
from collections import Counter, defaultdict
from collections.abc import Sequence
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from absl import flags as absl_flags

import flags
from bert_core.errors import UserError
from loops.files import check_writable, write_whole
from pipelines.examples import Example, read_examples
from pipelines.options import ExamplesOptions

CAPITALISED = re.compile(r"\b[A-Z][a-z]+")
SMALL = re.compile(r"\b[a-z]+\b")
SMALL_SHARE = 0.05  # at most this share of a name's reviews has it in small letters
MOST_REVIEWS = 40  # a name in more says little; no film has more than 30 reviews
SAME_FILM = 2  # names
DEV_SHARE = 0.25


@flags.group
def benchmark_flags() -> None:
    """What to split:"""
    absl_flags.DEFINE_string("train_file", None, "As run_prepare.py writes it.")
    absl_flags.DEFINE_string("output_dir", None, "For train.jsonl and dev.jsonl.")


def main() -> None:
    values = flags.FLAGS
    if not values.train_file or not values.output_dir:
        raise UserError("--train_file and --output_dir are needed; --help shows an example")
    directory = Path(values.output_dir)
    check_writable(directory, "--output_dir")
    write_split(Path(values.train_file), directory)


def write_split(train_file: Path, directory: Path) -> None:
    """Writes train.jsonl and dev.jsonl, and says how large they are."""
    examples = read_examples(train_file, ExamplesOptions())
    directory.mkdir(parents=True, exist_ok=True)
    train, dev = split(examples)
    for name, places in (("train", train), ("dev", dev)):
        lines = [
            json.dumps({"text": examples[i].text, "label": examples[i].label}) for i in places
        ]
        write_whole(directory / f"{name}.jsonl", "\n".join(lines) + "\n")
    print(f"{len(train):,} reviews to train on, {len(dev):,} of other films", flush=True)


def split(examples: Sequence[Example]) -> tuple[list[int], list[int]]:
    """Places of the examples to train on, and of those of other films, in order."""
    of_label = defaultdict(list)
    for index in np.random.default_rng(0).permutation(len(examples)).tolist():
        of_label[examples[index].label].append(index)
    each = round(DEV_SHARE * len(examples) / len(of_label))
    dev = {index for indices in of_label.values() for index in indices[:each]}
    same_film = films([example.text for example in examples])
    near = {other for index in dev for other in same_film[index]}
    return sorted(set(range(len(examples))) - dev - near), sorted(dev)


def films(texts: Sequence[str]) -> list[list[int]]:
    """For each text the places of the others that seem to be of its film."""
    pairs = [np.zeros(0, np.int64)]
    for places in names(texts).values():
        if 2 <= len(places) <= MOST_REVIEWS:
            one, other = np.triu_indices(len(places), 1)
            pairs.append(places[one] * len(texts) + places[other])
    shared, times = np.unique(np.concatenate(pairs), return_counts=True)
    found: list[list[int]] = [[] for _ in texts]
    for pair in shared[times >= SAME_FILM].tolist():
        one, other = divmod(pair, len(texts))
        found[one].append(other)
        found[other].append(one)
    return found


def names(texts: Sequence[str]) -> dict[str, np.ndarray]:
    """For each name the places of the texts that have it, ascending."""
    small: Counter[str] = Counter()
    for text in texts:
        small.update(set(SMALL.findall(text)))
    places = defaultdict(list)
    for index, text in enumerate(texts):
        for name in set(CAPITALISED.findall(text)):
            places[name].append(index)
    return {
        name: np.array(found)
        for name, found in places.items()
        if small[name.lower()] <= SMALL_SHARE * len(found)
    }


if __name__ == "__main__":
    flags.launch(main, benchmark_flags)
