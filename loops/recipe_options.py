"""The options of run_recipe.py. No TensorFlow here."""

import dataclasses
from pathlib import Path

from bert_core.config import BertConfig
from bert_core.errors import UserError
from loops.portable import read_json

# Of a training's minutes: those until its first step (imports, words counted, a step
# measured; on two cores of 170 GFLOP/s 32 s in pretraining, 20 s in fine-tuning), and of the
# rest the share that is not for evaluating and saving.
STARTING = 0.5
SHARE_OF_STEPS = 0.95
LEAST_MINUTES = 0.1  # for steps of a fine-tuning, however short or late it is


@dataclasses.dataclass(frozen=True)
class Budget:
    """Minutes of a whole recipe, from the raw text to the first model that is scored."""

    minutes: float
    finetune_minutes: float  # of these, kept for fine-tuning
    student_minutes: float  # and for guessing labels, and fine-tuning with them; or 0

    def __post_init__(self) -> None:
        kept = self.finetune_minutes + self.student_minutes
        if not (0 < self.finetune_minutes <= kept < self.minutes < 1e6):
            raise UserError(
                f"--finetune_minutes={self.finetune_minutes}: must be above 0, and with "
                f"--student_minutes={self.student_minutes} below --minutes={self.minutes}"
            )

    def pretraining_minutes(self, gone: float) -> float:
        """What is left for steps of pretraining after `gone` minutes; UserError if nothing."""
        left = of_steps(self.minutes - gone - self.finetune_minutes - self.student_minutes)
        if left <= 0:
            raise UserError(
                f"--minutes={self.minutes}: preparing took {gone:.1f} of them, which leaves "
                "nothing for pretraining; give more, or run the same command again, which "
                "finds it prepared"
            )
        return left

    def minutes_of_each(self, num_teachers: int) -> float:
        """For steps of each model that guesses labels: equal shares of --finetune_minutes."""
        return max(of_steps(self.finetune_minutes / num_teachers), LEAST_MINUTES)

    def minutes_of_student(self, gone: float) -> float:
        """What is left for steps with guessed labels, after guessing took `gone` minutes.

        Never nothing: on a machine too slow for both, the student takes a few steps.
        """
        return max(of_steps(self.student_minutes - gone), LEAST_MINUTES)


def of_steps(minutes: float) -> float:
    """What a training's steps may take, so that all of it takes `minutes`."""
    return SHARE_OF_STEPS * (minutes - STARTING)


@dataclasses.dataclass(frozen=True)
class RecipeOptions:
    """What run_recipe.py hands to the programs it runs."""

    pretrain: tuple[str, ...]  # flags of run_pretrain.py
    finetune: tuple[str, ...]  # flags of run_finetune.py
    student: tuple[str, ...]  # more of them, if guessed labels are learned too; or none
    fill_mask: tuple[str, ...]  # flags of run_predict.py
    budget: Budget | None  # None: the flags give the lengths
    second_opinion: bool = False  # whether NB-SVM guesses labels too
    num_teachers: int = 1  # models that guess labels with it

    @property
    def positions(self) -> int:
        """How long a sequence the pretrained model can read; 0 if unknown."""
        told = dict(flag.removeprefix("--").partition("=")[::2] for flag in self.pretrain)
        if "init_checkpoint" in told:
            return 0
        path, name = told.get("model_config"), "max_position_embeddings"
        try:
            config = read_json(Path(path).expanduser()) if path else {}
        except RuntimeError as error:  # there is no such user
            raise UserError(f"--pretrain=model_config={path}: {error}") from None
        positions = config.get(name, BertConfig.max_position_embeddings)
        return positions if isinstance(positions, int) and positions > 0 else 0

    def __post_init__(self) -> None:
        if self.budget and any(flag.startswith("--max_minutes=") for flag in self.pretrain):
            raise UserError(
                "--pretrain=max_minutes: --minutes says how long; give one of the two"
            )
        for name in ("finetune", "student"):
            for flag in getattr(self, name):
                self._check_handed(name, *flag.removeprefix("--").split("=", 1))
        if self.num_teachers < 1:
            raise UserError(f"--num_teachers={self.num_teachers}: must be at least 1")
        if self.num_teachers > 1 and not self.second_opinion:
            raise UserError(
                f"--num_teachers={self.num_teachers}: goes with --second_opinion, which "
                "combines their guesses"
            )
        if self.second_opinion and not self.student:
            raise UserError("--second_opinion: goes with --student, which learns the guesses")

    def _check_handed(self, given: str, name: str, value: str = "") -> None:
        """UserError for a flag of --finetune or --student, `given`, that the recipe sets."""
        if name == "task" and value != "classification":
            raise UserError(f"--{given}={name}={value}: a recipe is for classes only")
        if name == "max_minutes" and self.budget:
            raise UserError(
                f"--{given}={name}: --{given}_minutes says how long; give one of the two"
            )
        if name == "num_seeds" and given == "finetune" and self.student:
            raise UserError(
                "--finetune=num_seeds: --num_teachers says how many guess labels, and "
                "--student=num_seeds how many learn them"
            )
