"""Replicas of a job, and jobs that wait for a person, in virtual time."""

from pathlib import Path

import pytest
from building import job, when
from judging import accepted, codes, errors, judged
from simulation import Behaviour, World

from corepilot.jobs.compare import compare_jobs
from corepilot.model.command import Command, OutputFile, OutputSettings
from corepilot.model.job import UNLIMITED, Job, JobKey, Ready
from corepilot.model.replicas import keyed, numbered, replica_of

FOREVER = Behaviour(runs=((None, 0),))


def phases(world: World) -> dict[str, str]:
    return {str(actor.key): actor.state.phase for actor in world.actors}


# ------------------------------------------------------------------------------------------------------------ replicas
def test_each_replica_is_a_job_with_its_number_in_command_variables_and_id(tmp_path: Path) -> None:
    text = """{ discovery: "embedded", jobs: [ { name: "web", exec: ["web", "--port=80%i", "100%%", "%s"], replicas: 2,
        env: { SOCKET: "/run/%i" }, port: 80, interfaces: "static:192.0.2.1", instance: "one",
        health: { exec: "check %i", interval: 1, ttl: 5 } } ] }"""
    (first_key, _), (key, second) = keyed(accepted(text, tmp_path).jobs)
    assert (first_key, key) == (JobKey("web", 1, 1), JobKey("web", 1, 2))
    assert str(key) == "web@2"
    assert second.command is not None
    assert second.command.argv == ("web", "--port=802", "100%", "%s")
    assert second.command.settings.environment == (("SOCKET", "/run/2"), ("COREPILOT_REPLICA", "2"))
    assert second.command.settings.only_variables
    assert second.service is not None
    assert second.service.registration.id == "web-one-2"
    (check,) = second.checks
    assert check.command is not None
    assert check.command.argv == ("check", "2")


def test_a_job_without_replicas_keeps_its_percent_signs(tmp_path: Path) -> None:
    ((key, made),) = keyed(accepted('{ discovery: false, jobs: [ { name: "a", exec: "date +%i%%" } ] }', tmp_path).jobs)
    assert str(key) == "a"
    assert made.command == Command(("date", "+%i%%"))


def test_the_number_is_in_all_that_tells_replicas_apart(tmp_path: Path) -> None:
    text = """{ discovery: false, jobs: [ { name: "w", exec: "./w", replicas: 2, cwd: "/srv/%i", envFile: "/etc/%i.env",
        stdin: { file: "/in/%i" }, ready: { file: "/run/%i.pid" },
        logging: { prefix: "[%i] ", file: "/tmp/out-%i", errorFile: { path: "/tmp/err-%i", keep: 2 } },
        health: [
          { name: "a", http: { url: "http://127.0.0.1:910%i/%%", headers: ["X-Id: %i"] }, interval: 1, ttl: 5 },
          { name: "b", tcp: "127.0.0.1:910%i", interval: 1, ttl: 5, logging: { file: "/tmp/check-%i" } },
          { name: "c", exec: "check", interval: 1, ttl: 5, logging: { file: "/tmp/check-%i" } } ] } ] }"""
    _, (_, second) = keyed(accepted(text, tmp_path).jobs)
    assert second.command is not None
    settings, output = second.command.settings, second.command.output
    assert (settings.cwd, settings.environment_files, settings.stdin) == ("/srv/2", ("/etc/2.env",), "/in/2")
    assert output == OutputSettings(
        prefix="[2] ", file=OutputFile("/tmp/out-2"), error_file=OutputFile("/tmp/err-2", keep=2)
    )
    assert second.ready == Ready(file="/run/2.pid")
    web, port, command = second.checks
    assert web.plugin is not None
    options = web.plugin.options.plain()
    assert (options["url"], options["headers"]) == ("http://127.0.0.1:9102/%", ("X-Id: 2",))
    assert port.plugin is not None
    assert port.plugin.options.plain() == {"address": "127.0.0.1:9102"}
    assert command.command is not None
    assert command.command.output.file == OutputFile("/tmp/check-2")


def test_options_with_a_number_are_judged_as_the_first_replica_has_them(tmp_path: Path) -> None:
    text = """{ discovery: false, jobs: [ { name: "w", exec: "w", replicas: 2,
        health: { tcp: "127.0.0.1:%i99999", interval: 1, ttl: 5 } } ] }"""
    assert [path for _, path in codes(judged(text, tmp_path))] == ["jobs[0].health.tcp"]


def test_numbers() -> None:
    assert numbered("%i-%%i-%%%i-%", 7) == "7-%i-%7-%"
    assert replica_of(Job("a", replicas=3), 1) == Job("a")


@pytest.mark.parametrize("written", ["0", "1001", "-1", '"many"'])
def test_how_many_there_may_be(tmp_path: Path, written: str) -> None:
    text = f'{{ discovery: false, jobs: [ {{ name: "a", exec: "a", replicas: {written} }} ] }}'
    assert [path for _, path in codes(judged(text, tmp_path))] == ["jobs[0].replicas"]


def test_replicas_share_their_name_with_no_other_job_and_are_no_hook(tmp_path: Path) -> None:
    text = """{ discovery: false, jobs: [ { name: "a", exec: "a", replicas: 2 }, { name: "a", exec: "a" },
        { name: "b", exec: "b", replicas: 2, when: { source: "a", once: "stopping" } } ] }"""
    assert codes(judged(text, tmp_path)) == [("same-name", "jobs[0].replicas"), ("wrong-value", "jobs[2].replicas")]


def test_a_job_with_a_reload_shares_its_name_with_no_other_job(tmp_path: Path) -> None:
    text = """{ discovery: false, jobs: [ { name: "a", exec: "a", reload: "a" }, { name: "a", exec: "a" } ] }"""
    assert codes(judged(text, tmp_path)) == [("same-name", "jobs[0].reload")]


@pytest.mark.parametrize(("name", "clash"), [("a@2", True), ("a@3", False), ("a@0", False)])
def test_no_other_job_is_called_as_a_replica_is(tmp_path: Path, name: str, clash: bool) -> None:  # noqa: FBT001
    others = f'{{ name: "a", exec: "a", replicas: 2 }}, {{ name: "{name}", exec: "a" }}'
    text = f"{{ discovery: false, jobs: [ {others} ] }}"
    assert codes(judged(text, tmp_path)) == ([("same-name", "jobs[1].name")] if clash else [])


def test_replicas_do_not_react_to_each_others_exits_and_any_of_them_is_the_source() -> None:
    """ContainerPilot's jobs of one name use their restarts up at each other's exits; and end with them."""
    jobs = [job("w", replicas=3, restarts=1), job("after", when=when("each", "exitFailed", "w"))]
    world = World(jobs, {"w": Behaviour(((1.0, 0), (2.0, 1), (None, 0)))}).run(20)
    assert world.starts("w") == [0, 0, 0, 1, 2]
    assert world.starts("after") == [2]
    assert phases(world) == {"w@1": "running", "w@2": "running", "w@3": "running", "after": "waiting"}


def test_who_is_to_stop_after_a_job_stops_after_all_its_replicas() -> None:
    jobs = [job("w", replicas=3), job("agent", stop_after=("w",))]
    slow = Behaviour(((None, 0),), term_s=3.0)
    world = World(jobs, {"w": FOREVER, "w@2": slow, "agent": FOREVER}).run(1)
    world.publish("shutdown")
    assert phases(world.run(2)) == {"w@1": "complete", "w@2": "terminating", "w@3": "complete", "agent": "running"}
    assert world.run(2).over


def test_at_a_reload_that_removes_both_it_stops_after_all_its_replicas_as_well() -> None:
    jobs = [job("w", replicas=2), job("agent", stop_after=("w",)), job("other")]
    slow = Behaviour(((None, 0),), term_s=3.0)
    world = World(jobs, {"w": FOREVER, "w@2": slow, "agent": FOREVER, "other": FOREVER}).run(1)
    world.reload([job("other")])
    world.run(10)
    stopped = [(at, text) for at, text in world.log if text.startswith("event stopped")]
    assert stopped == [(1, "event stopped w"), (4, "event stopped w"), (4, "event stopped agent")]


def test_one_that_begins_late_does_not_take_a_replica_that_has_ended_for_all_of_them() -> None:
    jobs, slow = [job("w", replicas=2)], Behaviour(((None, 0),), term_s=3.0)
    world = World(jobs, {"w@1": Behaviour(((0.5, 0),)), "w@2": slow, "agent": FOREVER}).run(1)
    world.reload([*jobs, job("agent", stop_after=("w",))])
    world.run(1).publish("shutdown")
    assert phases(world.run(2)) == {"w@1": "complete", "w@2": "terminating", "agent": "running"}
    assert world.run(2).over


def test_fewer_replicas_stop_the_highest_and_the_others_keep_their_processes() -> None:
    world = World([job("w", replicas=4, restarts=UNLIMITED)], {"w": FOREVER}).run(1)
    world.reload([job("w", replicas=2, restarts=UNLIMITED)])
    world.run(1)
    assert phases(world) == {"w@1": "running", "w@2": "running"}
    assert world.starts("w") == [0, 0, 0, 0]
    world.reload([job("w", replicas=3, restarts=UNLIMITED)])
    assert len(world.run(1).starts("w")) == 5
    assert phases(world) == {"w@1": "running", "w@2": "running", "w@3": "running"}


def test_a_job_becomes_its_first_replica_and_the_other_way_round() -> None:
    one, two = keyed((job("w"),)), keyed((job("w", replicas=2),))
    there = [(str(change.old), str(change.new), change.kind) for change in compare_jobs(one, two)]
    back = [(str(change.old), str(change.new), change.kind) for change in compare_jobs(two, one)]
    assert there == [("w", "w@1", "restarted"), ("None", "w@2", "added")]
    assert back == [("w@1", "w", "restarted"), ("w@2", "None", "removed")]


# ----------------------------------------------------------------------------------------------------------- autostart
def test_a_job_that_does_not_start_by_itself_waits_for_a_person() -> None:
    world = World([job("a", autostart=False, restarts=UNLIMITED), job("b", when=when("each", "exitSuccess", "a"))])
    assert phases(world.run(5)) == {"a": "stopped", "b": "idle"}
    world.behaviours["a"] = FOREVER
    world.order("start", "a")
    assert phases(world.run(1)) == {"a": "running", "b": "idle"}
    world.order("stop", "a")
    assert phases(world.run(1))["a"] == "stopped"
    assert world.starts("a") == [5]


def test_it_keeps_everything_up_as_a_job_does_that_was_stopped_by_hand() -> None:
    world = World([job("a", autostart=False), job("b")]).run(5)
    assert world.told[-1] == "only a"
    assert world.ends == 0
    world.publish("shutdown")
    assert world.over
    assert world.starts("a") == []


@pytest.mark.parametrize(
    "trigger", [when("once", "startup"), when("interval", every_s=1.0), when("signal", source="SIGHUP")]
)
def test_neither_events_nor_clocks_start_it(trigger: object) -> None:
    world = World([job("a", autostart=False, when=trigger)]).run(3)
    world.publish("signal", "SIGHUP")
    assert world.run(3).starts("a") == []


def test_a_reload_that_lets_it_begin_begins_it_and_one_that_does_not_stops_nothing() -> None:
    world = World(
        [job("a", autostart=False), job("b", autostart=False), job("c")], {"a": FOREVER, "b": FOREVER, "c": FOREVER}
    )
    world.order("start", "b")
    world.run(1).reload([job("a"), job("b", autostart=False, restarts=3), job("c", autostart=False)])
    assert phases(world.run(1)) == {"a": "running", "b": "running", "c": "running"}
    assert (world.starts("a"), world.starts("b"), world.starts("c")) == ([1], [0], [0])


def test_one_that_stopped_by_hand_is_not_started_by_a_reload() -> None:
    world = World([job("a")], {"a": FOREVER}).run(1)
    world.order("stop", "a")
    world.run(1).reload([job("a", restarts=5)])
    assert phases(world.run(5)) == {"a": "stopped"}


def test_what_reloads_a_job_has_its_time_and_the_next_request_its_turn() -> None:
    world = World([job("web", reload=Command(("x",)))], {"web": FOREVER, "reload.web": FOREVER}).run(1)
    for _ in range(2):
        world.publish("reload", "web")
    assert world.run(89).starts("reload.web") == [1.0]
    assert len(world.run(9).starts("reload.web")) == 2
    assert len(world.starts("web")) == 1


def test_each_replica_may_have_a_port_of_its_own(tmp_path: Path) -> None:
    text = """{ discovery: "embedded", jobs: [ { name: "web", exec: "w", replicas: 10, port: "80%i", interfaces: "lo",
        health: { interval: 1, ttl: 2 } } ] }"""
    found = judged(text, tmp_path)
    assert not codes(found)
    assert found.config is not None
    services = [job.service for _, job in keyed(found.config.jobs) if job.service]
    assert [one.registration.port for one in services] == [801, *range(802, 810), 8010]
    assert {one.port_of_replica for one in services} == {""}  # a reload compares what they are


@pytest.mark.parametrize(
    ("port", "replicas", "rule"),
    [
        ('"80%i"', "", '"80%i" is not a whole number: only a job with replicas has %i'),
        ('"6553%i"', "replicas: 6,", '"65536", the port of replica 6, is not between 1 and 65535'),
        ('"%i"', "replicas: 2,", ""),
        ('"80-%i"', "replicas: 2,", '"80-1", the port of replica 1, is not between 1 and 65535'),
        ("[8001, 8002]", "replicas: 2,", "is not a whole number"),
        ('"http"', "replicas: 2,", '"http" is not a whole number'),
    ],
)
def test_a_port_that_not_each_replica_can_have_is_refused(port: str, replicas: str, rule: str, tmp_path: Path) -> None:
    text = f"""{{ discovery: "embedded", jobs: [ {{ name: "web", exec: "w", {replicas} port: {port}, interfaces: "lo",
        health: {{ interval: 1, ttl: 2 }} }} ] }}"""
    complaints = list(errors(judged(text, tmp_path)))
    assert [one.path for one in complaints] == (["jobs[0].port"] if rule else [])
    assert all(rule in one.message for one in complaints)


def test_a_port_is_not_blamed_for_replicas_that_are_refused(tmp_path: Path) -> None:
    text = """{ discovery: "embedded", jobs: [ { name: "web", exec: "w", replicas: 0, port: "80%i", interfaces: "lo",
        health: { interval: 1, ttl: 2 } } ] }"""
    assert [path for _, path in codes(judged(text, tmp_path))] == ["jobs[0].replicas"]
