"""Run one command, keep its log, leave its verdict. Standard library only, and little of it, to start fast.

    python -I -S -X utf8 supervisor.py FOLDER LOCK PID MAX_LOG_BYTES GRACE_SECONDS CWD COMMAND [ARGUMENT ...]

LOCK and PID are inherited descriptors, both locked: LOCK for as long as this process lives, PID until the pid
is written. The starter blocks SIGTERM, so that a cancel waits until there is something to cancel.
"""

import ctypes
import os
import select
import sys
import time

CHUNK = 65536
LAST_BYTES, LAST_LINES = 4096, 20
PR_SET_PDEATHSIG, PR_SET_CHILD_SUBREAPER = 1, 36
SIGKILL, SIGTERM, SIG_SETMASK = 9, 15, 2  # `import signal` would cost a third of the time to start


def main() -> None:
    folder, lock, pid, max_log_bytes, grace, cwd, *command = sys.argv[1:]
    os.set_inheritable(int(lock), False)
    announce(int(pid))
    libc = ctypes.CDLL(None)
    libc.prctl(PR_SET_CHILD_SUBREAPER, ctypes.c_ulong(1))
    os.environ["ONWARD_JOB"] = folder  # by this mark a runtime finds what outlived this process
    log = Log(f"{folder}/log", int(max_log_bytes))
    started = time.time_ns() // 1000
    head, output = launch(libc, cwd, command)
    import json  # only now: the command has started

    family = Family(head)
    cancelled = supervise(family, log, output, float(grace))
    log.write(b"", halves=2)
    code = os.waitstatus_to_exitcode(family.status)
    result = {
        "started": started,
        "ended": time.time_ns() // 1000,
        "exit_code": code if code >= 0 else None,
        "signal": -code if code < 0 else None,
        "cancelled": cancelled,
        "last_lines": log.last_lines(),
        "log_dropped": log.dropped,
    }
    leave(folder, json.dumps(result), json.dumps({**result, "last_lines": ""}))


def announce(file: int) -> None:
    """Write `PID START`, START in clock ticks since boot: a pid may be used again, the pair is not."""
    with open("/proc/self/stat", "rb") as stat:
        start = stat.read().rpartition(b")")[2].split()[19]
    os.pwrite(file, b"%d %s" % (os.getpid(), start), 0)
    os.close(file)


def launch(libc: ctypes.CDLL, cwd: str, command: list[str]) -> tuple[int, int]:
    """Start the command in a session of its own; its pid, and the end to read its output from."""
    supervisor = os.getpid()
    output, write_output = os.pipe()
    executed, write_executed = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            os.setsid()
            libc.prctl(PR_SET_PDEATHSIG, ctypes.c_ulong(SIGKILL))
            if os.getppid() == supervisor:  # else it was killed before the line above
                os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
                os.dup2(write_output, 1)
                os.dup2(write_output, 2)
                execute(libc, cwd, command)
        finally:
            os._exit(126)
    os.close(write_output)
    os.close(write_executed)
    os.read(executed, 1)  # ends when the command runs, or could not: from here on signals reach its group
    os.close(executed)
    return pid, output


def execute(libc: ctypes.CDLL, cwd: str, command: list[str]) -> None:
    """Become the command. What prevents it goes to the log, with the exit codes of a shell."""
    for number in range(1, 65):  # Python ignores SIGPIPE, the starter may have been told to ignore SIGINT
        libc.signal(number, None)
    libc.sigprocmask(SIG_SETMASK, bytes(128), None)
    problem = f"cannot run in {cwd!r}"
    try:
        os.chdir(cwd)
        problem = f"cannot run {command[0]!r}"
        os.execvp(command[0], command)
    except OSError as error:
        os.write(2, f"{problem}: {error.strerror}\n".encode(errors="backslashreplace"))
        os._exit(127 if isinstance(error, FileNotFoundError) else 126)


def supervise(family: "Family", log: "Log", output: int, grace: float) -> bool:
    """Wait for the command, then end what it left behind. True when it was cancelled."""
    import signal

    wake, write_wake = os.pipe()
    os.set_blocking(write_wake, False)
    signal.set_wakeup_fd(write_wake, warn_on_full_buffer=False)
    for number in (SIGTERM, signal.SIGCHLD):
        signal.signal(number, lambda *_: None)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, [SIGTERM])
    poll = select.poll()
    poll.register(wake, select.POLLIN)
    poll.register(output, select.POLLIN)
    deadline: float | None = None  # once cancelled
    while family.reap():
        left = None if deadline is None else max(0, deadline - time.monotonic())
        # The end of the head is the end of all; only when cancelled the others may clean up, too.
        if left == 0 or (left is None and family.head_ended):
            family.kill()
            left = None
        ready = dict(poll.poll(None if left is None else left * 1000 + 1))
        if output in ready and not log.take(output):
            poll.unregister(output)
        if wake in ready and SIGTERM in os.read(wake, CHUNK) and deadline is None:
            deadline = time.monotonic() + grace
            if not family.head_ended:
                send(-family.head, SIGTERM)
    os.set_blocking(output, False)
    while log.take(output):
        pass
    return deadline is not None


class Family:
    """The command and all that it started: orphans become this process's children, as it is their subreaper.

    Signals go only to children that are not reaped yet: none of their pids can be somebody else's by now.
    """

    def __init__(self, head: int) -> None:
        self.head, self.head_ended, self.status = head, False, 0

    def reap(self) -> bool:
        """Take in the children that have ended. False when none is left."""
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return False
            if pid == 0:
                return True
            if pid == self.head:
                self.head_ended, self.status = True, status

    def kill(self) -> None:
        """Kill the eldest generation; the next becomes this process's children by that, and wakes it."""
        for pid in children():
            send(pid, SIGKILL)


def send(pid: int, number: int) -> None:
    try:
        os.kill(pid, number)
    except PermissionError:
        return  # it runs as another user (sudo) and can only be waited for


def children() -> list[int]:
    me, found = os.getpid(), []
    for name in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{name}/stat", "rb") as stat:
                parent = int(stat.read().rpartition(b")")[2].split()[1])
        except OSError:  # it has ended meanwhile
            continue
        if parent == me:
            found.append(int(name))
    return found


class Log:
    """A file that keeps the first and the last half of what is written, and says how much lies between.

    It grows to one and a half times its limit before the middle is taken out, so it can be followed all the
    while. What does not fit on the disk is dropped and counted.
    """

    MARK = "\n[%15d bytes left out]\n"
    MARK_BYTES = len(MARK % 0)

    def __init__(self, path: str, limit: int) -> None:
        self.half = limit // 2
        self.left_out = self.dropped = 0
        self.last = b""
        self.file = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
        self.begin = self.end = os.lseek(self.file, 0, os.SEEK_END)
        if self.end:
            self.write(b"\n[started again]\n")
            self.begin = self.end

    def take(self, source: int) -> bool:
        """Move what can be read at once. False when there is nothing, or nothing more."""
        try:
            data = os.read(source, CHUNK)
        except BlockingIOError:
            return False
        self.last = (self.last + data)[-LAST_BYTES:]
        self.write(data)
        return bool(data)

    def write(self, data: bytes, halves: int = 3) -> None:
        try:
            if self.end - self.begin > halves * self.half:
                self.fold()
            while data:
                written = os.pwrite(self.file, data, self.end)
                self.end += written
                data = data[written:]
        except OSError:
            self.dropped += len(data)

    def fold(self) -> None:
        """Take out what lies between the two halves."""
        middle, source = self.begin + self.half, self.end - self.half
        target = middle + self.MARK_BYTES
        if source <= target:
            return
        self.left_out += source - (target if self.left_out else middle)
        for offset in range(0, self.half, CHUNK):
            piece = os.pread(self.file, min(CHUNK, self.half - offset), source + offset)
            os.pwrite(self.file, piece, target + offset)
        os.pwrite(self.file, (self.MARK % self.left_out).encode(), middle)
        self.end = target + self.half
        os.ftruncate(self.file, self.end)

    def last_lines(self) -> str:
        return "\n".join(self.last.decode(errors="replace").rstrip("\n").split("\n")[-LAST_LINES:])


def leave(folder: str, *contents: str) -> None:
    """Rename the result into place, the first of the contents that fits into the space set aside for it."""
    problem: OSError | None = None
    for content in contents:
        try:
            file = os.open(f"{folder}/result.new", os.O_WRONLY | os.O_CREAT, 0o600)
            written = os.pwrite(file, content.encode(), 0)
            os.ftruncate(file, written)
            os.fsync(file)
            if written == len(content):
                os.rename(f"{folder}/result.new", f"{folder}/result.json")
                os._exit(0)
        except OSError as error:
            problem = error
    sys.exit(f"the result could not be written: {problem or 'the disk is full'}")


if __name__ == "__main__":
    main()
