"""The configuration: what is refused and how, JSON there and back, published shapes."""

import dataclasses
import json
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given, seed, settings
from hypothesis import strategies as st

from bert_core.config import BertConfig, from_dict, preset, read_config, steep_slopes
from bert_core.errors import UserError

NAN, INF = float("nan"), float("inf")
NOT_COUNTS = [0, -1, 2.0, "3", None, True, 2**31]
NOT_SHARES = [-0.1, 1.0, NAN, "0.1", None, True, 10**400]
REFUSED = {
    "vocab_size": NOT_COUNTS,
    "hidden_size": [*NOT_COUNTS, 767],
    "num_hidden_layers": NOT_COUNTS,
    "num_attention_heads": [*NOT_COUNTS, 5],
    "intermediate_size": NOT_COUNTS,
    "hidden_act": ["swish", "GELU", "", None, 3],
    "hidden_dropout_prob": NOT_SHARES,
    "attention_probs_dropout_prob": NOT_SHARES,
    "max_position_embeddings": NOT_COUNTS,
    "type_vocab_size": NOT_COUNTS,
    "initializer_range": [0.0, 1.0, -0.1, NAN, INF, "0.02", None],
    "layer_norm_eps": [0.0, 1.0, -1e-12, NAN, INF, "1e-12", None],
    "alibi_slopes": [(1.0,) * 11, (-1.0,) * 12, (NAN,) * 12, (INF,) * 12, ("1",) * 12, 1, None],
    "neighbour_offsets": [(0,), (1, 1), (-9,), (9,), (1.0,), (True,), ("1",), 1, None],
    "attention_window": [-1, 1.5, True, "4", None, 2**31],
    "pooling": ["max", "", None],
}
PUBLISHED = {  # layers, hidden, heads, feed-forward: google-research/bert, README
    "tiny": (2, 128, 2, 512),
    "mini": (4, 256, 4, 1024),
    "small": (4, 512, 8, 2048),
    "medium": (8, 512, 8, 2048),
    "base": (12, 768, 12, 3072),
    "large": (24, 1024, 16, 4096),
}


def test_the_table_covers_every_field():
    assert set(REFUSED) == {field.name for field in dataclasses.fields(BertConfig)}


@pytest.mark.parametrize(
    ("field", "value"), [(field, value) for field in REFUSED for value in REFUSED[field]]
)
def test_what_is_refused_is_named(field, value):
    values = {"vocab_size": 100, **{field: value}}
    with pytest.raises(UserError, match=field) as caught:
        BertConfig(**values)
    assert "\n" not in str(caught.value)
    with pytest.raises(UserError, match=rf"^here\.json: .*{field}"):
        from_dict(values, "here.json")


def test_the_defaults_are_bert_base():
    assert BertConfig(vocab_size=30522) == preset("base", 30522)
    assert BertConfig(vocab_size=30522).head_size == 64
    assert BertConfig(vocab_size=30522).alibi_slopes == ()
    assert BertConfig(vocab_size=30522).pooling == "cls"


@pytest.mark.parametrize("name", PUBLISHED)
def test_presets_are_the_published_shapes(name):
    config = preset(name, 123)
    shape = (config.num_hidden_layers, config.hidden_size, config.num_attention_heads)
    assert (*shape, config.intermediate_size) == PUBLISHED[name]
    assert config == BertConfig(
        vocab_size=123,
        num_hidden_layers=shape[0],
        hidden_size=shape[1],
        num_attention_heads=shape[2],
        intermediate_size=config.intermediate_size,
        hidden_act="gelu",
        hidden_dropout_prob=0.1,
        attention_probs_dropout_prob=0.1,
        max_position_embeddings=512,
        type_vocab_size=2,
        initializer_range=0.02,
        layer_norm_eps=1e-12,
    )


def test_an_unknown_preset_is_refused_with_the_known_ones():
    with pytest.raises(UserError, match=r"--model=huge.*tiny.*large"):
        preset("huge", 100)


def test_steep_slopes_fall_from_1_to_a_tenth():
    assert steep_slopes(1) == (1.0,)
    assert steep_slopes(2) == (1.0, 0.1)
    assert steep_slopes(3) == (1.0, 0.3162, 0.1)
    assert BertConfig(100, alibi_slopes=steep_slopes(12)).alibi_slopes[-1] == 0.1


@st.composite
def configs(draw):
    heads, size = draw(st.integers(1, 16)), draw(st.integers(1, 80))
    count, share = st.integers(1, 10**6), st.floats(0, 1, exclude_max=True)
    small = st.floats(0, 1, exclude_min=True, exclude_max=True)
    slopes = st.lists(st.floats(0, 100), min_size=heads, max_size=heads)
    return BertConfig(
        vocab_size=draw(count),
        hidden_size=heads * size,
        num_hidden_layers=draw(count),
        num_attention_heads=heads,
        intermediate_size=draw(count),
        hidden_act=draw(st.sampled_from(["gelu", "gelu_new", "relu"])),
        hidden_dropout_prob=draw(share),
        attention_probs_dropout_prob=draw(share),
        max_position_embeddings=draw(count),
        type_vocab_size=draw(count),
        initializer_range=draw(small),
        layer_norm_eps=draw(small),
        alibi_slopes=tuple(draw(st.one_of(st.just([]), slopes))),
        neighbour_offsets=tuple(draw(st.sets(st.sampled_from([-8, -2, -1, 1, 2, 8])))),
        attention_window=draw(st.integers(0, 10**6)),
        pooling=draw(st.sampled_from(["cls", "mean", "detectors"])),
    )


@seed(0)
@settings(max_examples=100, deadline=None)
@given(configs())
def test_json_there_and_back(config):
    assert from_dict(json.loads(config.to_json()), "config.json") == config
    assert hash(config) == hash(from_dict(json.loads(config.to_json()), "config.json"))


def test_a_file_there_and_back(tmp_path):
    config = BertConfig(100, alibi_slopes=steep_slopes(12), pooling="mean")
    path = tmp_path / "config.json"
    path.write_text(config.to_json())
    assert read_config(path) == read_config(path, vocab_size=100) == config


def test_the_vocabulary_may_stand_in_for_a_missing_size_but_not_contradict(tmp_path):
    path = tmp_path / "config.json"
    path.write_text('{"hidden_size": 24}')
    assert read_config(path, vocab_size=50) == BertConfig(50, hidden_size=24)
    with pytest.raises(UserError, match=r"config\.json: vocab_size is missing"):
        read_config(path)
    path.write_text('{"vocab_size": 60}')
    with pytest.raises(UserError, match=r"config\.json: vocab_size is 60.*has 50"):
        read_config(path, vocab_size=50)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{"vocab_size": 9, "hiden_size": 24}', "unknown field 'hiden_size'.*hidden_size"),
        ('{"vocab_size": 9, "hidden_size": 0}', "hidden_size"),
        ('{"vocab_size": 9', "is not JSON"),
        ("[1, 2]", "JSON object"),
        ("\xff", "is not JSON"),
    ],
)
def test_a_wrong_file_is_named_with_what_is_wrong(tmp_path, text, message):
    path = tmp_path / "config.json"
    path.write_text(text, encoding="latin-1")
    with pytest.raises(UserError, match=rf"config\.json: .*{message}"):
        read_config(path)
    with pytest.raises(UserError, match=r"absent\.json: cannot be read"):
        read_config(tmp_path / "absent.json")


def test_lengths_beyond_the_positions_are_refused_by_flag():
    config = BertConfig(100, max_position_embeddings=64)
    config.check_length(64, "--seq_length")
    with pytest.raises(UserError, match=r"--seq_length=65.*max_position_embeddings 64"):
        config.check_length(65, "--seq_length")
    dataclasses.replace(config, attention_window=64).check_length(65, "--seq_length")
    with pytest.raises(UserError, match=r"--seq_length=66"):
        dataclasses.replace(config, attention_window=65).check_length(66, "--seq_length")


def test_it_comes_without_tensorflow_and_numpy():
    code = (
        "import bert_core.config, sys; sys.exit(bool({'tensorflow', 'numpy'} & {*sys.modules}))"
    )
    root = Path(__file__).resolve().parents[2]
    assert subprocess.run([sys.executable, "-c", code], cwd=root).returncode == 0
