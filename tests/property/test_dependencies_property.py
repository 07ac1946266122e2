"""Whenever a job comes, it is started if, and only if, what it depends on holds: no history is part of a level."""

from building import CHECK, job
from hypothesis import given, settings
from hypothesis import strategies as st
from simulation import Behaviour, World

from corepilot.model.job import Job, RestartPolicy

PROVIDERS = ("one", "two", "three")
CONDITIONS = ("started", "ready", "healthy", "completed", "ended")
HOLDS = {
    "healthy": frozenset(("started", "ready", "healthy")),
    "sick": frozenset(("started", "ready")),
    "ended": frozenset(("started", "ready", "completed", "ended")),
    "failed": frozenset(("ended",)),
    "restarted": frozenset(("started", "ready", "healthy")),
}
"""What holds of a job in the end, by its kind."""
kinds = st.lists(st.sampled_from(sorted(HOLDS)), min_size=3, max_size=3)
needs = st.dictionaries(st.sampled_from(PROVIDERS), st.sampled_from(CONDITIONS), min_size=1)


def behaviours(kind: str, name: str) -> dict[str, Behaviour]:
    runs: dict[str, tuple[tuple[float | None, int], ...]] = {
        "ended": ((0.2, 1), (0.3, 0)),
        "failed": ((0.2, 1),),
        "restarted": ((0.2, 1), (0.2, 1), (None, 0)),
    }
    check = Behaviour(((0.0, int(kind == "sick")),))
    return {name: Behaviour(runs.get(kind, ((None, 0),))), f"check.{name}": check}


def provider(name: str) -> Job:
    return job(name, restarts=RestartPolicy(2, "failure", delay_s=0.1), health=CHECK)


@settings(max_examples=100, deadline=None)
@given(kinds, st.lists(needs, min_size=1, max_size=3), st.sampled_from([0.0, 0.1, 0.4, 1.05, 2.0, 50.0]))
def test_a_job_is_started_if_and_only_if_its_dependencies_hold(
    kinds_: list[str], needs_: list[dict[str, str]], comes_at: float
) -> None:
    how = {k: one for kind, name in zip(kinds_, PROVIDERS, strict=True) for k, one in behaviours(kind, name).items()}
    holds = dict(zip(PROVIDERS, [HOLDS[kind] for kind in kinds_], strict=True))
    providers = [provider(name) for name in PROVIDERS]
    late = [job(f"app{number}", needs=one) for number, one in enumerate(needs_)]
    how |= {one.name: Behaviour(((None, 0),)) for one in late}
    world = World([*providers, job("other")], {**how, "other": Behaviour(((None, 0),))}).run(comes_at)
    if comes_at < 2.0 and "failed" in kinds_:
        world.run(2.0)  # until it has failed, what it was holds
    world.reload([*providers, job("other"), *late])
    world.run(50)
    for one, wanted in zip(late, needs_, strict=True):
        met = all(condition in holds[name] for name, condition in wanted.items())
        assert world.actor(one.name).state.phase == ("running" if met else "standby"), (kinds_, wanted)
        assert len(world.starts(one.name)) == int(met)
    in_vain = {text.split()[2] for text in world.told if text.startswith("in vain")}
    failed = {name for kind, name in zip(kinds_, PROVIDERS, strict=True) if kind in {"failed", "ended"}}
    for one, wanted in zip(late, needs_, strict=True):
        never = any(name in failed and condition not in holds[name] for name, condition in wanted.items())
        assert (one.name in in_vain) == never, (kinds_, wanted, world.told)
