"""The constants of AdamW (bert_core/adamw.py) and LAMB. No TensorFlow here."""

import dataclasses
import math

from bert_core.errors import UserError


@dataclasses.dataclass(frozen=True)
class AdamWOptions:
    """The constants of the update; the learning rate is given step by step."""

    beta1: float = 0.9
    beta2: float = 0.98
    epsilon: float = 1e-6
    weight_decay: float = 0.01
    clip_norm: float = 1.0  # of all gradients together; 0 for none

    def __post_init__(self) -> None:
        for name in ("beta1", "beta2"):
            # float32 has no number between 1 - 6e-8 and 1.
            if not 0 <= getattr(self, name) < 1 - 6e-8:
                raise UserError(f"--{name}={getattr(self, name)}: must be in [0, 1)")
        for name, least in (("epsilon", 1e-12), ("weight_decay", 0.0), ("clip_norm", 0.0)):
            if not least <= getattr(self, name) < math.inf:
                raise UserError(
                    f"--{name}={getattr(self, name)}: must be a number of at least {least:g}"
                )
