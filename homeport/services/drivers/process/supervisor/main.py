"""One app, kept running: start it, write its log, start it again after a back-off, stop it when told."""

from __future__ import annotations

import marshal
import os
import select
import signal
import sys
import time

from . import child, limits, record, tree
from .lines import LogFile, Pipe

TYPE_CHECKING = False  # `typing` itself would cost every supervisor a megabyte
if TYPE_CHECKING:
    from .spec import Spec

LONGEST_DELAY = 60.0  # seconds of back-off
GOOD_RUN = 60.0  # seconds up after which the back-off starts over
DEFAULT_GRACE = 10.0  # seconds, when whoever stops us names none

SIGNALS = {4: "SIGILL", 6: "SIGABRT", 7: "SIGBUS", 8: "SIGFPE", 9: "SIGKILL", 11: "SIGSEGV", 15: "SIGTERM"}


class Supervisor:
    """Everything in one thread around one poll. Times are monotonic seconds, on disk nanoseconds since 1970."""

    def __init__(self, directory: str, spec: Spec) -> None:
        self.directory = directory
        self.spec = spec
        self.log = LogFile(spec["log"], spec["log_limit"])
        self.watch = limits.Watch(spec)
        self.needles = spec["needles"]
        self.first_delay = spec["restart_delay"]
        self.delay = self.first_delay
        self.pid = 0
        self.restarts = 0
        self.pipes: dict[int, Pipe] = {}
        self.started = 0.0
        self.retry = 0.0
        self.deadline: float | None = None  # when stopping: the moment of SIGKILL
        self.state: dict[str, str | int | None] = {
            "id": spec["id"],
            "service_id": spec["service_id"],
            "state": "running",
            "pid": None,
            "port": spec["port"],
            "started_at": None,
            "restarts": 0,
            "exit_code": None,
            "reason": None,
            "retry_at": None,
            "supervisor": os.getpid(),
            "nonce": spec["nonce"],
        }
        self.poll = select.poll()
        self.wake, self._wake_writer = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
        signal.set_wakeup_fd(self._wake_writer, warn_on_full_buffer=False)
        self.stop_asked = False
        signal.signal(signal.SIGTERM, self._asked_to_stop)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        self.poll.register(self.wake, select.POLLIN)

    def _asked_to_stop(self, *_: object) -> None:
        self.stop_asked = True

    def start(self) -> None:
        """Raises CannotStart."""
        self.watch.prepare()
        out, out_writer = os.pipe2(os.O_CLOEXEC)
        err, err_writer = os.pipe2(os.O_CLOEXEC)
        try:
            self.pid = child.spawn(self.spec, out_writer, err_writer)
        except child.CannotStart:
            os.close(out)
            os.close(err)
            raise
        finally:
            os.close(out_writer)
            os.close(err_writer)
        self.pipes = {
            out: Pipe(out, b"stdout", self.log, self.needles),
            err: Pipe(err, b"stderr", self.log, self.needles),
        }
        for fd in self.pipes:
            self.poll.register(fd, select.POLLIN)
        self.started = time.monotonic()
        self.retry = 0.0
        self.record(state="running", pid=self.pid, started_at=time.time_ns(), retry_at=None)

    def record(self, **changes: str | int | None) -> None:
        self.state.update(changes)
        try:
            record.write_state(self.directory, self.state)
        except OSError as problem:  # a full disk must not end the app
            self.log.say(f"the state could not be written: {problem.strerror}")

    def run(self) -> None:
        """Until we are told to stop and nothing of the app is left."""
        while True:
            for fd, _ in self.poll.poll(self.timeout()):
                if fd == self.wake:
                    os.read(self.wake, 512)
                elif not self.pipes[fd].pump():
                    self.poll.unregister(fd)
            if self.stop_asked:
                self.stop_asked = False
                self.ask_to_end()
            dead = tree.reap()
            if self.pid in dead:
                self.ended(dead[self.pid])
            now = time.monotonic()
            if self.deadline is not None:
                if now >= self.deadline or not (self.pid or tree.descendants(os.getpid())):
                    self.finish()
                    return
            elif self.pid:
                self.watch.tick(now, os.getpid())
                if self.watch.verdict:
                    self.ended(tree.kill_all().get(self.pid, -signal.SIGKILL))
            elif self.retry and now >= self.retry:
                self.start_again()

    def timeout(self) -> int | None:
        """Milliseconds until something is due; None while only the app can have news."""
        due = [self.deadline] if self.deadline is not None else []
        if self.retry:
            due.append(self.retry)
        if self.pid and self.deadline is None and self.watch.due:
            due.append(self.watch.due)
        return max(0, int((min(due) - time.monotonic()) * 1000) + 1) if due else None

    def start_again(self) -> None:
        try:
            self.start()
        except child.CannotStart as problem:
            self.back_off(f"could not be started: {problem}")

    def ended(self, code: int) -> None:
        """The app's first process is dead: end what is left of it, and decide what follows."""
        self.pid = 0
        self.state["exit_code"] = code
        if self.deadline is not None:  # being stopped: the others have until the deadline
            return
        tree.kill_all()
        self.drain()
        reason = self.watch.verdict or self.watch.killed_by_group()
        if not reason:
            reason = f"killed by {SIGNALS.get(-code, f'signal {-code}')}" if code < 0 else f"exited with code {code}"
        if time.monotonic() - self.started >= GOOD_RUN:
            self.delay = self.first_delay
        self.back_off(reason)

    def back_off(self, reason: str) -> None:
        self.restarts += 1
        self.retry = time.monotonic() + self.delay
        self.log.say(f"{reason}; starting again in {self.delay:g} s")
        self.record(
            state="backoff",
            pid=None,
            restarts=self.restarts,
            reason=reason,
            retry_at=time.time_ns() + int(self.delay * 1e9),
        )
        self.delay = min(max(self.delay * 2, 0.01), LONGEST_DELAY)

    def ask_to_end(self) -> None:
        """SIGTERM to everything; asked again with a shorter grace, the shorter one holds."""
        deadline = time.monotonic() + record.read_grace(self.directory, DEFAULT_GRACE)
        if self.deadline is not None:
            self.deadline = min(deadline, self.deadline)
            return
        self.deadline, self.retry = deadline, 0.0
        me = os.getpid()
        if self.pid:
            os.killpg(self.pid, signal.SIGTERM)  # not reaped yet, so the number is still its own
        for pid in tree.descendants(me):
            fields = tree.stat(pid)
            if fields and int(fields[2]) != self.pid:
                tree.send(pid, signal.SIGTERM, me)

    def finish(self) -> None:
        dead = tree.kill_all()
        if self.pid in dead:
            self.state["exit_code"] = dead[self.pid]
        self.drain()
        self.watch.clean()
        self.log.say("stopped")
        self.log.close()
        self.record(state="stopped", pid=None, retry_at=None, reason="stopped")

    def drain(self) -> None:
        for fd, pipe in self.pipes.items():
            try:
                self.poll.unregister(fd)
            except KeyError:  # it ended before
                pass
            pipe.drain()
        self.pipes = {}


def main(directory: str) -> None:
    """Reads the spec, leaves its parent, starts the app, says `ok` or why not on standard output, and stays."""
    spec: Spec = marshal.loads(sys.stdin.buffer.read())  # noqa: S302 - our parent's own words
    if os.fork():
        os._exit(0)
    os.setsid()
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    os.umask(0o077)
    os.chdir("/")
    answer = os.dup(1)
    null = os.open("/dev/null", os.O_RDWR)
    os.dup2(null, 0)
    os.dup2(null, 1)
    try:
        _lock = record.claim(directory)
        child.prctl(child.PR_SET_CHILD_SUBREAPER, 1)
        supervisor = Supervisor(directory, spec)
        supervisor.start()
    except (OSError, child.CannotStart) as problem:
        os.write(answer, str(problem).encode("utf-8", "replace"))
        os._exit(1)
    os.write(answer, b"ok")
    os.close(answer)
    supervisor.run()
