"""What is put into a store: bytes, or a file that must not change meanwhile."""

from __future__ import annotations

from pathlib import Path

import pytest

from claimcheck.keys import digest_of
from claimcheck.stores.source import Source, SourceFailed


@pytest.mark.parametrize("data", [b"", b"12", b"123", b"1234567", b"123456"])
@pytest.mark.parametrize("as_file", [False, True])
def test_pieces_are_equal_but_for_the_last(data: bytes, as_file: bool, tmp_path: Path) -> None:
    file = tmp_path / "value"
    file.write_bytes(data)
    source = Source(file if as_file else data)

    for _ in range(2):
        assert list(source.pieces(3)) == [data[at : at + 3] for at in range(0, len(data), 3)]
    assert (source.digest, source.size) == (digest_of(data), len(data))
    assert source.whole() == data


@pytest.mark.parametrize("now", [b"1234567X", b"X2345678", b"123", b"123456789", b""])
def test_nobody_gets_all_of_a_file_that_was_changed(now: bytes, tmp_path: Path) -> None:
    file = tmp_path / "value"
    file.write_bytes(b"12345678")
    source = Source(file)
    file.write_bytes(now)
    got: list[bytes] = []

    with pytest.raises(SourceFailed, match="value was changed while it was being put") as failed:
        got.extend(source.pieces(3))

    assert isinstance(failed.value.error, ValueError)
    assert len(b"".join(got)) < len(now) or not now


def test_a_file_that_vanishes_is_told_as_what_it_is(tmp_path: Path) -> None:
    file = tmp_path / "value"
    file.write_bytes(b"value")
    source = Source(file)
    file.unlink()

    with pytest.raises(SourceFailed) as failed:
        list(source.pieces())

    assert isinstance(failed.value.error, FileNotFoundError)
