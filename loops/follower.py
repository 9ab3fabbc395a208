"""What the workers other than the chief do: the same steps, and nothing on disk."""

from loops import stopping
from loops.plan import Plan, build, identity, measured, schedule, settled


def follow(plan: Plan) -> None:
    """Keeps in step with the chief's `open_session` and `train`: whatever waits for all
    workers there has its counterpart here, in the same order.

    Raises Stopped when any worker has received a signal.
    """
    replicas, options = plan.replicas, plan.training
    team = replicas.team
    team.check_same(identity(plan))
    state, steps = build(plan, team.from_chief())
    measured(plan, state, steps, team.from_chief())
    total = team.from_chief()
    replicas.spread(state.variables)
    loop, rate = settled(options.loop, plan, total), schedule(options.schedule, total)
    step = int(state.step.numpy())
    iterator = iter(plan.make_batches(step, total))
    with stopping.deferred():
        while True:
            if team.asked_to_stop():
                stopping.check()
            if step >= total:
                return
            stop_at = loop.next_stop(step, total)
            steps(iterator, [rate(s) for s in range(step, stop_at)])
            step = stop_at
