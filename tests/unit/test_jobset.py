"""Jobs from one configuration to the next, and what people do with them, in virtual time."""

from itertools import count

import pytest
from building import CHECK, SERVICE, job, when
from simulation import Behaviour, World

from corepilot.jobs.state import MAIN, Exited, Order
from corepilot.model.command import Command
from corepilot.model.event import Event
from corepilot.model.job import UNLIMITED, Job, RestartPolicy
from corepilot.model.service import Registration, Service

FOREVER = Behaviour(runs=((None, 0),))
MOVED = Service(Registration("app-host", "app", "127.0.0.1", 81))


def phases(world: World) -> dict[str, str]:
    return {str(actor.key): actor.state.phase for actor in world.actors}


# ------------------------------------------------------------------------------------------------------------- reloads
def test_an_unchanged_job_keeps_its_process_its_counts_and_its_used_once() -> None:
    jobs = [job("a", restarts=2), job("b", when=when("once", "exitSuccess", "a"))]
    world = World(jobs, {"a": Behaviour(((1.0, 0),)), "b": Behaviour(((0.5, 0),))}).run(1.7)
    before = {actor.name: actor.state for actor in world.actors}
    world.reload([*jobs, job("c")])
    assert {actor.name: actor.state for actor in world.actors if actor.name != "c"} == before
    world.run(10)
    assert (len(world.starts("a")), len(world.starts("b")), len(world.starts("c"))) == (3, 1, 1)


def test_a_changed_job_is_stopped_and_run_again_whatever_started_it() -> None:
    old, new = (
        job("a", when=when("once", "healthy", "watch.db")),
        job("a", exec=("x",), when=when("once", "healthy", "watch.db")),
    )
    world = World([old], {"a": Behaviour(((None, 0),), term_s=2.0)})
    world.publish("healthy", "watch.db")
    world.run(1).reload([new])
    assert phases(world) == {"a": "terminating"}
    assert world.run(3).starts("a") == pytest.approx([0, 3])
    assert world.told[-1] == "settled"


def test_a_changed_job_that_waits_begins_as_new() -> None:
    def waiting(program: str) -> Job:
        return job("a", exec=(program,), when=when("once", "healthy", "watch.db"))

    world = World([waiting("x")])
    world.reload([waiting("y")])
    assert world.run(1).starts("a") == []
    world.publish("healthy", "watch.db")
    assert len(world.run(1).starts("a")) == 1


def test_a_job_whose_when_changed_begins_as_new_and_hears_what_holds() -> None:
    world = World([job("a"), job("b", when=when("never"))], {"a": Behaviour(((0.5, 0),)), "b": FOREVER}).run(2)
    world.reload([job("a"), job("b", when=when("each", "exitSuccess", "a"))])
    assert len(world.run(1).starts("b")) == 1


def test_new_jobs_wait_until_removed_ones_have_stopped_and_restarted_ones_do_not() -> None:
    slow = Behaviour(((None, 0),), term_s=3.0)
    world = World([job("gone"), job("web")], {"gone": slow, "web": FOREVER, "new": FOREVER}).run(1)
    world.reload([job("web", exec=("x",)), job("new")])
    assert world.run(0.1).starts("web") == pytest.approx([0, 1])
    assert world.starts("new") == []
    assert world.run(3).starts("new") == pytest.approx([4])
    assert phases(world) == {"web": "running", "new": "running"}


def test_removed_jobs_stop_in_order_with_their_hooks() -> None:
    jobs = [
        job("app"),
        job("pre", when=when("once", "stopping", "app")),
        job("agent", stop_after=("app",)),
        job("keep"),
    ]
    world = World(jobs, dict.fromkeys(("app", "agent", "keep"), FOREVER)).run(1)
    world.reload([job("keep")])
    world.run(10)
    stops = [text for _, text in world.log if text in {"start pre", "event stopped app", "event stopped agent"}]
    assert stops == ["start pre", "event stopped app", "event stopped agent"]
    assert phases(world) == {"keep": "running"}


def test_a_service_that_changed_is_told_to_the_catalog_and_the_job_goes_on() -> None:
    world = World([job(health=CHECK, service=SERVICE)], {"app": FOREVER}).run(1.5)
    world.reload([job(health=CHECK, service=MOVED)])
    assert world.catalog[-1][1:] == ("advertise", "passing")
    assert world.registered["app-host"] == MOVED.registration
    world.reload([job(health=CHECK)])
    assert world.catalog[-1][1] == "withdraw"
    assert len(world.starts("app")) == 1


def test_a_check_that_is_taken_away_is_killed_and_another_one_takes_its_place() -> None:
    world = World([job(health=CHECK.changed(timeout_s=None))], {"app": FOREVER, "check.app": FOREVER}).run(1.5)
    world.reload([job(health=CHECK.changed(interval_s=2))])
    assert world.actor("app").killed == [0]
    assert len(world.run(2.5).starts("check.app")) == 2
    world.reload([job()])
    checks = len(world.starts("check.app"))
    assert len(world.run(10).starts("check.app")) == checks
    assert world.actor("app").state.health == "unknown"


def test_a_stop_in_the_middle_of_a_reload_ends_everything() -> None:
    slow = Behaviour(((None, 0),), term_s=3.0)
    world = World([job("gone"), job("web")], {"gone": slow, "web": slow}).run(1)
    world.reload([job("web", exec=("x",)), job("new")])
    world.run(1).publish("shutdown")
    world.run(3)
    assert world.over
    assert world.starts("new") == []
    assert world.starts("web") == [0]


# -------------------------------------------------------------------------------------------------------------- by hand
def test_what_a_reload_was_to_add_does_not_begin_once_everything_stops() -> None:
    slow = Behaviour(((None, 0),), term_s=3.0)
    behaviours = {"gone": slow, "web": FOREVER, "new": FOREVER, "hook": FOREVER, "last": FOREVER}
    world = World([job("gone"), job("web"), job("last")], behaviours).run(1)
    late, hook = job("new", when=when("once", "stopped", "web")), job("hook", when=when("once", "stopping", "web"))
    world.reload([job("web"), late, hook, job("last", stop_after=("new",))])
    world.publish("shutdown")
    assert world.run(10).starts("new") == []
    assert world.starts("hook") == []
    assert world.ends == 1  # and nobody waits for them


def test_what_a_reload_was_to_add_leaves_the_catalog_when_everything_stops() -> None:
    slow = Behaviour(((None, 0),), term_s=3.0)
    early = Service(Registration("app-host", "app", "127.0.0.1", 80), "passing")
    old, new = (job("app", service=early, when=when("once", "healthy", f"watch.{name}")) for name in ("a", "b"))
    world = World([old, job("gone")], {"gone": slow, "app": FOREVER}).run(1)
    world.reload([new])
    assert world.run(0.5).registered["app-host"] is not None
    world.publish("shutdown")
    assert world.run(10).registered["app-host"] is None


def test_a_job_that_has_ended_is_not_waited_for_again() -> None:
    """Whether it was started by hand since then, or a reload has made it wait."""
    short = Behaviour(((0.1, 0),))
    old, new = job("app"), job("app", stop_after=("short",))
    by_hand = World([job("short"), new], {"short": short, "app": FOREVER}).run(1)
    by_hand.order("stop", "app")
    by_hand.run(1).order("start", "app")
    reloaded = World([job("short"), old], {"short": short, "app": FOREVER}).run(1)
    reloaded.reload([job("short"), new])
    for world in (by_hand, reloaded):
        world.run(1).publish("shutdown")
        assert world.run(0.5).ends == 1


def test_a_hook_that_has_run_is_not_waited_for_where_a_reload_has_kept_its_job() -> None:
    hook = job("hook", when=when("once", "stopping", "web"))
    world = World([job("web"), hook, job("x")], {"web": FOREVER, "hook": Behaviour(((0.1, 0),)), "x": FOREVER}).run(1)
    world.order("start", "hook")
    world.run(1).reload([job("web", service=SERVICE), hook, job("x")])
    world.run(1).publish("shutdown")
    assert world.run(0.5).ends == 1


def test_a_job_stopped_by_hand_while_a_reload_replaces_it_can_be_started() -> None:
    world = World([job("app")], {"app": Behaviour(((None, 0),), term_s=2.0)}).run(1)
    world.reload([job("app", exec=("x",))])
    world.run(0.5).order("stop", "app")
    assert phases(world.run(3)) == {"app": "stopped"}
    world.order("start", "app")
    assert phases(world.run(1)) == {"app": "running"}


def test_a_start_by_hand_counts_while_the_last_run_leaves_children() -> None:
    behaviour = Behaviour(((0.1, 0), (0.1, 0)), rest_s=3.0)
    app = job("app", when=when("each", "changed", "watch.x"))
    world = World([app, job("other")], {"app": behaviour, "other": FOREVER})
    world.publish("changed", "watch.x")
    world.run(0.5).order("start", "app")
    assert len(world.run(10).starts("app")) == 2


def test_a_job_started_by_hand_in_maintenance_stays_out_of_the_catalog() -> None:
    app = job("app", service=SERVICE, health=CHECK)
    behaviours = {"app": Behaviour(((0.1, 0), (None, 0))), "check.app": Behaviour(((0.01, 0),)), "other": FOREVER}
    world = World([app, job("other")], behaviours).run(1)
    world.publish("enterMaintenance")
    world.order("start", "app")
    world.run(5)
    assert world.actor("app").state.health == "maintenance"
    assert all(what == "withdraw" for at, what, _ in world.catalog if at >= 1)
    world.publish("exitMaintenance")
    assert world.run(5).actor("app").state.advertised == "passing"


@pytest.mark.parametrize("wanted", ["start", "restart", "stop"])
def test_once_everything_stops_nobody_gets_a_job_of_his_own(wanted: str) -> None:
    slow = Behaviour(((None, 0),), term_s=2.0)
    world = World([job("app"), job("done")], {"app": slow, "done": Behaviour(((0.1, 0),))}).run(1)
    world.publish("shutdown")
    world.order(wanted, "done")
    world.reload([job("app"), job("new")])
    assert world.run(10).starts("done") == [0]
    assert world.starts("new") == []
    assert world.ends == 1


def test_a_job_stopped_by_hand_ignores_everything_until_it_is_started() -> None:
    world = World([job("a", when=when("each", "changed", "watch.db"), restarts=UNLIMITED)], {"a": FOREVER})
    world.publish("changed", "watch.db")
    world.run(1).order("stop", "a")
    world.run(0.1)
    assert phases(world) == {"a": "stopped"}
    world.publish("changed", "watch.db")
    assert len(world.run(5).starts("a")) == 1
    world.order("start", "a")
    assert len(world.run(1).starts("a")) == 2
    assert not world.ends


def test_the_end_of_everything_is_considered_only_when_a_job_ends_by_itself() -> None:
    world = World([job("a"), job("b")], {"a": FOREVER, "b": FOREVER}).run(1)
    world.order("stop", "a")
    world.order("stop", "b")
    world.run(10)
    assert not world.ends
    world.reload([job("a"), job("b"), job("c")])
    world.run(10)
    assert not world.ends, "two are stopped by hand"
    assert world.told[-1] == "only a, b"
    world.publish("shutdown")
    assert world.over


def test_the_end_is_not_considered_before_all_have_heard_of_a_job_that_ended_meanwhile() -> None:
    """`b` ends while others hear of the end of `a`: what it says stands behind the first consideration of the end."""

    def ends_b(event: Event) -> None:
        if (event.code, event.subject) == ("exitSuccess", "a"):
            b = world.actor("b")
            del b.running[MAIN]
            b.handle(Exited(MAIN, 0, "status 0", remains=False))

    jobs = [job("a"), job("b"), job("c", when=when("once", "exitSuccess", "b"))]
    world = World(jobs, {"a": Behaviour(((0.5, 0),)), "b": FOREVER, "c": FOREVER})
    world.bus.subscribe(ends_b)
    world.run(1)
    assert world.starts("c") == [0.5]
    assert world.ends == 0
    assert not [told for told in world.told if told.startswith("in vain")]


def test_a_restart_by_hand_does_not_end_the_job_and_starts_its_counts_afresh() -> None:
    world = World([job("a", restarts=1)], {"a": Behaviour(((5.0, 0), (5.0, 0), (5.0, 0), (5.0, 0)))}).run(6)
    world.order("restart", "a")
    world.run(20)
    assert len(world.starts("a")) == 4  # two by itself; by hand two more
    assert world.complete == ["a"]


def test_others_of_a_name_take_no_notice_of_a_stop_by_hand() -> None:
    world = World([job("w"), job("w")], {"w": FOREVER}).run(1)
    world.jobs.order(world.actors[1], Order("restart"))
    world.run(1)
    assert [len(actor.started_at) for actor in world.actors] == [1, 2]  # type: ignore[attr-defined]
    assert phases(world) == {"w": "running", "w@2": "running"}


def test_maintenance_takes_effect_while_a_hook_of_the_job_runs() -> None:
    jobs = [job(health=CHECK, service=SERVICE), job("hook", when=when("once", "stopping", "app"))]
    world = World(jobs, {"app": FOREVER, "hook": Behaviour(((4.0, 0),))}).run(1.5)
    world.publish("shutdown")
    world.publish("enterMaintenance")
    assert world.actor("app").state.phase == "hooked"
    assert world.catalog[-1][1] == "withdraw"


def test_a_person_may_start_a_job_that_a_reload_lets_wait() -> None:
    slow = Behaviour(((None, 0),), term_s=3.0)
    world = World([job("gone")], {"gone": slow, "new": FOREVER}).run(1)
    world.reload([job("new")])
    world.order("start", "new")
    assert world.run(0.1).starts("new") == pytest.approx([1])
    world.run(5)
    assert len(world.starts("new")) == 1
    assert world.told[-1] == "settled"


def test_a_job_stopped_by_hand_in_the_middle_of_a_reload_stays_stopped_under_its_new_plan() -> None:
    world = World([job("a")], {"a": Behaviour(((None, 0),), term_s=3.0)}).run(1)
    world.reload([job("a", exec=("x",))])
    world.order("stop", "a")
    world.run(5)
    assert phases(world) == {"a": "stopped"}
    assert world.jobs.settled
    world.order("start", "a")
    assert world.actor("a").plan.job == job("a", exec=("x",))


# ----------------------------------------------------------------------------------- hooks and order, again and again
HOOKED = [
    job("app"),
    job("pre", when=when("once", "stopping", "app")),
    job("post", when=when("once", "stopped", "app")),
]
LONG = {"app": FOREVER, "pre": Behaviour(((2.0, 0),)), "post": Behaviour(((0.5, 0),))}


def moments(world: World, *texts: str) -> list[float]:
    return [at for at, text in world.log if text in texts]


@pytest.mark.parametrize("again", ["restart", "reload", "reload all"])
def test_every_stop_of_a_job_waits_for_its_hook(again: str) -> None:
    world = World(HOOKED, dict(LONG)).run(1)
    for _ in range(2):
        if again == "restart":
            world.order("restart", "app")
        else:
            changed = [job("app", exec=(f"x{world.now}",)), *HOOKED[1:]]
            world.reload(changed if again == "reload" else HOOKED, restart_all=again != "reload")
        world.run(10)
    world.publish("shutdown")
    world.run(10)
    assert world.over
    stops = moments(world, "event stopping app")
    assert len(stops) == 3
    assert moments(world, "event stopped app") == pytest.approx([at + 2 for at in stops])
    assert [len(world.starts(name)) for name in ("app", "pre", "post")] == [3, 3, 3]


def test_a_hook_that_changes_with_its_job_runs_as_it_was_for_the_stop_of_the_old_one() -> None:
    world = World(HOOKED, dict(LONG)).run(1)
    world.reload([job("app", exec=("x",)), job("pre", exec=("y",), when=HOOKED[1].when), HOOKED[2]])
    world.run(10)
    assert moments(world, "event stopping app", "event stopped app") == pytest.approx([1, 3])
    assert world.told[-1] == "settled"
    assert world.actor("pre").plan.job.command == Command(("y",))
    assert world.actor("pre").state.phase == "idle"


def test_a_hook_run_by_hand_is_still_there_for_the_stop() -> None:
    world = World(HOOKED, dict(LONG)).run(1)
    world.order("start", "pre")
    world.run(5).publish("shutdown")
    world.run(10)
    assert len(world.starts("pre")) == 2
    assert moments(world, "event stopped app") == pytest.approx([8])


@pytest.mark.parametrize("again", ["restart", "reload all", "other"])
def test_stop_after_is_kept_after_restarts(again: str) -> None:
    jobs = [job("main"), job("s", stop_after=("main",))]
    world = World(jobs, {"main": Behaviour(((None, 0),), term_s=1.0), "s": FOREVER}).run(1)
    if again == "restart":
        world.order("restart", "main")
    elif again == "other":
        world.order("stop", "main")
        world.run(2).order("restart", "s")
        world.run(2).order("start", "main")
    else:
        world.reload(jobs, restart_all=True)
    world.run(5)
    at = world.now
    world.publish("shutdown")
    world.run(5)
    assert moments(world, "event stopping s")[-1] == pytest.approx(at + 1)


# ------------------------------------------------------------------------------------------------- waiting in vain
@pytest.mark.parametrize(
    ("jobs", "vain"),
    [
        ([job("m"), job("a", when=when("once", "exitFailed", "m"))], ["a"]),
        ([job("m"), job("a", when=when("once", "healthy", "m"))], ["a"]),
        ([job("m"), job("a", when=when("each", "exitSuccess", "m"))], ["a"]),  # after it has run once
        (
            [
                job("m"),
                job("a", when=when("each", "exitSuccess", "b")),
                job("b", when=when("once", "exitSuccess", "a")),
            ],
            ["a", "b"],
        ),
        ([job("m"), job("a", when=when("once", "exitSuccess", "nobody"))], ["a"]),
        ([job("m"), job("a", when=when("never"))], ["a"]),
        (
            [job("a", when=when("once", "exitSuccess", "b")), job("b", when=when("once", "exitSuccess", "a"))],
            ["a", "b"],
        ),
    ],
)
def test_waits_that_can_never_come_true_are_told_once_and_count_as_ends(jobs: list[Job], vain: list[str]) -> None:
    world = World(jobs).run(10)
    assert sorted(text for text in world.told if text.startswith("in vain")) == [f"in vain {name}" for name in vain]
    assert world.ends


@pytest.mark.parametrize(
    "waits",
    [
        when("once", "healthy", "watch.db"),
        when("once", "enterMaintenance"),
        when("signal", source="SIGHUP"),
        when("interval", every_s=1.0),
        when("each", "exitSuccess", "long"),
    ],
)
def test_what_can_still_come_is_waited_for(waits: object) -> None:
    world = World([job("m"), job("a", when=waits), job("long")], {"long": FOREVER, "a": Behaviour(((0.1, 0),))}).run(10)
    assert not [text for text in world.told if text.startswith("in vain")]
    assert not world.ends


def hook(name: str, source: str) -> Job:
    return job(name, when=when("once", "stopping", source))


@pytest.mark.parametrize(
    ("stays", "goes"),
    [
        ([job("app")], [hook("app", "app")]),
        ([job("app")], [hook("app", "app"), hook("app", "app")]),
        ([job("app"), job("db")], [hook("app", "db"), hook("db", "app")]),
    ],
    ids=["its own name", "two of a name", "a circle of names"],
)
def test_a_hook_that_goes_waits_for_nobody_who_stays(stays: list[Job], goes: list[Job]) -> None:
    world = World([*stays, *goes], {"app": FOREVER, "db": FOREVER}).run(1)
    world.reload(stays)
    assert world.run(0.1).jobs.settled
    assert [actor.state.phase for actor in world.actors] == ["running"] * len(stays)


def test_a_hook_on_a_hook_that_goes_runs_when_that_goes() -> None:
    app = job("app")
    world = World([app, hook("pre", "app"), hook("last", "pre")], {"app": FOREVER}).run(1)
    world.reload([app])
    assert world.run(1).jobs.settled
    assert (world.starts("pre"), world.starts("last")) == ([], [1.0])


def test_a_job_that_a_reload_gives_a_namesake_hears_of_its_next_exit() -> None:
    """However often it had ended before, when there was nobody of its name to tell it."""
    app, namesake = job("app", when=when("each", "changed", "watch.db"), restarts=3), job("app", exec=("other",))
    how = {"app": Behaviour(((0.1, 0),)), "other": FOREVER}
    world = World([app, job("other")], how).run(1)
    world.publish("changed", "watch.db")
    world.run(1).reload([app.changed(restarts=RestartPolicy(9)), job("other"), namesake])
    assert len(world.run(0.15).starts("app")) == 4 + 1 + 1, "it reacts to its namesake's exit as to one of its own"


def test_a_stop_in_the_middle_of_an_event_starts_nothing_that_was_to_begin() -> None:
    """Events are delivered in slices, and a signal may come between two of them."""
    hup = when("signal", source="SIGHUP")
    slow = Behaviour(((None, 0),), term_s=1.0)
    world = World([job("a"), job("old", when=hup)], {"a": slow, "old": FOREVER, "new": FOREVER}).run(1)
    world.reload([job("old", when=hup), job("new", when=hup)])
    ticks = count()
    world.bus._clock = lambda: float(next(ticks))
    world.bus.publish(Event("signal", "SIGHUP"))
    while not world.starts("old"):
        world.soon.popleft()()
    world.publish("shutdown")
    assert world.run(10).over
    assert world.starts("new") == []


def test_at_a_reload_with_fewer_replicas_nobody_waits_for_those_that_go_on() -> None:
    jobs = [job("w", replicas=3), job("agent", stop_after=("w",))]
    forever = {"w": Behaviour(runs=((None, 0),), term_s=2.0), "agent": FOREVER}
    world = World(jobs, forever).run(1)
    world.reload([jobs[0].changed(replicas=2), job("agent", exec=("other",), stop_after=("w",))])
    assert not world.run(1.9).jobs.settled
    assert world.run(0.2).jobs.settled
    assert world.starts("agent") == [0, 3]
    world.reload([job("w"), job("other")])  # all that stop
    assert world.run(3).jobs.settled


# --------------------------------------------------------------------------------------------------------------- locks
def test_waiting_for_a_lock_keeps_everything_up() -> None:
    """Whoever stands by takes over when the holder has gone, be it in a year."""
    world = World([job("app", lock="primary"), job("done")]).run(3600)
    assert phases(world) == {"app": "standby", "done": "complete"}
    assert (world.ends, world.told) == (0, ["complete done"])
    world.publish("acquired", "lock.primary")
    world.run(1)
    assert len(world.starts("app")) == 1
    assert world.ends == 1
