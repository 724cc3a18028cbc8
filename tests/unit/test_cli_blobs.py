"""The command looks into the store by itself: no server, no worker."""

from __future__ import annotations

import base64
import json
import os
import pty
import re
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from claimcheck.claim import Claim
from claimcheck.cloakroom import Cloakroom
from claimcheck.keyring import KeyRing
from claimcheck.keys import folder_of, holder_folder
from claimcheck.servers import note_server
from claimcheck.stores.filesystem import FilesystemStore
from claimcheck.sweep import Tally
from service.cli.exits import Ending, ExitCode
from service.cli.storage import age
from service.cli.sweeping import SweepOptions, tell_result

PROGRAM = str(Path(sys.executable).with_name("flowrunner"))
KEY = "k1:" + base64.b64encode(bytes(range(32))).decode()
VALUE = json.dumps({"report": "é" * 100_000, "rows": [{"n": n} for n in range(5)]}).encode()
LARGE = b"0123456789abcdef" * 1024 * 256
"""Four MB, which make more than one frame."""


class Shop:
    """A store in a folder, and the command that is told of it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.settings = {"BLOB_STORAGE_PATH": str(folder / "blobs")}
        self.store = FilesystemStore(folder / "blobs")

    async def put(
        self, data: bytes, *, workflow_id: str = "order-7", namespace: str = "default"
    ) -> Claim:
        keys = self.settings.get("CLAIM_CHECK_KEYS")
        ring = KeyRing.parse(keys) if keys else None
        cloakroom = Cloakroom(self.store, namespace=namespace, keys=ring)
        return await cloakroom.deposit(data, workflow_id=workflow_id)

    def environment(self) -> dict[str, str]:
        ours = ("FLOWRUNNER_", "TEMPORAL_", "BLOB_STORAGE_", "CLAIM_CHECK_", "R2_")
        kept = {name: value for name, value in os.environ.items() if not name.startswith(ours)}
        return {**kept, "TEMPORAL_CONFIG_FILE": os.devnull, **self.settings}

    def blobs(self, *arguments: str, code: int = 0) -> subprocess.CompletedProcess[bytes]:
        done = subprocess.run(
            [PROGRAM, "blobs", *arguments],
            env=self.environment(),
            cwd=self.folder,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=60,
            check=False,
        )
        assert done.returncode == code, done.stderr.decode()
        assert b"Traceback" not in done.stderr
        return done

    def on_a_terminal(self, *arguments: str) -> tuple[int, str]:
        """The exit code, and what the terminal shows."""
        ours, theirs = pty.openpty()
        process = subprocess.Popen(
            [PROGRAM, "blobs", *arguments],
            env=self.environment(),
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
        )
        os.close(theirs)
        shown = b""
        try:
            while piece := os.read(ours, 65_536):
                shown += piece
        except OSError:  # how Linux says that nobody is at the other end any more
            pass
        os.close(ours)
        return process.wait(60), shown.decode()


@pytest.fixture
def shop(tmp_path: Path) -> Shop:
    return Shop(tmp_path)


# -- health ----------------------------------------------------------------------------------------


def test_a_store_that_works_is_told_with_its_place(shop: Shop) -> None:
    place = f"folder {shop.folder}/blobs"
    told = shop.blobs("health").stdout.decode()
    assert told == f"filesystem store, {place}: blobs can be written, read and removed\n"
    assert json.loads(shop.blobs("health", "--json").stdout) == {
        "store": "filesystem",
        "place": place,
        "healthy": True,
        "error": None,
    }


def test_a_store_that_does_not_work_ends_with_3_and_says_what_to_do(shop: Shop) -> None:
    (shop.folder / "blobs").write_text("no folder")
    done = shop.blobs("health", "--json", code=3)
    told = json.loads(done.stdout)
    assert told["healthy"] is False
    assert told["error"] in done.stderr.decode()
    assert "BLOB_STORAGE_PATH" in told["error"]
    assert shop.blobs("health", code=3).stdout == b""


# -- ls --------------------------------------------------------------------------------------------


async def test_blobs_are_listed_with_size_and_age_in_the_order_of_their_keys(shop: Shop) -> None:
    first = await shop.put(b"a" * 100, workflow_id="order-6")
    second = await shop.put(b"b" * 100)
    other = await shop.put(b"c", namespace="other")
    days_ago = (datetime.now(UTC) - timedelta(days=2.5)).timestamp()
    os.utime(shop.folder / "blobs" / first.key, (0, 0))
    os.utime(shop.folder / "blobs" / second.key, (days_ago, days_ago))
    lines = shop.blobs("ls").stdout.decode().splitlines()
    assert [line.split()[-1] for line in lines] == [first.key, second.key]
    assert re.fullmatch(rf" +\d+ B +\d+d  {first.key}", lines[0])
    assert re.fullmatch(rf" +\d+ B +2d  {second.key}", lines[1])
    assert shop.blobs("ls", "order-7").stdout.decode().splitlines()[0] == lines[1]
    assert other.key in shop.blobs("ls", "--namespace", "other").stdout.decode()
    assert first.key in shop.blobs("ls", "--prefix", first.key[:-60]).stdout.decode()
    limited = shop.blobs("ls", "--limit", "1")
    assert limited.stdout.decode().splitlines() == lines[:1]
    assert limited.stderr.decode() == f"and more; go on with --after {first.key}\n"
    assert shop.blobs("ls", "--after", first.key).stdout.decode().splitlines() == lines[1:]


async def test_what_is_held_is_listed_for_programs_too(shop: Shop) -> None:
    claim = await shop.put(b"value", workflow_id="a/b")
    note = await shop.store.put(b"", under=holder_folder(folder_of("default", "a/b"), "order-8"))
    blob, held = map(json.loads, shop.blobs("ls", "a/b", "--json").stdout.splitlines())
    modified = datetime.fromisoformat(blob.pop("modified"))
    assert datetime.now(UTC) - modified < timedelta(minutes=1)
    stored = await shop.store.stat(claim.key)
    assert stored is not None
    assert blob == {"key": claim.key, "size": stored.size, "workflow_id": "a/b", "held_by": None}
    assert (held["key"], held["size"], held["held_by"]) == (note, 0, "order-8")


def test_nothing_to_list_is_no_error(shop: Shop) -> None:
    done = shop.blobs("ls", "order-7")
    assert done.stdout == b""
    assert b"no keys begin with 'v1/default/order-7/'" in done.stderr


def test_a_prefix_stands_alone(shop: Shop) -> None:
    assert b"--prefix" in shop.blobs("ls", "order-7", "--prefix", "v1/", code=2).stderr


# -- get -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("keys", ["", KEY])
@pytest.mark.parametrize("data", [VALUE, LARGE], ids=["one frame", "frames"])
async def test_a_value_comes_back_as_it_was(shop: Shop, keys: str, data: bytes) -> None:
    shop.settings |= {"CLAIM_CHECK_KEYS": keys}
    claim = await shop.put(data)
    written = json.dumps(claim.as_json())
    assert shop.blobs("get", written).stdout == data
    assert shop.blobs("get", claim.key).stdout == data
    done = shop.blobs("get", claim.key, "--output", "value")
    assert done.stdout == b""
    assert (shop.folder / "value").read_bytes() == data
    shop.blobs("get", written, "-o", "value")
    assert sorted(path.name for path in shop.folder.iterdir()) == ["blobs", "value"]
    assert b"there is no folder" in shop.blobs("get", claim.key, "-o", "no/value", code=2).stderr


async def test_the_beginning_of_a_hash_is_enough_if_it_is_one_blobs(shop: Shop) -> None:
    claim = await shop.put(VALUE)
    await shop.store.put(b"", under=holder_folder(folder_of("default", "order-7"), "other"))
    folder, _, digest = claim.key.rpartition("/")
    for wanted in (f"{folder}/{digest[:8]}", f"{folder}/{digest[:8]}…", digest[:8], digest):
        assert shop.blobs("get", wanted).stdout == VALUE
    other = "0000" if digest[:4] != "0000" else "1111"
    done = shop.blobs("get", other, code=2)
    assert f"no blob of namespace 'default' has a hash that begins with '{other}'" in (
        done.stderr.decode()
    )
    twin = await shop.put(VALUE, workflow_id="order-8")
    said = shop.blobs("get", digest[:8], code=2).stderr.decode()
    assert f"is not enough, for it may be {claim.key} or {twin.key}" in said


async def test_a_claim_for_a_part_gives_that_part(shop: Shop) -> None:
    claim = (await shop.put(VALUE)).inside("rows", (1, 3))
    assert json.loads(shop.blobs("get", json.dumps(claim.as_json())).stdout) == [{"n": 1}, {"n": 2}]
    nowhere = json.dumps(claim.inside("x").as_json())
    assert b"leads to a part" in shop.blobs("get", nowhere, code=2).stderr


async def test_a_terminal_is_shown_text_alone(shop: Shop) -> None:
    text = await shop.put('{"name": "Zoë \x9b31m"}'.encode())
    assert shop.on_a_terminal("get", text.key) == (0, '{"name": "Zoë \\x9b31m"}\r\n')
    for data in (b"\x00\x01", b"\xff\xfe"):
        binary = await shop.put(data)
        code, shown = shop.on_a_terminal("get", binary.key)
        assert code == 2
        assert "--output FILE" in shown
        assert shop.blobs("get", binary.key).stdout == data


_Damage = Callable[[Path], object]


def _change(path: Path) -> None:
    path.chmod(0o600)
    path.write_bytes(path.read_bytes()[:-1] + b"!")


@pytest.mark.parametrize(
    ("damage", "code", "words"),
    [(_change, 1, "has other bytes"), (Path.unlink, 1, "has no blob")],
    ids=["changed", "gone"],
)
async def test_what_cannot_be_read_leaves_the_file_as_it_was(
    shop: Shop, damage: _Damage, code: int, words: str
) -> None:
    claim = await shop.put(LARGE)
    damage(shop.folder / "blobs" / claim.key)
    (shop.folder / "value").write_text("before")
    done = shop.blobs("get", claim.key, "--output", "value", code=code)
    assert words in done.stderr.decode()
    assert (shop.folder / "value").read_text() == "before"
    assert sorted(path.name for path in shop.folder.iterdir()) == ["blobs", "value"]


async def test_half_a_value_on_a_pipe_is_told_not_to_be_the_whole(shop: Shop) -> None:
    claim = await shop.put(os.urandom(3 * 1024 * 1024))
    _change(shop.folder / "blobs" / claim.key)
    done = shop.blobs("get", claim.key, code=1)
    assert 0 < len(done.stdout) < 3 * 1024 * 1024
    assert b"do not rely on it" in done.stderr


@pytest.mark.parametrize(
    ("wanted", "words"),
    [
        ("order-7", "'order-7' is not the key of a blob"),
        ("{claim", "the claim is not JSON"),
        ('{"claim": 2}', "a claim of version '2' cannot be read here"),
        (f"v1/default/a/held-by/b/{'0' * 64}", "is a note that a blob is held"),
        ("v1/../../etc/passwd", "is not the key of a blob"),
    ],
)
def test_what_is_no_claim_is_refused(shop: Shop, wanted: str, words: str) -> None:
    assert words in shop.blobs("get", wanted, code=2).stderr.decode()


async def test_a_value_of_a_key_that_is_not_there_names_it(shop: Shop) -> None:
    shop.settings |= {"CLAIM_CHECK_KEYS": KEY}
    claim = await shop.put(VALUE)
    shop.settings |= {"CLAIM_CHECK_KEYS": ""}
    stderr = shop.blobs("get", claim.key, code=2).stderr.decode()
    assert "'k1'" in stderr
    assert "CLAIM_CHECK_KEYS" in stderr


# -- stats -----------------------------------------------------------------------------------------


async def test_blobs_are_counted_for_each_namespace(shop: Shop) -> None:
    for number in range(7):
        await shop.put(os.urandom(1000 * (number + 1)), workflow_id=f"order-{number}")
    claim = await shop.put(b"more", workflow_id="order-6")
    await shop.put(b"x", workflow_id="a", namespace="other")
    await note_server(shop.store, "default", "id")
    os.utime(shop.folder / "blobs" / claim.key, (1_000_000_000, 1_000_000_000))
    default, other = json.loads(shop.blobs("stats", "--json").stdout)
    assert (default["namespace"], default["workflows"], default["blobs"]) == ("default", 7, 8)
    assert default["oldest"] == "2001-09-09T01:46:40.000Z"
    assert 28_000 < default["bytes"] < 29_000
    largest = [one["workflow_id"] for one in default["largest"]]
    assert largest == [f"order-{number}" for number in (6, 5, 4, 3, 2)]
    assert default["largest"][0]["blobs"] == 2
    assert (other["namespace"], other["workflows"], other["blobs"]) == ("other", 1, 1)
    shown = shop.blobs("stats", "--namespace", "default").stdout.decode()
    assert re.search(r"^default +7 +8 +2\d\.\d KB +\d+d$", shown, re.MULTILINE)
    assert re.search(r"^order-6 +2 +\d\.\d KB$", shown, re.MULTILINE)
    assert "other" not in shown


def test_a_store_without_blobs_counts_none(shop: Shop) -> None:
    assert json.loads(shop.blobs("stats", "--json").stdout) == []
    assert b"has no blobs\n" in shop.blobs("stats").stderr


async def test_a_namespace_without_blobs_is_named(shop: Shop) -> None:
    await shop.put(VALUE)
    done = shop.blobs("stats", "--namespace", "nope")
    assert done.stderr.decode().endswith("/blobs, has no blobs of namespace 'nope'\n")


async def test_the_workers_notes_for_the_sweep_are_listed_for_who_asks(shop: Shop) -> None:
    claim = await shop.put(VALUE)
    await note_server(shop.store, "default", "the-server")
    (line,) = shop.blobs("ls").stdout.decode().splitlines()
    assert line.endswith(claim.key)
    assert b"held-by/the-server/" in shop.blobs("ls", "--prefix", "v1/default/%00").stdout


def test_an_age_is_told_in_its_largest_unit() -> None:
    now = datetime.now(UTC)
    ages = [age(now - timedelta(seconds=s), now) for s in (-5, 59, 60, 7_200, 90_000)]
    assert ages == ["0s", "59s", "1m", "2h", "1d"]


# -- new-key ---------------------------------------------------------------------------------------


def test_a_new_key_can_be_used_at_once_and_is_never_the_same(shop: Shop) -> None:
    first, second = (shop.blobs("new-key", "2027-01").stdout.decode().strip() for _ in range(2))
    assert first != second
    assert KeyRing.parse(first).ids == ["2027-01"]
    assert KeyRing.parse(shop.blobs("new-key").stdout.decode()).ids
    assert b"cannot be the name of a key" in shop.blobs("new-key", "a:b", code=2).stderr


# -- sweep, before it asks Temporal ----------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--grace", "24"], "did you mean 24s?"),
        (["--grace", "1h"], "Give at least 12h; or --force"),
        (["--after", "order-7"], "'order-7' is not the key of a blob"),
    ],
)
def test_a_wrong_sweep_is_refused(shop: Shop, arguments: list[str], words: str) -> None:
    assert words in shop.blobs("sweep", *arguments, code=2).stderr.decode()


async def test_without_temporal_nothing_is_swept(shop: Shop) -> None:
    claim = await shop.put(VALUE)
    os.utime(shop.folder / "blobs" / claim.key, (0, 0))
    shop.settings |= {"TEMPORAL_ADDRESS": "127.0.0.1:1"}
    done = shop.blobs("sweep", "--delete", "--take-over", code=3)
    assert b"Temporal cannot be reached" in done.stderr
    assert (shop.folder / "blobs" / claim.key).exists()


def test_what_could_not_be_deleted_is_told_and_ends_with_3(
    capsys: pytest.CaptureFixture[str],
) -> None:
    options = SweepOptions(
        delete=True,
        grace="24h",
        namespace=None,
        after=None,
        take_over=False,
        force=False,
        json=True,
    )
    tell_result(Tally(), options, "default")
    capsys.readouterr()
    tally = Tally(failures=[f"v1/default/order-{number}: no" for number in range(12)])
    with pytest.raises(Ending) as ended:
        tell_result(tally, options, "default")
    assert ended.value.code == ExitCode.UNREACHABLE
    out, err = capsys.readouterr()
    assert json.loads(out)["failures"] == tally.failures
    assert err.splitlines()[0] == "could not be deleted: v1/default/order-0: no"
    assert err.splitlines()[-1] == "and 2 more"
