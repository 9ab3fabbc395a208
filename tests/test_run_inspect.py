"""run_inspect.py: a page about runs of every kind, also as a real browser draws it."""

import csv
import json
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.fuzz_report import Nesting, parsed
from tests.programs import Runs, Zygote
from tests.test_tensorboard_in_chromium import CHROMIUM, OPTIONS

HOSTILE = "<script>document.title='run'</script><img src=x>"


def inspect(zygote: Zygote, run: Path, output: Path, *more: str) -> Nesting:
    ended = zygote.run(
        "run_inspect.py", f"--checkpoint={run}", f"--output={output}", "--num_threads=1", *more
    )
    assert ended.status == 0, ended.output
    assert ended.output == f"wrote {output}; open it in a browser\n"
    return parsed(output.read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def pretrained(
    zygote: Zygote, untouched: Runs, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    output = tmp_path_factory.mktemp("report") / "report.html"
    inspect(zygote, untouched.pretrain, output, "--text=[MASK] ab", f"--text=a {HOSTILE} b")
    return output


def test_a_pretrained_run(
    zygote: Zygote, untouched: Runs, data: Path, tmp_path: Path, pretrained: Path
) -> None:
    page = inspect(zygote, untouched.pretrain, tmp_path / "report.html")
    words = " ".join(page.words)
    for heading in ("Curves", "Masked words", "Nearest neighbours", "Attention", "The corpus"):
        assert heading in page.words
    for chart in ("loss", "masked accuracy", "learning rate", "gradient norm"):
        assert chart in page.words
    assert "unigram entropy" in page.words
    assert "300" in page.words  # documents
    assert words.count("tokens away on average") == 2  # one layer, two heads
    # By itself it is shown on beginnings of dev texts.
    kept = (untouched.pretrain / "samples.txt").read_text().splitlines()
    assert 1 <= len(kept) <= 6
    corpus = (data / "corpus" / "a.txt").read_text().splitlines()
    assert all(any(text.startswith(line) for text in corpus) for line in kept)
    shown = [str(value).split()[0] for name, value in page.attributes if name == "title"]
    joined = "".join(shown).replace("##", "")  # each text cut to the run's 16 tokens
    assert all(text.replace(" ", "")[:12] in joined for text in kept)
    assert "[MASK]" not in page.words
    assert "[MASK]" in parsed(pretrained.read_text()).words


def test_a_classifier_shows_what_applies(
    zygote: Zygote, untouched: Runs, tmp_path: Path
) -> None:
    run = Path(shutil.copytree(untouched.finetune, tmp_path / "run"))
    page = inspect(zygote, run, tmp_path / "report.html")
    for heading in ("Curves", "Confusion", "Nearest neighbours", "Attention"):
        assert heading in page.words
    assert not {"Masked words", "The corpus"} & set(page.words)
    with (run / "predictions.tsv").open() as file:
        rows = [
            (row["label"], row["predicted"]) for row in csv.DictReader(file, delimiter="\t")
        ]
    counts = [f"{rows.count((a, b)):,}" for a in "ab" for b in "ab"]
    start = page.words.index("Confusion")
    numbers = [word for word in page.words[start:] if word.replace(",", "").isdigit()]
    assert numbers[:4] == counts


def test_a_run_of_which_little_is_left(zygote: Zygote, untouched: Runs, tmp_path: Path) -> None:
    """As run_convert.py makes it: no figures, no corpus, no texts."""
    run = Path(shutil.copytree(untouched.pretrain, tmp_path / "run"))
    for name in ("metrics.jsonl", "corpus.json", "samples.txt"):
        (run / name).unlink()
    record = json.loads((run / "run.json").read_text())
    (run / "run.json").write_text(
        json.dumps({"program": "convert", "parts": ["encoder", "head"]})
    )
    assert record["program"] == "pretrain"
    page = inspect(zygote, run, tmp_path / "report.html")
    assert {"Masked words", "Attention"} <= set(page.words)
    assert not {"Curves", "The corpus", "Confusion"} & set(page.words)


def test_a_text_without_words(zygote: Zygote, untouched: Runs, tmp_path: Path) -> None:
    ended = zygote.run(
        "run_inspect.py",
        f"--checkpoint={untouched.pretrain}",
        f"--output={tmp_path / 'report.html'}",
        "--text=\u200b",
    )
    assert ended.status == 2
    assert "has no word in it; give another --text" in ended.output
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(CHROMIUM is None, reason="Chromium is not installed")
def test_in_a_real_browser(pretrained: Path, tmp_path: Path) -> None:
    """It draws charts and maps, loads nothing, and runs nothing of what it shows."""
    picture = tmp_path / "page.png"
    done = subprocess.run(
        [
            str(CHROMIUM),
            *(f"--{option}" for option in OPTIONS),
            "--dump-dom",
            "--enable-logging=stderr",
            f"--user-data-dir={tmp_path / 'profile'}",
            f"--screenshot={picture}",
            "--window-size=1100,2600",
            pretrained.as_uri(),
        ],
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    )
    assert "<title>pretrain: a look inside</title>" in done.stdout  # no script renamed it
    assert "CONSOLE" not in done.stderr  # where refused loads and errors are told
    for drawn in ("<polyline", "<image", "<ruby"):
        assert drawn in done.stdout, drawn
    from matplotlib.image import imread

    pixels = (imread(picture)[::3, ::3, :3] * 255).round().astype(int)
    colours = set(map(tuple, pixels.reshape(-1, 3)))
    assert (0x48, 0x78, 0xA8) in colours  # a bar
    assert (0xF7, 0xD4, 0xCC) in colours  # a word that was not foreseen
