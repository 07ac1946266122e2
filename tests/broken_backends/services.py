"""Backends that break one rule of services each, and the test that has to catch it, by what it says."""

import time
from collections.abc import Iterator
from contextlib import suppress

import gevent

from corepilot.discovery.backend import Backend
from corepilot.errors import BackendError, BackendUnavailableError, UnknownInstanceError
from corepilot.model.service import Query, Registration, Snapshot, Status
from corepilot.testing.memory import MemoryBackend


class TakesAnyReport(MemoryBackend):
    def report(self, instance_id: str, status: Status, output: str, valid_for_s: float) -> None:
        with suppress(UnknownInstanceError):
            super().report(instance_id, status, output, valid_for_s)


class KeepsTheFirst(MemoryBackend):
    def register(self, registration: Registration, status: Status, output: str) -> None:
        if registration.id in self.options.entries:
            self.report(registration.id, status, output, registration.ttl_s)
        else:
            super().register(registration, status, output)


class ReplacesInTwoSteps(MemoryBackend):
    def register(self, registration: Registration, status: Status, output: str) -> None:
        self.deregister(registration.id)
        gevent.sleep(0.001)
        super().register(registration, status, output)
        gevent.sleep(0.001)


class DeregistersByPrefix(MemoryBackend):
    def deregister(self, instance_id: str) -> None:
        for one in [one for one in self.options.entries if one.startswith(instance_id)]:
            super().deregister(one)


class RefusesASecondEnd(MemoryBackend):
    def deregister(self, instance_id: str) -> None:
        if instance_id not in self.options.entries:
            raise UnknownInstanceError(f"cannot deregister {instance_id}: there is none")
        super().deregister(instance_id)


class SortsTags(MemoryBackend):
    def register(self, registration: Registration, status: Status, output: str) -> None:
        super().register(registration.changed(tags=tuple(sorted(registration.tags))), status, output)


class CutsOutputsInTwo(MemoryBackend):
    def report(self, instance_id: str, status: Status, output: str, valid_for_s: float) -> None:
        output.encode()[:4001].decode()
        super().report(instance_id, status, output, valid_for_s)


class HidesCritical(MemoryBackend):
    def watch(self, query: Query) -> Iterator[Snapshot]:
        for seen in super().watch(query):
            yield tuple(one for one in seen if one.status != "critical")


class ShowsTheNewestFirst(MemoryBackend):
    def watch(self, query: Query) -> Iterator[Snapshot]:
        for seen in super().watch(query):
            yield tuple(reversed(seen))


class IgnoresCase(MemoryBackend):
    def watch(self, query: Query) -> Iterator[Snapshot]:
        for _ in super().watch(query):
            found = (self.options.snapshot(entry.registration.service) for entry in self.options.entries.values())
            every = {one for seen in found for one in seen if one.service.lower() == query.service.lower()}
            yield tuple(sorted(one for one in every if not query.tag or query.tag in one.tags))


class IgnoresTheDatacenter(MemoryBackend):
    def watch(self, query: Query) -> Iterator[Snapshot]:
        return super().watch(query.changed(datacenter=""))


class MissesTheEnd(MemoryBackend):
    def deregister(self, instance_id: str) -> None:
        self.options.entries.pop(instance_id, None)


class EndsInSilence(MemoryBackend):
    def watch(self, query: Query) -> Iterator[Snapshot]:
        with suppress(BackendUnavailableError):
            yield from super().watch(query)


class RaisesWhatTheLibraryRaises(MemoryBackend):
    def register(self, registration: Registration, status: Status, output: str) -> None:
        try:
            super().register(registration, status, output)
        except BackendUnavailableError as error:
            raise ConnectionRefusedError(111, "Connection refused") from error


class StaysBroken(MemoryBackend):
    _broken = False

    def register(self, registration: Registration, status: Status, output: str) -> None:
        if self._broken:
            raise BackendUnavailableError("cannot register: the connection is broken")
        try:
            super().register(registration, status, output)
        except BackendError:
            self._broken = True
            raise


class HoldsDeadlinesBack(MemoryBackend):
    def report(self, instance_id: str, status: Status, output: str, valid_for_s: float) -> None:
        with suppress(gevent.Timeout):
            super().report(instance_id, status, output, valid_for_s)


class NeverExpires(MemoryBackend):
    def register(self, registration: Registration, status: Status, output: str) -> None:
        super().register(registration.changed(ttl_s=10_000), status, output)


class ExpiresInSpiteOfReports(MemoryBackend):
    def report(self, instance_id: str, status: Status, output: str, valid_for_s: float) -> None:
        entry = self.options.entries.get(instance_id)
        left_s = valid_for_s if entry is None else entry.expires_at - time.monotonic()
        super().report(instance_id, status, output, left_s)


BROKEN: dict[type[Backend], tuple[str, str]] = {
    TakesAnyReport: ("a_report_on_the_unknown_says_so", "report must raise UnknownInstanceError"),
    KeepsTheFirst: ("registering_again_replaces", "must show exactly"),
    ReplacesInTwoSteps: ("states_never_go_back", "must not show a moment without it"),
    DeregistersByPrefix: ("deregistering_takes_out_one", "must show exactly"),
    RefusesASecondEnd: ("deregistering_twice_or_the_unknown_is_no_error", "cannot deregister"),
    SortsTags: ("tags_survive_in_order", "must show exactly"),
    CutsOutputsInTwo: ("ugly_outputs", "errors must be those of the contract: report"),
    HidesCritical: ("every_status_can_be_registered", "must show exactly"),
    ShowsTheNewestFirst: ("snapshots_are_sorted_and_ids_unique", "must show exactly"),
    IgnoresCase: ("services_do_not_mix", "must show exactly"),
    IgnoresTheDatacenter: ("a_datacenter_is_honoured_or_refused", "must raise BackendRefusedError"),
    MissesTheEnd: ("a_change_by_another_client_is_seen", "must show exactly ()"),
    EndsInSilence: ("every_call_fails_as_a_backend_error", "a watch must raise a BackendError in an outage"),
    RaisesWhatTheLibraryRaises: (
        "every_call_fails_as_a_backend_error",
        "errors must be those of the contract: register",
    ),
    StaysBroken: ("the_same_client_works_again", "the connection is broken"),
    HoldsDeadlinesBack: ("a_deadline_ends_every_call", "report must not succeed while the catalog does not answer"),
    NeverExpires: ("a_silent_instance_stops_passing", "no passing instance once the TTL is over"),
    ExpiresInSpiteOfReports: ("an_instance_that_is_reported_on_stays", "reported on in time must stay passing"),
}
"""The backend; the test of the suites that has to fail, and what it has to say."""
