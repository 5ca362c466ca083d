"""What was measured of a pack on this machine is kept, and a damaged file is no trouble."""

import pytest

from engine.errors import StorageError
from engine.packs.verdicts import keep_verdict, kept_verdict


def test_a_verdict_is_kept_by_pack_and_version(tmp_path):
    assert kept_verdict("piano", "1.0.0", tmp_path) == ""
    keep_verdict("piano", "1.0.0", "it plays", tmp_path)
    keep_verdict("other", "1.0.0", "it does not", tmp_path)
    keep_verdict("piano", "1.0.0", "it plays well", tmp_path)
    assert kept_verdict("piano", "1.0.0", tmp_path) == "it plays well"
    assert kept_verdict("other", "1.0.0", tmp_path) == "it does not"
    assert kept_verdict("piano", "2.0.0", tmp_path) == "", "another version is another matter"


@pytest.mark.parametrize("content", [b"", b"\xff\xfe", b"[1, 2]", b"[" * 100_000, b'{"a": 1}'])
def test_a_damaged_file_counts_as_nothing_and_is_replaced(tmp_path, content):
    (tmp_path / "verdicts.json").write_bytes(content)
    assert kept_verdict("piano", "1.0.0", tmp_path) == ""
    keep_verdict("piano", "1.0.0", "it plays", tmp_path)
    assert kept_verdict("piano", "1.0.0", tmp_path) == "it plays"


def test_a_folder_that_cannot_be_written_is_one_line(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(StorageError, match="cannot be written"):
        keep_verdict("piano", "1.0.0", "it plays", tmp_path / "file" / "below")
