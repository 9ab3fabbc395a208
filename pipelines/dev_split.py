"""A dev split, cut from the training examples where no file of its own is given."""

from collections import defaultdict
from collections.abc import Sequence

import numpy as np

from bert_core.errors import UserError
from pipelines.examples import Example


def split_dev(
    examples: Sequence[Example], fraction: float, seed: int, by_label: bool = True
) -> tuple[list[Example], list[Example]]:
    """Sets a share of each label's examples aside: (train, dev), in input order.

    A pure function of its arguments. Examples of the same text (and second text)
    go to one side together, and count under the label of the first. Each label with two
    different texts or more has at least one on each side; with fewer, it stays in train.
    If the same text has several labels, one may be absent from dev, but never from train.
    Without `by_label`, all examples count as having one label.

    Raises:
      UserError: the fraction is not in (0, 1), or nothing can be set aside.
    """
    if not 0 < fraction < 1:
        raise UserError(f"dev fraction {fraction}: must be above 0 and below 1")
    same_text = defaultdict(list)
    for index, example in enumerate(examples):
        same_text[example.text, example.text_pair].append(index)
    groups_of_label = defaultdict(list)
    for group in same_text.values():
        label = examples[group[0]].label if by_label else None
        groups_of_label[label or ""].append(group)

    random = np.random.Generator(np.random.Philox(np.random.SeedSequence(seed)))
    dev: set[int] = set()
    for _, groups in sorted(groups_of_label.items()):
        shuffled = [groups[place] for place in random.permutation(len(groups))]
        dev.update(_take(shuffled, fraction))
    if by_label:
        kept = {example.label for index, example in enumerate(examples) if index not in dev}
        for group in same_text.values():
            if any(examples[index].label not in kept for index in group):
                dev.difference_update(group)
    if not dev:
        raise UserError(
            "too few different texts to set some aside; give a dev file, or more texts (or "
            "give run_second_opinion.py --dev_share=0)"
        )
    return (
        [example for index, example in enumerate(examples) if index not in dev],
        [example for index, example in enumerate(examples) if index in dev],
    )


def _take(groups: list[list[int]], fraction: float) -> list[int]:
    """Indices of the first groups that fit into the share; never all groups."""
    wanted = round(fraction * sum(map(len, groups)))
    taken: list[int] = []
    left = len(groups)
    for group in groups:
        if left > 1 and len(taken) + len(group) <= wanted:
            taken += group
            left -= 1
    return taken if taken or left < 2 else min(groups, key=len)
