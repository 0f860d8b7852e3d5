"""A disk that can be made slow: `python -m tests.soak.slowdisk CONTROL PROGRAM ARGUMENT…`.

Runs the program in its own process, so that a signal to it is a signal to the program, and holds up
each of its writes and syncs to files for as many milliseconds as the file CONTROL says; without that
file none. By Linux's seccomp notifications: no privilege is needed and the program knows nothing of
it. Refuses to run, in one line, where the kernel has none.
"""

from __future__ import annotations

import array
import ctypes
import errno
import fcntl
import heapq
import os
import platform
import select
import socket
import struct
import sys
import time
from pathlib import Path

_CALLS = {
    "x86_64": {"seccomp": 317, "pwrite64": 18, "pwritev": 296, "fsync": 74, "fdatasync": 75},
    "aarch64": {"seccomp": 277, "pwrite64": 68, "pwritev": 70, "fsync": 82, "fdatasync": 83},
}
_NO_NEW_PRIVILEGES = 38
_SET_FILTER, _NEW_LISTENER = 1, 8
_ALLOW, _ASK_LISTENER = 0x7FFF0000, 0x7FC00000
_LOAD, _JUMP_IF_EQUAL, _RETURN = 0x20, 0x15, 0x06
_RECEIVE, _ANSWER = 0xC0502100, 0xC0182101
_NOTIFICATION = struct.Struct("=QII64s")
_RESPONSE = struct.Struct("=QqiI")
_GO_ON = 1


def available() -> bool:
    """Whether this kernel and machine have what it takes."""
    return (
        sys.platform == "linux" and platform.machine() in _CALLS and Path("/proc/sys/kernel/seccomp").exists()
    )


def main() -> None:
    control, *command = sys.argv[1:]
    ours, theirs = socket.socketpair()
    if os.fork() == 0:
        theirs.close()
        os.setsid()  # what is sent to the program's group is not for us
        _hold_up(_received(ours), Path(control))
        os._exit(0)
    ours.close()
    listener = _filter()
    theirs.sendmsg([b"!"], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [listener]))])
    theirs.close()
    os.close(listener)
    os.execv(command[0], command)


def _filter() -> int:
    """From here on the kernel asks before this process writes to a file; whom, is what is returned."""
    libc = ctypes.CDLL(None, use_errno=True)
    calls = _CALLS[platform.machine()]
    held = [number for name, number in calls.items() if name != "seccomp"]
    rules = [(_LOAD, 0, 0, 0)]
    rules += [(_JUMP_IF_EQUAL, len(held) - index, 0, number) for index, number in enumerate(held)]
    rules += [(_RETURN, 0, 0, _ALLOW), (_RETURN, 0, 0, _ASK_LISTENER)]
    code = ctypes.create_string_buffer(b"".join(struct.pack("=HBBI", *rule) for rule in rules))
    program = ctypes.create_string_buffer(struct.pack("@HP", len(rules), ctypes.addressof(code)))
    libc.prctl(_NO_NEW_PRIVILEGES, 1, 0, 0, 0)
    listener = int(libc.syscall(calls["seccomp"], _SET_FILTER, _NEW_LISTENER, program))
    if listener < 0:
        sys.exit(f"no slow disk here: seccomp says {os.strerror(ctypes.get_errno())}")
    return listener


def _received(ours: socket.socket) -> int:
    _, ancillary, _, _ = ours.recvmsg(1, socket.CMSG_SPACE(4))
    if not ancillary:  # the other side has given up
        os._exit(0)
    return int(array.array("i", ancillary[0][2])[0])


def _hold_up(listener: int, control: Path) -> None:
    """Let every call go on, each after its time, until the program is gone."""
    poll = select.poll()
    poll.register(listener, select.POLLIN)
    waiting: list[tuple[float, int]] = []
    while True:
        timeout = max(0.0, waiting[0][0] - time.monotonic()) * 1000 if waiting else None
        for _, event in poll.poll(timeout):
            if event & select.POLLHUP:
                return
            if (call := _next(listener)) is not None:
                heapq.heappush(waiting, (time.monotonic() + _delay_seconds(control), call))
        while waiting and waiting[0][0] <= time.monotonic():
            _let_go(listener, heapq.heappop(waiting)[1])


def _next(listener: int) -> int | None:
    notification = bytearray(_NOTIFICATION.size)
    try:
        fcntl.ioctl(listener, _RECEIVE, notification)
    except OSError as error:
        if error.errno in {errno.ENOENT, errno.EINTR}:  # the caller was killed meanwhile
            return None
        raise
    return int(_NOTIFICATION.unpack(notification)[0])


def _let_go(listener: int, call: int) -> None:
    try:
        fcntl.ioctl(listener, _ANSWER, _RESPONSE.pack(call, 0, 0, _GO_ON))
    except OSError as error:
        if error.errno not in {errno.ENOENT, errno.EINTR}:
            raise


def _delay_seconds(control: Path) -> float:
    try:
        return float(control.read_text() or 0) / 1000
    except FileNotFoundError:
        return 0.0


if __name__ == "__main__":
    main()
