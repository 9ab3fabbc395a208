"""A bounded sample from all over."""

import itertools

from pipelines.document_sample import DocumentSample


def test_all_of_a_small_corpus() -> None:
    sample = DocumentSample()
    texts = [f"document {i}" for i in range(300)]
    for text in texts:
        sample.add(text)
    assert sample.texts == texts


def test_a_large_one_is_sampled_evenly() -> None:
    sample = DocumentSample()
    for i in range(100_000):
        sample.add(str(i))
    numbers = list(map(int, sample.texts))
    assert 256 <= len(numbers) <= 512
    assert {b - a for a, b in itertools.pairwise(numbers)} == {256}
    assert numbers[0] == 0
    assert numbers[-1] > 99_000


def test_a_long_document_is_seen_from_its_middle() -> None:
    sample = DocumentSample()
    sample.add("a" * 10_000 + "b" * 1000 + "c" * 10_000)
    (text,) = sample.texts
    assert text == "a" * 500 + "b" * 1000 + "c" * 500
