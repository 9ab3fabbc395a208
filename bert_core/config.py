"""The architecture: one frozen dataclass, with Google's published shapes.

Field names and defaults are those of google-research/bert's `bert_config.json`.
The fields below the line are this project's; their defaults are the faithful
BERT (Devlin et al. 2018, https://arxiv.org/abs/1810.04805).
"""

import dataclasses
import json
from pathlib import Path
from typing import Any

from bert_core.errors import UserError

ACTIVATIONS = ("gelu", "gelu_new", "relu")
POOLINGS = ("cls", "mean", "detectors")
FARTHEST_NEIGHBOUR = 8  # each has a table [V, H]; attention sees farther

# L and H of https://github.com/google-research/bert#bert, 2020-03-11 and 2018.
PRESETS = {
    "tiny": (2, 128),
    "mini": (4, 256),
    "small": (4, 512),
    "medium": (8, 512),
    "base": (12, 768),
    "large": (24, 1024),
}


@dataclasses.dataclass(frozen=True)
class BertConfig:
    """Shape of an encoder and of its heads. Raises UserError when inconsistent."""

    vocab_size: int  # V
    hidden_size: int = 768  # H
    num_hidden_layers: int = 12
    num_attention_heads: int = 12  # N
    intermediate_size: int = 3072  # F
    hidden_act: str = "gelu"  # "gelu" is the erf form, "gelu_new" the tanh form
    hidden_dropout_prob: float = 0.1
    attention_probs_dropout_prob: float = 0.1
    max_position_embeddings: int = 512
    type_vocab_size: int = 2
    initializer_range: float = 0.02
    layer_norm_eps: float = 1e-12
    # ---- departures from BERT ----
    # One slope per head: adds -slope * |i - j| to the attention scores, so a head
    # sees its neighbours from the first step (ALiBi, Press et al. 2021, made
    # symmetric). Empty: none, as in BERT.
    alibi_slopes: tuple[float, ...] = ()
    # Which neighbours add to a token's embedding, each from its own table [V, H]
    # (bert_core/neighbours.py): (-1, 1) are the token before and the one after. Empty: none,
    # as in BERT.
    neighbour_offsets: tuple[int, ...] = ()
    # The most tokens that see each other: a longer text is read in windows of at most
    # that many (bert_core/windows.py). 0: all see all, as in BERT.
    attention_window: int = 0
    # What a classifier reads: "cls" is BERT's tanh-pooled first token, "mean" the
    # mean of the visible tokens (without next-sentence loss nothing trains [CLS]),
    # "detectors" both that mean and the strongest responses of learned detectors
    # (bert_core/detectors.py).
    pooling: str = "cls"

    def __post_init__(self) -> None:
        for name in _POSITIVE_INTEGERS:
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int) or not 0 < value < 2**31:
                raise UserError(
                    f"config: {name} must be a whole number above 0, not {value!r:.80}"
                )
        if self.hidden_size % self.num_attention_heads:
            raise UserError(
                f"config: hidden_size {self.hidden_size} is not a multiple of "
                f"num_attention_heads {self.num_attention_heads}"
            )
        for name in ("hidden_dropout_prob", "attention_probs_dropout_prob"):
            value = getattr(self, name)
            if not (_is_number(value) and 0 <= value < 1):
                raise UserError(f"config: {name} must be in [0, 1), not {value!r}")
        for name in ("initializer_range", "layer_norm_eps"):
            value = getattr(self, name)
            if not (_is_number(value) and 0 < value < 1):
                raise UserError(f"config: {name} must be in (0, 1), not {value!r}")
        for name, allowed in (("hidden_act", ACTIVATIONS), ("pooling", POOLINGS)):
            if getattr(self, name) not in allowed:
                raise UserError(
                    f"config: {name} must be one of {', '.join(allowed)}, "
                    f"not {getattr(self, name)!r}"
                )
        window = self.attention_window
        if isinstance(window, bool) or not isinstance(window, int) or not 0 <= window < 2**31:
            raise UserError(
                "config: attention_window must be a whole number of at least 0, not "
                f"{window!r:.80}"
            )
        slopes = self.alibi_slopes
        if not isinstance(slopes, list | tuple) or not all(
            _is_number(slope) and slope >= 0 for slope in slopes
        ):
            raise UserError("config: alibi_slopes must be a list of numbers of at least 0")
        if slopes and len(slopes) != self.num_attention_heads:
            raise UserError(
                f"config: alibi_slopes has {len(slopes)} numbers for "
                f"{self.num_attention_heads} attention heads; give one per head, or none"
            )
        object.__setattr__(self, "alibi_slopes", tuple(slopes))
        offsets = self.neighbour_offsets
        if not isinstance(offsets, list | tuple) or not all(
            type(offset) is int and 0 < abs(offset) <= FARTHEST_NEIGHBOUR for offset in offsets
        ):
            raise UserError(
                "config: neighbour_offsets must be a list of whole numbers from "
                f"-{FARTHEST_NEIGHBOUR} to {FARTHEST_NEIGHBOUR}, without 0"
            )
        if len(set(offsets)) < len(offsets):
            raise UserError("config: neighbour_offsets has the same number twice")
        object.__setattr__(self, "neighbour_offsets", tuple(offsets))

    @property
    def head_size(self) -> int:
        """D, the width of one attention head."""
        return self.hidden_size // self.num_attention_heads

    @property
    def encoder_bytes(self) -> int:
        """Bytes that the encoder's matrices take up in float32, biases not counted."""
        h, f = self.hidden_size, self.intermediate_size
        words = self.vocab_size * (1 + len(self.neighbour_offsets))
        embeddings = words + self.max_position_embeddings + self.type_vocab_size
        return 4 * (embeddings * h + self.num_hidden_layers * (4 * h * h + 2 * h * f))

    def has_positions_for(self, seq_length: int) -> bool:
        """Whether there are positions for that many tokens, or for a window of them."""
        return (
            min(seq_length, self.attention_window or seq_length) <= self.max_position_embeddings
        )

    def fits_one_window(self, seq_length: int) -> bool:
        """Whether a text of that many tokens is read in one piece, not in windows."""
        return seq_length <= (self.attention_window or seq_length)

    def check_length(self, seq_length: int, flag: str) -> None:
        """Raises UserError when a sequence is longer than there are positions."""
        if not self.has_positions_for(seq_length):
            raise UserError(
                f"{flag}={seq_length}: the model has max_position_embeddings "
                f"{self.max_position_embeddings}; use at most that many"
            )

    def check_pairs(self, where: str) -> None:
        """Raises UserError when the second text of a pair has no segment of its own."""
        if self.type_vocab_size < 2:
            raise UserError(f"{where}: has one segment, and pairs of texts need two")

    def to_json(self) -> str:
        return json.dumps(dataclasses.asdict(self), indent=2) + "\n"


_POSITIVE_INTEGERS = (
    "vocab_size",
    "hidden_size",
    "num_hidden_layers",
    "num_attention_heads",
    "intermediate_size",
    "max_position_embeddings",
    "type_vocab_size",
)


def preset(name: str, vocab_size: int) -> BertConfig:
    """One of Google's shapes by name: heads of size 64, F = 4 H, 512 positions."""
    if name not in PRESETS:
        raise UserError(f"--model={name}: not one of {', '.join(PRESETS)}")
    layers, hidden = PRESETS[name]
    return BertConfig(
        vocab_size=vocab_size,
        hidden_size=hidden,
        num_hidden_layers=layers,
        num_attention_heads=hidden // 64,
        intermediate_size=4 * hidden,
    )


def steep_slopes(num_heads: int) -> tuple[float, ...]:
    """Slopes from 1 to 0.1 in equal ratios, the steepest head first.

    Much steeper than the ALiBi paper's: the first head gives its two neighbours
    e^-1 of its own weight, which is what takes a small model off the unigram
    plateau within minutes (docs/recipe.md).
    """
    if num_heads == 1:
        return (1.0,)
    return tuple(round(0.1 ** (head / (num_heads - 1)), 4) for head in range(num_heads))


def from_dict(values: dict[str, Any], where: str) -> BertConfig:
    """A config from parsed JSON; `where` names the file in errors."""
    if not isinstance(values, dict):
        raise UserError(f"{where}: must hold a JSON object of configuration fields")
    known = [field.name for field in dataclasses.fields(BertConfig)]
    unknown = sorted(set(values) - set(known))
    if unknown:
        raise UserError(f"{where}: unknown field {unknown[0]!r}; known: {', '.join(known)}")
    if "vocab_size" not in values:
        raise UserError(f"{where}: vocab_size is missing")
    try:
        return BertConfig(**values)
    except (UserError, TypeError) as error:
        raise UserError(f"{where}: {error}") from None


def read_config(path: Path, vocab_size: int | None = None) -> BertConfig:
    """Reads a `config.json` written by `BertConfig.to_json`.

    `vocab_size`, if given, must equal the file's, or stands in for a missing one.
    """
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror})") from None
    except (ValueError, RecursionError) as error:
        raise UserError(f"{path}: is not JSON ({error})") from None
    if vocab_size is not None and isinstance(values, dict):
        values = {"vocab_size": vocab_size, **values}
    config = from_dict(values, str(path))
    if vocab_size is not None and config.vocab_size != vocab_size:
        raise UserError(
            f"{path}: vocab_size is {config.vocab_size}, the vocabulary has {vocab_size}; "
            "leave it out, or bring the vocabulary with --vocab_file"
        )
    return config


def _is_number(value: object) -> bool:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    return -1e300 < value < 1e300  # math.isfinite cannot take an int of 400 digits
