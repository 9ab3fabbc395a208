"""Reading labelled files, good and bad, and splitting them."""

import csv
import gzip
import json
from collections import Counter

import numpy as np
import pytest
from hypothesis import given, seed, settings
from hypothesis import strategies as st

from bert_core.errors import UserError
from pipelines import examples as module
from pipelines import text_lines
from pipelines.classification import majority_baseline
from pipelines.dev_split import split_dev
from pipelines.examples import Example, label_ids, label_names, read_examples
from pipelines.options import ExamplesOptions

OPTIONS = ExamplesOptions()
TEXTS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"))
LABELS = st.text("abc01", min_size=1, max_size=2)


def write(path, records):
    """Writes (text, label) records in the format of the file's name."""
    opener = gzip.open if path.suffix == ".gz" else open
    with opener(path, "wt", encoding="utf-8", newline="") as stream:
        if ".jsonl" in path.suffixes:
            for text, label in records:
                stream.write(json.dumps({"label": label, "x": 1, "text": text}) + "\n")
        else:
            delimiter = "\t" if ".tsv" in path.suffixes else ","
            writer = csv.writer(stream, delimiter=delimiter)
            writer.writerows([("label", "x", "text"), *((b, 1, a) for a, b in records)])


@pytest.mark.parametrize("suffix", [".jsonl", ".csv", ".tsv"])
@pytest.mark.parametrize("gz", ["", ".gz"])
@seed(0)
@settings(max_examples=40, deadline=None)
@given(records=st.lists(st.tuples(TEXTS, LABELS), min_size=1, max_size=5))
def test_every_format_gives_back_what_was_written(tmp_path_factory, suffix, gz, records):
    path = tmp_path_factory.mktemp("read") / f"data{suffix}{gz}"
    write(path, records)
    expected = [Example(text, None, label) for text, label in records]
    assert read_examples(path, OPTIONS) == expected


def test_pairs_named_columns_and_files_without_labels(tmp_path):
    path = tmp_path / "pairs.tsv"
    path.write_text('premise\thypothesis\nHe said "no"\t\n"a\tb\nc"\td\n')
    options = ExamplesOptions("premise", label_column=None, text_pair_column="hypothesis")
    assert read_examples(path, options) == [
        Example('He said "no"', "", None),
        Example("a\tb\nc", "d", None),
    ]


def test_byte_order_mark_blank_lines_and_capitals_in_the_suffix(tmp_path):
    path = tmp_path / "data.CSV"
    path.write_bytes("\ufefftext,label\r\n\r\nnaïve, pos \r\n\r\n".encode())
    assert read_examples(path, OPTIONS) == [Example("naïve", None, "pos")]
    path = tmp_path / "data.jsonl"
    path.write_bytes(b'\n{"text": "a", "label": "b"}\n  \n')
    assert read_examples(path, OPTIONS) == [Example("a", None, "b")]


def test_whole_numbers_and_truth_values_of_json_become_labels(tmp_path):
    path = tmp_path / "data.jsonl"
    labels = ["1", "-3", "true", '"x"']
    path.write_text("".join(f'{{"text": "", "label": {label}}}\n' for label in labels))
    found = [example.label for example in read_examples(path, OPTIONS)]
    assert found == ["1", "-3", "true", "x"]


GOOD_JSON = b'{"text": "a", "label": "b"}\n'
BAD_FILES = {
    "unknown suffix": ("data.txt", b"x", "data.txt: unknown kind of file"),
    "conll": ("data.conll", b"x", "(.conll is for --task=token_classification)"),
    "semicolons": ("data.csv", b"text;label\na;b\n", "semicolons separate its columns"),
    "gz alone": ("data.gz", b"x", "data.gz: unknown kind of file"),
    "empty jsonl": ("data.jsonl", b"", "data.jsonl: holds no examples"),
    "empty csv": ("data.csv", b"", "data.csv: holds no examples"),
    "empty gzip": ("data.csv.gz", b"", "data.csv.gz: holds no examples"),
    "header only": ("data.csv", b"text,label\n", "data.csv: holds no examples"),
    "no header": ("data.csv", b"great,1\n", "line 1: column 'text' is missing; found 'great'"),
    "no label column": (
        "data.tsv",
        b"text\tx\na\tb\n",
        "'label' is missing; found 'text', 'x'",
    ),
    "column twice": ("data.csv", b"text,label,text\n", "line 1: column 'text' appears twice"),
    "too few fields": ("data.csv", b'text,label\n"a\nb",c\nd\n', "line 4: has 1 fields where"),
    "too many fields": ("data.csv", b"text,label\na,b,c\n", "line 2: has 3 fields where"),
    "open quote": ("data.csv", b'text,label\na,b\n"c,d\ne,f\n', "line 3: unexpected end"),
    "stray quote": ("data.tsv", b'text\tlabel\n"a" b\tc\n', "line 2: "),
    "lone returns": ("data.csv", b"text,label\ra,b\rc,d", "line 1: "),
    "empty label": ("data.csv", b"text,label\na, \n", "line 2: the label in 'label' is empty"),
    "not json": ("data.jsonl", GOOD_JSON + b"{text: 1}\n", "line 2: is not JSON"),
    "deep json": ("data.jsonl", b"[" * 10**6, "line 1: is not JSON"),
    "long number": ("data.jsonl", b"1" * 10**4, "line 1: "),
    "not an object": ("data.jsonl", GOOD_JSON + b"[1]\n", "line 2: must be a JSON object"),
    "no such key": ("data.jsonl", b'{"text": "a"}\n', "line 1: column 'label' is missing"),
    "text is a number": ("data.jsonl", b'{"text": 3, "label": "a"}', "must be a string, not 3"),
    "text is null": ("data.jsonl", b'{"text": null, "label": "a"}', "a string, not None"),
    "label is a float": ("data.jsonl", b'{"text": "", "label": 0.5}', "'label' must be a str"),
    "label is blank": ("data.jsonl", b'{"text": "", "label": ""}', "'label' is empty"),
    "surrogate": ("data.jsonl", b'{"text": "\\ud800", "label": 1}', "unpaired surrogate"),
    "latin-1": ("data.csv", b"text,label\na,b\ncaf\xe9,c\n", "line 3: is not UTF-8"),
    "old mac": ("data.csv", b"text,label\ra,b\r", "line 1: lines end in CR alone; save"),
    "utf-16": ("data.csv", "text,label\n".encode("utf-16-le"), "line 1: holds a zero byte"),
    "not gzip": ("data.jsonl.gz", GOOD_JSON, "data.jsonl.gz: is not a whole gzip file"),
    "cut gzip": ("data.jsonl.gz", gzip.compress(GOOD_JSON)[:-9], "is not a whole gzip file"),
    "damaged gzip": ("data.jsonl.gz", gzip.compress(GOOD_JSON)[:-8] + b"12345678", "gzip file"),
}


@pytest.mark.parametrize("case", BAD_FILES)
def test_a_bad_file_is_one_line_that_says_where(tmp_path, case):
    name, content, message = BAD_FILES[case]
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(UserError) as caught:
        read_examples(path, OPTIONS)
    assert message in str(caught.value)
    assert str(caught.value).startswith(str(path))
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 500


def test_missing_files_and_directories(tmp_path):
    with pytest.raises(UserError, match=r"cannot be read \(No such file or directory\)"):
        read_examples(tmp_path / "no.csv", OPTIONS)
    (tmp_path / "dir.csv").mkdir()
    with pytest.raises(UserError, match=r"cannot be read \(Is a directory\)"):
        read_examples(tmp_path / "dir.csv", OPTIONS)


def test_fields_may_be_large_but_not_endless(tmp_path, monkeypatch):
    path = tmp_path / "data.csv"
    path.write_text("text,label\n" + "x" * 10**6 + ",a\n")  # the csv module stops at 131,072
    before = csv.field_size_limit()
    assert len(read_examples(path, OPTIONS)[0].text) == 10**6
    monkeypatch.setattr(module, "MAX_LINE", 1000)
    monkeypatch.setattr(text_lines, "MAX_LINE", 1000)
    with pytest.raises(UserError, match="line 2: is longer than 1000 bytes"):
        read_examples(path, OPTIONS)
    path.write_text('text,label\n"' + "x\n" * 1000 + '",a\n')
    with pytest.raises(UserError, match="line 2: field larger than field limit"):
        read_examples(path, OPTIONS)
    assert csv.field_size_limit() == before


def labelled(*labels):
    return [Example(f"text {index}", None, label) for index, label in enumerate(labels)]


def test_label_names_are_sorted_as_numbers_if_all_are():
    assert label_names(labelled("pos", "neg", "pos")) == ["neg", "pos"]
    assert label_names(labelled("10", "9", "-1")) == ["-1", "9", "10"]
    assert label_names(labelled("10", "9", "x")) == ["10", "9", "x"]


def test_label_names_need_two_classes():
    with pytest.raises(UserError, match="only the label 'a'; a classifier needs two"):
        label_names(labelled("a", "a"))
    with pytest.raises(UserError, match="hold no labels"):
        label_names(labelled(None))


def test_label_ids_are_places_in_the_names():
    ids = label_ids(labelled("b", "a", "b"), ["a", "b"], "dev.csv")
    assert ids.dtype == np.int32
    assert ids.tolist() == [1, 0, 1]
    with pytest.raises(UserError, match=r"^dev.csv: label 'c' of example 2 is not among .*'b'"):
        label_ids(labelled("b", "c"), ["a", "b"], "dev.csv")


@st.composite
def splits(draw):
    pair = st.tuples(st.sampled_from("abcdefghijkl"), st.sampled_from("xyz"))
    records = draw(st.lists(pair, min_size=2, max_size=60))
    fraction = draw(st.floats(0.01, 0.99))
    return [Example(text, None, label) for text, label in records], fraction


@seed(0)
@settings(max_examples=200, deadline=None)
@given(splits(), st.integers(0, 10))
def test_split_keeps_all_examples_and_no_text_on_both_sides(case, random_seed):
    examples, fraction = case
    if len({example.text for example in examples}) == 1:
        with pytest.raises(UserError, match="too few different texts"):
            split_dev(examples, fraction, random_seed)
        return
    try:
        train, dev = split_dev(examples, fraction, random_seed)
    except UserError:  # each label has one text only, or texts have several
        firsts = {example.text: example.label for example in reversed(examples)}
        has_several = len({(x.text, x.label) for x in examples}) > len(firsts)
        assert has_several or max(Counter(firsts.values()).values()) == 1
        return
    assert Counter(train) + Counter(dev) == Counter(examples)
    assert not {example.text for example in train} & {example.text for example in dev}
    assert {example.label for example in train} == {example.label for example in examples}
    assert split_dev(examples, fraction, random_seed) == (train, dev)


@seed(0)
@settings(max_examples=100, deadline=None)
@given(
    counts=st.lists(st.integers(2, 50), min_size=1, max_size=4),
    fraction=st.floats(0.01, 0.99),
    random_seed=st.integers(0, 10),
)
def test_split_of_distinct_texts_takes_the_share_of_each_label(counts, fraction, random_seed):
    labels = [str(label) for label, count in enumerate(counts) for _ in range(count)]
    examples = labelled(*labels)
    train, dev = split_dev(examples, fraction, random_seed)
    for label, count in enumerate(counts):
        in_dev = sum(example.label == str(label) for example in dev)
        assert in_dev == min(max(round(fraction * count), 1), count - 1)
    assert train == [example for example in examples if example in train]  # input order


def test_split_depends_on_the_seed_and_keeps_a_lone_text_in_train():
    examples = [*labelled(*"ab" * 50), Example("lone", None, "c")]
    splits = [split_dev(examples, 0.1, random_seed) for random_seed in range(3)]
    assert splits[0] != splits[1] != splits[2]
    assert all(examples[-1] in train for train, _ in splits)


def test_split_of_numbers_takes_the_share_of_them_all():
    examples = labelled(*map(str, range(100)))
    train, dev = split_dev(examples, 0.1, 0, by_label=False)
    assert (len(train), len(dev)) == (90, 10)
    with pytest.raises(UserError, match="too few different texts"):
        split_dev(examples, 0.1, 0)


def test_split_groups_pairs_by_both_texts():
    pairs = [Example("same", str(index), "a") for index in range(10)]
    train, dev = split_dev(pairs, 0.2, 0)
    assert (len(train), len(dev)) == (8, 2)


@pytest.mark.parametrize("fraction", [0, 1, -0.1, float("nan")])
def test_split_wants_a_fraction(fraction):
    with pytest.raises(UserError, match="must be above 0 and below 1"):
        split_dev(labelled("a", "b"), fraction, 0)


def test_majority_baseline_answers_the_most_frequent_training_label():
    assert majority_baseline(["a", "b", "b"], ["a", "b", "a", "a"]) == 0.25
    assert majority_baseline(np.array([0, 0, 1]), np.array([0, 1, 0, 0])) == 0.75
