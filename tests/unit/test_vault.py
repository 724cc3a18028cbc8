"""The vault: what goes in comes out again, for its keys alone, and nothing is ever lost."""

from __future__ import annotations

import base64
import fcntl
import json
import os
import stat
import subprocess
import sys
import textwrap
import threading
import traceback
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from claimcheck.keyring import KeyRing, new_key
from vault import replacing
from vault.document import read_document
from vault.errors import (
    ValueUnfit,
    VaultBusy,
    VaultDamaged,
    VaultError,
    VaultKeyUnknown,
    VaultUnreadable,
)
from vault.vault import Vault

ROOT = Path(__file__).parents[2]
VALUE = "s3cr3t-välue"
OLD, NEW = new_key("old"), new_key("new")


def ring(*keys: str) -> KeyRing:
    return KeyRing.parse(",".join(keys or (OLD,)))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "vault.json"


@pytest.fixture
def vault(path: Path) -> Vault:
    return Vault(path, ring())


# -- what is in it -------------------------------------------------------------------------------


def test_a_value_comes_out_as_it_went_in(vault: Vault, path: Path) -> None:
    assert vault.read("TOKEN") is None
    assert vault.write("TOKEN", VALUE) is False
    assert vault.write("OTHER", "line one\nline two\n") is False
    assert vault.write("TOKEN", f"{VALUE}2") is True
    again = Vault(path, ring())
    assert again.read("TOKEN") == f"{VALUE}2"
    assert again.read("OTHER") == "line one\nline two\n"
    assert again.read("NOT_SET") is None


def test_names_times_and_keys_are_told_and_values_are_not_in_the_file(
    vault: Vault, path: Path
) -> None:
    before = datetime.now(UTC).replace(microsecond=0)
    vault.write("TOKEN", VALUE)
    vault.write("ANOTHER", VALUE)
    entries = Vault(path, ring(NEW)).entries()
    assert list(entries) == ["ANOTHER", "TOKEN"]
    assert before <= entries["TOKEN"].set <= datetime.now(UTC)
    assert entries["TOKEN"].key == "old"
    raw = path.read_bytes()
    for piece in (VALUE.encode(), base64.b64encode(VALUE.encode()), OLD.encode()[4:]):
        assert piece not in raw
    assert VALUE not in repr(entries)


def test_the_same_value_is_never_seen_to_be_the_same(vault: Vault) -> None:
    vault.write("TOKEN", VALUE)
    vault.write("ANOTHER", VALUE)
    assert len({entry.sealed[-20:] for entry in vault.entries().values()}) == 2


def test_a_reader_sees_every_change_at_once(vault: Vault, path: Path) -> None:
    reader = Vault(path, ring())
    for n in range(20):
        vault.write("TOKEN", f"value-{n:02}")
        assert reader.read("TOKEN") == f"value-{n:02}"
    vault.remove("TOKEN")
    assert reader.read("TOKEN") is None
    path.unlink()
    assert reader.entries() == {}


def test_an_unchanged_vault_is_read_once(
    vault: Vault, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    vault.write("TOKEN", VALUE)
    reader, read = Vault(path, ring()), 0

    def count(data: bytes) -> Any:
        nonlocal read
        read += 1
        return read_document(data)

    monkeypatch.setattr("vault.vault.read_document", count)
    assert {reader.read("TOKEN") for _ in range(5)} == {VALUE}
    assert read == 1


def test_removing_tells_whether_there_was_anything(vault: Vault) -> None:
    vault.write("TOKEN", VALUE)
    assert vault.remove("TOKEN") is True
    assert vault.remove("TOKEN") is False
    assert vault.entries() == {}


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        ("", "fewer than 4"),
        ("abc", "fewer than 4"),
        ("ä" * 40_000, "more than 65,536 bytes"),
    ],
    ids=["empty", "short", "long"],
)
def test_what_cannot_be_a_secret_is_not_put_in(vault: Vault, value: str, reason: str) -> None:
    with pytest.raises(ValueUnfit, match=reason) as caught:
        vault.write("TOKEN", value)
    assert not value or value not in str(caught.value)
    assert not vault.exists()


def test_a_vault_does_not_outgrow_what_is_read(
    vault: Vault, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("vault.vault._LARGEST", 500)
    vault.write("TOKEN", VALUE)
    with pytest.raises(ValueUnfit, match="at most 500 bytes"):
        vault.write("OTHER", "x" * 400)
    assert vault.read("TOKEN") == VALUE
    assert list(vault.entries()) == ["TOKEN"]


# -- its keys ------------------------------------------------------------------------------------


def test_rotating_encrypts_everything_with_the_first_key(vault: Vault, path: Path) -> None:
    vault.write("TOKEN", VALUE)
    both = Vault(path, ring(NEW, OLD))
    both.write("OTHER", f"{VALUE}2")
    was_set = both.entries()["TOKEN"].set
    assert {name: one.key for name, one in both.entries().items()} == {
        "TOKEN": "old",
        "OTHER": "new",
    }
    assert both.rotate() == 2
    after = Vault(path, ring(NEW))
    assert (after.read("TOKEN"), after.read("OTHER")) == (VALUE, f"{VALUE}2")
    assert after.entries()["TOKEN"].set == was_set
    assert Vault(path, ring()).unknown_keys() == {"OTHER": "new", "TOKEN": "new"}


def test_without_its_key_a_secret_is_not_had_and_the_key_is_named(vault: Vault, path: Path) -> None:
    vault.write("TOKEN", VALUE)
    other = Vault(path, ring(NEW))
    expected = (
        rf"the vault {path}: the secret 'TOKEN' was encrypted with the key 'old', which is not in "
        r"the key ring \(new\): add it to FLOWRUNNER_VAULT_KEYS"
    )
    for attempt in (lambda: other.read("TOKEN"), other.rotate):
        with pytest.raises(VaultKeyUnknown, match=expected):
            attempt()
    assert vault.read("TOKEN") == VALUE


def test_a_rotation_that_cannot_open_everything_changes_nothing(vault: Vault, path: Path) -> None:
    vault.write("ZED", VALUE)
    Vault(path, ring(NEW, OLD)).write("ABLE", VALUE)
    before = path.read_bytes()
    with pytest.raises(VaultKeyUnknown, match="'ZED'"):
        Vault(path, ring(NEW)).rotate()
    assert path.read_bytes() == before


def test_nothing_is_put_beside_secrets_whose_key_is_not_there(vault: Vault, path: Path) -> None:
    vault.write("TOKEN", VALUE)
    before = path.read_bytes()
    other = Vault(path, ring(NEW))
    with pytest.raises(VaultKeyUnknown, match=r"keys \(old\) than .* \(new\): TOKEN\.\n.*rotate"):
        other.write("OTHER", VALUE)
    assert path.read_bytes() == before
    assert list(other.unreadable()) == ["TOKEN"]
    assert other.write("TOKEN", VALUE)  # it takes the place of the only one
    assert other.read("TOKEN") == VALUE
    assert other.unreadable() == {}


def test_another_key_of_the_same_name_is_neither_read_nor_written_with(
    vault: Vault, path: Path
) -> None:
    vault.write("TOKEN", VALUE)
    namesake = Vault(path, ring(new_key("old")))
    for attempt in (lambda: namesake.read("TOKEN"), lambda: namesake.write("OTHER", VALUE)):
        with pytest.raises(VaultDamaged, match="another key that is called 'old' too"):
            attempt()
    assert list(vault.entries()) == ["TOKEN"]
    assert "another key that is called 'old' too" in namesake.unreadable()["TOKEN"]


def test_a_value_moved_to_another_name_is_not_given_out(vault: Vault, path: Path) -> None:
    vault.write("HARMLESS", VALUE)
    vault.write("TOKEN", "another-value")
    document = json.loads(path.read_text())
    secrets = document["secrets"]
    secrets["TOKEN"]["sealed"] = secrets["HARMLESS"]["sealed"]
    path.write_text(json.dumps(document))
    assert vault.read("HARMLESS") == VALUE
    with pytest.raises(VaultDamaged, match=r"'TOKEN' was changed .* or moved to another name"):
        vault.read("TOKEN")


@given(place=st.integers(min_value=0), bit=st.integers(min_value=0, max_value=7))
def test_no_bit_of_a_sealed_value_can_be_changed(place: int, bit: int) -> None:
    with TemporaryDirectory() as folder:
        path = Path(folder) / "vault.json"
        vault = Vault(path, ring())
        vault.write("TOKEN", VALUE)
        document = json.loads(path.read_text())
        sealed = bytearray(base64.b64decode(document["secrets"]["TOKEN"]["sealed"]))
        sealed[place % len(sealed)] ^= 1 << bit
        document["secrets"]["TOKEN"]["sealed"] = base64.b64encode(sealed).decode()
        path.write_text(json.dumps(document))
        with pytest.raises((VaultDamaged, VaultKeyUnknown)):
            vault.read("TOKEN")


# -- hostile files -------------------------------------------------------------------------------

ENTRY = {"set": "2026-11-02T09:30:00Z", "sealed": "AQNvbGQ="}


def _document(**secrets: Any) -> str:
    return json.dumps({"flowrunner_vault": 1, "secrets": secrets})


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "this is no vault"),
        ("hunter22", "this is no vault"),
        ("[]", "this is no vault"),
        ("{}", "this is no vault"),
        ('{"HR_TOKEN": "hunter22"}', "this is no vault"),
        ("\udcff", "this is no vault"),
        ("[" * 100_000, "this is no vault"),
        ('{"flowrunner_vault": ' + "9" * 5000 + "}", "this is no vault"),
        ('{"flowrunner_vault": true, "secrets": {}}', "this is no vault"),
        ('{"flowrunner_vault": "1", "secrets": {}}', "this is no vault"),
        ('{"flowrunner_vault": 2, "secrets": {}}', "version 2.*newer release"),
        ('{"flowrunner_vault": 1}', "the keys `flowrunner_vault` and `secrets`"),
        ('{"flowrunner_vault": 1, "secrets": []}', "the keys `flowrunner_vault` and `secrets`"),
        (
            '{"flowrunner_vault": 1, "secrets": {}, "hunter22": 1}',
            "the keys `flowrunner_vault` and `secrets`",
        ),
        (
            '{"flowrunner_vault": 1, "secrets": {}, "secrets": {}}',
            "a name is there twice",
        ),
        (_document(hunter22=ENTRY), "a name in it that no secret can have"),
        (_document(TOKEN="hunter22"), "the entry 'TOKEN' does not have the keys"),
        (_document(TOKEN={**ENTRY, "value": "hunter22"}), "the entry 'TOKEN' does not have"),
        (_document(TOKEN={**ENTRY, "set": "hunter22"}), "the entry 'TOKEN' cannot be read"),
        (_document(TOKEN={**ENTRY, "set": 7}), "the entry 'TOKEN' cannot be read"),
        (_document(TOKEN={**ENTRY, "set": "0001-01-01T00:00+23:59"}), "'TOKEN' cannot be read"),
        (_document(TOKEN={**ENTRY, "sealed": "hunter22!"}), "the entry 'TOKEN' cannot be read"),
        (_document(TOKEN={**ENTRY, "sealed": ["hunter22"]}), "the entry 'TOKEN' cannot be read"),
        (_document(TOKEN={**ENTRY, "sealed": ""}), "the entry 'TOKEN' cannot be read"),
        (_document(TOKEN={**ENTRY, "sealed": "aHVudGVyMjI="}), "'TOKEN' cannot be read"),
    ],
    ids=range(25),
)
def test_a_file_that_is_no_vault_is_told_without_what_it_holds(
    vault: Vault, path: Path, text: str, reason: str
) -> None:
    path.write_text(text, encoding="utf-8", errors="surrogateescape")
    before = path.read_bytes()
    for attempt in (vault.entries, lambda: vault.write("OTHER", VALUE), vault.rotate):
        with pytest.raises(VaultDamaged, match=rf"the vault {path}: .*{reason}") as caught:
            attempt()
        told = "".join(traceback.format_exception(caught.value))
        assert "hunter22" not in told.replace("cannot be read", "")
    assert path.read_bytes() == before


@given(data=st.binary(max_size=300))
def test_any_bytes_are_a_vault_or_told_not_to_be(data: bytes) -> None:
    with pytest.raises(VaultDamaged):
        read_document(data)


def test_a_file_that_is_too_large_is_not_read(
    vault: Vault, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("vault.vault._LARGEST", 100)
    path.write_text("x" * 101)
    with pytest.raises(VaultDamaged, match="at most 100 bytes"):
        vault.entries()


def test_what_is_no_file_is_told(vault: Vault, path: Path, tmp_path: Path) -> None:
    path.mkdir()
    with pytest.raises(VaultUnreadable, match=f"the vault {path}: "):
        vault.entries()
    path.rmdir()
    os.mkfifo(path)
    with pytest.raises(VaultUnreadable, match="it is not a file"):
        vault.entries()
    nowhere = Vault(tmp_path / "no" / "vault.json", ring())
    assert nowhere.entries() == {}
    with pytest.raises(VaultUnreadable, match=f"there is no folder {tmp_path / 'no'}"):
        nowhere.write("TOKEN", VALUE)


# -- writing -------------------------------------------------------------------------------------


def _mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_a_new_vault_is_for_its_owner_alone(vault: Vault, path: Path) -> None:
    mask = os.umask(0)
    try:
        vault.write("TOKEN", VALUE)
    finally:
        os.umask(mask)
    assert {_mode(one) for one in path.parent.iterdir()} == {0o600}


@pytest.mark.parametrize(("before", "after"), [(0o640, 0o640), (0o666, 0o660), (0o400, 0o600)])
def test_a_group_that_could_read_it_still_can_and_others_cannot(
    vault: Vault, path: Path, before: int, after: int
) -> None:
    vault.write("TOKEN", VALUE)
    path.chmod(before)
    vault.write("OTHER", VALUE)
    assert _mode(path) == after


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
def test_what_root_changes_still_belongs_to_its_owner(vault: Vault, path: Path) -> None:
    vault.write("TOKEN", VALUE)
    os.chown(path, 10001, 10002)
    vault.write("OTHER", VALUE)
    assert (path.stat().st_uid, path.stat().st_gid) == (10001, 10002)


def test_a_link_to_the_vault_stays_one(vault: Vault, path: Path, tmp_path: Path) -> None:
    vault.write("TOKEN", VALUE)
    link = tmp_path / "elsewhere" / "link.json"
    link.parent.mkdir()
    link.symlink_to(path)
    Vault(link, ring()).write("OTHER", VALUE)
    assert link.is_symlink()
    assert list(vault.entries()) == ["OTHER", "TOKEN"]


def test_what_does_not_change_anything_writes_nothing(vault: Vault, path: Path) -> None:
    vault.remove("TOKEN")
    assert not path.exists()
    vault.write("TOKEN", VALUE)
    before = path.stat()
    vault.remove("OTHER")
    assert path.stat().st_ino == before.st_ino


def test_of_writers_at_the_same_time_none_is_lost(vault: Vault, path: Path) -> None:
    def write(first: int) -> None:
        for n in range(first, first + 10):
            Vault(path, ring()).write(f"N{n}", f"value-{n}")

    writers = [threading.Thread(target=write, args=(first,)) for first in (0, 10, 20, 30)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    assert {name: vault.read(name) for name in vault.entries()} == {
        f"N{n}": f"value-{n}" for n in range(40)
    }


def test_a_writer_that_waits_too_long_says_so_and_readers_do_not_wait(
    vault: Vault, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    vault.write("TOKEN", VALUE)
    monkeypatch.setitem(replacing.locked.__wrapped__.__kwdefaults__, "patience", 0.1)  # type: ignore[attr-defined]
    with (path.parent / "vault.json.lock").open() as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        with pytest.raises(VaultBusy, match="another command has been writing"):
            vault.write("OTHER", VALUE)
        assert vault.read("TOKEN") == VALUE
    vault.write("OTHER", VALUE)


def test_a_full_disk_leaves_the_old_vault(
    vault: Vault, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    vault.write("TOKEN", VALUE)

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("vault.replacing.os.fsync", full)
    with pytest.raises(VaultUnreadable, match="No space left on device"):
        vault.write("TOKEN", "another-value")
    monkeypatch.undo()
    assert vault.read("TOKEN") == VALUE
    assert sorted(one.name for one in path.parent.iterdir()) == ["vault.json", "vault.json.lock"]


DIES = textwrap.dedent(
    """\
    import os, sys
    from pathlib import Path
    from claimcheck.keyring import KeyRing
    from vault import replacing
    from vault.vault import Vault

    vault = Vault(Path(sys.argv[1]), KeyRing.parse(sys.argv[2]))
    steps = int(sys.argv[3])

    class Counted:
        def __getattr__(self, name):
            real = getattr(os, name)
            if name not in ("open", "fdopen", "fchmod", "fchown", "fsync", "replace", "close"):
                return real
            def call(*args, **named):
                global steps
                steps -= 1
                if steps < 0:
                    os._exit(9)
                return real(*args, **named)
            return call

    replacing.os = Counted()
    vault.rotate()
    """
)


def test_a_rotation_that_dies_at_any_step_loses_nothing(vault: Vault, path: Path) -> None:
    names = [f"N{n}" for n in range(3)]
    for name in names:
        vault.write(name, f"{VALUE} of {name}")
    keys = f"{NEW},{OLD}"
    codes: list[int] = []
    while not codes or codes[-1] != 0:
        command = [sys.executable, "-c", DIES, str(path), keys, str(len(codes))]
        codes.append(subprocess.run(command, cwd=ROOT, check=False).returncode)
        both = Vault(path, ring(NEW, OLD))
        assert {name: both.read(name) for name in names} == {
            name: f"{VALUE} of {name}" for name in names
        }
        assert len({entry.key for entry in both.entries().values()}) == 1
        both.write("AFTER", VALUE)  # no lock and no leftover is in the way
        both.remove("AFTER")
        if codes[-1] != 0 and both.entries()["N0"].key == "new":
            vault_again = Vault(path, ring(OLD, NEW))
            vault_again.rotate()
    assert set(codes[:-1]) == {9}
    assert len(codes) > 5
    assert Vault(path, ring(NEW)).unknown_keys() == {}


def test_every_error_is_of_one_root() -> None:
    for error in (ValueUnfit, VaultBusy, VaultDamaged, VaultKeyUnknown, VaultUnreadable):
        assert issubclass(error, VaultError)
