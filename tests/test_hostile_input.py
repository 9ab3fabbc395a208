"""Nothing in a file is executed, believed about sizes, followed out of its directory."""

import ast
import csv
import hashlib
import io
import json
import tracemalloc
from pathlib import Path

import numpy as np
import pytest

from loops.checkpoints import damage, latest_whole, marked_steps
from loops.pictures import confusion
from loops.samples import MaskedSamples
from pipelines.classification import Classification
from pipelines.examples import Example
from pipelines.token_classification import TokenClassification, Words
from pipelines.token_store import MANIFEST, StoreError, open_store
from pipelines.tokenized import Rows
from tests.fuzz_targets import FINGERPRINT, STORE_VOCABULARY, make_store
from tests.test_architecture import ROOT, SHIPPED

EXECUTING = {"eval", "exec", "compile", "__import__"}
EXECUTING_MODULES = {"pickle", "cPickle", "dill", "joblib", "marshal", "shelve", "yaml"}


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: str(path.relative_to(ROOT)))
def test_nothing_can_be_executed(path: Path) -> None:
    assert executing(path.read_text(encoding="utf-8")) == []


@pytest.mark.parametrize(
    "source",
    [
        "eval('1')",
        "import pickle",
        "from pickle import load",
        "np.load(path)",
        "np.load(path, allow_pickle=True)",
        "numpy.load(path, 'r', flag)",
        "__import__(name)",
        "os.system(text)",
        "subprocess.run(text, shell=True)",
        "yaml.load(text)",
    ],
)
def test_the_search_finds(source: str) -> None:
    assert executing(source)


def executing(source: str) -> list[str]:
    found = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import | ast.ImportFrom):
            names = [getattr(node, "module", None), *(alias.name for alias in node.names)]
            found += [
                name for name in names if name and name.split(".")[0] in EXECUTING_MODULES
            ]
        if not isinstance(node, ast.Call):
            continue
        name = ast.unparse(node.func)
        keywords = {word.arg: ast.unparse(word.value) for word in node.keywords}
        if name in EXECUTING or name == "os.system" or name.startswith("yaml."):
            found.append(name)
        if name in ("np.load", "numpy.load") and keywords.get("allow_pickle") != "False":
            found.append(name)
        if keywords.get("shell") == "True":
            found.append(name)
    return found


@pytest.fixture
def store(tmp_path: Path) -> Path:
    return make_store(tmp_path / "cache" / "store")


def reopen(store: Path) -> None:
    open_store(store, STORE_VOCABULARY.sha256, FINGERPRINT, 0.1)


def forge(store: Path, **fields: object) -> None:
    """Changes what the manifest says of the first shard, its hash made to fit."""
    manifest = json.loads((store / MANIFEST).read_text())
    shard = manifest["splits"]["train"]["shards"][0]
    shard["sha256"] = hashlib.sha256((store / shard["file"]).read_bytes()).hexdigest()
    shard |= fields
    manifest["splits"]["train"]["statistics"]["tokens"] = shard["tokens"]
    (store / MANIFEST).write_text(json.dumps(manifest))


@pytest.mark.parametrize("claimed", [10**6, 10**12, 10**30, -5])
def test_a_shard_that_claims_more_than_it_holds(store: Path, claimed: int) -> None:
    reopen(store)
    with (store / "train-00000.npy").open("wb") as file:
        header = {"descr": "<u2", "fortran_order": False, "shape": (claimed,)}
        np.lib.format.write_array_header_1_0(file, header)
        file.write(b"\0" * 64)
    forge(store, tokens=claimed)
    tracemalloc.start()
    with pytest.raises(StoreError, match=r"train-00000\.npy"):
        reopen(store)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 8 * 2**20


def test_a_shard_of_pickled_objects(store: Path) -> None:
    np.save(store / "train-00000.npy", np.array([print], object), allow_pickle=True)
    forge(store, tokens=1)
    with pytest.raises(StoreError, match="cannot be read"):
        reopen(store)


@pytest.mark.parametrize("name", ["../outside.npy", "../../outside.npy", "/etc/passwd", ".."])
def test_shards_lie_in_their_directory(store: Path, name: str) -> None:
    for outside in (store.parent / "outside.npy", store.parent.parent / "outside.npy"):
        outside.write_bytes((store / "train-00000.npy").read_bytes())
    forge(store, file=name)
    with pytest.raises(StoreError, match=r"names a file elsewhere|cannot be read"):
        reopen(store)


@pytest.mark.parametrize("name", ["../../x", "/etc/passwd", "..", "", "ckpt-7.index/../../x"])
def test_markers_name_files_of_their_own_checkpoint(tmp_path: Path, name: str) -> None:
    directory = tmp_path / "a" / "checkpoints"
    directory.mkdir(parents=True)
    content = b"outside"
    entry = {"bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}
    (tmp_path / "x").write_bytes(content)
    (directory / "ckpt-7.index").write_bytes(content)
    marker = directory / "ckpt-7.json"
    marker.write_text(json.dumps({"files": {"ckpt-7.index": entry}}))
    assert damage(directory, 7) is None
    marker.write_text(json.dumps({"files": {"ckpt-7.index": entry, name: entry}}))
    assert "not one of its files" in str(damage(directory, 7))
    marker.write_text(json.dumps({"files": {}}))
    assert "no index" in str(damage(directory, 7))


def test_markers_of_no_number_are_not_read(tmp_path: Path) -> None:
    for number in ("²", "x", "-1", "9" * 5000, "3"):
        try:
            (tmp_path / f"ckpt-{number}.json").write_text("[]")
        except OSError:
            assert len(number) == 5000  # longer than a file name can be
    assert marked_steps(tmp_path) == [3]
    with pytest.raises(Exception, match="its marker cannot be read"):
        latest_whole(tmp_path)


def test_labels_are_shown_as_they_stand() -> None:
    names = ["$\\frac{", "<script>alert(1)</script>"]
    assert confusion(np.eye(2, dtype=int), names).startswith(b"\x89PNG")


LABELS = ["a\tb\r\nc", "d\x0b\u2028e", "\x1b[2J\x9b1m", "\u202egpj.exe", r"a\tb", "\\"]
FORMULAS = ['=HYPERLINK("http://x")', "+cmd|' /C calc'!A0", "-1+1", "@SUM(A1)", '"open', '"']
HARMLESS = ["-1", "+1", "-0.5", "-", "7"]  # numbers, and a sign alone


def test_predictions_stay_in_their_cells() -> None:
    """And name their labels still: the escapes are Python's own."""
    names = [*LABELS, *FORMULAS, *HARMLESS]
    task = Classification([Example("", None, name) for name in names], "train.csv")
    truth = task.targets([Example("", None, name) for name in names], "train.csv")
    table = task.table(truth, np.eye(len(names))[truth])
    rows = cells_of(table)
    assert [len(row) for row in rows] == [3 + len(names)] * len(names)
    shown = [row[1] for row in rows]
    assert [row[2] for row in rows] == shown
    assert [meant(cell) for cell in shown] == names
    assert [cell for cell in shown if cell[0] in '=+-@"'] == HARMLESS[:4]
    assert shown[-1] == "7"


def test_words_and_tags_stay_in_their_cells() -> None:
    words = [name for name in [*LABELS, *FORMULAS, *HARMLESS] if " " not in name]
    tags = ["O", "B-\x1b[2J", "I-\u202e", *["O"] * (len(words) - 3)]
    sentence = Example(" ".join(words), None, " ".join(tags))
    task = TokenClassification([sentence], "train.conll")
    tag_ids = Rows(task.targets([sentence], "train.conll"), np.array([0, len(words)]))
    truth = Words(words, tag_ids, np.ones(len(words), bool))
    rows = cells_of(task.table(truth, np.eye(len(task.labels))[tag_ids.ids]))
    assert [meant(row[1]) for row in rows] == words
    assert [row[1] for row in rows if row[1][0] in '=+-@"'] == HARMLESS[:4]
    assert [meant(row[2]) for row in rows] == [meant(row[3]) for row in rows] == tags


def cells_of(table: str) -> list[list[str]]:
    """The rows of a .tsv that holds nothing to command a terminal, without its header."""
    assert not [c for c in table if not c.isprintable() and c not in "\t\n"]
    (_, *rows) = csv.reader(io.StringIO(table), "excel-tab")
    return rows


def meant(cell: str) -> str:
    """The text that a cell shows."""
    return ast.literal_eval(f"'{cell.replace(chr(39), chr(92) + chr(39))}'")


def test_samples_are_no_markup() -> None:
    shown = MaskedSamples._safe('<img src=x onerror="alert(1)"> [a](javascript:b) `c` | *d* \\')
    assert not set(shown) & set("<>[]`|*\\")
