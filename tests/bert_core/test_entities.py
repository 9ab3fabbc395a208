"""Entities counted by hand, after the rules that conlleval and seqeval publish."""

import pytest

from bert_core.entities import entities, entity_scores

# tags -> kind and words of each entity
CASES = {
    "": [],
    "O O": [],
    "B-A": ["A0"],
    "B-A I-A O": ["A01"],
    "O B-A I-A I-A": ["A123"],  # to the end of the sentence
    "B-A B-A": ["A0", "A1"],  # two next to each other
    "I-A I-A": ["A01"],  # I- without B- begins one
    "O I-A B-A": ["A1", "A2"],  # as IOB1 writes neighbours
    "B-A I-B": ["A0", "B1"],  # another kind begins another entity
    "I-A I-B I-B I-A": ["A0", "B12", "A3"],
    "B-A I-A B-B I-B O I-B": ["A01", "B23", "B5"],
    "B-A O I-A": ["A0", "A2"],  # what lies between parts
    "B-A E-A": ["A01"],
    "B-A I-A E-A I-A": ["A012", "A3"],  # E ends, whatever comes
    "E-A E-A": ["A0", "A1"],
    "S-A S-A I-A": ["A0", "A1", "A2"],  # S is whole
    "B-A S-A": ["A0", "A1"],
    "B-A I-A-B": ["A0", "A-B1"],  # a kind may hold a hyphen
}


@pytest.mark.parametrize("tags", CASES)
def test_entities(tags: str) -> None:
    found = [
        kind + "".join(map(str, range(start, end)))
        for kind, start, end in entities(tags.split())
    ]
    assert found == CASES[tags]


def scores(labels: list[str], predictions: list[str]) -> tuple[float, float, float]:
    values = entity_scores([x.split() for x in labels], [x.split() for x in predictions])
    assert list(values) == ["f1", "precision", "recall"]
    return values["f1"], values["precision"], values["recall"]


def test_the_example_in_seqevals_readme() -> None:
    labels = ["O O O B-MISC I-MISC I-MISC O", "B-PER I-PER O"]
    predictions = ["O O B-MISC I-MISC I-MISC I-MISC O", "B-PER I-PER O"]
    assert scores(labels, predictions) == (0.5, 0.5, 0.5)


def test_an_entity_is_right_as_a_whole() -> None:
    # Of two labelled (A01, B2) and three predicted (A01, A2, B3) one is right.
    assert scores(["B-A I-A B-B O"], ["I-A I-A B-A B-B"]) == (2 / 5, 1 / 3, 1 / 2)
    # The right words under the wrong kind, and the right kind one word short.
    assert scores(["B-A I-A"], ["B-B I-B"]) == (0, 0, 0)
    assert scores(["B-A I-A"], ["B-A O"]) == (0, 0, 0)
    # B- or I- in the first place is one and the same entity.
    assert scores(["O B-A I-A"], ["O I-A I-A"]) == (1, 1, 1)


def test_sentences_count_together_and_apart() -> None:
    # Three labelled, two predicted, one of them right.
    assert scores(["B-A", "B-A", "B-A"], ["B-A", "O", "B-B"]) == (2 / 5, 1 / 2, 1 / 3)
    # An entity does not go on in the next sentence, and word 0 of two is two words.
    assert scores(["B-A", "I-A"], ["B-A", "B-A"]) == (1, 1, 1)


def test_nothing_to_find_and_nothing_found() -> None:
    assert scores(["O O"], ["O O"]) == (0, 0, 0)
    assert scores(["O"], ["B-A"]) == (0, 0, 0)
    assert scores([], []) == (0, 0, 0)
