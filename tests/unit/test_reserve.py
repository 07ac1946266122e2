"""Descriptors in reserve."""

import os
import resource
from collections.abc import Iterator
from contextlib import suppress

import pytest

from corepilot.system.reserve import DescriptorReserve


@pytest.fixture
def reserve() -> Iterator[DescriptorReserve]:
    one = DescriptorReserve(3)
    yield one
    one.close()


@pytest.fixture
def exhausted(reserve: DescriptorReserve) -> Iterator[list[int]]:
    """No descriptor is left but those of the reserve; what is in the list can be closed and taken out."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(map(int, os.listdir("/proc/self/fd"))) + 10, hard))
    taken: list[int] = []
    with suppress(OSError):
        while True:
            taken.append(os.open(os.devnull, os.O_RDONLY))
    assert reserve.held == 3
    yield taken
    for descriptor in taken:
        os.close(descriptor)
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_what_must_work_works_with_the_reserve(reserve: DescriptorReserve, exhausted: list[int]) -> None:
    exhausted.extend(reserve.use(os.pipe, 2))
    assert reserve.held == 1
    exhausted.append(reserve.use(lambda: os.open(os.devnull, os.O_RDONLY)))
    assert reserve.held == 0
    with pytest.raises(OSError, match="Too many open files"):
        reserve.use(os.pipe, 2)


def test_a_reserve_that_does_not_suffice_is_kept(reserve: DescriptorReserve, exhausted: list[int]) -> None:
    assert exhausted
    with pytest.raises(OSError, match="Too many open files"):
        reserve.use(os.pipe, 1)
    assert reserve.held == 3


def test_it_is_filled_again_when_there_are_descriptors(reserve: DescriptorReserve, exhausted: list[int]) -> None:
    exhausted.extend(reserve.use(os.pipe, 2))
    assert not reserve.refill()
    os.close(exhausted.pop())
    assert not reserve.refill()
    assert reserve.held == 2
    os.close(exhausted.pop())
    assert reserve.refill()
    assert reserve.held == 3


def test_other_errors_cost_nothing(reserve: DescriptorReserve) -> None:
    with pytest.raises(FileNotFoundError):
        reserve.use(lambda: os.open("/no/such/file", os.O_RDONLY))
    assert reserve.held == 3


def test_with_enough_descriptors_it_is_not_touched(reserve: DescriptorReserve) -> None:
    for descriptor in reserve.use(os.pipe, 2):
        os.close(descriptor)
    assert reserve.held == 3


def test_releasing_all_is_for_the_end(reserve: DescriptorReserve) -> None:
    assert reserve.release() == 3
    assert reserve.release() == 0
