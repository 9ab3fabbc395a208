"""Entities in the tags of words, and how many of them were found. No NumPy.

A tag is O, or B-, I-, E- or S- (beginning, inside, end, single word) and the entity's
kind. The rules are those of CoNLL's conlleval and of seqeval's default mode: an entity
continues only with I- or E- of its own kind after B- or I-; any other tag but O begins one.
"""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

OUTSIDE = "O"


class Entity(NamedTuple):
    """Words start to end - 1 of a sentence."""

    kind: str
    start: int
    end: int


def entities(tags: Sequence[str]) -> list[Entity]:
    """The entities of a sentence, in order."""
    found: list[Entity] = []
    kind, start, can_go_on = "", -1, False  # of the entity being read; start -1: none
    for place, tag in enumerate([*tags, OUTSIDE]):
        prefix, _, tag_kind = tag.partition("-")
        if can_go_on and prefix in ("I", "E") and tag_kind == kind:
            can_go_on = prefix == "I"
            continue
        if start >= 0:
            found.append(Entity(kind, start, place))
        kind, start = tag_kind, -1 if tag == OUTSIDE else place
        can_go_on = prefix in ("B", "I")
    return found


def entity_scores(
    labels: Iterable[Sequence[str]], predictions: Iterable[Sequence[str]]
) -> dict[str, float]:
    """The "f1", "precision" and "recall" of whole entities, over all sentences together.

    An entity is right if its kind and both its ends are. 0 / 0 counts as 0.
    """
    right = labelled = predicted = 0
    for label_tags, predicted_tags in zip(labels, predictions, strict=True):
        true, said = set(entities(label_tags)), set(entities(predicted_tags))
        right += len(true & said)
        labelled += len(true)
        predicted += len(said)
    return {
        "f1": 2 * right / max(labelled + predicted, 1),
        "precision": right / max(predicted, 1),
        "recall": right / max(labelled, 1),
    }
