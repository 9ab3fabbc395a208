"""What run_recipe.py can be told. No TensorFlow here."""

import dataclasses

from bert_core.errors import UserError

# Of the minutes left for pretraining; the rest goes to starting, evaluating and saving.
SHARE_OF_STEPS = 0.95


@dataclasses.dataclass(frozen=True)
class Budget:
    """Minutes of a whole recipe, from the raw text to the first fine-tuned model."""

    minutes: float
    finetune_minutes: float  # of these, kept for fine-tuning

    def __post_init__(self) -> None:
        if not 0 < self.finetune_minutes < self.minutes < 1e6:
            raise UserError(
                f"--finetune_minutes={self.finetune_minutes}: must be above 0 and below "
                f"--minutes={self.minutes}"
            )

    def pretraining_minutes(self, gone: float) -> float:
        """What is left for steps of pretraining after `gone` minutes; UserError if nothing."""
        left = SHARE_OF_STEPS * (self.minutes - gone - self.finetune_minutes)
        if left <= 0:
            raise UserError(
                f"--minutes={self.minutes}: preparing took {gone:.1f} of them, which leaves "
                "nothing for pretraining; give more"
            )
        return left


@dataclasses.dataclass(frozen=True)
class RecipeOptions:
    """What run_recipe.py hands to the programs it runs."""

    pretrain: tuple[str, ...]  # flags of run_pretrain.py
    finetune: tuple[str, ...]  # flags of run_finetune.py
    fill_mask: tuple[str, ...]  # flags of run_predict.py
    budget: Budget | None  # None: the lengths are those that the flags give
