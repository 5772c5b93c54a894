from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from onward.calls import prints
from onward.calls.prints import Prints


def said(*pieces: bytes) -> list[str]:
    lines: list[str] = []
    printed = Prints(lines.append)
    for piece in pieces:
        printed.take(piece)
    printed.close()
    return lines


def test_each_line_is_said_once_it_is_whole():
    assert said(b"a", b"b\nc", b"\n\nd") == ["ab", "c", "", "d"]


@given(st.lists(st.binary(max_size=20)))
def test_no_byte_is_lost_however_it_comes(pieces: list[bytes]):
    whole = b"".join(pieces)
    expected = whole.split(b"\n")
    assert said(*pieces) == [
        line.decode(errors="replace") for line in expected[:-1] + [each for each in expected[-1:] if each]
    ]


def test_a_line_without_end_is_said_in_parts():
    long = b"x" * (prints.LONGEST + 1)
    assert [len(line) for line in said(long, b"\n")] == [prints.LONGEST, 1]
    assert [len(line) for line in said(long + b"\n")] == [prints.LONGEST, 1]


def test_output_without_end_is_cut_once():
    lines = said(*[b"y" * 1023 + b"\n"] * (prints.MOST // 1024 + 5))
    assert len(lines) == prints.MOST // 1024 + 1
    assert lines[-1] == "[output cut here: 16 MiB are kept]"
