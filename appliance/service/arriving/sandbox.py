"""The walls around the process that tries a stranger's model: what it may take, and what it may do.

Each wall holds by itself, and none is asked for that a user without rights could not put up. Where the system has no
such wall (macOS has the fewest) it is left out, and what is found out about a model is the same.
"""

import contextlib
import ctypes
import os
import platform
import resource
import signal
import struct
import sys
from pathlib import Path
from typing import Final

__all__ = ["die_with", "enclose", "memory_mb"]

_PR_SET_PDEATHSIG: Final = 1
_PR_SET_NO_NEW_PRIVS: Final = 38
_MODE_FILTER: Final = 1
_ALL_THREADS: Final = 1
_NICER: Final = 10
_FILES: Final = 16

# Numbers of system calls for x86_64 and aarch64, None where there is none: new processes and programs, the network,
# other processes, names and properties of files, and what would reach the kernel past this list. Reading stays.
_DENIED: Final = {
    "accept": (43, 202), "accept4": (288, 242), "add_key": (248, 217), "bind": (49, 200), "bpf": (321, 280),
    "chmod": (90, None), "chown": (92, None), "clone": (56, 220), "clone3": (435, 435), "connect": (42, 203),
    "creat": (85, None), "execve": (59, 221), "execveat": (322, 281), "fchmod": (91, 52), "fchmodat": (268, 53),
    "fchmodat2": (452, 452), "fchown": (93, 55), "fchownat": (260, 54), "fork": (57, None), "fsetxattr": (190, 7),
    "ftruncate": (77, 46), "io_uring_setup": (425, 425), "keyctl": (250, 219), "kill": (62, 129),
    "lchown": (94, None), "link": (86, None), "linkat": (265, 37), "lsetxattr": (189, 6), "memfd_create": (319, 279),
    "mkdir": (83, None), "mkdirat": (258, 34), "mknod": (133, None), "mknodat": (259, 33), "mount": (165, 40),
    "mq_open": (240, 180), "msgget": (68, 186), "open_by_handle_at": (304, 265), "openat2": (437, 437),
    "perf_event_open": (298, 241), "pidfd_getfd": (438, 438), "pidfd_open": (434, 434),
    "pidfd_send_signal": (424, 424), "process_vm_readv": (310, 270), "process_vm_writev": (311, 271),
    "ptrace": (101, 117), "rename": (82, None), "renameat": (264, 38), "renameat2": (316, 276),
    "request_key": (249, 218), "rmdir": (84, None), "rt_sigqueueinfo": (129, 138), "rt_tgsigqueueinfo": (297, 240),
    "sched_setaffinity": (203, 122), "sched_setattr": (314, 274), "sched_setparam": (142, 118),
    "sched_setscheduler": (144, 119), "semget": (64, 190), "sendmsg": (46, 211), "sendto": (44, 206),
    "setns": (308, 268), "setpriority": (141, 140), "setsid": (112, 157), "setxattr": (188, 5), "shmget": (29, 194),
    "socket": (41, 198), "socketpair": (53, 199), "symlink": (88, None), "symlinkat": (266, 36),
    "tgkill": (234, 131), "tkill": (200, 130), "truncate": (76, 45), "umount2": (166, 39), "unlink": (87, None),
    "unlinkat": (263, 35), "unshare": (272, 97), "userfaultfd": (323, 282), "utimensat": (280, 88),
    "vfork": (58, None),
}  # fmt: skip
_WRITING: Final = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC
# Denied where one argument has any of these bits: to open a file for more than reading, to limit another process.
_DENIED_WITH: Final = {
    "open": ((2, None), 1, _WRITING),
    "openat": ((257, 56), 2, _WRITING),
    "prlimit64": ((302, 261), 0, 0xFFFFFFFF),
}
# Which column, the kernel's name for the architecture, and the number of seccomp itself.
_MACHINES: Final = {"x86_64": (0, 0xC000003E, 317), "aarch64": (1, 0xC00000B7, 277)}
# The second set of numbers that x86_64 has for programs with short pointers.
_X32: Final = 0x40000000
_ALLOW: Final = 0x7FFF0000
_REFUSE: Final = 0x00050000 | 1  # SECCOMP_RET_ERRNO with EPERM

# Classic BPF: load a word of the call, compare, test bits, and answer.
_LOAD, _EQUAL, _AT_LEAST, _HAS_BIT, _ANSWER = 0x20, 0x15, 0x35, 0x45, 0x06
_NUMBER_AT, _ARCHITECTURE_AT, _ARGUMENTS_AT = 0, 4, 16


class _Program(ctypes.Structure):
    _fields_ = (("length", ctypes.c_ushort), ("instructions", ctypes.c_char_p))


def die_with(parent: int) -> None:
    """End this process as soon as its parent, by its number, does; at once if that is over already."""
    with contextlib.suppress(AttributeError, OSError):
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != parent:
        sys.exit(1)


def enclose(more_memory_mb: float, cpu_s: float) -> None:
    """Put up the walls around this process, once everything it needs is imported and open; never fails.

    Parameters
    ----------
    more_memory_mb : float
        Address space that it may take beyond what it has.
    cpu_s : float
        Processor time that it may take in all.
    """
    with contextlib.suppress(OSError):
        os.nice(_NICER)
    with contextlib.suppress(OSError):
        # Should the machine run out of memory, this is what it can spare.
        Path("/proc/self/oom_score_adj").write_text("1000", encoding="ascii")
    most = round(more_memory_mb * 1e6)
    with contextlib.suppress(OSError):
        most += int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0]) * resource.getpagesize()
        _limit(resource.RLIMIT_AS, most)
        _limit(resource.RLIMIT_DATA, most)
    seconds = int(cpu_s) + 1
    # With both the same, it would end as if somebody had killed it.
    _limit(resource.RLIMIT_CPU, seconds, seconds + 1)
    _limit(resource.RLIMIT_FSIZE, 0)
    _limit(resource.RLIMIT_NOFILE, _FILES)
    _limit(resource.RLIMIT_NPROC, 0)
    _limit(resource.RLIMIT_CORE, 0)
    _filter()


def memory_mb() -> tuple[float, float]:
    """Memory that this process has, and the most that it had, in MB (10**6 bytes)."""
    try:
        lines = Path("/proc/self/status").read_text(encoding="utf-8").splitlines()
    except OSError:
        # macOS counts in bytes, and knows only the most.
        most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
        return most, most
    kb = {line.split(":")[0]: line.split()[1] for line in lines if line.startswith(("VmRSS:", "VmHWM:"))}
    return int(kb["VmRSS"]) * 1.024e-3, int(kb["VmHWM"]) * 1.024e-3


def _limit(kind: int, most: int, hard: int | None = None) -> None:
    with contextlib.suppress(OSError, ValueError):
        resource.setrlimit(kind, (most, most if hard is None else hard))


def _filter() -> None:
    machine = _MACHINES.get(platform.machine())
    if machine is None or sys.platform != "linux" or sys.maxsize < 2**32:
        return
    column, architecture, seccomp = machine
    instructions = _rules(column, architecture)
    program = _Program(len(instructions) // 8, instructions)
    libc = ctypes.CDLL(None)
    # Without this, only root may filter itself; with it, no program that it starts gains rights.
    if libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0:
        libc.syscall(seccomp, _MODE_FILTER, _ALL_THREADS, ctypes.byref(program))


def _rules(column: int, architecture: int) -> bytes:
    rules = [
        _rule(_LOAD, _ARCHITECTURE_AT), _rule(_EQUAL, architecture, 1, 0), _rule(_ANSWER, _REFUSE),
        _rule(_LOAD, _NUMBER_AT), _rule(_AT_LEAST, _X32, 0, 1), _rule(_ANSWER, _REFUSE),
    ]  # fmt: skip
    for numbers in _DENIED.values():
        if (number := numbers[column]) is not None:
            rules += [_rule(_EQUAL, number, 0, 1), _rule(_ANSWER, _REFUSE)]
    for numbers, argument, bits in _DENIED_WITH.values():
        if (number := numbers[column]) is not None:
            # Both architectures are little-endian: the low half of an argument comes first.
            rules += [
                _rule(_EQUAL, number, 0, 4), _rule(_LOAD, _ARGUMENTS_AT + 8 * argument),
                _rule(_HAS_BIT, bits, 0, 1), _rule(_ANSWER, _REFUSE), _rule(_LOAD, _NUMBER_AT),
            ]  # fmt: skip
    return b"".join([*rules, _rule(_ANSWER, _ALLOW)])


def _rule(code: int, value: int, jump_true: int = 0, jump_false: int = 0) -> bytes:
    return struct.pack("=HBBI", code, jump_true, jump_false, value)
