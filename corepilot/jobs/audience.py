"""Who hears what: the plans of a configuration, and which of them an event concerns. Pure.

It is made before a reload is committed, in a turn of the event loop of its own: for a thousand jobs that takes ten
milliseconds. Jobs are numbered here by their place in the configuration.
"""

from __future__ import annotations

from collections.abc import Sequence

from corepilot.jobs.plan import Plan
from corepilot.model.trigger import keys


class Audience:
    """The plans of a configuration, and who of them is interested in what.

    Args:
        plans: In the order of the configuration.

    Attributes:
        plans: The same.
        interested: By the key of an event that is not global: the jobs that have to hear of it.
        concerned: By the name of a job: the other jobs to which its beginning matters.
        siblings: By a name that several jobs have: all of those. Replicas are none: each lives for itself.
        replicas: By the name of a job that has replicas: those.
        handled: The names of the jobs whose failure starts another one.
    """

    def __init__(self, plans: Sequence[Plan]) -> None:
        self.plans = plans
        self.interested: dict[tuple[str, str], list[int]] = {}
        self.concerned: dict[str, list[int]] = {}
        named: dict[str, list[int]] = {}
        self.replicas: dict[str, list[int]] = {}
        for number, plan in enumerate(plans):
            for event in plan.interests():
                self.interested.setdefault(event, []).append(number)
            hook = plan.job.hook
            for name in {*plan.stops_after, plan.awaited_hook, hook.source if hook else ""} - {"", plan.key.name}:
                self.concerned.setdefault(name, []).append(number)
            (self.replicas if plan.key.replica else named).setdefault(plan.key.name, []).append(number)
        self.siblings = {name: numbers for name, numbers in named.items() if len(numbers) > 1}
        heard = [key for plan in plans for key in keys(plan.job.when.trigger)]
        self.handled = frozenset([source for code, source in heard if code == "exitFailed"])
