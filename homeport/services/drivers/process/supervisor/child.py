"""Makes the app's process: its own session, nothing inherited, dead when its supervisor dies."""

from __future__ import annotations

import _ctypes
import os
import resource
import signal

TYPE_CHECKING = False  # `typing` itself would cost every supervisor a megabyte
if TYPE_CHECKING:
    from .spec import Spec

PR_SET_PDEATHSIG = 1
PR_SET_CHILD_SUBREAPER = 36
PR_SET_NO_NEW_PRIVS = 38

FILES = 65536  # open files an app may have, where the system allows as many


class CannotStart(Exception):
    """The process could not be made; the message says why."""


def prctl(option: int, value: int) -> None:
    # Through _ctypes, because `ctypes` would cost every supervisor most of a megabyte.
    program: str = None  # type: ignore[assignment]  # dlopen(3): NULL is what is loaded already
    function = _ctypes.dlsym(_ctypes.dlopen(program, 0), "prctl")
    if _ctypes.call_function(function, (option, value, 0, 0, 0)) != 0:
        raise OSError(f"prctl({option}, {value}) was refused")


def spawn(spec: Spec, stdout: int, stderr: int) -> int:
    """Start the app with these descriptors as its output; returns its pid. Raises CannotStart."""
    verdict, report = os.pipe2(os.O_CLOEXEC)
    parent = os.getpid()
    pid = os.fork()
    if pid == 0:
        try:
            _become(spec, parent, stdout, stderr)
        except BaseException as problem:
            os.write(report, _sentence(problem).encode("utf-8", "replace")[:4000])
        os._exit(127)
    os.close(report)
    said = b""
    while chunk := os.read(verdict, 4096):
        said += chunk
    os.close(verdict)
    if said:
        os.waitpid(pid, 0)
        raise CannotStart(said.decode("utf-8", "replace"))
    return pid


def _sentence(problem: BaseException) -> str:
    if isinstance(problem, OSError) and problem.strerror:
        name = problem.filename
        name = name.decode("utf-8", "replace") if isinstance(name, bytes) else name
        return f"{name}: {problem.strerror}" if name else problem.strerror
    return str(problem)


def _become(spec: Spec, parent: int, stdout: int, stderr: int) -> None:
    # Here, where it costs the supervisor nothing, and before we become somebody who may not read it.
    import confinement  # type: ignore[import-not-found]  # homeport/kit/confinement.py, see run.py

    os.setsid()
    for directory, _ in spec["groups"]:
        with open(f"{directory}/cgroup.procs", "wb", 0) as file:
            file.write(b"0")
    null = os.open("/dev/null", os.O_RDONLY)
    for fd, source in enumerate((null, stdout, stderr)):
        os.dup2(source, fd)
    if spec["cpus"]:
        os.sched_setaffinity(0, spec["cpus"])
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    files = FILES if hard == resource.RLIM_INFINITY else min(FILES, hard)
    resource.setrlimit(resource.RLIMIT_NOFILE, (files, files))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    with open("/proc/self/oom_score_adj", "wb", 0) as file:
        file.write(b"500")  # where the machine itself runs out of memory, an app goes before the portal
    if (uid := spec["uid"]) is not None:
        os.setgroups([])
        os.setresgid(uid, uid, uid)
        os.setresuid(uid, uid, uid)
    os.umask(0o022)
    prctl(PR_SET_NO_NEW_PRIVS, 1)
    prctl(PR_SET_PDEATHSIG, signal.SIGKILL)  # after the change of user, which would clear it
    if os.getppid() != parent:
        os._exit(127)
    for number in (signal.SIGPIPE, signal.SIGXFSZ, signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGCHLD):
        signal.signal(number, signal.SIG_DFL)
    signal.set_wakeup_fd(-1)
    signal.pthread_sigmask(signal.SIG_SETMASK, ())
    os.chdir(spec["cwd"])
    if (limits := spec["confinement"]) is not None:
        confinement.confine(confinement.Confinement(*limits))
    _execute(spec["argv"], spec["env"])


def _execute(argv: list[bytes], env: dict[bytes, bytes]) -> None:
    """execvpe, without its imports: the user that we have become may not be allowed to read Python's library."""
    if b"/" in argv[0]:
        os.execve(argv[0], argv, env)  # noqa: S606 - what this program is for
    denied = None
    for directory in env.get(b"PATH", b"/usr/local/bin:/usr/bin:/bin").split(b":"):
        try:
            os.execve((directory or b".") + b"/" + argv[0], argv, env)  # noqa: S606
        except (FileNotFoundError, NotADirectoryError):
            continue
        except PermissionError as problem:
            denied = problem
    raise denied or FileNotFoundError(2, "No such file or directory", argv[0])
