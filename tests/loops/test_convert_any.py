"""Any small BERT through any format comes back bit for bit; any damage is one line.

What is converted here is made by hypothesis: configurations and weights that no one would
think of, and files that someone may have thought of for long.
"""

import random
import shutil
import tempfile
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from bert_core import google_names
from bert_core.config import ACTIVATIONS, BertConfig
from bert_core.errors import UserError
from loops import convert, run_files
from loops.convert_check import check_input
from loops.portable import Portable
from loops.use_options import FORMATS, ConvertOptions
from pipelines.vocabulary import SPECIAL_TOKENS, Vocabulary, check_tokens
from tests.conversions import READ, bits
from tests.mutations import edited

MOST_MEMORY = 8 * 2**20  # bytes to read a model of 60 kB, or to refuse it
ODD = st.sampled_from(
    ["\ufeffa", "\u2028", "\x85", " a ", "\x1b[31m", "e\u0301", "\0", "##", "#"]
)
LINES = ODD | st.text(
    st.characters(exclude_categories=["Cs"], exclude_characters="\r\n"), min_size=1
)
PARTS = [(), ("head",), ("head", "pooler"), ("pooler", "output"), ("head", "pooler", "output")]
CONFIGS = st.builds(
    lambda heads, size, **fields: BertConfig(
        hidden_size=heads * size, num_attention_heads=heads, **fields
    ),
    heads=st.integers(1, 3),
    size=st.integers(1, 3),
    vocab_size=st.integers(6, 12),
    num_hidden_layers=st.integers(1, 3),
    intermediate_size=st.integers(1, 7),
    max_position_embeddings=st.integers(1, 9),
    type_vocab_size=st.integers(1, 3),
    hidden_act=st.sampled_from(ACTIVATIONS),
    hidden_dropout_prob=st.floats(0, 1, exclude_max=True),
    attention_probs_dropout_prob=st.floats(0, 1, exclude_max=True),
    initializer_range=st.floats(0, 1, exclude_min=True, exclude_max=True),
    layer_norm_eps=st.sampled_from([1e-12, 1e-5]),
)


@st.composite
def models(draw: st.DrawFn) -> Portable:
    """A model with weights of any bits, NaN and infinities among them."""
    config = draw(CONFIGS)
    parts = ("encoder", *draw(st.sampled_from(PARTS)))
    labels: tuple[str, ...] = ()
    if "output" in parts:
        labels = tuple(draw(st.lists(LINES, min_size=2, max_size=4, unique=True)))
    chooser = np.random.default_rng(draw(st.integers(0, 2**32)))
    variables = {}
    for row in google_names.rows(config, parts, len(labels)):
        numbers = chooser.integers(0, 2**32, row.our_shape, np.uint32)
        variables[row.ours] = numbers.view(np.float32)
    rest = config.vocab_size - len(SPECIAL_TOKENS)
    words = LINES.filter(lambda x: bool(x.strip(" \t")) and x not in SPECIAL_TOKENS)
    words = draw(st.lists(words, min_size=rest, max_size=rest, unique=True))
    return Portable(
        config, variables, (*SPECIAL_TOKENS, *words), draw(st.booleans()), labels, [], {}
    )


def convert_as_the_program_does(source: str, target: str, start: Path, end: Path) -> None:
    options = ConvertOptions(source, target, start, end)
    check_tokens(check_input(options), "the vocabulary")
    model = convert.read(options)
    convert.write(options, model, Vocabulary(model.tokens, model.lower_case).sha256)


@pytest.mark.parametrize("other", ["huggingface", "google"])
@settings(max_examples=25, deadline=None, derandomize=True)
@given(model=models())
def test_there_and_back_again(other: str, model: Portable) -> None:
    assume(other != "google" or model.config.layer_norm_eps == 1e-12)
    with tempfile.TemporaryDirectory() as directory:
        here = Path(directory)
        (here / "first").mkdir()
        run_files.write(here / "first", model, {})
        convert_as_the_program_does("run", other, here / "first", here / "there")
        convert_as_the_program_does(other, "run", here / "there", here / "back")
        first, back = run_files.read(here / "first", None), run_files.read(here / "back", None)
        assert bits(back) == bits(first) == bits(model)
        assert back.config == first.config
        assert (back.tokens, back.labels) == (model.tokens, model.labels)
        assert back.lower_case is model.lower_case


def damaged(file: Path, seed: int) -> None:
    """Cuts a file, flips a bit, or edits it here and there; of safetensors, the header."""
    chooser, data = random.Random(seed), file.read_bytes()
    kind = chooser.choice(["cut", "flip", "edit"])
    place = chooser.randrange(max(1, len(data)))
    if kind == "cut":
        data = data[:place]
    elif kind == "flip" and data:
        data = (
            data[:place]
            + bytes([data[place] ^ (1 << chooser.randrange(8))])
            + data[place + 1 :]
        )
    elif file.suffix == ".safetensors":
        end = 8 + int.from_bytes(data[:8], "little")
        header = edited(data[8:end], seed)
        data = len(header).to_bytes(8, "little") + header + data[end:]
    else:
        data = edited(data, seed)
    file.write_bytes(data)


def convert_or_say_why(source: str, target: str, start: Path) -> bool:
    """Converts; whether it could. In either case nothing looks whole that is not."""
    end = start.parent / "out" / "model"
    said = ""
    tracemalloc.start()
    try:
        convert_as_the_program_does(source, target, start, end)
    except UserError as error:
        said = str(error)
    finally:
        assert tracemalloc.get_traced_memory()[1] < MOST_MEMORY
        tracemalloc.stop()
        shutil.rmtree(start)
    if said:
        assert "\n" not in said
        assert not end.exists()
        return False
    assert [path.name for path in end.parent.iterdir()] == ["model"]
    again = READ[target](end, None)
    assert again.config.encoder_bytes <= sum(x.nbytes for x in again.variables.values())
    return True


@pytest.mark.parametrize("source", FORMATS)
@settings(max_examples=25, deadline=None, derandomize=True)
@given(data=st.data(), seed=st.integers(0, 2**32))
def test_any_damage(
    source: str, converted: dict[str, Path], data: st.DataObject, seed: int
) -> None:
    names = sorted(
        str(x.relative_to(converted[source]))
        for x in converted[source].rglob("*")
        if x.is_file()
    )
    weights = [x for x in names if "ckpt" in x or x.endswith(".safetensors")]
    name = data.draw(st.sampled_from(weights) | st.sampled_from(names))
    with tempfile.TemporaryDirectory() as directory:
        start = Path(shutil.copytree(converted[source], Path(directory) / "start"))
        damaged(start / name, seed)
        target = {"run": "huggingface", "huggingface": "google", "google": "run"}[source]
        convert_or_say_why(source, target, start)
