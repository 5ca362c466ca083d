"""Takes by a MIDI button: named as every other take, or one line says why not."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from engine.errors import StorageError
from engine.instrument import Instrument
from midi.programs import Programs


def programs(instrument: Instrument, folder: Path) -> Programs:
    """With files at once instead of elsewhere."""

    def now(work: Callable[[], object]) -> None:
        work()

    return Programs(instrument, folder, lambda text: None, now)


def test_a_button_begins_and_ends_takes_that_share_no_file(
    instrument: Instrument, tmp_path: Path
) -> None:
    button = programs(instrument, tmp_path)
    for _ in range(3):
        button.record()
        assert instrument.status().recording is not None
        button.record()
        assert instrument.status().recording is None
    names = sorted(p.name for p in (tmp_path / "recordings").iterdir())
    assert len(names) == 3
    assert all(re.fullmatch(r"attacca-\d{8}-\d{6}-seed\d+(-\d)?\.flac", n) for n in names)


def test_a_folder_that_cannot_be_created_is_one_line(
    instrument: Instrument, tmp_path: Path
) -> None:
    (tmp_path / "recordings").write_bytes(b"a file where the folder should be")
    with pytest.raises(StorageError, match="cannot create the folder") as caught:
        programs(instrument, tmp_path).record()
    assert "\n" not in str(caught.value)
    assert instrument.status().recording is None
