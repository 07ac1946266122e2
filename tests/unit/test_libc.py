"""Calling the C library."""

import errno
import os
import subprocess
import sys

import pytest

from corepilot.system.libc import call


def test_what_a_function_returns() -> None:
    assert call("abs", 5) == 5
    assert call("strcmp", b"same", b"same") == 0


def test_why_it_has_failed() -> None:
    with pytest.raises(OSError, match="descriptor") as caught:
        call("inotify_add_watch", 2**31 - 1, b"/", 1)
    assert caught.value.errno == errno.EBADF
    with pytest.raises(OSError, match="Invalid argument"):
        call("prctl", 0xFFFF_FFFF, 0, 0, 0, 0)


def test_a_function_that_is_not_there() -> None:
    with pytest.raises(OSError, match="no_such_function"):
        call("no_such_function")


def test_a_number_fills_its_register() -> None:
    """A mask beyond `int`, and a length that only an `unsigned long` holds."""
    descriptor = call("memfd_create", b"test", 1)
    try:
        assert call("ftruncate", descriptor, 5_000_000_000) == 0
        assert os.fstat(descriptor).st_size == 5_000_000_000
    finally:
        os.close(descriptor)


def test_ctypes_is_not_loaded_and_works_beside_it() -> None:
    program = """
from corepilot.system.libc import call
import sys
assert call("abs", 3) == 3 and "ctypes" not in sys.modules
import ctypes
assert ctypes.CDLL(None).abs(-4) == 4 and call("abs", 5) == 5
"""
    subprocess.run([sys.executable, "-I", "-c", program], check=True, timeout=60)
