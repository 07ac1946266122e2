"""The registrar against a catalog that fails when told to."""

from collections.abc import Callable, Iterator

import gevent
import pytest
from gevent.event import Event

from corepilot.discovery.registrar import Registrar
from corepilot.errors import BackendRefusedError, BackendTimeoutError, BackendUnavailableError
from corepilot.model.service import Registration, Snapshot, Status
from corepilot.testing.backends import context
from corepilot.testing.memory import Call, MemoryBackend, MemoryCatalog

WEB = Registration("web-a", "web", "10.0.0.1", 80, ttl_s=60)
DEADLINE_S = 30.0


class World:
    def __init__(self) -> None:
        self.catalog = MemoryCatalog()
        self.told: list[tuple[str, str]] = []
        self.backend = MemoryBackend(self.catalog, context())
        self.lines: list[tuple[str, str]] = []
        self.registrars: list[Registrar] = []

    def registrar(self, *, report_failing: bool = True, expires: bool = False, call_s: float = 5.0) -> Registrar:
        one = Registrar(
            self.backend,
            log=self.log,
            report_failing=report_failing,
            expires=expires,
            call_s=call_s,
            tell=lambda job, message: self.told.append((job, message)),
        )
        self.registrars.append(one)
        return one

    def log(self, level: str, message: str) -> None:
        self.lines.append((level, message))

    def seen(self) -> Snapshot:
        return self.catalog.snapshot("web")

    def statuses(self) -> list[str]:
        return [one.status for one in self.seen()]

    def calls(self, method: str) -> list[Call]:
        return [call for call in self.catalog.calls if call.method == method]


@pytest.fixture
def world() -> Iterator[World]:
    one = World()
    yield one
    for registrar in one.registrars:
        registrar.close()
    gevent.sleep(0)


def until(condition: Callable[[], object]) -> None:
    """Let the hub run until it is so."""
    with gevent.Timeout(DEADLINE_S, AssertionError("did not come true")):
        while not condition():
            gevent.sleep(0.002)


def test_nothing_blocks_and_the_catalog_follows(world: World) -> None:
    registrar = world.registrar()
    registrar.advertise(WEB, "passing", "ok")
    assert not world.catalog.calls, "advertise must not make the call itself"
    until(lambda: world.statuses() == ["passing"] and registrar.status()[0]["in_sync"])
    assert list(world.catalog.calls) == [Call("register", "web-a", "passing", "ok")]
    registrar.report("web-a", "critical", "broken")
    until(lambda: world.statuses() == ["critical"])
    registrar.withdraw(WEB)
    until(lambda: not world.seen() and not registrar.status())


def test_status_tells_what_is_known(world: World) -> None:
    registrar = world.registrar()
    assert registrar.status() == []
    assert not registrar.connected
    world.catalog.down = True
    registrar.advertise(WEB, "passing")
    until(lambda: registrar.status()[0]["last_error"])
    assert registrar.status() == [
        {
            "id": "web-a",
            "service": "web",
            "address": "10.0.0.1",
            "port": 80,
            "status": "passing",
            "in_sync": False,
            "last_error": "cannot reach the catalog in memory: it is down",
        }
    ]
    assert not registrar.connected
    world.catalog.down = False
    until(lambda: registrar.status()[0]["in_sync"])
    assert registrar.status()[0]["last_error"] == ""
    assert registrar.connected


def test_every_heartbeat_is_sent(world: World) -> None:
    registrar = world.registrar()
    registrar.advertise(WEB, "passing")
    until(lambda: registrar.status()[0]["in_sync"])
    for number in range(1, 5):
        registrar.report("web-a", "passing", "ok")
        until(lambda number=number: len(world.calls("report")) == number)  # type: ignore[misc]


def test_reports_during_a_call_are_joined(world: World) -> None:
    registrar = world.registrar()
    registrar.advertise(WEB, "passing")
    until(lambda: registrar.status()[0]["in_sync"])
    with world.catalog.hanging():
        registrar.report("web-a", "passing", "first")
        until(lambda: [call.output for call in world.calls("report")] == ["first"])
        for number in range(100):
            registrar.report("web-a", "warning", str(number))
    until(lambda: world.statuses() == ["warning"])
    assert [call.output for call in world.calls("report")] == ["first", "99"]


def test_a_catalog_that_lost_its_data_gets_them_back_with_the_next_report(world: World) -> None:
    registrar = world.registrar()
    registrar.advertise(WEB, "passing")
    until(lambda: registrar.status()[0]["in_sync"])
    world.catalog.forget()
    registrar.report("web-a", "passing", "ok")
    until(lambda: world.statuses() == ["passing"] and registrar.status()[0]["in_sync"])
    assert world.lines == [("warning", "web-a is not in the catalog any more; registering it again")]


def test_entering_and_leaving_the_catalog_is_told_once(world: World) -> None:
    registrar = world.registrar()
    registrar.advertise(WEB, "critical")
    until(lambda: registrar.status()[0]["in_sync"])
    entered = [("web", "Service registered: web as web-a, critical")]
    assert world.told == entered
    world.catalog.forget()
    registrar.report("web-a", "passing", "ok")
    until(lambda: world.statuses() == ["passing"] and registrar.status()[0]["in_sync"])
    assert world.told == entered, "that it was lost has been told"
    registrar.withdraw(WEB)
    until(lambda: not registrar.status())
    assert world.told == [*entered, ("web", "Service deregistered: web as web-a")]
    registrar.withdraw(WEB)
    until(lambda: not registrar.status())
    assert len(world.told) == 2, "nobody knows whether it was there"


def test_an_outage_is_survived_and_said_in_few_words(world: World) -> None:
    registrar = world.registrar()
    ids = [f"web-{number}" for number in range(30)]
    world.catalog.down = True
    for number, instance_id in enumerate(ids):
        registrar.advertise(Registration(instance_id, "web", "10.0.0.1", 1 + number, ttl_s=60), "passing")
    until(lambda: len(world.catalog.calls) >= 3)
    assert len(world.catalog.calls) <= len(ids) + 3, "one of them tries, and the others wait"
    world.catalog.down = False
    until(lambda: len(world.seen()) == len(ids))
    until(lambda: len(world.lines) == 2)
    failed, recovered = world.lines
    assert failed == ("warning", "cannot reach the catalog in memory: it is down; trying again")
    assert recovered[1].startswith("the catalog memory answers again (had failed ")


def test_a_refusal_of_one_does_not_hold_up_the_others(world: World) -> None:
    registrar = world.registrar()
    world.catalog.fail("register", BackendRefusedError("cannot register web-a: no token"), times=2)
    registrar.advertise(WEB, "passing")
    until(lambda: registrar.status()[0]["last_error"])
    registrar.advertise(Registration("web-b", "web", "10.0.0.2", 80), "passing")
    until(lambda: len(world.seen()) == 2)
    assert registrar.connected
    assert ("warning", "cannot register web-a: no token") in world.lines


def test_a_report_retries_a_refused_registration_at_once(world: World) -> None:
    registrar = world.registrar()
    world.catalog.fail("register", BackendRefusedError("no"), times=3)
    registrar.advertise(WEB, "passing")
    for number in range(1, 4):
        until(lambda number=number: len(world.calls("register")) == number and registrar.status()[0]["last_error"])  # type: ignore[misc]
        assert registrar.status()[0]["last_error"] == "cannot register web-a: no", "whoever it is about is named"
        gevent.sleep(0)
        registrar.report("web-a", "passing", "ok")
    until(lambda: world.statuses() == ["passing"])


def test_one_that_was_refused_and_leaves_was_not_accepted_again(world: World) -> None:
    registrar = world.registrar()
    world.catalog.fail("register", BackendRefusedError("no"), times=100)
    registrar.advertise(WEB, "passing")
    until(lambda: registrar.status()[0]["last_error"])
    registrar.withdraw(WEB)
    assert registrar.drain(5)
    assert not [line for _, line in world.lines if "accepts updates again" in line]


def test_a_call_that_hangs_is_given_up(world: World) -> None:
    registrar = world.registrar(call_s=0.1)
    with world.catalog.hanging():
        registrar.advertise(WEB, "passing")
        until(lambda: registrar.status()[0]["last_error"])
        assert registrar.status()[0]["last_error"] == (
            "cannot register web-a: no answer from the catalog memory within 0.1 s"
        )
        assert not registrar.connected
    until(lambda: world.statuses() == ["passing"])


class HangsForOne(MemoryBackend):
    """Never answers a call about `slow-a`, as a store does that waits for something else on its behalf."""

    def register(self, registration: Registration, status: Status, output: str) -> None:
        if registration.id == "slow-a":
            Event().wait()
        super().register(registration, status, output)


def test_one_call_that_hangs_does_not_hold_up_the_others(world: World) -> None:
    world.backend = HangsForOne(world.catalog, context())
    registrar = world.registrar(call_s=1.0)
    connected: list[bool] = []

    def told_of_slow() -> bool:
        registrar.report("web-a", "passing")
        connected.append(registrar.connected)
        return any(one["last_error"] for one in registrar.status())

    registrar.advertise(WEB, "passing")
    until(lambda: registrar.connected)
    registrar.advertise(Registration("slow-a", "slow", "10.0.0.1", 81, ttl_s=60), "passing")
    until(told_of_slow)
    assert all(connected)
    assert registrar.connected
    with world.catalog.hanging():
        registrar.report("web-a", "passing")
        until(lambda: not registrar.connected)


def test_a_bug_in_a_backend_is_survived_with_its_traceback(world: World) -> None:
    registrar = world.registrar()
    world.catalog.fail("register", KeyError("oops"))
    registrar.advertise(WEB, "passing")
    until(lambda: world.statuses() == ["passing"])
    level, message = world.lines[0]
    assert level == "error"
    assert message.startswith("cannot register web-a: a bug in the backend: Traceback")
    assert "KeyError: 'oops'" in message


def test_a_silent_instance_turns_critical(world: World) -> None:
    registrar = world.registrar()
    registrar.advertise(Registration("web-a", "web", "10.0.0.1", 80, ttl_s=1), "passing")
    until(lambda: world.calls("report")[-1:] == [Call("report", "web-a", "critical", "nothing was reported for 1 s")])
    registrar.report("web-a", "passing", "back")
    until(lambda: world.statuses() == ["passing"])


def test_failing_checks_are_left_to_the_ttl_when_asked_for(world: World) -> None:
    registrar = world.registrar(report_failing=False)
    registrar.advertise(Registration("web-a", "web", "10.0.0.1", 80, ttl_s=1), "passing", "ok")
    until(lambda: registrar.status()[0]["in_sync"])
    registrar.report("web-a", "critical", "broken")
    registrar.report("web-a", "warning", "slow")
    until(lambda: world.calls("report"))
    assert [(call.status, call.output) for call in world.calls("report")] == [
        ("critical", "nothing was reported for 1 s"),
    ]


def test_maintenance_comes_back(world: World) -> None:
    registrar = world.registrar()
    for _ in range(3):
        registrar.advertise(WEB, "passing")
        until(lambda: world.statuses() == ["passing"])
        registrar.withdraw(WEB)
        registrar.report("web-a", "passing", "ignored")
        until(lambda: not world.seen())


def test_unknown_ids_are_ignored(world: World) -> None:
    registrar = world.registrar()
    registrar.report("nobody", "passing")
    assert registrar.drain(0.1)
    assert registrar.status() == []
    assert not world.catalog.calls


def test_what_was_never_advertised_is_taken_out_by_one_call(world: World) -> None:
    world.catalog.put(WEB, "passing", 3600)  # a supervisor before us has left it there
    registrar = world.registrar()
    registrar.withdraw(WEB)
    until(lambda: not registrar.status())
    assert world.seen() == ()
    world.catalog.down = True
    registrar.withdraw(WEB)
    until(lambda: not registrar.status())
    assert len(world.calls("deregister")) == 2


def test_output_is_cut_in_whole_characters(world: World) -> None:
    registrar = world.registrar()
    registrar.advertise(WEB, "passing", "é" * 5000)
    until(lambda: world.calls("register"))
    assert world.calls("register")[0].output == "é" * 2048
    registrar.report("web-a", "passing", "\udcff broken")
    until(lambda: world.calls("report"))
    assert world.calls("report")[0].output == "? broken"


def test_drain_waits_for_the_withdrawals(world: World) -> None:
    registrar = world.registrar()
    for number in range(20):
        registrar.advertise(Registration(f"web-{number}", "web", "10.0.0.1", 1 + number), "passing")
    until(lambda: len(world.seen()) == 20)
    for number in range(20):
        registrar.withdraw(Registration(f"web-{number}", "web", "10.0.0.1", 1 + number))
    assert registrar.drain(DEADLINE_S)
    assert world.seen() == ()
    assert registrar.status() == []


def test_drain_does_not_wait_for_a_catalog_that_cannot_be_reached(world: World) -> None:
    registrar = world.registrar()
    registrar.advertise(WEB, "passing")
    until(lambda: world.statuses() == ["passing"])
    world.catalog.down = True
    registrar.withdraw(WEB)
    assert not registrar.drain(3600)
    assert registrar.status() == []


def test_drain_can_be_cut_short(world: World) -> None:
    registrar = world.registrar(call_s=3600)
    registrar.advertise(WEB, "passing")
    until(lambda: world.statuses() == ["passing"])
    with world.catalog.hanging():
        registrar.withdraw(WEB)
        gevent.spawn_later(0.05, registrar.stop_waiting)
        assert not registrar.drain(3600)
    assert registrar.status()[0]["status"] == "withdrawn"


def test_a_store_with_a_ttl_of_its_own_is_not_told_that_it_is_over(world: World) -> None:
    registrar = world.registrar(expires=True)
    brief = Registration("web-a", "web", "10.0.0.1", 80, ttl_s=1)
    registrar.advertise(brief, "passing", "ok")
    until(lambda: world.statuses() == ["passing"])
    until(lambda: world.statuses() == ["critical"])
    assert world.calls("report") == []


def test_drain_cuts_short_a_call_that_hangs(world: World) -> None:
    registrar = world.registrar(call_s=3600)
    registrar.advertise(WEB, "passing")
    until(lambda: world.statuses() == ["passing"] and registrar.status()[0]["in_sync"])
    world.catalog.pause()
    registrar.report("web-a", "passing", "ok")
    until(lambda: world.calls("report"))
    registrar.withdraw(WEB)
    assert not registrar.drain(0.4)
    assert world.calls("deregister"), "the hanging report must make room for the withdrawal"
    world.catalog.resume()
    until(lambda: not world.seen())


def test_close_ends_everything_at_once(world: World) -> None:
    registrar = world.registrar()
    world.catalog.pause()
    registrar.advertise(WEB, "passing")
    until(lambda: world.catalog.calls)
    registrar.close()
    registrar.close()
    registrar.advertise(WEB, "passing")
    registrar.report("web-a", "passing")
    gevent.sleep(0)
    assert registrar.status() == []
    world.catalog.resume()
    gevent.sleep(0)
    assert world.seen() == ()


@pytest.mark.parametrize("error", [BackendUnavailableError("away"), BackendTimeoutError("slow")])
def test_an_unanswered_registration_is_taken_back(world: World, error: Exception) -> None:
    registrar = world.registrar()
    world.catalog.fail("register", error)
    registrar.advertise(WEB, "passing")
    until(lambda: registrar.status()[0]["last_error"])
    registrar.withdraw(WEB)
    assert registrar.drain(DEADLINE_S)
    assert world.calls("deregister")


def test_a_pause_that_fits_into_the_stop_is_kept_and_the_withdrawal_made_after_it(world: World) -> None:
    registrar = world.registrar()
    registrar.advertise(WEB, "passing")
    until(lambda: world.statuses() == ["passing"])
    world.catalog.fail("deregister", BackendUnavailableError("cannot do so yet", retry_after_s=0.2), times=2)
    registrar.withdraw(WEB)
    assert registrar.drain(DEADLINE_S)
    assert world.seen() == ()
    assert len(world.calls("deregister")) == 3
