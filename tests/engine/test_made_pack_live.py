"""A pack with notes on beats, played live for 20 s."""

import numpy as np
import pytest
from made_packs import beat_roll

from engine.execution.executor import make_executor
from engine.instrument import Instrument
from engine.packs.read import read_manifest
from engine.stream.block_events import GeneratedBlock
from engine.stream.walk import PlanWalk
from engine.time.clock import SystemClock

SECONDS = 20.0


@pytest.mark.alone
@pytest.mark.slow
def test_it_plays_without_dropouts_what_its_requests_give_offline(tmp_path):
    clock = SystemClock()
    pack, blocks, notes = beat_roll(tmp_path), [], []
    with Instrument(pack, latency=1.0, threads=1, tempo=96.0) as live:
        live.listen_blocks(blocks.append)
        live.listen_notes(notes.append)
        live.play(None)
        clock.sleep(SECONDS / 2)
        live.set(tempo=140.0)
        clock.sleep(SECONDS / 2)
        status, history = live.status(), live._playing.stream.feeder.history
    assert (status.lead.gaps, status.xruns, status.stream.restarts) == (0, 0, 0)
    heard = np.concatenate([b.samples for b in blocks if isinstance(b, GeneratedBlock)])
    assert len(heard) > SECONDS * 16000
    walk = PlanWalk(read_manifest(pack), make_executor("cpu", 1))
    same, position, tempi = [], 0, []
    while (place := history.find(position)) and place.request:
        same.append(walk.make(place.request).samples)
        position += len(same[-1])
        tempi.append(place.request.pace.bpm)
    np.testing.assert_array_equal(heard, np.concatenate(same))
    assert tempi == sorted(tempi)
    assert (tempi[0], tempi[-1]) == (96, 140)
    assert len([n for n in notes if n.velocity]) > SECONDS
