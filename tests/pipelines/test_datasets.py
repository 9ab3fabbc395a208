"""Where a dataset that is fine-tuned on directly is kept."""

from pathlib import Path

import pytest

from bert_core.errors import UserError
from pipelines import datasets
from pipelines.options import EMBEDDED, PrepareOptions
from pipelines.prepared import write_source
from pipelines.source import Document, Source


def found(
    monkeypatch: pytest.MonkeyPatch, cache: Path, version: str, has_labels: bool = True
) -> tuple[Source, Path]:
    documents = [Document(f"Of version {version}.", "train", "pos")]
    source = Source(EMBEDDED, {"version": version}, documents, has_labels=has_labels)
    monkeypatch.setattr(datasets.docstrings, "source", lambda: source)
    return datasets.find_labelled(PrepareOptions(EMBEDDED, cache))


def test_another_version_is_not_in_the_way(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for version in ("1", "2"):
        write_source(*found(monkeypatch, tmp_path, version), overwrite=False)
    kept = {path.name: (path / "train.jsonl").read_text() for path in tmp_path.iterdir()}
    assert len(kept) == 2
    for version in ("1", "2"):
        source, directory = found(monkeypatch, tmp_path, version)
        assert directory == tmp_path / source.fingerprint
        assert f"Of version {version}." in kept[directory.name]


def test_a_damaged_one_names_what_to_remove(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source, directory = found(monkeypatch, tmp_path, "1")
    write_source(source, directory, overwrite=False)
    (directory / "train.jsonl").write_text("cut")
    with pytest.raises(
        UserError, match=rf"train\.jsonl: missing or changed.*remove {directory}"
    ):
        found(monkeypatch, tmp_path, "1")


def test_labels_are_needed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(UserError, match="has no field label"):
        found(monkeypatch, tmp_path, "1", has_labels=False)
    assert not list(tmp_path.iterdir())
