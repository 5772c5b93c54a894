"""A folder of pipelines: a broken one harms no other, and a run keeps the code it began with."""

# ruff: noqa: E501 - a message is easier to read in one piece

import os
import shutil
from pathlib import Path

import pytest
from onward import catalog
from onward.core.errors import Conflict

PIPELINE = (
    "pipeline: {name}\nsteps:\n  a: {{python: {{call: 'job.py:run', args: {{x: '{{{{ env.where }}}}'}}}}}}\n"
)


def put(where: Path, name: str, text: str | None = None) -> Path:
    folder = where / name
    folder.mkdir(parents=True)
    (folder / "pipeline.yaml").write_text(PIPELINE.format(name=name) if text is None else text)
    (folder / "job.py").write_text("def run(x): return x\n")
    return folder


@pytest.fixture
def where(tmp_path: Path) -> Path:
    (tmp_path / "w").mkdir()
    (tmp_path / "w" / "env.yaml").write_text("where: here\n")
    return tmp_path / "w"


def said(found: catalog.Catalog, where: Path) -> list[str]:
    return [str(problem).replace(str(where), "w") for problem in found.problems]


def test_each_folder_with_a_pipeline_file_is_a_pipeline(where: Path) -> None:
    put(where, "one")
    put(where, "two")
    (where / "notes").mkdir()
    put(where, ".hidden")
    found = catalog.read(where)
    assert (sorted(found.pipelines), found.problems, found.env) == (["one", "two"], (), {"where": "here"})
    assert sorted(found.pipelines["one"].files) == ["job.py", "pipeline.yaml"]


def test_one_pipeline_may_be_named_by_its_folder_or_its_file(where: Path) -> None:
    put(where, "one")
    put(where, "two")
    assert list(catalog.read(where / "one").pipelines) == ["one"]
    assert list(catalog.read(where / "one" / "pipeline.yaml").pipelines) == ["one"]


def test_a_broken_pipeline_harms_no_other(where: Path) -> None:
    put(where, "bad", "pipeline: [")
    put(where, "good")
    found = catalog.read(where)
    assert list(found.pipelines) == ["good"]
    assert said(found, where) == ["w/bad/pipeline.yaml:1: not YAML: did not find expected node content"]


def test_two_pipelines_of_one_name_are_a_problem_that_names_both(where: Path) -> None:
    put(where, "one")
    put(where, "two", PIPELINE.format(name="one"))
    found = catalog.read(where)
    assert list(found.pipelines) == ["one"]
    assert said(found, where) == [
        "w/two/pipeline.yaml:1: pipeline: w/one/pipeline.yaml has the name `one` already; rename one"
    ]


def test_a_folder_without_pipelines_says_where_to_put_one(where: Path) -> None:
    assert said(catalog.read(where), where) == [
        "w:1: there is no pipeline.yaml in a folder of it; put one at w/my-pipeline/pipeline.yaml"
    ]
    assert catalog.read(where / "nowhere").problems


def test_a_broken_env_file_is_said_and_its_sound_values_count(where: Path) -> None:
    put(where, "one")
    (where / "env.yaml").write_text("where: here\nworkers: 4\nBad: x\n")
    found = catalog.read(where)
    assert list(found.pipelines) == ["one"]
    assert said(found, where) == [
        'w/env.yaml:2: workers: must be text, not the number 4; quote it: "4"',
        "w/env.yaml:3: Bad: `Bad` can't be named in a template; a letter, then up to 62 of a-z, 0-9 and `_`",
    ]


def test_an_env_file_may_hold_nothing_but_comments(where: Path) -> None:
    put(where, "one", "pipeline: one\nsteps: {a: {python: {call: 'job.py:run'}}}\n")
    (where / "env.yaml").write_text("# where: here\n\n")
    assert catalog.read(where).problems == ()


def test_a_missing_env_value_and_a_missing_file_are_problems_of_the_pipeline(where: Path) -> None:
    folder = put(where, "one")
    (folder / "job.py").rename(folder / "jobs.py")
    (where / "env.yaml").unlink()
    assert said(catalog.read(where), where) == [
        "w/one/pipeline.yaml:3: steps.a.python.args.x: no value of env is named `where`; there are none",
        "w/one/pipeline.yaml:3: steps.a.python.call: "
        "there is no file `job.py` in the pipeline's folder; did you mean `jobs.py`?",
    ]


def test_hidden_files_caches_and_samples_are_no_part_of_a_pipeline(where: Path) -> None:
    folder = put(where, "one")
    for name in (
        ".git/config",
        "__pycache__/job.pyc",
        "sample/data.csv",
        "lib/util.py",
        "lib/__pycache__/x.pyc",
    ):
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text("x")
    assert sorted(catalog.read(where).pipelines["one"].files) == ["job.py", "lib/util.py", "pipeline.yaml"]


def test_a_file_that_is_not_utf8_is_said_with_its_line(where: Path) -> None:
    (put(where, "one") / "pipeline.yaml").write_bytes(b"pipeline: one\nx: \xff\n")
    assert said(catalog.read(where), where) == ["w/one/pipeline.yaml:2: is not UTF-8; save it as UTF-8"]


def test_a_pipeline_file_is_at_most_1_mib(where: Path) -> None:
    (put(where, "one") / "pipeline.yaml").write_text("é" * 600_000)
    assert said(catalog.read(where), where) == ["w/one/pipeline.yaml:1: the file is larger than 1 MiB"]


def test_a_link_may_not_leave_the_folder(where: Path) -> None:
    folder = put(where, "one")
    (folder / "inside.py").symlink_to("job.py")
    assert "inside.py" in catalog.read(where).pipelines["one"].files
    (folder / "outside.py").symlink_to("/etc/passwd")
    assert (
        "outside.py` is a link that leaves the folder; copy the file instead"
        in said(catalog.read(where), where)[0]
    )


def test_what_is_no_file_is_refused(where: Path) -> None:
    folder = put(where, "one")
    os.mkfifo(folder / "pipe")
    assert "pipe` is neither a file nor a folder" in said(catalog.read(where), where)[0]


def test_a_broken_link_and_a_strange_name_are_refused(where: Path) -> None:
    (put(where, "one") / "gone.py").symlink_to("nowhere.py")
    (put(where, "two") / "a\nb.py").write_text("")
    found = catalog.read(where)
    assert not found.pipelines
    assert len(found.problems) == 2


def test_folders_that_are_too_large_are_refused(where: Path) -> None:
    many, large = put(where, "many"), put(where, "large")
    for n in range(1_000):
        (many / f"f{n}").touch()
    with (large / "data.bin").open("wb") as opened:
        opened.truncate(65 * 1024 * 1024)
    assert said(catalog.read(where), where) == [
        "w/large/pipeline.yaml:1: the folder's files are larger than 64 MiB; keep data outside of it, or in `sample/`",
        "w/many/pipeline.yaml:1: the folder holds more than 1,000 files; keep data outside of it, or in `sample/`",
    ]


def test_a_snapshot_is_named_by_what_it_holds_and_made_once(where: Path, tmp_path: Path) -> None:
    folder = put(where, "one")
    (folder / "lib").mkdir()
    (folder / "lib" / "util.py").write_text("x = 1\n")
    entry = catalog.read(where).pipelines["one"]
    copy = catalog.snapshot(entry, tmp_path / "code")
    assert copy == tmp_path / "code" / entry.hash
    assert (copy / "lib" / "util.py").read_text() == "x = 1\n"
    shutil.rmtree(folder)
    assert catalog.snapshot(entry, tmp_path / "code") == copy
    assert [path.name for path in (tmp_path / "code").iterdir()] == [entry.hash]


def test_the_hash_changes_with_every_byte_and_name(where: Path) -> None:
    folder = put(where, "one")
    hashes = {catalog.read(where).pipelines["one"].hash}
    (folder / "job.py").write_text("def run(x): return 1\n")
    hashes.add(catalog.read(where).pipelines["one"].hash)
    (folder / "other.py").write_text("")
    hashes.add(catalog.read(where).pipelines["one"].hash)
    (folder / "other.py").rename(folder / "another.py")
    hashes.add(catalog.read(where).pipelines["one"].hash)
    assert len(hashes) == 4


@pytest.mark.parametrize("change", ["edit", "remove"])
def test_a_file_that_changed_since_it_was_read_is_not_mixed_into_a_snapshot(
    where: Path, tmp_path: Path, change: str
) -> None:
    folder = put(where, "one")
    entry = catalog.read(where).pipelines["one"]
    (folder / "job.py").unlink() if change == "remove" else (folder / "job.py").write_text("new")
    with pytest.raises(Conflict):
        catalog.snapshot(entry, tmp_path / "code")
    assert list((tmp_path / "code").iterdir()) == []


LOOPING = """\
pipeline: {name}
trigger:
  object: {{bucket: in-bucket, match: "{match}"}}
steps:
  a:
    python: {{call: "job.py:run", args: {{x: 1}}}}
    outputs:
      - gs://other-bucket/x
      - gs://in-bucket/{output}
"""


def test_pipelines_that_would_start_each_other_without_end_are_refused_and_no_others(where: Path) -> None:
    put(where, "one", LOOPING.format(name="one", match="a/*", output="b/x"))
    put(where, "two", LOOPING.format(name="two", match="b/*", output="a/"))
    put(where, "three", LOOPING.format(name="three", match="b/*", output="c/x"))
    found = catalog.read(where)
    assert list(found.pipelines) == ["three"]
    assert said(found, where) == [
        "w/one/pipeline.yaml:9: steps.a.outputs: `gs://in-bucket/b/x` could start runs without end: "
        "one → two → one; write to another bucket or prefix than `gs://in-bucket/b/*`",
        "w/two/pipeline.yaml:9: steps.a.outputs: `gs://in-bucket/a/` could start runs without end: "
        "two → one → two; write to another bucket or prefix than `gs://in-bucket/a/*`",
    ]


SUB_RUN = """\
pipeline: {name}
params: {{day: date, shop: {{type: string, default: all}}}}
steps:
  sub:
    pipeline: {does}
"""


def test_a_sub_run_of_a_pipeline_that_is_not_there_is_a_problem_of_the_whole_folder(where: Path) -> None:
    put(where, "one")
    put(where, "two", SUB_RUN.format(name="two", does="onne"))
    assert said(catalog.read(where, strict=True), where) == [
        "w/two/pipeline.yaml:5: steps.sub.pipeline: no pipeline is named `onne`; did you mean `one`?"
    ]
    assert not catalog.read(where / "two", strict=True).problems  # alone, nobody knows what else there is


def test_a_sub_run_is_given_the_parameters_that_the_other_pipeline_takes(where: Path) -> None:
    put(where, "one", SUB_RUN.format(name="one", does="leaf"))
    put(where, "leaf")
    put(where, "good", SUB_RUN.format(name="good", does="{pipeline: one, params: {day: '{{ day }}'}}"))
    put(where, "two", SUB_RUN.format(name="two", does="{pipeline: one, params: {shopp: north}}"))
    found = catalog.read(where, strict=True)
    assert said(found, where) == [
        "w/two/pipeline.yaml:5: steps.sub.pipeline.params: the parameter `day` (date) of `one` is missing; add it to `params` of `sub`",
        "w/two/pipeline.yaml:5: steps.sub.pipeline.params.shopp: no parameter of `one` is named `shopp`; did you mean `shop`?",
    ]
    assert sorted(found.pipelines) == ["good", "leaf", "one"]


def test_a_sub_run_of_a_pipeline_that_is_broken_harms_nobody_before_it_starts(where: Path) -> None:
    put(where, "one", "pipeline: [")
    put(where, "two", SUB_RUN.format(name="two", does="one"))
    assert list(catalog.read(where, strict=True).pipelines) == ["two"]
    shutil.rmtree(where / "one")  # as in the archive of a deployment
    assert list(catalog.read(where).pipelines) == ["two"]


def test_a_python_step_calls_a_function_that_is_there(where: Path) -> None:
    (put(where, "one") / "job.py").write_text("def rum(x): return x\n")
    assert said(catalog.read(where), where) == [
        "w/one/pipeline.yaml:3: steps.a.python.call: `job.py` defines no `run`; did you mean `rum`?"
    ]


def test_a_python_step_s_file_is_python(where: Path) -> None:
    (put(where, "one") / "job.py").write_text("x = 1\ndef run(x) return x\n")
    (put(where, "two") / "job.py").write_bytes(b"\xff")
    found = catalog.read(where)
    assert not found.pipelines
    assert said(found, where) == [
        "w/one/job.py:2: not Python: expected ':'",
        "w/two/job.py:1: is not UTF-8; save it as UTF-8",
    ]
