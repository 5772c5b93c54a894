from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import pytest
from google.api_core.exceptions import BadRequest, Forbidden, NotFound, PreconditionFailed, ServiceUnavailable
from onward.core import errors
from onward.stores import gcs
from onward.stores.gcs import GcsObjects


class Bucket:
    """A client of one bucket, `work`, as far as the adapter uses it."""

    def __init__(self) -> None:
        self.objects: dict[str, bytes] = {}
        self.error: Exception | None = None

    def bucket(self, name: str) -> Any:
        outer = self

        class Handle:
            def blob(self, blob: str) -> Any:
                return Blob(outer, name, blob)

            def get_blob(self, blob: str, **_: float) -> Any:
                return next((found for found in outer.list_blobs(name) if found.name == blob), None)

        return Handle()

    def list_blobs(self, bucket: str, **which: Any) -> Iterator[Any]:
        self.check()
        if bucket != "work":
            raise NotFound("no such bucket")
        prefix, pattern = which.get("prefix", ""), which.get("match_glob", "**")
        regex = re.escape(pattern).replace(r"\*\*", ".+").replace(r"\*", "[^/]*").replace(r"\?", "[^/]")
        for name, body in sorted(self.objects.items()):
            if name.startswith(prefix) and re.fullmatch(regex, name):
                written = datetime.fromtimestamp(float(body if body.isdigit() else 0), UTC)
                yield SimpleNamespace(
                    name=name, generation=7, size=len(body), time_created=written, metadata=None
                )

    def check(self) -> None:
        if self.error:
            raise self.error


class Blob:
    def __init__(self, client: Bucket, bucket: str, name: str) -> None:
        self.client, self.bucket, self.name = client, bucket, name

    def upload_from_string(
        self, body: bytes, *_: str, if_generation_match: int | None = None, **__: float
    ) -> None:
        self.client.check()
        if if_generation_match == 0 and self.name in self.client.objects:
            raise PreconditionFailed("there is one")
        self.client.objects[self.name] = body

    def download_as_bytes(self, **_: float) -> bytes:
        self.client.check()
        if self.name not in self.client.objects:
            raise NotFound("no such object")
        return self.client.objects[self.name]

    def exists(self, **_: float) -> bool:
        self.client.check()
        return self.bucket == "work" and self.name in self.client.objects


@pytest.fixture
def client() -> Bucket:
    return Bucket()


@pytest.fixture
def objects(client: Bucket) -> GcsObjects:
    return GcsObjects("work", lambda: client)


def test_what_was_put_is_got_by_its_uri(objects: GcsObjects):
    uri = objects.put("outputs/a.json", b"{}")
    assert uri == "gs://work/onward/outputs/a.json"
    assert objects.get(uri) == b"{}"


def test_what_is_created_once_stays_as_it_is(objects: GcsObjects):
    assert objects.own("python/a.json") is None
    assert objects.create("python/a.json", b"1") is True
    assert objects.create("python/a.json", b"2") is False
    assert objects.own("python/a.json") == objects.get("gs://work/onward/python/a.json") == b"1"


def test_what_is_not_there_is_not_found(objects: GcsObjects):
    with pytest.raises(errors.NotFound, match="is not there any more"):
        objects.get("gs://work/onward/x")


@pytest.mark.parametrize(
    ("uri", "there"),
    [
        ("gs://work/out/total.csv", True),
        ("gs://work/out", False),
        ("gs://work/out/", True),
        ("gs://work/none/", False),
        ("gs://work/out/t*.csv", True),
        ("gs://work/out/t?.csv", False),
        ("gs://work/ou*", True),
        ("gs://work/to*", False),
        ("gs://other/out/*", False),
        ("gs://other/out/total.csv", False),
    ],
)
def test_an_object_exists_by_name_by_prefix_and_by_glob(
    client: Bucket, objects: GcsObjects, uri: str, there: bool
):
    client.objects["out/total.csv"] = b""
    assert objects.exists(uri) is there


def test_objects_are_listed_by_glob_with_their_generation_size_and_time(client: Bucket, objects: GcsObjects):
    client.objects |= {"in/b.csv": b"bb", "in/a.csv": b"a", "in/deep/c.csv": b"c", "in/x.txt": b""}
    assert objects.list("gs://work/in/*.csv", 10) == [
        ("gs://work/in/a.csv", "7", 1, 0, {}),
        ("gs://work/in/b.csv", "7", 2, 0, {}),
    ]
    assert [each.uri for each in objects.list("gs://work/in/**/*.csv", 10)] == [
        "gs://work/in/a.csv",
        "gs://work/in/b.csv",
        "gs://work/in/deep/c.csv",
    ]
    assert len(objects.list("gs://work/**", 2)) == 2
    assert objects.list("gs://other/*", 10) == []
    with pytest.raises(errors.UserError, match="must be a whole part"):
        objects.list("gs://work/a**", 10)


@pytest.mark.parametrize("uri", ["out/x", "gs://", "gs://work", "gs://work/", "s3://work/x"])
def test_what_is_no_uri_is_refused(objects: GcsObjects, uri: str):
    with pytest.raises(errors.UserError, match="write gs://bucket/name"):
        objects.exists(uri)


@pytest.mark.parametrize("error", [ServiceUnavailable("down"), Forbidden("no")])
def test_trouble_is_delivered_again(client: Bucket, objects: GcsObjects, error: Exception):
    client.error = error
    for call in (
        lambda: objects.put("a", b""),
        lambda: objects.create("a", b""),
        lambda: objects.own("a"),
        lambda: objects.get("gs://work/a"),
    ):
        with pytest.raises(errors.Unavailable, match="can't be reached"):
            call()
    with pytest.raises(errors.Unavailable, match="can't be reached"):
        objects.exists("gs://work/a*")


def test_a_name_that_the_service_refuses_is_the_users_mistake(client: Bucket, objects: GcsObjects):
    client.error = BadRequest("name too long")
    with pytest.raises(errors.UserError, match="name too long"):
        objects.exists("gs://work/" + "x" * 2_000)


@pytest.mark.parametrize(
    ("uri", "ages"),
    [
        ("gs://work/day/a.csv", (1_000_000, 1_000_000)),
        ("gs://work/day/*.csv", (1_000_000, 3_000_000)),
        ("gs://work/day/", (1_000_000, 7_000_000)),
        ("gs://work/d*", (1_000_000, 7_000_000)),
        ("gs://work/none.csv", None),
        ("gs://work/none*", None),
        ("gs://other/x", None),
    ],
)
def test_how_old_the_oldest_and_the_newest_object_is_of_all_that_a_uri_names(
    client: Bucket, objects: GcsObjects, uri: str, ages: tuple[int, int] | None
) -> None:
    client.objects |= {"day/a.csv": b"1", "day/b.csv": b"3", "day/deep/c.txt": b"7"}
    assert objects.ages(uri) == ages


def test_too_many_objects_are_not_asked_how_old_they_are(
    client: Bucket, objects: GcsObjects, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gcs, "MOST", 1)
    client.objects |= {"day/a.csv": b"1", "day/b.csv": b"3"}
    with pytest.raises(errors.UserError, match="too many"):
        objects.ages("gs://work/day/")
