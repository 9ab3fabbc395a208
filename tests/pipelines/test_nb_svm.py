"""NB-SVM: its features, its ratios, and the least of its loss."""

import math

import numpy as np
import pytest

from pipelines import nb_svm
from pipelines.examples import Example
from pipelines.nb_svm import NbSvm, count, features_of, known_features, log_ratios


def _examples(*texts: tuple[str, str]) -> list[Example]:
    return [Example(text, None, label) for text, label in texts]


def _random_examples(number: int, seed: int) -> list[Example]:
    """Texts of a dozen words; "not good" is bad, and a word alone says little."""
    random = np.random.default_rng(seed)
    examples = []
    for _ in range(number):
        words = list(random.choice(list("abcdefgh"), 10))
        good, negated = random.random() < 0.5, random.random() < 0.5
        words.insert(5, ("not " if negated else "so ") + ("good" if good else "bad"))
        examples.append(Example(" ".join(words), None, "+" if good != negated else "-"))
    return examples


def test_features_are_words_marks_and_neighbours() -> None:
    found = features_of(Example("Good, good", "film", None))
    assert found == {"good", ",", "film", "good ,", ", good", "good film"}


def test_rare_features_are_left_out() -> None:
    examples = _examples(("a b", "x"), ("a b c", "y"))
    assert set(known_features(examples)) == {"a", "b", "a b"}
    counted = count(_examples(("b b z", "x"), ("", "x")), known_features(examples))
    assert (counted.num_texts, len(counted.features)) == (2, 1)


def test_ratios_are_those_of_the_definition() -> None:
    examples = _random_examples(50, 0)
    vocabulary = known_features(examples)
    signs = np.array([1.0 if x.label == "+" else -1.0 for x in examples])
    actual = log_ratios(count(examples, vocabulary), len(vocabulary), signs)
    sets = [features_of(x) & set(vocabulary) for x in examples]
    shares = []
    for label in "+-":
        of_label = [s for s, x in zip(sets, examples, strict=True) if x.label == label]
        counts = {f: 1 + sum(f in s for s in of_label) for f in vocabulary}
        shares.append({f: counts[f] / sum(counts.values()) for f in vocabulary})
    expected = [math.log(shares[0][f] / shares[1][f]) for f in vocabulary]
    np.testing.assert_allclose(actual, expected, rtol=1e-12)


@pytest.mark.parametrize("strength", [0.1, 3.0])
def test_weights_are_where_the_loss_is_least(strength: float) -> None:
    examples = _random_examples(60, 1)
    vocabulary = known_features(examples)
    counted, size = count(examples, vocabulary), len(vocabulary)
    signs = np.array([1.0 if x.label == "+" else -1.0 for x in examples])
    ratios = log_ratios(counted, size, signs)
    dense = np.zeros((len(examples), size))
    dense[counted.texts, counted.features] = ratios[counted.features]

    def loss(values: np.ndarray) -> float:
        weights, bias = values[:-1], values[-1]
        misses = np.maximum(0.0, 1.0 - signs * (dense @ weights + bias))
        return float(weights @ weights / 2 + strength * (misses**2).sum())

    weights, bias = nb_svm.squared_hinge(counted, ratios, signs, strength)
    least = np.append(weights, bias)
    random = np.random.default_rng(2)
    for _ in range(100):
        step = random.standard_normal(len(least))
        step *= 0.03 / np.linalg.norm(step)
        assert loss(least + step) > loss(least)


def test_two_words_say_what_neither_does() -> None:
    model = NbSvm(_random_examples(400, 3), ("-", "+"))
    others = _random_examples(200, 4)
    right = (model.margins(others) > 0) == (model.signs(others) > 0)
    assert right.mean() > 0.95


def test_weights_are_drawn_towards_their_mean_size() -> None:
    examples = _random_examples(60, 5)
    vocabulary = known_features(examples)
    counted, size = count(examples, vocabulary), len(vocabulary)
    signs = np.array([1.0 if x.label == "+" else -1.0 for x in examples])
    ratios = log_ratios(counted, size, signs)
    plain, bias = nb_svm.squared_hinge(counted, ratios, signs, 1.0)
    drawn = nb_svm.train_nb_svm(counted, size, signs, 1.0)
    expected = (0.75 * np.abs(plain).mean() + 0.25 * plain) * ratios
    np.testing.assert_allclose(drawn.weights, expected)
    assert drawn.bias == bias
