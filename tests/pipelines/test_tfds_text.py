"""TFDS text, with a builder made here; the real reviews where they are kept."""

import os
from pathlib import Path

import numpy as np
import pytest

from bert_core.errors import UserError
from pipelines import tfds_text
from pipelines.options import PrepareOptions

TFDS_DIR = os.environ.get("BERT_TFDS_DIR")

SPLITS = {
    "train": [("Good<br />film", 1), ("Bad &amp; ugly", 0), ("Unsure", -1)],
    "test": [("Seen never", 1)],
    "validation": [("Held out", 0)],
    "test_hidden": [("Hidden", -1)],
    "ca_test": [("Of California", -1)],
    "val": [("For choosing", -1)],
    "unsupervised": [("More text", -1)],
}


@pytest.fixture(scope="module")
def toy(tmp_path_factory):
    """A reader of a dataset of seven splits, written by TFDS itself."""
    import tensorflow_datasets as tfds

    top = tmp_path_factory.mktemp("tfds")
    features = {
        "text": tfds.features.Text(),
        "label": tfds.features.ClassLabel(names=["neg", "pos"]),
        "score": tfds.features.Tensor(shape=(), dtype=np.float32),
        "words": tfds.features.Sequence(tfds.features.Text()),
    }
    rows = {
        split: [
            (key, {"text": text, "label": label, "score": 0.5, "words": []})
            for key, (text, label) in enumerate(texts)
        ]
        for split, texts in SPLITS.items()
    }
    tfds.dataset_builders.store_as_tfds_dataset(
        name="toy",
        version="1.2.3",
        data_dir=top,
        features=tfds.features.FeaturesDict(features),
        split_datasets=rows,
        disable_shuffling=True,
    )

    def read(**options):
        options = PrepareOptions("toy", top / "out", tfds_data_dir=top, **options)
        return tfds_text.source(options)

    return read


def test_splits_labels_and_cleaning(toy):
    source = toy()
    assert sorted(source.documents, key=str) == sorted(
        [
            ("Good film", "train", "pos"),
            ("Bad & ugly", "train", "neg"),
            ("Unsure", "train", None),
            ("Seen never", "test", "pos"),
            ("Held out", "validation", "neg"),
            ("More text", "corpus", None),
        ],
        key=str,
    )
    assert source.label_names == ("neg", "pos")
    assert source.identity["tfds"] == "toy/1.2.3"


def test_splits_without_labels_can_be_left_out(toy):
    everything, labelled = toy(), toy(unlabelled=False)
    assert {x.split for x in everything.documents} - {x.split for x in labelled.documents} == {
        "corpus"
    }
    assert labelled.identity != everything.identity


def test_labels_without_names_are_their_values(toy):
    labels = {document.label for document in toy(label_key="text").documents}
    assert "Good<br />film" in labels


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"text_key": "txt"}, "--text_key=txt: .*only label, score, text, words"),
        ({"text_key": "label"}, "--text_key=label: is not text"),
        ({"text_key": "words"}, "--text_key=words: is not text"),
        ({"label_key": "score"}, "--label_key=score: is not a class"),
    ],
)
def test_wrong_fields_are_named(toy, options, message):
    with pytest.raises(UserError, match=message):
        toy(**options)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("nonsuch_dataset", "has no such dataset, and it is not docstrings"),
        ("imdb_reviews", "not found in .*; give its --tfds_data_dir, or --download"),
        ("../x", r"--dataset=\.\./x: "),
    ],
)
def test_a_dataset_that_is_not_there_is_one_line(tmp_path, name, message):
    options = PrepareOptions(name, tmp_path / "d", tfds_data_dir=tmp_path, download=False)
    with pytest.raises(UserError, match=message) as caught:
        tfds_text.source(options)
    assert "\n" not in str(caught.value)


@pytest.mark.skipif(not TFDS_DIR, reason="BERT_TFDS_DIR is not set")
def test_the_real_reviews():
    options = PrepareOptions(
        "imdb_reviews", Path("unused"), tfds_data_dir=Path(TFDS_DIR), download=False
    )
    documents = list(tfds_text.source(options).documents)
    by_split = {}
    for document in documents:
        by_split.setdefault((document.split, document.label), []).append(document.text)
    assert len(by_split["train", "pos"]) == len(by_split["train", "neg"]) == 12_500
    assert len(by_split["corpus", None]) == 50_000
    assert not any("<br" in document.text for document in documents)
