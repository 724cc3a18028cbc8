"""Where large values are kept is clear before anything starts, or everything wrong is told."""

from __future__ import annotations

import base64
import os
import subprocess
import sys
import traceback
from pathlib import Path

import pytest
from pydantic import ValidationError

from claimcheck.keyring import KeyRing
from service.settings import (
    Address,
    ClaimCheckSettings,
    CodecServerSettings,
    SettingsInvalid,
    load_claim_check_settings,
    load_codec_server_settings,
    load_worker_settings,
)
from service.settings.contradictions import default_folder

ACCOUNT = "0123456789abcdef0123456789abcdef"
R2 = f"https://{ACCOUNT}.r2.cloudflarestorage.com"
KEY = "k1:" + base64.b64encode(bytes(range(32))).decode()
OTHER_KEY = "k2:" + base64.b64encode(bytes(range(1, 33))).decode()


@pytest.fixture(autouse=True)
def _empty_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if name.startswith(("FLOWRUNNER_", "BLOB_STORAGE_", "CLAIM_CHECK_", "R2_")):
            monkeypatch.delenv(name)


def _set(monkeypatch: pytest.MonkeyPatch, variables: str) -> None:
    for variable in variables.split():
        name, _, value = variable.partition("=")
        monkeypatch.setenv(name, value)


def _problems() -> list[str]:
    with pytest.raises(SettingsInvalid) as caught:
        load_claim_check_settings()
    return list(caught.value.problems)


def test_without_variables_values_are_kept_in_files_of_the_user(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("XDG_DATA_HOME", raising=False)
    settings = load_claim_check_settings()
    assert settings.type == "filesystem"
    assert settings.folder.is_relative_to(Path.home())
    assert settings.folder.parts[-2:] == ("flowrunner", "blobs")
    assert settings.threshold == 50 * 1024
    assert settings.cache == 128 * 1024 * 1024
    assert settings.key_ring() is None


@pytest.mark.skipif(sys.platform == "darwin", reason="macOS knows no XDG_DATA_HOME")
def test_the_user_s_folder_for_data_may_be_elsewhere(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", "/data/ada")
    assert default_folder() == Path("/data/ada/flowrunner/blobs")
    monkeypatch.setenv("XDG_DATA_HOME", "not/absolute")
    assert default_folder() == Path.home() / ".local/share/flowrunner/blobs"


def test_macos_keeps_data_where_it_keeps_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "darwin")
    assert default_folder() == Path.home() / "Library/Application Support/flowrunner/blobs"


def test_a_user_without_a_home_is_asked_for_a_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    def homeless() -> Path:
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.setattr(Path, "home", homeless)
    assert _problems() == [
        "BLOB_STORAGE_PATH: nothing is set, and this user has no home to keep blobs in; set it "
        "to a folder, or BLOB_STORAGE_TYPE to s3 or r2"
    ]
    monkeypatch.setenv("BLOB_STORAGE_PATH", "/srv/blobs")
    assert load_claim_check_settings().folder == Path("/srv/blobs")


def test_every_variable_of_a_bucket_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    _set(
        monkeypatch,
        "BLOB_STORAGE_TYPE=S3 BLOB_STORAGE_BUCKET=blobs BLOB_STORAGE_PREFIX=/team/hr/ "
        "BLOB_STORAGE_ENDPOINT=http://127.0.0.1:9000 BLOB_STORAGE_REGION=eu-central-1 "
        "BLOB_STORAGE_ACCESS_KEY_ID=AKIA BLOB_STORAGE_SECRET_ACCESS_KEY=hunter2 "
        "CLAIM_CHECK_THRESHOLD=1MB CLAIM_CHECK_CACHE=0 CLAIM_CHECK_ENCRYPT=OFF",
    )
    settings = load_claim_check_settings()
    assert settings.type == "s3"
    assert (settings.bucket, settings.prefix) == ("blobs", "team/hr")
    assert settings.store_endpoint == "http://127.0.0.1:9000"
    assert settings.store_region == "eu-central-1"
    assert settings.access_key_id is not None
    assert settings.access_key_id.get_secret_value() == "AKIA"
    assert settings.secret_access_key is not None
    assert settings.secret_access_key.get_secret_value() == "hunter2"
    assert "hunter2" not in repr(settings)
    assert (settings.threshold, settings.cache) == (1024 * 1024, 0)
    assert settings.encrypt == "off"


@pytest.mark.parametrize("endpoint", ["", f"BLOB_STORAGE_ENDPOINT={R2}/"])
def test_an_r2_account_makes_the_endpoint(monkeypatch: pytest.MonkeyPatch, endpoint: str) -> None:
    given = f"BLOB_STORAGE_TYPE=r2 BLOB_STORAGE_BUCKET=blobs R2_ACCOUNT_ID={ACCOUNT} {endpoint}"
    _set(monkeypatch, given)
    settings = load_claim_check_settings()
    assert settings.store_endpoint == R2
    assert settings.store_region == "auto"


def test_r2_may_be_at_an_endpoint_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    eu = f"https://{ACCOUNT}.eu.r2.cloudflarestorage.com"
    given = f"BLOB_STORAGE_TYPE=r2 BLOB_STORAGE_BUCKET=blobs BLOB_STORAGE_ENDPOINT={eu}"
    _set(monkeypatch, given)
    assert load_claim_check_settings().store_endpoint == eu


def test_who_says_filesystem_may_have_an_r2_account(monkeypatch: pytest.MonkeyPatch) -> None:
    _set(monkeypatch, f"BLOB_STORAGE_TYPE=filesystem R2_ACCOUNT_ID={ACCOUNT}")
    assert load_claim_check_settings().type == "filesystem"


@pytest.mark.parametrize(
    ("given", "problem"),
    [
        (
            "BLOB_STORAGE_TYPE=s3",
            "BLOB_STORAGE_BUCKET: nothing is set, but BLOB_STORAGE_TYPE is s3; set it to the name "
            "of the bucket",
        ),
        (
            "BLOB_STORAGE_TYPE=s3 BLOB_STORAGE_BUCKET=blobs BLOB_STORAGE_PATH=/srv/blobs",
            "BLOB_STORAGE_PATH: is set, but BLOB_STORAGE_TYPE is s3, which keeps nothing in files; "
            "set BLOB_STORAGE_TYPE to filesystem, or unset this (a folder in the bucket is "
            "BLOB_STORAGE_PREFIX)",
        ),
        (
            "BLOB_STORAGE_BUCKET=blobs",
            "BLOB_STORAGE_BUCKET: is set, but BLOB_STORAGE_TYPE is filesystem, which has no "
            "bucket; set BLOB_STORAGE_TYPE to s3 or r2, or unset this",
        ),
        (
            f"R2_ACCOUNT_ID={ACCOUNT}",
            "R2_ACCOUNT_ID: is set, but BLOB_STORAGE_TYPE is not; set that to r2 if it is where "
            "large values are to be kept, else to filesystem",
        ),
        (
            "BLOB_STORAGE_TYPE=r2 BLOB_STORAGE_BUCKET=blobs",
            "R2_ACCOUNT_ID: nothing is set, but BLOB_STORAGE_TYPE is r2; set it to the id of the "
            "Cloudflare account, or BLOB_STORAGE_ENDPOINT to the URL of the store",
        ),
        (
            f"BLOB_STORAGE_TYPE=r2 BLOB_STORAGE_BUCKET=blobs R2_ACCOUNT_ID={ACCOUNT} "
            "BLOB_STORAGE_ENDPOINT=http://127.0.0.1:9000",
            "BLOB_STORAGE_ENDPOINT: found 'http://127.0.0.1:9000', but R2_ACCOUNT_ID stands for "
            f"'{R2}'; unset one of the two",
        ),
        (
            "BLOB_STORAGE_TYPE=s3 BLOB_STORAGE_BUCKET=blobs BLOB_STORAGE_ACCESS_KEY_ID=AKIA",
            "BLOB_STORAGE_SECRET_ACCESS_KEY: nothing is set, but BLOB_STORAGE_ACCESS_KEY_ID is; "
            "set both, or neither to take the credentials that AWS's own tools would take",
        ),
        (
            "BLOB_STORAGE_TYPE=s3 BLOB_STORAGE_BUCKET=blobs BLOB_STORAGE_SECRET_ACCESS_KEY=x",
            "BLOB_STORAGE_ACCESS_KEY_ID: nothing is set, but BLOB_STORAGE_SECRET_ACCESS_KEY is; "
            "set both, or neither to take the credentials that AWS's own tools would take",
        ),
        (
            "CLAIM_CHECK_ENCRYPT=on",
            "CLAIM_CHECK_ENCRYPT: found 'on', but there are no keys; set CLAIM_CHECK_KEYS or "
            "CLAIM_CHECK_KEYS_FILE (`flowrunner blobs new-key` makes a key)",
        ),
    ],
)
def test_what_is_missing_or_contradicts_is_told(
    monkeypatch: pytest.MonkeyPatch, given: str, problem: str
) -> None:
    _set(monkeypatch, given)
    assert _problems() == [problem]


@pytest.mark.parametrize(
    ("given", "problem"),
    [
        (
            "BLOB_STORAGE_TYPE=file-system",
            "BLOB_STORAGE_TYPE: found 'file-system', expected `filesystem`, `s3` or `r2`; did you "
            "mean filesystem?",
        ),
        (
            "BLOB_STORAGE_TYPE=s3 BLOB_STORAGE_BUCKET=s3://blobs/",
            "BLOB_STORAGE_BUCKET: found 's3://blobs/', expected the name of a bucket alone, such "
            "as `flowrunner-blobs`",
        ),
        (
            "BLOB_STORAGE_TYPE=s3 BLOB_STORAGE_BUCKET=blobs BLOB_STORAGE_PREFIX=a/../b",
            "BLOB_STORAGE_PREFIX: found 'a/../b', expected a folder such as `flowrunner/blobs`, "
            "of at most 400 letters, digits, dots, dashes, underscores and slashes",
        ),
        (
            "BLOB_STORAGE_TYPE=s3 BLOB_STORAGE_BUCKET=blobs BLOB_STORAGE_ENDPOINT=127.0.0.1:9000",
            "BLOB_STORAGE_ENDPOINT: found '127.0.0.1:9000', expected a URL such as "
            "`http://127.0.0.1:9000`",
        ),
        (
            "BLOB_STORAGE_TYPE=r2 BLOB_STORAGE_BUCKET=blobs R2_ACCOUNT_ID=ada@example.org",
            "R2_ACCOUNT_ID: found 'ada@example.org', expected the 32 hexadecimal digits of an "
            "account id",
        ),
        (
            "CLAIM_CHECK_THRESHOLD=50k",
            "CLAIM_CHECK_THRESHOLD: found '50k', expected a size from `1` byte to `1MB`, such as "
            "`51200` or `50KB`; did you mean 50KB?",
        ),
        (
            "CLAIM_CHECK_THRESHOLD=2MB",
            "CLAIM_CHECK_THRESHOLD: found '2MB', expected a size from `1` byte to `1MB`, such as "
            "`51200` or `50KB`",
        ),
        (
            "CLAIM_CHECK_THRESHOLD=0",
            "CLAIM_CHECK_THRESHOLD: found '0', expected a size from `1` byte to `1MB`, such as "
            "`51200` or `50KB`",
        ),
        (
            "CLAIM_CHECK_CACHE=much",
            "CLAIM_CHECK_CACHE: found 'much', expected a size such as `128MB`",
        ),
        (
            "CLAIM_CHECK_ENCRYPT=yes",
            "CLAIM_CHECK_ENCRYPT: found 'yes', expected `on` or `off`",
        ),
    ],
)
def test_a_bad_value_is_told_with_what_was_expected(
    monkeypatch: pytest.MonkeyPatch, given: str, problem: str
) -> None:
    _set(monkeypatch, given)
    assert _problems() == [problem]


def test_a_folder_that_every_process_would_find_elsewhere_is_refused(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("BLOB_STORAGE_PATH", "blobs")
    assert _problems() == [
        "BLOB_STORAGE_PATH: found 'blobs', expected an absolute path, so that every process finds "
        f"the same folder; did you mean {tmp_path}/blobs?"
    ]


def test_everything_that_is_wrong_is_told_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    _set(
        monkeypatch,
        "BLOB_STORAGE_TYPE=r2 BLOB_STORAGE_PATH=/srv/blobs CLAIM_CHECK_CACHE=much "
        "CLAIM_CHECK_ENCRYPT=on BLOB_STORAGE_BUKET=blobs FLOWRUNNER_TASKQUEUE=hr",
    )
    assert [problem.partition(":")[0] for problem in _problems()] == [
        "CLAIM_CHECK_CACHE",
        "BLOB_STORAGE_BUCKET",
        "BLOB_STORAGE_PATH",
        "R2_ACCOUNT_ID",
        "CLAIM_CHECK_ENCRYPT",
        "BLOB_STORAGE_BUKET",
        "FLOWRUNNER_TASKQUEUE",
    ]


@pytest.mark.parametrize(
    ("name", "suggestion"),
    [
        ("BLOB_STORAGE_BUKET", "did you mean BLOB_STORAGE_BUCKET?"),
        ("BLOB_STORAGE_ENDPOINT_URL", "did you mean BLOB_STORAGE_ENDPOINT?"),
        ("BLOB_STORAGE_ACCESS_KEY", "did you mean BLOB_STORAGE_ACCESS_KEY_ID?"),
        ("BLOB_STORAGE_SECRET_KEY", "did you mean BLOB_STORAGE_SECRET_ACCESS_KEY?"),
        ("BLOB_STORAGE_R2_ACCOUNT_ID", "did you mean R2_ACCOUNT_ID?"),
        ("CLAIM_CHECK_TRESHOLD", "did you mean CLAIM_CHECK_THRESHOLD?"),
        ("CLAIM_CHECK_KEY", "did you mean CLAIM_CHECK_KEYS?"),
        ("FLOWRUNNER_BLOB_STORAGE_TYPE", "did you mean BLOB_STORAGE_TYPE?"),
        (
            "CLAIM_CHECK_X",
            "the names known are CLAIM_CHECK_THRESHOLD, CLAIM_CHECK_CACHE, CLAIM_CHECK_KEYS, "
            "CLAIM_CHECK_KEYS_FILE, CLAIM_CHECK_ENCRYPT",
        ),
    ],
)
def test_an_unknown_variable_is_an_error_with_a_suggestion(
    monkeypatch: pytest.MonkeyPatch, name: str, suggestion: str
) -> None:
    monkeypatch.setenv(name, "hunter2")
    assert _problems() == [f"{name}: there is no such setting; {suggestion}"]
    with pytest.raises(SettingsInvalid, match=name):
        load_worker_settings()


def test_settings_that_contradict_cannot_be_made_by_hand_either() -> None:
    with pytest.raises(ValidationError, match="BLOB_STORAGE_BUCKET: nothing is set"):
        ClaimCheckSettings(type="s3")
    assert ClaimCheckSettings(type="s3", bucket="blobs", path=None).bucket == "blobs"


@pytest.mark.parametrize("separator", [",", "\n"])
def test_keys_are_read_from_the_environment(
    monkeypatch: pytest.MonkeyPatch, separator: str
) -> None:
    monkeypatch.setenv("CLAIM_CHECK_KEYS", f"{KEY}{separator}{OTHER_KEY}")
    assert load_claim_check_settings().key_ring() == KeyRing.parse(f"{KEY},{OTHER_KEY}")


@pytest.mark.parametrize(("switch", "encrypting"), [("", True), ("on", True), ("off", False)])
def test_encryption_is_switched_off_until_all_have_the_keys(
    monkeypatch: pytest.MonkeyPatch, switch: str, encrypting: bool
) -> None:
    _set(monkeypatch, f"CLAIM_CHECK_KEYS={KEY} CLAIM_CHECK_ENCRYPT={switch}")
    ring = load_claim_check_settings().key_ring()
    assert ring is not None
    assert ring.encrypting == encrypting


def test_keys_are_read_from_a_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    file = tmp_path / "keys"
    file.write_text(f"# of this year\n{KEY}\n{OTHER_KEY}  # of last year\n")
    monkeypatch.setenv("CLAIM_CHECK_KEYS_FILE", str(file))
    assert load_claim_check_settings().key_ring() == KeyRing.parse(f"{KEY},{OTHER_KEY}")


@pytest.mark.parametrize(("mode", "told"), [(0o600, False), (0o640, False), (0o644, True)])
def test_a_file_of_keys_that_everybody_can_read_is_warned_of_once(
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    mode: int,
    told: bool,
) -> None:
    file = tmp_path / "keys"
    file.write_text(KEY)
    file.chmod(mode)
    monkeypatch.setenv("CLAIM_CHECK_KEYS_FILE", str(file))
    for _ in range(2):
        load_claim_check_settings().key_ring()
    words = (
        "CLAIM_CHECK_KEYS_FILE: other users of this machine can read the keys in it: "
        f"chmod 600 {file}"
    )
    assert caplog.messages == ([words] if told else [])


def test_a_file_of_keys_is_named_by_an_absolute_path(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CLAIM_CHECK_KEYS_FILE", "keys")
    (problem,) = _problems()
    assert problem.startswith("CLAIM_CHECK_KEYS_FILE: found 'keys', expected an absolute path")


def test_keys_in_two_places_are_an_error(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "keys").write_text(KEY)
    _set(monkeypatch, f"CLAIM_CHECK_KEYS={KEY} CLAIM_CHECK_KEYS_FILE={tmp_path / 'keys'}")
    assert _problems() == [
        "CLAIM_CHECK_KEYS_FILE: is set, but CLAIM_CHECK_KEYS is set too; unset one of the two"
    ]


def test_a_file_of_keys_that_cannot_be_read_is_told(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("CLAIM_CHECK_KEYS_FILE", str(tmp_path / "none"))
    assert _problems() == [
        f"CLAIM_CHECK_KEYS_FILE: '{tmp_path}/none' cannot be read: No such file or directory"
    ]
    (tmp_path / "none").write_bytes(b"\xff\xfe\x00")
    assert _problems() == [f"CLAIM_CHECK_KEYS_FILE: '{tmp_path}/none' is not a text file"]


@pytest.mark.parametrize(
    "bad", ["c2VjcmV0", "k1:c2VjcmV0", "k1:!!c2VjcmV0!!", f"{KEY},{KEY[:-4]}c2VjcmV0"]
)
def test_bad_keys_are_told_without_showing_them_not_even_when_debugging(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, bad: str
) -> None:
    (tmp_path / "keys").write_text(bad)
    for name, value in (
        ("CLAIM_CHECK_KEYS", bad),
        ("CLAIM_CHECK_KEYS_FILE", str(tmp_path / "keys")),
    ):
        monkeypatch.setenv(name, value)
        with pytest.raises(SettingsInvalid) as caught:
            load_claim_check_settings()
        (problem,) = caught.value.problems
        assert problem.startswith(f"{name}: ")
        shown = "".join(traceback.format_exception(caught.value))
        assert "c2VjcmV0" not in shown
        assert KEY.partition(":")[2] not in shown
        monkeypatch.delenv(name)


def test_the_codec_server_listens_here_unless_told_otherwise(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert load_codec_server_settings() == CodecServerSettings(
        address=Address("127.0.0.1", 8234),
        token=None,
        origins=("http://localhost:8233", "http://127.0.0.1:8233"),
    )
    _set(
        monkeypatch,
        "FLOWRUNNER_CODEC_ADDRESS=[::]:9000 FLOWRUNNER_CODEC_TOKEN=hunter2 "
        "FLOWRUNNER_CODEC_ORIGINS=https://ui.example.com,http://localhost:8080",
    )
    settings = load_codec_server_settings()
    assert settings.address == Address("::", 9000)
    assert settings.token is not None
    assert settings.token.get_secret_value() == "hunter2"
    assert "hunter2" not in repr(settings)
    assert settings.origins == ("https://ui.example.com", "http://localhost:8080")


@pytest.mark.parametrize("origin", ["ui.example.com", "https://ui.example.com/", "*"])
def test_an_origin_is_a_scheme_and_a_host(monkeypatch: pytest.MonkeyPatch, origin: str) -> None:
    monkeypatch.setenv("FLOWRUNNER_CODEC_ORIGINS", origin)
    with pytest.raises(SettingsInvalid) as caught:
        load_codec_server_settings()
    assert caught.value.problems == (
        f"FLOWRUNNER_CODEC_ORIGINS: found {origin!r}, expected origins such as "
        "`https://temporal.example.com`, without a path",
    )


def test_reading_the_settings_of_files_imports_neither_a_cloud_s_libraries_nor_a_cipher_s() -> None:
    code = (
        "import sys; from service.settings import load_claim_check_settings as load; load();"
        "assert not {'boto3', 'cryptography', 'temporalio'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True, cwd=Path(__file__).parents[2])
