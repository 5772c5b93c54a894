"""The process that a run's job is: what it writes, prints and answers."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from onward.local.gcw.__main__ import main

SOURCE = """\
main:
  params: [args]
  steps:
    - log: {call: sys.log, args: {text: "two\\nlines", severity: INFO}}
    - put:
        call: googleapis.storage.v1.objects.insert
        args: {bucket: "work", name: "out.txt", body: "${args.text}"}
    - done:
        return: {project: '${sys.get_env("GOOGLE_CLOUD_PROJECT_ID")}', text: "${args.text}"}
"""


def start(folder: Path, source: str, args: str = '{"text": "é"}') -> int:
    (folder / "flow.yaml").write_text(source)
    (folder / "args.json").write_text(args)
    return main(
        [
            str(folder / "flow.yaml"),
            f"--args-file={folder / 'args.json'}",
            f"--result-file={folder / 'result.json'}",
            f"--buckets={folder / 'buckets'}",
        ]
    )


def test_it_writes_the_result_and_the_objects_and_prints_the_log(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("GOOGLE_CLOUD_PROJECT_ID", raising=False)
    assert start(tmp_path, SOURCE) == 0
    assert json.loads((tmp_path / "result.json").read_text()) == {"project": "local", "text": "é"}
    assert (tmp_path / "buckets/work/out.txt").read_text() == "é"
    assert capsys.readouterr().out == "INFO two lines\n"


def test_a_variable_of_the_environment_is_seen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GOOGLE_CLOUD_PROJECT_ID", "mine")
    assert start(tmp_path, SOURCE) == 0
    assert json.loads((tmp_path / "result.json").read_text())["project"] == "mine"


@pytest.mark.parametrize(
    ("source", "args", "says"),
    [
        (SOURCE, "{}", "flow.yaml:5: step put: KeyError: key not found: text"),
        (SOURCE, "{", "flow.yaml: ValueError: not JSON: "),
        ("- s: {raise: {a: 1}}", "{}", "flow.yaml:1: step s: {'a': 1}"),
        ('- s: {raise: "a\\nb\\e[31m"}', "{}", "flow.yaml:1: step s: a b\\x1b[31m"),
        (
            "- s: {call: events.await_callback}",
            "{}",
            "flow.yaml:1: main.s: events.await_callback is not available",
        ),
        (
            "- s: {return: '${text.encode(\"a\")}'}",
            "{}",
            "flow.yaml: ValueError: the value cannot be written as JSON",
        ),
    ],
)
def test_a_failure_is_one_clear_line_and_no_traceback(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], source: str, args: str, says: str
) -> None:
    assert start(tmp_path, source, args) == 1
    error = capsys.readouterr().err
    assert error.startswith(says)
    assert error.count("\n") == 1
    assert not (tmp_path / "result.json").exists()


def test_files_that_cannot_be_read_or_written_are_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    flow, missing = tmp_path / "flow.yaml", tmp_path / "missing" / "file"
    flow.write_text("- s: {return: 1}")
    rest = [f"--result-file={missing}", f"--buckets={tmp_path}"]
    assert main([str(missing), *rest]) == 1
    assert main([str(flow), f"--args-file={missing}", *rest]) == 1
    assert main([str(flow), *rest]) == 1
    flow.write_bytes(b"\xff")
    assert main([str(flow), *rest]) == 1
    assert capsys.readouterr().err.splitlines() == [
        f"cannot read {missing}: No such file or directory",
        f"cannot read {missing}: No such file or directory",
        f"cannot write {missing}: No such file or directory",
        f"{flow} is not UTF-8 text",
    ]


def test_wrong_use_exits_with_2() -> None:
    with pytest.raises(SystemExit) as caught:
        main(["flow.yaml"])
    assert caught.value.code == 2
