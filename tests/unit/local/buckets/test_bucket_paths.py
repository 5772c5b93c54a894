"""Object names and the files they are."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from onward.core.errors import UserError
from onward.local.buckets import Buckets

ROOT = Path("/state/buckets")
BUCKETS = Buckets(ROOT)


@pytest.mark.parametrize(
    "name", ["a", "a/b.csv", "a b", "a\nb", "'\"", "..a", "a..", "a/...", ".hidden", "ä" * 500]
)
def test_an_object_is_a_file_below_its_buckets_folder_and_back(name: str) -> None:
    path = BUCKETS.path(f"gs://landing/{name}")
    assert path == Path(f"{ROOT}/landing/{name}")
    assert BUCKETS.uri(path) == f"gs://landing/{name}"


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("", "no object name"),
        ("..", "leaves its bucket"),
        ("../other/a", "leaves its bucket"),
        ("a/../../b", "leaves its bucket"),
        ("/etc/passwd", "leaves its bucket"),
        ("a\0b", "NUL"),
        ("a//b", "empty part"),
        ("a/./b", "empty part or '.'"),
        ("a/", "empty part"),
        ("\udcff", "UTF-8"),
    ],
)
def test_a_name_that_leaves_the_bucket_or_is_no_file_name_is_refused(name: str, reason: str) -> None:
    with pytest.raises(UserError, match=reason):
        BUCKETS.path(f"gs://landing/{name}")
    with pytest.raises(UserError):
        BUCKETS.write(f"gs://landing/{name}", b"")


@given(st.text())
def test_no_object_name_leads_out_of_its_bucket(name: str) -> None:
    try:
        path = BUCKETS.path(f"gs://landing/{name}")
    except UserError:
        return
    assert os.path.normpath(path) == str(path)
    assert path.is_relative_to(ROOT / "landing")
    assert path != ROOT / "landing"


@given(st.text(alphabet="gs:/.,b \"'a-", max_size=30))
def test_no_argument_leads_out_of_its_bucket(text: str) -> None:
    try:
        local = BUCKETS.localise(f"gs://landing/{text}")
    except UserError:
        return
    for word in local.replace(",", " ").replace('"', " ").replace("'", " ").split():
        if word.startswith(str(ROOT)):
            assert os.path.normpath(word).startswith(str(ROOT) + "/")


@pytest.mark.parametrize("bucket", ["landing", "a-b_c.d", "0ab", "a" * 63, "1.2.3.4.5", "x.tmp"])
def test_a_buckets_name_follows_cloud_storages_rules(bucket: str) -> None:
    assert BUCKETS.folder(bucket) == ROOT / bucket


@pytest.mark.parametrize(
    "bucket",
    [
        "",
        "ab",
        "a" * 64,
        "Landing",
        "-ab",
        "ab-",
        "a..b",
        ".ab",
        "..",
        "a/b",
        "10.0.0.1",
        "goog-x",
        "my-google",
        "ab\n",
    ],
)
def test_a_bad_bucket_name_is_refused(bucket: str) -> None:
    with pytest.raises(UserError, match="is not a bucket name"):
        BUCKETS.folder(bucket)


@pytest.mark.parametrize("uri", ["landing/a", "gs://landing", "s3://landing/a", "/landing/a", ""])
def test_what_is_no_object_is_refused(uri: str) -> None:
    with pytest.raises(UserError, match="is not an object"):
        BUCKETS.path(uri)


@pytest.mark.parametrize(
    "path", ["/elsewhere/a", "/state/buckets", "/state/buckets/landing", "/state/buckets/../a"]
)
def test_a_path_that_is_no_object_has_no_uri(path: str) -> None:
    with pytest.raises(UserError):
        BUCKETS.uri(Path(path))


@pytest.mark.parametrize(
    ("text", "local"),
    [
        ("gs://b0b/a/b.csv", "/state/buckets/b0b/a/b.csv"),
        ("--in=gs://b0b/a*,gs://c1c/x/", "--in=/state/buckets/b0b/a*,/state/buckets/c1c/x/"),
        ('{"in": "gs://b0b/a b"}', '{"in": "/state/buckets/b0b/a b"}'),
        ("gs://b0b", "/state/buckets/b0b"),
        ("gs://b0b/a..b/..c", "/state/buckets/b0b/a..b/..c"),
        ("nothing, logs://b0b/x, LIKE 'gs://%'", "nothing, logs://b0b/x, LIKE 'gs://%'"),
        ("a/../b", "a/../b"),
    ],
)
def test_every_object_in_an_argument_becomes_its_file(text: str, local: str) -> None:
    assert BUCKETS.localise(text) == local


@pytest.mark.parametrize(
    "text",
    [
        "gs://b0b/../c",
        "gs://b0b/..",
        "x gs://b0b/a b/../../../etc,",
        "gs://b0b/..,gs://c1c/a",
        "gs://../x",
        "gs://B/x",
    ],
)
def test_an_argument_that_leaves_a_bucket_is_refused(text: str) -> None:
    with pytest.raises(UserError):
        BUCKETS.localise(text)


def test_parent_folders_are_made_on_request_only(tmp_path: Path) -> None:
    buckets = Buckets(tmp_path)
    assert not buckets.path("gs://landing/a/b").parent.exists()
    assert buckets.make_parents("gs://landing/a/b") == tmp_path / "landing/a/b"
    assert os.listdir(tmp_path / "landing/a") == []
    assert buckets.make_parents("gs://landing/c/d/").is_dir()


def test_writing_makes_the_object_with_nothing_left_beside_it(tmp_path: Path) -> None:
    buckets = Buckets(tmp_path)
    for content in (b"one", b"two"):
        path = buckets.write(f"gs://landing/a/{'x' * 255}", content)
        assert path.read_bytes() == content
        assert os.listdir(path.parent) == [path.name]


def test_a_failed_write_leaves_the_old_content_and_nothing_beside_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    buckets = Buckets(tmp_path)
    path = buckets.write("gs://landing/a", b"old")

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(UserError, match="No space left"):
        buckets.write("gs://landing/a", b"new")
    assert path.read_bytes() == b"old"
    assert os.listdir(path.parent) == ["a"]


@pytest.mark.parametrize("name", ["a/b", "folder", "x" * 256])
def test_an_object_that_the_file_system_can_not_hold_is_a_clear_error(tmp_path: Path, name: str) -> None:
    buckets = Buckets(tmp_path)
    buckets.write("gs://landing/a", b"a file")
    buckets.write("gs://landing/folder/in", b"a folder")
    with pytest.raises(UserError, match="gs://landing/"):
        buckets.write(f"gs://landing/{name}", b"")


@pytest.mark.parametrize(
    ("name", "there"),
    [
        ("x/clean-0", True),
        ("x/clean", False),
        ("x/clean*", True),
        ("x/cle?n-*", True),
        ("x/[c]lean*", True),
        ("**/part", True),
        ("x/dirty*", False),
        ("x/", True),
        ("spark", False),
        ("spark/", True),
        ("spar*", True),
        ("sp*/", True),
        ("empty/", False),
        ("empt*", False),
        ("only-hidden/", False),
        ("only-temporary*", False),
        ("a[1]", True),
        ("b[1]/", True),
        ("nothing/*", False),
        ("nothing/", False),
        ("x/clean-0/", False),
    ],
)
def test_an_output_exists_when_at_least_one_object_is_there(tmp_path: Path, name: str, there: bool) -> None:
    buckets = Buckets(tmp_path)
    for file in (
        "x/clean-0",
        "spark/deep/part",
        "only-hidden/.crc",
        "only-temporary/a.tmp",
        "x/dirty.tmp",
        "a[1]",
        "b[1]/c",
    ):
        buckets.write(f"gs://work/{file}", b"")
    (tmp_path / "work/empty").mkdir()
    assert buckets.exists(f"gs://work/{name}") is there


@pytest.mark.parametrize("name", ["../other/*", "/etc/*", "", "a/../../*"])
def test_an_output_outside_of_the_bucket_is_refused(name: str) -> None:
    with pytest.raises(UserError):
        BUCKETS.exists(f"gs://work/{name}")


def test_in_a_bucket_that_is_not_there_nothing_exists(tmp_path: Path) -> None:
    assert not Buckets(tmp_path).exists("gs://work/a*")
