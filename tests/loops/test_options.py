"""The host calls of a run tile its steps, wherever it is taken up."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bert_core.errors import UserError
from loops.options import LengthOptions, LoopOptions, ScheduleOptions

steps = st.integers(1, 50)


@given(steps, st.none() | steps, steps, st.integers(1, 300), st.data())
def test_next_stop(per_loop, evaluate, checkpoint, total, data) -> None:
    options = LoopOptions(
        steps_per_loop=per_loop, eval_steps=evaluate, checkpoint_steps=checkpoint
    )

    def stops(first: int) -> list[int]:
        found = [first]
        while found[-1] < total:
            found.append(options.next_stop(found[-1], total))
        return found

    whole = stops(0)
    assert whole == sorted(set(whole))
    assert whole[-1] == total
    due = [n for n in range(total + 1) if n % checkpoint == 0 or n % (evaluate or n + 1) == 0]
    assert set(due) <= set(whole)
    assert all(end - start <= per_loop for start, end in itertools.pairwise(whole))
    # Taken up at a stop, a run makes the calls that it would have made.
    first = data.draw(st.sampled_from(whole))
    assert stops(first) == whole[whole.index(first) :]


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: LoopOptions(steps_per_loop=0), "--steps_per_loop=0"),
        (lambda: LoopOptions(eval_steps=0), "--eval_steps=0"),
        (lambda: LoopOptions(checkpoint_steps=-1), "--checkpoint_steps=-1"),
        (lambda: LoopOptions(max_to_keep=1), "--max_to_keep=1"),
        (lambda: LoopOptions(max_bad_steps=-1), "--max_bad_steps=-1"),
        (lambda: LengthOptions(), "given: none"),
        (lambda: LengthOptions(1, 1.0), "given: num_train_steps, num_epochs"),
        (lambda: LengthOptions(max_minutes=0), "--max_minutes=0"),
        (lambda: ScheduleOptions(0), "--learning_rate=0"),
        (lambda: ScheduleOptions(float("nan")), "--learning_rate=nan"),
        (lambda: ScheduleOptions(1, warmup_share=1), "--warmup_share=1"),
        (lambda: ScheduleOptions(1, decay_power=-1), "--decay_power=-1"),
    ],
)
def test_what_makes_no_sense_is_refused(make, message) -> None:
    with pytest.raises(UserError, match=message):
        make()
