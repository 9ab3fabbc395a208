"""The embedded dataset `docstrings`: English technical prose that is already installed.

The docstrings of the packages this project depends on and of Python's own library,
read from their source files. No network, no TensorFlow, and the same documents for
the same package versions. A label is the package a docstring comes from, so that
telling them apart is a classification task with a real test set: a source file is
either in train or in test, and no test text occurs in the corpus.
"""

import ast
import functools
import hashlib
import importlib.metadata
import importlib.util
import multiprocessing
import os
import platform
import signal
import sysconfig
import threading
import warnings
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

from bert_core.errors import UserError
from pipelines.cleaning import fold_whitespace
from pipelines.options import EMBEDDED
from pipelines.progress import Progress
from pipelines.source import Document, Source

VERSION = "1"  # of the rules in this file
MIN_CHARACTERS = 100  # "Returns the name." could come from anywhere
TEST_SHARE = 0.15  # of the source files

# A package, and its label; None: too few texts of its own for a class, corpus only.
PACKAGES = {
    "absl": None,
    "keras": "keras",
    "matplotlib": "matplotlib",
    "numpy": "numpy",
    "tensorboard": None,
    "tensorflow": "tensorflow",
    "tensorflow_datasets": None,
    "tensorflow_text": None,
}
PYTHON = "python"  # the label of the standard library
# An old copy of Keras lives on inside TensorFlow.
_LABEL_OF_SUBTREE = {"tensorflow/python/keras/": "keras"}
# Tests, other people's code, and TensorFlow's 1,000 files of re-exports.
_SKIPPED_DIRECTORIES = frozenset(
    ("test", "tests", "idle_test", "_vendor", "site-packages", "dist-packages", "_api")
)
_DOCUMENTED = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)


def source() -> Source:
    """The dataset of the installed packages; reads nothing until it is drawn from."""
    versions = {"python": platform.python_version(), "rules": VERSION}
    versions |= {package: _version_of(package) for package in PACKAGES}
    return Source(EMBEDDED, versions, _documents())


def _version_of(package: str) -> str:
    name = {"absl": "absl-py"}.get(package, package)
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return "unknown"  # installed under another name, such as tensorflow-cpu


def is_test_file(name: str) -> bool:
    """Whether a source file, named `package/path.py`, belongs to the test split."""
    digest = hashlib.sha256(name.encode()).digest()
    return int.from_bytes(digest[:8], "big") < TEST_SHARE * 2**64


def docstrings_of(path: str) -> list[str]:
    """The docstrings in one source file, each on one line, without the short ones."""
    try:
        with open(path, "rb") as file, warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about the escapes in other people's code
            tree = ast.parse(file.read())
    except (OSError, SyntaxError, ValueError, RecursionError):
        return []  # a template, or Python 2
    found = []
    for node in ast.walk(tree):
        if isinstance(node, _DOCUMENTED):
            text = fold_whitespace(ast.get_docstring(node, clean=False) or "")
            if len(text) >= MIN_CHARACTERS:
                found.append(text)
    return found


def _documents() -> Iterator[Document]:
    """Each distinct text once, with the split of the first file that has it.

    A text found under two labels has none: it says nothing about its package.
    """
    files = dict(_source_files())
    texts: dict[str, tuple[str, str | None]] = {}  # text -> (file, label)
    done = 0
    progress = Progress(lambda: done / len(files))
    # Spawned workers, as a fork after TensorFlow is imported may hang.
    context = multiprocessing.get_context("spawn")
    pool = ProcessPoolExecutor(min(8, os.cpu_count() or 1), context, _start_worker)
    try:
        found = pool.map(docstrings_of, map(str, files.values()), chunksize=32)
        for done, (name, docstrings) in enumerate(zip(files, found, strict=True), 1):
            for text in docstrings:
                first, label = texts.setdefault(text, (name, _label_of(name)))
                if label != _label_of(name):
                    texts[text] = (first, None)
            progress(functools.partial("{:,} source files read".format, done))
    finally:
        pool.shutdown(cancel_futures=True)
        progress.close()
    for text, (name, label) in texts.items():
        if label is None:
            yield Document(text, "corpus")
        else:
            yield Document(text, "test" if is_test_file(name) else "train", label)


def _start_worker() -> None:
    """Leaves Ctrl-C to the parent, and ends with the parent even if that is killed."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def _label_of(name: str) -> str | None:
    for prefix, label in _LABEL_OF_SUBTREE.items():
        if name.startswith(prefix):
            return label
    package = name.partition("/")[0]
    return PYTHON if package == PYTHON else PACKAGES[package]


def _source_files() -> Iterator[tuple[str, Path]]:
    """(`package/path.py`, where it is), sorted within each package."""
    for package in PACKAGES:
        # Finding a top-level package does not import it.
        spec = importlib.util.find_spec(package)
        if spec is None or not spec.submodule_search_locations:
            raise UserError(f"--dataset={EMBEDDED}: package {package} is not installed")
        yield from _python_files(package, Path(spec.submodule_search_locations[0]))
    yield from _python_files(PYTHON, Path(sysconfig.get_path("stdlib")))


def _python_files(package: str, top: Path) -> Iterator[tuple[str, Path]]:
    found = []
    for root, directories, names in os.walk(top):
        directories[:] = [name for name in directories if name not in _SKIPPED_DIRECTORIES]
        for name in names:
            if name.endswith(".py") and not name.endswith("_test.py"):
                path = Path(root, name)
                found.append((f"{package}/{path.relative_to(top).as_posix()}", path))
    yield from sorted(found)
