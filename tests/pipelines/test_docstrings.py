"""The embedded dataset: extraction against `inspect`, and a split without leaks."""

import inspect
import json
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from pipelines import docstrings
from pipelines.source import Document

LONG = "A docstring that is long enough to be kept because it says what it has to say, " * 2


def by_split(documents):
    return {
        split: [document for document in documents if document.split == split]
        for split in ("train", "test", "corpus")
    }


@pytest.fixture(scope="module")
def small_world(tmp_path_factory):
    """Two labelled packages, one without a label, and what is drawn from them."""
    top = tmp_path_factory.mktemp("world")
    for package in ("red", "blue", "grey"):
        for number in range(40):
            path = top / package / f"part{number % 3}" / f"module{number}.py"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(f'"""{LONG} {package} {number}."""\n')
        for skipped in ("tests/x.py", "_vendor/x.py", "part0/x_test.py", "part0/x.txt"):
            path = top / package / skipped
            path.parent.mkdir(exist_ok=True)
            path.write_text(f'"""{LONG} skipped."""\n')
        (top / package / "licence.py").write_text(f'"""{LONG} in every package."""\n')
        (top / package / "broken.py").write_text(f'"""{LONG} broken."""\nprint "2"\n')
    for number in range(20):  # one text in many files of one package
        (top / "red" / f"copy{number}.py").write_text(f'"""{LONG} red copy."""\n')
    (top / "red" / "old_blue").mkdir()
    (top / "red" / "old_blue" / "a.py").write_text(f'"""{LONG} old blue."""\n')
    patch = pytest.MonkeyPatch()
    patch.setattr(docstrings, "PACKAGES", {"red": "red", "blue": "blue", "grey": None})
    patch.setattr(docstrings, "_LABEL_OF_SUBTREE", {"red/old_blue/": "blue"})
    patch.setattr(docstrings.sysconfig, "get_path", lambda name: str(top / "nothing"))
    patch.syspath_prepend(str(top))
    for package in ("red", "blue", "grey"):
        (top / package / "__init__.py").write_text("raise SystemExit('was imported')\n")
    documents = list(docstrings.source().documents)
    patch.undo()
    return documents


def test_every_text_comes_once_with_its_label(small_world):
    texts = [document.text for document in small_world]
    assert len(set(texts)) == len(texts) == 3 * 40 + 3
    assert not any("skipped" in text or "broken" in text for text in texts)
    for document in small_world:
        colour = document.text.split()[-2]
        if colour in ("red", "blue") and document.split != "corpus":
            assert document.label == ("blue" if "old blue" in document.text else colour)
    common = [document for document in small_world if "in every package" in document.text]
    assert common == [Document(common[0].text, "corpus", None)]


def test_unlabelled_packages_are_corpus_only(small_world):
    grey = [document for document in small_world if " grey " in document.text]
    assert {(document.split, document.label) for document in grey} == {("corpus", None)}


def test_the_split_is_by_file_and_about_the_stated_share(small_world):
    splits = by_split(small_world)
    assert 4 <= len(splits["test"]) <= 25  # 0.15 of 80 files
    for document in splits["test"]:
        *_, package, number = document.text.rstrip(".").split()
        if number.isdigit():
            name = f"{package}/part{int(number) % 3}/module{number}.py"
            assert docstrings.is_test_file(name)
    names = [f"package/module{number}.py" for number in range(20_000)]
    share = sum(map(docstrings.is_test_file, names)) / len(names)
    assert abs(share - docstrings.TEST_SHARE) < 0.01


def test_the_split_does_not_change_with_the_machine():
    # From `printf a/1.py | sha256sum`: those whose first byte is below 0.15 of 256.
    assert [n for n in range(30) if docstrings.is_test_file(f"a/{n}.py")] == [1, 7, 18]


def test_extraction_agrees_with_inspect():
    """`textwrap` has been imported, so Python itself can be asked for its docstrings."""
    members = [textwrap, *vars(textwrap).values(), *vars(textwrap.TextWrapper).values()]
    asked = {
        " ".join(member.__doc__.split())
        for member in members
        if getattr(member, "__doc__", None)
        and (inspect.ismodule(member) or inspect.isclass(member) or inspect.isfunction(member))
        and inspect.getfile(member) == textwrap.__file__
    }
    expected = {text for text in asked if len(text) >= docstrings.MIN_CHARACTERS}
    assert len(expected) >= 5
    assert set(docstrings.docstrings_of(textwrap.__file__)) == expected


def test_short_texts_and_strings_that_are_no_docstrings_are_left_out(tmp_path):
    source = f'''
        """{LONG} module."""
        x = 1
        """{LONG} a string."""
        async def f():
            """Short."""
            class C:
                r"""{LONG}
                \\d class."""
    '''
    path = tmp_path / "m.py"
    path.write_text(textwrap.dedent(source))
    texts = docstrings.docstrings_of(str(path))
    assert [text.split()[-1] for text in texts] == ["module.", "class."]
    assert texts[1].endswith("say, \\d class.")


def test_the_packages_are_found_without_importing_them():
    """In a fresh process; importing TensorFlow would take ten seconds."""
    program = (
        "import json, sys; from pipelines import docstrings as d;"
        "names = [n for n, _ in d._source_files()];"
        "print(json.dumps([len(names), sorted({n.split('/')[0] for n in names}),"
        " sorted(set(d.PACKAGES) & set(sys.modules))]))"
    )
    root = Path(docstrings.__file__).parents[1]
    output = subprocess.run(
        [sys.executable, "-c", program], cwd=root, check=True, capture_output=True, text=True
    ).stdout
    count, packages, imported = json.loads(output)
    assert count > 3000
    assert {"keras", "matplotlib", "numpy", "python", "tensorflow"} <= set(packages)
    assert imported == []
