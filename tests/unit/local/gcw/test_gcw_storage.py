"""The Cloud Storage connector over folders."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import quote

import pytest
from fake_world import Execute
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from onward.local.gcw import Value, WorkflowError
from onward.local.gcw.objects import FolderObjects


@pytest.fixture
def call(execute: Execute) -> Execute:
    def call(method: str, **arguments: Value) -> Value:
        return execute(
            f"""
            main:
              params: [args]
              steps:
                - s: {{call: googleapis.storage.v1.objects.{method}, args: '${{args}}', result: r}}
                - d: {{return: '${{r}}'}}
            """,
            arguments,
        )

    return call


def code(call: Execute, method: str, **arguments: Value) -> int:
    with pytest.raises(WorkflowError) as caught:
        call(method, **arguments)
    assert isinstance(caught.value.payload, dict)
    assert caught.value.tags == ("HttpError",)
    status = caught.value.payload["code"]
    assert isinstance(status, int)
    return status


def files(root: Path) -> list[str]:
    return sorted(path.relative_to(root).as_posix() for path in root.rglob("*") if path.is_file())


def test_what_is_inserted_is_there_as_a_file_and_comes_back(call: Execute, tmp_path: Path) -> None:
    stored = call("insert", bucket="work", uploadType="media", name="a dir/é.txt", body="text")
    assert isinstance(stored, dict)
    assert (stored["bucket"], stored["name"], stored["size"]) == ("work", "a dir/é.txt", "4")
    assert (tmp_path / "buckets/work/a dir/é.txt").read_text() == "text"
    assert call("get", bucket="work", object=quote("a dir/é.txt", safe=""), alt="media") == "text"
    assert call("get", bucket="work", object=quote("a dir/é.txt", safe="")) == stored


@pytest.mark.parametrize(
    ("name", "body", "content"),
    [
        ("a.json", {"a": [1]}, {"a": [1]}),
        ("lines.json", '{"a": 1}\n{"a": 2}\n', '{"a": 1}\n{"a": 2}\n'),
        ("none", None, ""),
        ("a.csv", "1,2", "1,2"),
    ],
)
def test_a_body_is_stored_as_bytes_and_read_by_the_type_of_its_name(
    call: Execute, name: str, body: Value, content: Value
) -> None:
    call("insert", bucket="work", name=name, body=body)
    assert call("get", bucket="work", object=name, alt="media") == content


def test_an_insert_replaces_the_object_unless_it_must_be_new(call: Execute, tmp_path: Path) -> None:
    call("insert", bucket="work", name="d/a", body="1")
    call("insert", bucket="work", name="d/a", body="2")
    assert code(call, "insert", bucket="work", name="d/a", body="3", ifGenerationMatch=0) == 412
    call("insert", bucket="work", name="b", body="4", ifGenerationMatch="0")
    assert files(tmp_path) == ["buckets/work/b", "buckets/work/d/a"]
    assert call("get", bucket="work", object="d%2Fa", alt="media") == "2"
    assert code(call, "insert", bucket="work", name="b", body="", ifGenerationMatch=7) == 501


def test_a_failing_write_leaves_nothing_behind(call: Execute, tmp_path: Path) -> None:
    call("insert", bucket="work", name="a", body="1")
    with pytest.raises(WorkflowError):
        call("insert", bucket="work", name="a/b", body="2")
    (tmp_path / "buckets/work/folder").mkdir()
    with pytest.raises(WorkflowError):
        call("insert", bucket="work", name="folder", body="2")
    assert files(tmp_path) == ["buckets/work/a"]


def test_a_list_has_names_prefixes_and_pages_and_leaves_out_what_is_empty(
    call: Execute, tmp_path: Path
) -> None:
    for name in ["a/1", "a/2", "b", "c/d/e"]:
        call("insert", bucket="work", name=name, body="")
    for hidden in [".hidden", "a/.123.tmp", "a/x.tmp"]:
        (tmp_path / "buckets/work" / hidden).write_text("")

    def listed(**arguments: Value) -> tuple[list[str], Value, Value]:
        answer = call("list", bucket="work", **arguments)
        assert isinstance(answer, dict)
        items = answer.get("items", [])
        assert isinstance(items, list)
        return [item["name"] for item in items], answer.get("prefixes"), answer.get("nextPageToken")

    assert listed() == (["a/1", "a/2", "b", "c/d/e"], None, None)
    assert listed(prefix="a/") == (["a/1", "a/2"], None, None)
    assert listed(delimiter="/") == (["b"], ["a/", "c/"], None)
    assert listed(prefix="c/", delimiter="/") == ([], ["c/d/"], None)
    first = listed(maxResults=3)
    assert first == (["a/1", "a/2", "b"], None, "b")
    assert listed(maxResults=3, pageToken=first[2]) == (["c/d/e"], None, None)
    assert call("list", bucket="work", prefix="x") == {"kind": "storage#objects"}


def test_copy_rewrite_compose_and_delete(call: Execute, tmp_path: Path) -> None:
    call("insert", bucket="work", name="d/a", body="A")
    names = {"sourceBucket": "work", "sourceObject": "d%2Fa", "destinationBucket": "other"}
    copied = call("copy", **names, destinationObject="e%2Fb")
    assert isinstance(copied, dict)
    assert copied["name"] == "e/b"
    rewritten = call("rewrite", **names, destinationObject="c")
    assert isinstance(rewritten, dict)
    assert rewritten["done"] is True
    body = {"sourceObjects": [{"name": "e/b"}, {"name": "c"}]}
    call("compose", destinationBucket="other", destinationObject="all", body=body)
    assert call("get", bucket="other", object="all", alt="media") == "AA"
    assert call("delete", bucket="other", object="e%2Fb") is None
    assert files(tmp_path) == ["buckets/other/all", "buckets/other/c", "buckets/work/d/a"]
    assert code(call, "compose", destinationBucket="other", destinationObject="all", body={}) == 400


def test_what_is_not_there_is_404(call: Execute, tmp_path: Path) -> None:
    (tmp_path / "buckets/work/folder").mkdir(parents=True)
    (tmp_path / "buckets/work/file").write_text("")
    for name in ["nothing", "folder", "file%2Fbelow"]:
        assert code(call, "get", bucket="work", object=name) == 404
        assert code(call, "get", bucket="work", object=name, alt="media") == 404
        assert code(call, "delete", bucket="work", object=name) == 404
    assert code(call, "list", bucket="nowhere") == 404


def test_a_name_in_a_path_must_be_url_encoded_as_in_the_service(call: Execute) -> None:
    call("insert", bucket="work", name="a/b", body="")
    assert code(call, "get", bucket="work", object="a/b") == 404


HOSTILE = [
    "../outside",
    "../../outside",
    "a/../../outside",
    "..",
    ".",
    "",
    "/",
    "/etc/passwd",
    "a//b",
    "a/./b",
    "a\0b",
    "a\nb",
    "x" * 300,
    "y/" * 600,
    "z" * 1025,
]


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_name_is_refused_and_touches_nothing(call: Execute, tmp_path: Path, name: str) -> None:
    (tmp_path / "outside").write_text("secret")
    (tmp_path / "buckets").mkdir()
    (tmp_path / "buckets/outside").write_text("secret")
    with pytest.raises(WorkflowError):
        call("insert", bucket="work", name=name, body="x")
    for alt in ["media", "json"]:
        assert code(call, "get", bucket="work", object=quote(name, safe=""), alt=alt) in (400, 404)
    assert code(call, "delete", bucket="work", object=quote(name, safe="")) in (400, 404)
    assert files(tmp_path) == ["buckets/outside", "outside"]


@pytest.mark.parametrize("bucket", ["", ".", "..", "../x", "/tmp", "a/b", "a\nb", ".git", "UPPER"])
def test_a_hostile_bucket_is_refused(call: Execute, tmp_path: Path, bucket: str) -> None:
    assert code(call, "insert", bucket=bucket, name="a", body="") == 400
    assert code(call, "get", bucket=bucket, object="a") == 400
    assert code(call, "list", bucket=bucket) == 400
    assert files(tmp_path) == []


def test_a_link_that_leads_out_of_the_bucket_is_not_followed(call: Execute, tmp_path: Path) -> None:
    work = tmp_path / "buckets/work"
    work.mkdir(parents=True)
    (tmp_path / "secret").write_text("secret")
    (work / "file").symlink_to(tmp_path / "secret")
    (work / "folder").symlink_to(tmp_path)
    (work / "circle").symlink_to(work / "circle")
    for name in ["file", "folder%2Fsecret", "circle"]:
        assert code(call, "get", bucket="work", object=name, alt="media") == 403
        assert code(call, "delete", bucket="work", object=name) == 403
    assert code(call, "insert", bucket="work", name="folder/new", body="x") == 403
    assert code(call, "insert", bucket="work", name="file", body="x") == 403
    assert call("list", bucket="work") == {"kind": "storage#objects"}
    assert (tmp_path / "secret").read_text() == "secret"
    assert not (tmp_path / "new").exists()


def test_an_object_over_2_mb_is_not_read_into_memory(call: Execute, tmp_path: Path) -> None:
    (tmp_path / "buckets/work").mkdir(parents=True)
    (tmp_path / "buckets/work/big").write_bytes(b"x" * (2 * 1024 * 1024 + 1))
    with pytest.raises(WorkflowError) as caught:
        call("get", bucket="work", object="big", alt="media")
    assert caught.value.tags == ("ResourceLimitError",)


parts = st.text(max_size=6) | st.sampled_from(["..", ".", "", "a", "~", "$HOME", "a.tmp"])


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(parts, min_size=1, max_size=4).map("/".join))
def test_any_name_is_stored_under_exactly_that_name_or_refused(
    tmp_path_factory: pytest.TempPathFactory, name: str
) -> None:
    root = tmp_path_factory.mktemp("any")
    objects = FolderObjects(root / "buckets")
    try:
        objects.write("work", name, b"x")
    except (WorkflowError, UnicodeEncodeError):
        assert files(root) == []
    else:
        assert files(root) == [f"buckets/work/{name}"]
        assert objects.read("work", name) == b"x"
