"""getifaddrs(3) through ctypes: the addresses of this network namespace, as bytes.

Imported when an address has to be chosen, and not before: ctypes costs a few milliseconds.
"""

import ctypes
import os
from typing import Any


class _Ifaddrs(ctypes.Structure):
    """`struct ifaddrs` of <ifaddrs.h>."""


_Ifaddrs._fields_ = [
    ("next", ctypes.POINTER(_Ifaddrs)),
    ("name", ctypes.c_char_p),
    ("flags", ctypes.c_uint),
    ("addr", ctypes.c_void_p),
    ("netmask", ctypes.c_void_p),
    ("other", ctypes.c_void_p),
    ("data", ctypes.c_void_p),
]

# Where the address stands in sockaddr_in and sockaddr_in6 of <netinet/in.h>, and how long it is; by the family, AF_INET
# and AF_INET6 of Linux. Importing socket for two numbers would cost more than all the rest.
_PLACES = {2: (4, 4), 10: (8, 16)}


def packed_addresses() -> list[tuple[str, bytes]]:
    """Return each IPv4 and IPv6 address in network byte order, 4 or 16 bytes, with its interface, in no special order.

    Raises:
        OSError: getifaddrs(3) failed.
    """
    libc = ctypes.CDLL(None, use_errno=True)
    libc.getifaddrs.argtypes = [ctypes.POINTER(ctypes.POINTER(_Ifaddrs))]
    libc.getifaddrs.restype = ctypes.c_int
    libc.freeifaddrs.argtypes = [ctypes.POINTER(_Ifaddrs)]
    libc.freeifaddrs.restype = None
    head = ctypes.POINTER(_Ifaddrs)()
    if libc.getifaddrs(ctypes.byref(head)) != 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))
    found = []
    try:
        entry: Any = head
        while entry:
            record = entry.contents
            if record.addr:
                # On Linux sa_family is the first two bytes, in the byte order of the machine.
                place = _PLACES.get(ctypes.c_ushort.from_address(record.addr).value)
                if place is not None:
                    # An alias has the name `eth0:label`; a kernel name never holds a colon.
                    name = os.fsdecode(record.name).partition(":")[0]
                    found.append((name, ctypes.string_at(record.addr + place[0], place[1])))
            entry = record.next
    finally:
        libc.freeifaddrs(head)
    return found
