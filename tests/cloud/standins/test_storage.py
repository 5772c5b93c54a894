"""Cloud Storage's stand-in, by Google's own client: functions see the files that jobs see."""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from google.api_core.exceptions import BadRequest
from onward.core.errors import NotFound
from onward.local.buckets import Buckets
from onward.local.standins.globs import pattern
from onward.local.standins.storage import Storage
from onward.stores.gcs import GcsObjects


@pytest.fixture
def client(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    from google.cloud.storage import Client

    loop = asyncio.new_event_loop()
    storage = Storage(Buckets(tmp_path))
    monkeypatch.setenv("STORAGE_EMULATOR_HOST", loop.run_until_complete(storage.listen()))
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    yield Client(project="p")
    asyncio.run_coroutine_threadsafe(storage.close(), loop).result()
    loop.call_soon_threadsafe(loop.stop)
    thread.join()
    loop.close()


NAMES = ["a b/c#?%.json", "ä/ö", "x\ny"]


@pytest.mark.parametrize("name", NAMES)
def test_what_is_written_is_the_file_of_that_name_and_is_read_again(
    client: Any, tmp_path: Path, name: str
) -> None:
    objects = GcsObjects("work", lambda: client)
    content = b"\x00\r\n--\r\n\xff\r\n\r\n"
    uri = objects.put(name, content)
    assert (tmp_path / uri.removeprefix("gs://")).read_bytes() == content
    assert objects.get(uri) == content
    assert objects.exists(uri)


@pytest.mark.parametrize("size", [0, 1, 256 * 1024, 300_000, 512 * 1024])
def test_an_upload_of_unknown_length_comes_in_pieces(client: Any, tmp_path: Path, size: int) -> None:
    content = b"ab" * (size // 2) + b"c" * (size % 2)
    with client.bucket("work").blob("x").open("wb", chunk_size=256 * 1024) as file:
        file.write(content)
    assert (tmp_path / "work/x").read_bytes() == content


def test_a_file_of_a_job_is_an_object_and_one_that_is_being_written_is_none(
    client: Any, tmp_path: Path
) -> None:
    folder = tmp_path / "work/out"
    folder.mkdir(parents=True)
    (folder / "part-1").write_text("12")
    (folder / ".part-2.tmp").write_text("3")
    assert [(blob.name, blob.size) for blob in client.list_blobs("work", prefix="out/")] == [
        ("out/part-1", 2)
    ]
    objects = GcsObjects("work", lambda: client)
    for uri in ("gs://work/out/", "gs://work/out/part-*", "gs://work/o*"):
        assert objects.exists(uri), uri
    for uri in ("gs://work/out/part-2", "gs://work/part-*", "gs://work/ou/", "gs://elsewhere/x*"):
        assert not objects.exists(uri), uri
    with pytest.raises(NotFound):
        objects.get("gs://work/out/part-2")


def test_a_listing_goes_on_where_its_page_ended(client: Any) -> None:
    for n in range(5):
        client.bucket("work").blob(f"z{n}").upload_from_string(b"x" * n)
    listed = client.list_blobs("work", page_size=2)
    assert [blob.name for blob in listed] == ["z0", "z1", "z2", "z3", "z4"]


def test_new_content_is_a_new_generation(client: Any) -> None:
    blob = client.bucket("work").blob("x")
    generations = set()
    for content in (b"a", b"bb"):
        blob.upload_from_string(content)
        generations.add(blob.generation)
    assert len(generations) == 2


def test_generations_grow_with_the_time_of_the_content(client: Any, tmp_path: Path) -> None:
    (tmp_path / "work").mkdir()
    generations = []
    for n in range(20):
        (tmp_path / "work" / "x").write_bytes(b"x" * n)
        os.utime(tmp_path / "work" / "x", ns=(0, 1_788_250_500_000_000_000 + n * 1_000_000))
        generations.append(client.bucket("work").get_blob("x").generation)
    assert generations == sorted(set(generations))
    assert max(generations) < 2**63


def test_a_name_that_leaves_its_bucket_is_refused(client: Any) -> None:
    with pytest.raises(BadRequest, match="leaves its bucket"):
        client.bucket("work").blob("../x").upload_from_string(b"")


@pytest.mark.parametrize(
    ("glob", "name", "matches"),
    [
        ("a/*", "a/b", True),
        ("a/*", "a/b/c", False),
        ("a/**", "a/b/c", True),
        ("**/x", "x", True),
        ("**/x", "a/b/x", True),
        ("a?c", "a/c", False),
        ("[!a]b", "cb", True),
        ("[!a]b", "ab", False),
        ("[^a]b", "^b", True),
        ("{a,b*}/c", "bzz/c", True),
        ("x.csv", "xacsv", False),
        ("a[", "a[", True),
        ("*", "a\nb", True),
    ],
)
def test_a_glob_matches_as_the_service_documents_it(glob: str, name: str, matches: bool) -> None:
    assert bool(pattern(glob).fullmatch(name)) == matches
