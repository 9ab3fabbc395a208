"""The report against plain Python and its own tokenisation; what stops a training."""

import dataclasses
import itertools
import json
import random
from pathlib import Path

import pytest

from bert_core.errors import UserError
from pipelines import cached_store
from pipelines.corpus_check import cache_entry, check_corpus
from pipelines.corpus_report import CorpusReport, read_report
from pipelines.options import CorpusOptions, StoreOptions
from pipelines.token_store import StoreError
from pipelines.tokenizer import Tokenizer


def prepare(
    directory: Path, texts: list[str], **options
) -> tuple[cached_store.PreparedCorpus, list[str]]:
    corpus = directory / "corpus"
    corpus.mkdir(exist_ok=True)
    (corpus / "a.txt").write_text("\n".join(texts), encoding="utf-8")
    said: list[str] = []
    store = StoreOptions(directory / "cache", **{"vocab_size": 200, **options})
    checked = check_corpus(CorpusOptions(corpus), store, said.append)
    return cached_store.prepare(CorpusOptions(corpus), checked, store, said.append), said


def some_texts() -> list[str]:
    chooser = random.Random(5)
    words = ["".join(chooser.choices("abcdefg", k=1 + i % 7)) for i in range(99)]
    lengths = [chooser.choice((1, 2, 3, 8, 30, 200)) for _ in range(400)]
    return [" ".join(chooser.choices([*words, "7", "ж."], k=n)) for n in lengths]


def test_figures_are_those_of_plain_python(tmp_path: Path) -> None:
    texts = some_texts()
    prepared, said = prepare(tmp_path, texts)
    report, vocabulary = prepared.report, prepared.vocabulary
    ids = [x.tolist() for x in Tokenizer(vocabulary).encode(texts)]
    pieces = [vocabulary.tokens[i] for x in ids for i in x]
    lengths = sorted(map(len, ids))
    assert report.documents == len(texts)
    assert report.duplicates == len(texts) - len(set(texts))
    assert report.characters == sum(map(len, texts))
    assert report.tokens == len(pieces)
    words = sum(not piece.startswith("##") for piece in pieces)
    assert report.words == words
    assert report.tokens_a_word == len(pieces) / words
    assert report.unknown_rate == pieces.count("[UNK]") / len(pieces)
    assert report.pieces_used == len(set(pieces))
    assert report.pieces == vocabulary.size
    assert report.near_empty == sum(length < 5 for length in lengths)
    assert report.median_tokens == lengths[len(lengths) // 2]
    edges = [0, *(int(end) for end in report.token_lengths)]
    spans = itertools.pairwise(edges)
    assert list(report.token_lengths.values()) == [
        sum(low < length <= high for length in lengths) for low, high in spans
    ]
    assert report.character_classes["spaces"] == "".join(texts).count(" ")
    assert report.character_classes["Cyrillic"] == "".join(texts).count("ж")
    assert f"{report.tokens:,} tokens" in " ".join(said)


def test_a_corpus_prepared_before_has_the_same_report(tmp_path: Path) -> None:
    first, said = prepare(tmp_path, some_texts())
    second, said_again = prepare(tmp_path, some_texts())
    assert second.report == first.report
    assert said_again[-3:] == said[-3:]
    assert CorpusReport(**json.loads(first.report.to_json())) == first.report


def test_what_is_drawn(tmp_path: Path) -> None:
    # Of 4, 12 and 100 tokens: 50, 25 and 25 documents, told apart by their first word.
    texts = [f"{'abcdefg'[i % 7]}{'x' * (i // 7)} " + "a " * 3 for i in range(50)]
    texts += [f"{'abcdefg'[i % 7]}{'x' * (i // 7)} " + "b " * 11 for i in range(25)]
    texts += [f"{'abcdefg'[i % 7]}{'x' * (i // 7)} " + "c " * 99 for i in range(25)]
    prepared, _ = prepare(tmp_path, texts)
    report = prepared.report
    lengths = sorted(map(len, Tokenizer(prepared.vocabulary).encode(texts)))
    assert lengths[49] < lengths[50] == report.median_tokens
    drawn = dataclasses.replace(report, token_lengths={"8": 50, "16": 25, "32": 0, "more": 25})
    assert drawn.details()[2:] == [
        "            1 to 8  50.0% " + "#" * 40,
        "           9 to 16  25.0% " + "#" * 20,
        "          17 to 32   0.0%",
        "           over 32  25.0% " + "#" * 20,
    ]
    shown = drawn.details()[0]
    share = report.character_classes["Latin"] / report.characters
    assert f"Latin {share:.1%}" in shown


def vocab_file(directory: Path, pieces: str) -> Path:
    path = directory / "vocab.txt"
    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    path.write_text("\n".join([*special, *pieces, *(f"##{x}" for x in pieces)]) + "\n")
    return path


def test_too_many_unknown_tokens_stop_before_the_store_is_made(tmp_path: Path) -> None:
    texts = [f"{'abc'[i % 3]} слово" for i in range(30)]
    file = vocab_file(tmp_path, "abc")
    with pytest.raises(UserError) as caught:
        prepare(tmp_path, texts, vocab_file=file)
    message = str(caught.value)
    assert "--max_unknown_rate=0.05" in message
    assert "Cyrillic letters that the vocabulary lacks, such as 'слово'" in message
    assert "--vocab_file" in message
    assert "\n" not in message
    assert not list(tmp_path.glob("cache/*/store"))


def test_a_raised_limit_lets_them_pass(tmp_path: Path) -> None:
    texts = [f"{'abc'[i % 3]}{'a' * i} слово" for i in range(30)]
    file = vocab_file(tmp_path, "abc")
    prepared, _ = prepare(tmp_path, texts, vocab_file=file, max_unknown_rate=0.9)
    tokens = sum(i + 1 for i in range(30)) + 30
    assert prepared.report.unknown_rate == 30 / tokens
    # The store is kept, and the stop comes all the same where the limit is lower.
    with pytest.raises(UserError, match=r"6.1% of the tokens .*rate=0.06.*Cyrillic"):
        prepare(tmp_path, texts, vocab_file=file, max_unknown_rate=0.06)
    assert prepare(tmp_path, texts, vocab_file=file, max_unknown_rate=0.062)


def test_just_over_the_limit_is_found_by_the_whole_count(tmp_path: Path) -> None:
    texts = [f"{'abc'[i % 3]}{'a' * i} слово" for i in range(30)]
    with pytest.raises(UserError, match=r"^6.1% of the tokens"):
        prepare(tmp_path, texts, vocab_file=vocab_file(tmp_path, "abc"))
    assert len(list(tmp_path.glob("cache/*/store/manifest.json"))) == 1


@pytest.mark.parametrize(
    "change",
    [
        {"tokens": "many"},
        {"tokens": -1},
        {"character_classes": {"Latin": "many"}},
        {"unknown_examples": {"capitals": "A"}},
        {"token_lengths": {"nine": 1}},
        {"one more": 1},
    ],
)
def test_a_report_that_is_none_is_a_damaged_store(tmp_path: Path, change: dict) -> None:
    report = prepare(tmp_path, some_texts())[0].report
    with pytest.raises(StoreError, match="the store's report"):
        read_report({"corpus": {**dataclasses.asdict(report), **change}})


def test_cache_entry_does_not_depend_on_the_limit(tmp_path: Path) -> None:
    entries = {cache_entry("x", StoreOptions(tmp_path, max_unknown_rate=x)) for x in (0.1, 0.2)}
    assert len(entries) == 1


def test_bad_text_and_advice_are_told(tmp_path: Path) -> None:
    report = prepare(tmp_path, some_texts())[0].report
    told = dataclasses.replace(
        report, skipped=1, replaced=2, first_bad="a.txt:7", advice="use another boundary"
    )
    assert told.lines()[-3:] == [
        "  skipped as not text: 1 document, the first at a.txt:7",
        "  not text, replaced by U+FFFD: in 2 lines, the first at a.txt:7",
        "  warning: use another boundary",
    ]
