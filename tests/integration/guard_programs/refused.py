"""`refused.py PROGRAM…`: becomes the Python program with a seccomp filter that refuses prctl(PR_SET_PDEATHSIG)."""

import ctypes
import os
import struct
import sys

PRCTL = {"x86_64": 157, "aarch64": 167}[os.uname().machine]
SET_PDEATHSIG, SET_NO_NEW_PRIVS, SET_SECCOMP, FILTER = 1, 38, 22, 2
LOAD, EQUAL, RETURN = 0x20, 0x15, 0x06  # BPF_LD|BPF_W|BPF_ABS, BPF_JMP|BPF_JEQ|BPF_K, BPF_RET|BPF_K
ALLOW, EPERM = 0x7FFF0000, 0x00050001


class Program(ctypes.Structure):
    _fields_ = [("length", ctypes.c_ushort), ("filter", ctypes.c_char_p)]


# struct seccomp_data: the number of the system call at 0, its first argument at 16.
steps = [(LOAD, 0, 0, 0), (EQUAL, 0, 3, PRCTL), (LOAD, 0, 0, 16), (EQUAL, 0, 1, SET_PDEATHSIG), (RETURN, 0, 0, EPERM),
         (RETURN, 0, 0, ALLOW)]  # fmt: skip
code = b"".join(struct.pack("HBBI", *step) for step in steps)
prctl = ctypes.CDLL(None, use_errno=True).prctl
assert prctl(SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0
assert prctl(SET_SECCOMP, FILTER, ctypes.byref(Program(len(steps), code)), 0, 0) == 0, os.strerror(ctypes.get_errno())
os.execv(sys.executable, [sys.executable, *sys.argv[1:]])
