"""Makes the catalog hold what the jobs want it to hold, and keeps it so.

Level-triggered: nobody here remembers events. Each instance has a wish (`desired`), and one greenlet that compares the
wish with what is known of the catalog and makes one call after the other until they agree. A wish that comes during a
call replaces the one that waits. So an agent that has lost its data, an outage, an end of maintenance are all the same
case, and nothing queues up.

There is no periodic registration. Every report is a question too: a backend answers UnknownInstanceError when the
catalog has lost the instance, and it is registered again at once. Registering over and over would only make two
supervisors that were given the same instance id take it from each other for ever. An instance without reports lapses to
critical, and critical or lost is the same to those who watch.

A failing check is reported as critical at once, or, with `report_failing` off, not at all: then the instance turns
critical when its TTL is over (ContainerPilot contract, section 4.4). A store without a TTL of its own is told so.
"""

import time
from collections.abc import Callable

import gevent
from gevent.event import Event

from corepilot.discovery.backend import Backend
from corepilot.discovery.calls import CallCancelled, clip, make_call
from corepilot.discovery.connection import Connection
from corepilot.discovery.desired_instance import CatalogCall, DesiredInstance, phases
from corepilot.discovery.guarded_calls import CALL_S
from corepilot.errors import BackendError, BackendTimeoutError, BackendUnavailableError, UnknownInstanceError
from corepilot.model.service import Registration, Status
from corepilot.output.repeat import Repeat
from corepilot.system.backoff import Backoff, chance
from corepilot.system.leaving import Leaving
from corepilot.system.semaphore import BoundedSemaphore

LAST_CALL_S = 2.0
"""The most that a call to the backend may take once we are leaving."""
RECENT = 0.5
"""A call that is not answered is the catalog's silence only if no other was answered in the last half of its time: else
it is this call that hangs, and the others need not wait. Sooner than that, the catalog may have gone since."""
_AT_ONCE = 16
"""Calls under way at the same time, at most."""


class _Slot:
    """One instance: its wish, its greenlet, its wake-up."""

    __slots__ = ("desired", "greenlet", "job", "step", "told", "wake")

    def __init__(self, desired: DesiredInstance) -> None:
        self.desired = desired
        self.told: Registration | None = None
        self.job = ""  # as it was known when that was told: by the time that it leaves it may be gone
        self.wake = Event()
        self.step: CatalogCall | None = None
        self.greenlet: gevent.Greenlet[[_Slot], None] | None = None


class Registrar:
    """The instances of this process, and one greenlet for each.

    All methods but `drain` return at once, do not switch, and never raise.

    Args:
        backend: The catalog. It is not closed here.
        log: Takes a level and a message.
        clock: Seconds of a clock that never goes back.
        report_failing: Whether warning and critical are reported, or left to the TTL.
        expires: Whether the catalog turns an instance critical by itself when its TTL is over.
        call_s: The most that one call may take, in seconds.
        connection: What is known of the catalog, where it is shared with watches.
        tell: Takes the name of a job and a message when its instance has entered or left the catalog.
        job_of: Says what the job is known by whose instance it is.

    Attributes:
        report_failing: As given; may be changed.
        progressed: Called when what the catalog holds may have changed. Must not switch.
    """

    def __init__(
        self,
        backend: Backend,
        *,
        log: Callable[[str, str], None],
        clock: Callable[[], float] = time.monotonic,
        report_failing: bool = True,
        expires: bool = False,
        call_s: float = CALL_S,
        connection: Connection | None = None,
        tell: Callable[[str, str], None] = lambda _job, _message: None,
        job_of: Callable[[Registration], str] = lambda registration: registration.service,
    ) -> None:
        self._backend = backend
        self._log = log
        self._tell, self._job_of = tell, job_of
        self._clock = clock
        self.report_failing = report_failing
        self.progressed: Callable[[], None] = lambda: None
        self._expires = expires
        self._call_s = call_s
        self._repeats = Repeat(log, clock=clock)
        self._connection = connection or Connection(call_s)
        self._connection.waiting.add(self._wake_all)
        self._free = BoundedSemaphore(_AT_ONCE)
        self._phases = phases(chance())
        self._slots: dict[str, _Slot] = {}
        self._ended = Event()
        self._closed = False
        self._draining = False
        self._given_up = False
        self._abandoned = 0
        self._answered_at = float("-inf")

    @property
    def connected(self) -> bool:
        """Whether the catalog answered the last call; False before the first answer. A refusal is an answer."""
        return self._connection.connected

    @property
    def held(self) -> tuple[Registration, ...]:
        """What is wanted in the catalog, be it there already or not."""
        return tuple([slot.desired.registration for slot in self._slots.values() if slot.desired.wanted])

    def holds(self, instance_id: str) -> bool:
        """Whether an instance is wanted in the catalog, be it there already or not."""
        slot = self._slots.get(instance_id)
        return slot is not None and slot.desired.wanted

    def has(self, instance_id: str) -> bool:
        """Whether an instance is wanted in the catalog, and is there as it should be."""
        slot = self._slots.get(instance_id)
        return slot is not None and slot.desired.wanted and slot.desired.in_sync

    def advertise(self, registration: Registration, status: Status, output: str = "") -> None:
        """Want an instance in the catalog: its first check passed, it has an initial status, or maintenance ended.

        Args:
            registration: What to store. Another one of the same id replaces the content.
            status: Its status until it is reported on.
            output: What the check said. Cut at 4 KiB.
        """
        if self._closed:
            return
        slot = self._slots.get(registration.id) or self._open(registration)
        slot.desired.advertise(registration, status, clip(output), self._clock())
        self._spur(slot)

    def report(self, instance_id: str, status: Status, output: str = "") -> None:
        """Tell the result of a check, or a heartbeat. Each one is sent, also when nothing has changed.

        What changes nothing may be sent later, within the TTL: the instances of a process do not report together.

        Args:
            instance_id: `Registration.id`. Ignored when it is not advertised (any more).
            status: What the check found.
            output: What it said. Cut at 4 KiB.
        """
        slot = self._slots.get(instance_id)
        if slot is not None and (self.report_failing or status == "passing"):
            slot.desired.report(status, clip(output), self._clock())
            self._spur(slot)

    def withdraw(self, registration: Registration) -> None:
        """Want an instance out of the catalog: its job is complete, in maintenance, or being shut down.

        One that was never advertised is taken out as well, by a single call, as ContainerPilot does (contract, section
        7.3): a supervisor before us may have left it there.

        Args:
            registration: As it was advertised, or would have been.
        """
        if self._closed:
            return
        slot = self._slots.get(registration.id)
        if slot is None:
            slot = self._open(registration)
            slot.desired.withdraw_unseen(self._clock())
        slot.desired.withdraw(self._clock())
        slot.wake.set()

    def status(self) -> list[dict[str, object]]:
        """Every instance, sorted by id, also those that are being withdrawn: for `corepilot status`.

        Returns:
            `id`, `service`, `address`, `port`, `status` ("withdrawn" for one that has to leave), `in_sync` (whether the
            catalog agrees) and `last_error` ("" when there is none) of each.
        """
        return [
            {
                "id": instance_id,
                "service": slot.desired.registration.service,
                "address": slot.desired.registration.address,
                "port": slot.desired.registration.port,
                "status": slot.desired.status if slot.desired.wanted else "withdrawn",
                "in_sync": slot.desired.in_sync,
                "last_error": slot.desired.last_error,
            }
            for instance_id, slot in sorted(self._slots.items())
        ]

    def drain(self, deadline_s: float) -> bool:
        """Wait until everything that was withdrawn is out of the catalog. From now on calls have less time.

        Args:
            deadline_s: Seconds to wait, at most.

        Returns:
            Whether it is done. What could not be withdrawn, because the catalog cannot be reached or the deadline is
            over, expires there.
        """
        end = self._clock() + deadline_s
        self._draining = True
        self._call_s = min(LAST_CALL_S, max(deadline_s, 0.0))
        self._retry_now()
        self._wait_until(self._clock() + deadline_s / 2)
        for slot in self._leaving():
            if slot.step is not None and slot.step.kind != "deregister" and slot.greenlet is not None:
                # A call that hangs has had its time: what matters now is the next one. Raised in the call.
                slot.greenlet.kill(CallCancelled(), block=False)
        self._retry_now()
        self._wait_until(end)
        return not self._leaving() and not self._abandoned

    def stop_waiting(self) -> None:
        """Do not wait in `drain` any more."""
        self._given_up = True
        self._ended.set()

    def close(self) -> None:
        """Stop, in the middle of whatever is being done. Nothing is withdrawn by this. Idempotent."""
        self._closed = True
        self._connection.waiting.discard(self._wake_all)
        slots, self._slots = self._slots, {}
        for slot in slots.values():
            if slot.greenlet is not None:
                slot.greenlet.kill(Leaving(), block=False)
        self.progressed()

    def _open(self, registration: Registration) -> _Slot:
        desired = DesiredInstance(registration, Backoff(), lapses=not self._expires, phase=next(self._phases))
        slot = self._slots[registration.id] = _Slot(desired)
        slot.greenlet = gevent.spawn(self._work, slot)
        return slot

    def _spur(self, slot: _Slot) -> None:
        self._connection.hasten(self._clock())
        slot.wake.set()

    def _retry_now(self) -> None:
        now = self._clock()
        self._connection.retry_now(now)
        for slot in self._leaving():
            slot.desired.retry_now(now)
            slot.wake.set()

    def _leaving(self) -> list[_Slot]:
        return [slot for slot in self._slots.values() if not slot.desired.wanted]

    def _wait_until(self, end: float) -> None:
        while self._leaving():
            left = end - self._clock()
            if left <= 0 or self._given_up:
                return
            self._ended.clear()
            self._ended.wait(left)

    def _work(self, slot: _Slot) -> None:
        """The greenlet of one instance."""
        desired = slot.desired
        while True:
            try:
                now = self._clock()
                step = desired.next_step(now)
                if desired.done:
                    break
                pause = desired.pause_s(now) if step is None else self._connection.wait_s(now)
                if step is None or pause:
                    slot.wake.clear()
                    slot.wake.wait(pause)
                    continue
                with self._free:
                    self._try(slot)
                self.progressed()
            except gevent.Timeout:
                continue  # meant for a call that has just ended
        if self._slots.get(desired.registration.id) is slot:
            del self._slots[desired.registration.id]
        self._ended.set()

    def _try(self, slot: _Slot) -> None:
        """Make the call that is due, unless things have changed while we waited for our turn."""
        desired, begun_at = slot.desired, self._clock()
        step = desired.next_step(begun_at)
        if step is None or self._connection.wait_s(begun_at):
            return
        self._connection.begun(begun_at)
        desired.begun(step)
        slot.step = step
        error = make_call(self._backend, step, self._call_s)
        slot.step = None
        now = self._clock()
        if isinstance(error, CallCancelled):
            desired.failed(step, now, f"cannot {step.kind} {step.registration.id}: it was to be withdrawn meanwhile")
            desired.retry_now(now)
            return
        if isinstance(error, (BackendUnavailableError, BackendTimeoutError)):
            desired.failed(step, now, str(error))
            pause_s = error.retry_after_s if isinstance(error, BackendUnavailableError) else 0.0
            if isinstance(error, BackendTimeoutError) and self._answered_at > now - (now - begun_at) * RECENT:
                self._connection.next_one(now)
            else:
                self._connection.down(begun_at, now, pause_s=pause_s)
            if self._draining and step.kind == "deregister" and not desired.done and not pause_s:
                desired.abandon()  # it cannot be reached, and this was our last word (contract, section 7.3)
                self._abandoned += 1
            self._repeats.failed("line", f"{error}; trying again")
            return
        self._answered_at = now
        if self._connection.up():
            self._repeats.recovered("line", f"the catalog {self._backend.address} answers again")
        if error is None:
            self._tell_change(slot, step)
        self._answered(desired, step, error, now)

    def _tell_change(self, slot: _Slot, step: CatalogCall) -> None:
        """Log it in ContainerPilot's words, once: that a catalog has lost an instance is told where it is noticed."""
        registration = step.registration
        if step.kind == "register" and slot.told != registration:
            slot.told, slot.job = registration, self._job_of(registration)
            message = f"Service registered: {registration.service} as {registration.id}, {step.status}"
        elif step.kind == "deregister" and slot.told is not None:
            slot.told = None
            message = f"Service deregistered: {registration.service} as {registration.id}"
        else:
            return
        self._tell(slot.job, message)

    def _answered(self, desired: DesiredInstance, step: CatalogCall, error: Exception | None, now: float) -> None:
        subject = step.registration.id
        if error is None:
            desired.succeeded(step)
            if step.kind == "deregister":
                self._repeats.forget(subject)  # it was never accepted: another process may have the id
            elif step.kind != "register":
                self._repeats.recovered(subject, f"{subject}: the catalog accepts updates again")
            if step.kind != "register":
                self._repeats.forget(f"lost {subject}")
        elif isinstance(error, UnknownInstanceError):
            desired.unknown(step, now, str(error))
            self._repeats.failed(f"lost {subject}", f"{subject} is not in the catalog any more; registering it again")
        else:
            # A backend says what went wrong at the catalog, and not always with whom.
            why = str(error) if subject in str(error) else f"cannot {step.kind} {subject}: {error}"
            desired.failed(step, now, why)
            self._repeats.failed(subject, why, "warning" if isinstance(error, BackendError) else "error")

    def _wake_all(self) -> None:
        for slot in self._slots.values():
            slot.wake.set()
