"""A worker process: takes one call after the other from its inbox and answers in that order.

`process.py` runs this file as a script, for one folder. It imports light parts of the standard library alone,
so that a process is up in some 30 ms.

inbox    A SEQPACKET socket; one packet is one call: PACKET, the target, the arguments. A packet is taken
         only when its call is about to run, so the parent can take back what is still in the socket.
         Arguments too long for a packet come in a file whose descriptor is sent with it.
answers  A pipe; HEADER, the body (JSON if RETURNED, a message if RAISED), then what the call printed and
         nobody has read yet.
output   The pipe behind descriptors 1 and 2. It is emptied here after each call, and by the parent while a
         long call runs or after a death. (A thread could not do that: native code may print while it holds
         the interpreter's lock.)
"""

from __future__ import annotations

import ctypes
import json
import os
import select
import signal
import socket
import struct
import sys
import traceback
from collections.abc import Callable
from functools import cache
from importlib.util import module_from_spec, spec_from_file_location
from time import perf_counter_ns
from types import CoroutineType, ModuleType, TracebackType
from typing import Any, NamedTuple, NoReturn

PACKET = struct.Struct("<I")  # length of the target
HEADER = struct.Struct("<BIII")  # kind, microseconds taken, length of the body, length of the output
RETURNED, RAISED = 0, 1
MAX_INLINE = 64 << 10  # bytes of arguments in a packet
MAX_BODY = 64 << 20  # bytes of arguments, and of a body
MAX_OUTPUT = 128 << 10  # bytes of output in an answer
PIPE_SIZE = 64 << 10  # bytes that a pipe holds, so that one read empties it
BROKEN = 70  # exit code (EX_SOFTWARE) of a worker whose channels were closed by the user's code

_MAX_ERROR = 2_000  # characters
_MAX_TRACEBACK = 12_000  # characters, at most 4 bytes each
_PR_SET_PDEATHSIG = 1

_to_json = json.JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode


class Unusable(Exception):
    """A call that cannot be made, or a value that cannot be handed on; the message is the whole error."""


class Answer(NamedTuple):
    """What became of a call."""

    kind: int
    microseconds: int
    body: bytes
    trace: bytes = b""  # for the log


class Printed:
    """The descriptors 1 and 2 of this process, and the reading end of the pipe behind them."""

    def __init__(self, output: int) -> None:
        self._reader = output
        self._writer = os.dup(1)
        self._waiting = select.poll()
        self._waiting.register(output, select.POLLIN)
        self._streams: list[Any] = [sys.stdout, sys.stderr]
        for stream in self._streams:
            stream.reconfigure(encoding="utf-8", errors="backslashreplace", line_buffering=True)

    def restore(self) -> None:
        """Undo what an earlier call may have done to the descriptors and to sys.stdout and sys.stderr."""
        os.dup2(self._writer, 1)
        os.dup2(self._writer, 2)
        sys.stdout, sys.stderr = self._streams

    def take(self) -> bytes:
        """Everything that was printed and not yet read."""
        for stream in self._streams:
            stream.flush()
        if not self._waiting.poll(0):
            return b""
        try:
            return os.read(self._reader, PIPE_SIZE)
        except BlockingIOError:  # the parent was faster
            return b""


def main(folder: str, parent: int, inbox: int, answers: int, output: int) -> None:
    """Serve until the parent closes the inbox or dies."""
    _die_with(parent)
    for descriptor in (inbox, answers, output):
        os.set_inheritable(descriptor, False)
    sys.path.insert(0, folder)
    sys.argv[:] = [""]
    own = os.getpid()
    printed = Printed(output)
    calls = socket.socket(fileno=inbox)
    packet = bytearray(1 << 18)
    try:
        while call := _take(calls, packet):
            printed.restore()
            answer = run(folder, *call)
            if os.getpid() != own:  # a child that the call forked came back out of it
                os._exit(0)
            _write(answers, answer, printed.take() + answer.trace)
    except (OSError, ValueError):
        os.write(2, b"The call closed descriptors or streams that its process needs.\n")
        os._exit(BROKEN)


def _die_with(parent: int) -> None:
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:  # it died before it could be watched
        os._exit(0)


def _take(calls: socket.socket, packet: bytearray) -> tuple[str, bytes] | None:
    """The next call's target and arguments; None at the end."""
    size, descriptors, _, _ = calls.recvmsg_into([packet], socket.CMSG_SPACE(4))
    if not size:
        return None
    (length,) = PACKET.unpack_from(packet)
    start = PACKET.size + length
    target = packet[PACKET.size : start].decode("utf-8", "surrogateescape")
    if not descriptors:
        return target, bytes(packet[start:size])
    with open(int.from_bytes(descriptors[0][2], sys.byteorder), "rb") as file:
        return target, file.read()


def _write(answers: int, answer: Answer, output: bytes) -> None:
    header = HEADER.pack(answer.kind, min(answer.microseconds, 0xFFFFFFFF), len(answer.body), len(output))
    frame = memoryview(header + answer.body + output)
    while frame:
        frame = frame[os.write(answers, frame) :]


def run(folder: str, target: str, args: bytes) -> Answer:
    """Make one call."""
    began = perf_counter_ns()
    try:
        function = _load(folder, target)
        keywords = _keywords(target, args)
        began = perf_counter_ns()
        value = function(**keywords)
        if type(value) is CoroutineType:
            value = _await(value)
        spent = perf_counter_ns() - began
        return Answer(RETURNED, spent // 1_000, _encode(target, value))
    except SystemExit as request:
        _exit(request)
    except BaseException as error:
        return _raised(error, (perf_counter_ns() - began) // 1_000)


def _await(coroutine: CoroutineType[Any, Any, Any]) -> object:
    import asyncio  # most calls do not need it

    return asyncio.run(coroutine)


@cache
def _load(folder: str, target: str) -> Callable[..., object]:
    file, _, name = target.partition(":")
    function = getattr(_module(folder, file), name, None)
    if function is None:
        raise Unusable(f"{file} has no function {name!r}")
    if not callable(function):
        raise Unusable(f"{name!r} in {file} is not a function but of type {type(function).__name__}")
    return function  # type: ignore[no-any-return]


@cache
def _module(folder: str, file: str) -> ModuleType:
    path = os.path.join(folder, file)
    if os.path.dirname(file) or not file.endswith(".py"):
        raise Unusable(f"{file!r} is not the name of a Python file in the pipeline's folder")
    if not os.path.isfile(path):
        raise Unusable(f"there is no file {file!r} in the pipeline's folder {folder}")
    name = file.removesuffix(".py")
    taken = sys.modules.get(name)
    if taken is not None:
        if getattr(taken, "__file__", None) == path:  # a sibling has imported it
            return taken
        name = f"{name}_of_this_pipeline"  # the file is called like a module that is in use, json.py say
    spec = spec_from_file_location(name, path)
    assert spec and spec.loader, path  # noqa: PT018 - it ends in .py, so there is one
    module = sys.modules[name] = module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[name]
        raise
    return module


def _keywords(target: str, args: bytes) -> dict[str, object]:
    try:
        keywords = json.loads(args)
    except ValueError as error:
        raise Unusable(f"{target}: the arguments are not JSON: {error}") from None
    if not isinstance(keywords, dict):
        raise Unusable(f"{target}: the arguments are not a JSON object")
    return keywords


def _encode(target: str, value: object) -> bytes:
    try:
        body = _to_json(value).encode()
    except (TypeError, ValueError, RecursionError) as error:
        raise Unusable(f"{target} returned what JSON cannot hold: {error}") from None
    if len(body) > MAX_BODY:
        raise Unusable(f"{target} returned {len(body):,} bytes of JSON; at most {MAX_BODY:,} are taken")
    return body


def _exit(request: SystemExit) -> NoReturn:
    """End the process as Python would, but without waiting for the threads that the call left behind."""
    code = request.code or 0
    if not isinstance(code, int):
        print(code, file=sys.stderr)
        code = 1
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code & 0xFF)


def _raised(error: BaseException, microseconds: int) -> Answer:
    if isinstance(error, Unusable):
        return Answer(RAISED, microseconds, _utf8(str(error)[:_MAX_ERROR]))
    try:
        message = f"{type(error).__name__}: {error}".removesuffix(": ")
    except Exception as failure:
        message = f"{type(error).__name__}: (its __str__ raised {type(failure).__name__})"
    trace = "".join(traceback.format_exception(type(error), error, _users_part(error.__traceback__)))
    return Answer(RAISED, microseconds, _utf8(message[:_MAX_ERROR]), _utf8(trace[-_MAX_TRACEBACK:]))


def _users_part(frames: TracebackType | None) -> TracebackType | None:
    """The frames without those of this file and of the import system that come before the user's."""
    while frames and frames.tb_frame.f_code.co_filename.startswith((__file__, "<frozen importlib")):
        frames = frames.tb_next
    return frames


def _utf8(text: str) -> bytes:
    return text.encode("utf-8", "backslashreplace")


if __name__ == "__main__":
    main(sys.argv[1], *map(int, sys.argv[2:]))
