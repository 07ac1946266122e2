"""A file without a name that holds some bytes: what a process is given to read, with nobody who has to feed a pipe."""

import errno
import os


def memory_file(data: bytes) -> int:
    """Return a descriptor of a file that holds these bytes, at its beginning. It is the caller's to close.

    The file is in memory (memfd_create(2)), so that nothing waits for a disk; where there is no such call, it is a
    temporary file that has been unlinked.

    Raises:
        OSError: descriptors, memory or the disk have run out; nothing is open.
    """
    try:
        descriptor = os.memfd_create("corepilot", os.MFD_CLOEXEC)
    except (AttributeError, OSError) as error:  # a C library without it, or a sandbox
        if getattr(error, "errno", None) not in {None, errno.ENOSYS, errno.EPERM}:
            raise
        import tempfile  # which loads OpenSSL

        with tempfile.TemporaryFile(buffering=0) as file:
            descriptor = os.dup(file.fileno())
    try:
        view = memoryview(data)
        while view:
            view = view[os.write(descriptor, view) :]
        os.lseek(descriptor, 0, os.SEEK_SET)
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor
