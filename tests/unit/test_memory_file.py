"""A file without a name: what it holds, and what happens where the kernel has no such thing."""

import errno
import os

import pytest

from corepilot.system.memory_file import memory_file


def read(descriptor: int) -> bytes:
    try:
        assert not os.get_inheritable(descriptor)
        return os.read(descriptor, 1 << 24)
    finally:
        os.close(descriptor)


@pytest.mark.parametrize("data", [b"", b"null\n", b"x" * 1_000_000])
def test_it_is_read_from_its_beginning(data: bytes) -> None:
    assert read(memory_file(data)) == data


@pytest.mark.parametrize("number", [errno.ENOSYS, errno.EPERM])
def test_a_sandbox_without_it_gets_a_temporary_file(number: int, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_name: str, _flags: int) -> int:
        raise OSError(number, "refused")

    monkeypatch.setattr(os, "memfd_create", refuse)
    assert read(memory_file(b"data")) == b"data"


def test_a_shortage_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_name: str, _flags: int) -> int:
        raise OSError(errno.EMFILE, "too many")

    monkeypatch.setattr(os, "memfd_create", refuse)
    with pytest.raises(OSError, match="too many"):
        memory_file(b"data")
