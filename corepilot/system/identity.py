"""Who a job is to be, and how its launcher says what it cannot do: see `corepilot.system.launcher`."""

from __future__ import annotations

import errno
import os

from corepilot.system.programs import NOT_EXECUTABLE

TYPE_CHECKING = False  # what typing.TYPE_CHECKING is to a type checker, without importing typing
if TYPE_CHECKING:
    from typing import Any

_LAST_ID = 2**32 - 2
"""The highest number of a user or a group: the one above means none."""


class LaunchError(Exception):
    """The program cannot be started as it is to be. The text names the setting, its value and the reason."""

    def __init__(self, message: str, status: int = NOT_EXECUTABLE) -> None:
        super().__init__(message)
        self.status = status


class Setting:
    """Turns an error of the kernel into one about a setting."""

    def __init__(self, name: str, value: object, hint: str = "") -> None:
        self._what, self._hint = f"{name} {shown(value)}", hint

    def __enter__(self) -> None:
        pass

    def __exit__(self, _kind: object, error: BaseException | None, _trace: object) -> None:
        if isinstance(error, OSError):
            hint = f"; {self._hint}" if self._hint and error.errno in {errno.EPERM, errno.EACCES} else ""
            raise LaunchError(f"{self._what}: {error.strerror or error}{hint}") from None


class Identity:
    """User and groups of the job, and what belongs to them.

    Args:
        request: As in `launch`.

    Raises:
        LaunchError: There is no such user or group here.
    """

    def __init__(self, request: dict[str, Any]) -> None:
        self._user, self._group, self._more = request["user"], request["group"], request["groups"]
        self.home: dict[str, str | None] = {}
        self._uid, self._gid = os.geteuid(), os.getegid()
        groups = os.getgroups()
        if self._user:
            groups = self._find_user()
        if self._group:
            own, self._gid = self._gid, _group_id("group", self._group)
            groups = [self._gid, *[one for one in groups if one != own or not self._user]]
        self._groups = [*groups, *[_group_id("groups", one) for one in self._more]]

    def _find_user(self) -> list[int]:
        import pwd

        try:
            if _is_number(self._user):
                self._uid = self._gid = _number("user", self._user)
                entry = pwd.getpwuid(self._uid)
            else:
                entry = pwd.getpwnam(self._user)
        except KeyError:
            if not _is_number(self._user):
                raise LaunchError(f"user {shown(self._user)}: {_unknown('user', '/etc/passwd')}") from None
            self.home = {"HOME": "/", "USER": None, "LOGNAME": None, "SHELL": None}
            return [self._gid]
        self._uid, self._gid = entry.pw_uid, entry.pw_gid
        self.home = {
            "HOME": entry.pw_dir or "/",
            "USER": entry.pw_name,
            "LOGNAME": entry.pw_name,
            "SHELL": entry.pw_shell or "/bin/sh",
        }
        return os.getgrouplist(entry.pw_name, entry.pw_gid)

    @property
    def _is_own(self) -> bool:
        """Whether nothing is asked for but the user that this process has already."""
        return self._uid == os.geteuid() and not self._group and not self._more

    def own_output(self) -> None:
        """Give the pipe of its output to the user, who may then open /dev/stdout and /dev/stderr."""
        if self._uid != os.geteuid():
            for descriptor in (1, 2):
                with Setting("user", self._user):
                    os.fchown(descriptor, self._uid, -1)

    def take(self) -> None:
        """Become the user: groups, then group, then user, for each needs the rights that the last gives up."""
        if not (self._user or self._group or self._more) or self._is_own:
            return
        groups = list(dict.fromkeys(self._groups))
        if set(groups) != set(os.getgroups()):
            with self._setting(("groups", self._more), ("group", self._group), right="CAP_SETGID"):
                os.setgroups(groups)
        with self._setting(("group", self._group), right="CAP_SETGID"):
            os.setresgid(self._gid, self._gid, self._gid)
        with self._setting(right="CAP_SETUID"):
            os.setresuid(self._uid, self._uid, self._uid)
        if os.getresuid() != (self._uid,) * 3 or os.getresgid() != (self._gid,) * 3:
            raise LaunchError(f"user {shown(self._user)}: the kernel has not changed it")

    def _setting(self, *settings: tuple[str, object], right: str) -> Setting:
        """The first of these settings that is given: it is the one that asks for the change."""
        name, value = next((one for one in settings if one[1]), ("user", self._user))
        return Setting(name, value, f"corepilot needs {right} for that, as root has it")


def _group_id(setting: str, group: str) -> int:
    if _is_number(group):
        return _number(setting, group)
    import grp

    try:
        return grp.getgrnam(group).gr_gid
    except KeyError:
        raise LaunchError(f"{setting} {shown(group)}: {_unknown('group', '/etc/group')}") from None


def _unknown(kind: str, file: str) -> str:
    there = f"in {file}" if os.path.exists(file) else f"here: there is no {file}"
    return f"there is no such {kind} {there}; write a number"


def _number(setting: str, text: str) -> int:
    number = int(text[:20])
    if number > _LAST_ID:
        raise LaunchError(f"{setting} {shown(text)}: there is no such number; the last one is {_LAST_ID}")
    return number


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdigit()


def shown(value: object) -> str:
    """A value as it may stand in a configuration, in one line."""
    if isinstance(value, (list, tuple)):
        return ", ".join(map(shown, value))
    return repr(value).replace("'", '"') if isinstance(value, str) else str(value)
