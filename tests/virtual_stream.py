"""A stream on virtual time: a feeder, its lead, and a generator in this process."""

import numpy as np
from control_tables import engine_settings
from virtual_clock import VirtualClock

from engine.execution.executor import make_executor
from engine.packs.plan import make_plan
from engine.packs.read import read_manifest
from engine.stream.feeder import Feeder
from engine.stream.generator import Block, GeneratorDied
from engine.stream.governor import Governor
from engine.stream.lead import Lead
from engine.stream.walk import PlanWalk
from engine.time.tempo_map import Pace


class LocalGenerator:
    """The generator's interface around a walk in this process; it dies when it is told to."""

    pid = 1

    def __init__(self, manifest):
        self._manifest, self.walk, self.die_at = manifest, None, None
        self.made, self.requests = 0, []

    def start(self):
        self.walk = PlanWalk(self._manifest, make_executor("cpu", 1))

    def stop(self):
        pass

    def reset(self):
        self.walk.reset()

    def state(self):
        return self.walk.state()

    def restore(self, state):
        self.walk.restore(state)

    def make(self, request):
        self.made += 1
        self.requests.append(request)
        if self.made == self.die_at:
            self.walk = None
            raise GeneratorDied("killed by the test")
        made = self.walk.make(request)
        return Block(
            made.samples, request.index, made.evaluations, made.rewind, 0.001, 0, request,
            made.notes, made.faults,
        )  # fmt: skip


class VirtualStream:
    """A feeder and its lead on virtual time; `pull` plays."""

    def __init__(self, pack, *, die_at=None, pace=Pace, **controls):
        self.manifest = read_manifest(pack)
        self.clock = VirtualClock()
        plan = make_plan(self.manifest)
        block = plan.block_samples / self.manifest.rate
        self.lead = Lead(self.manifest.rate, self.manifest.channels, clock=self.clock)
        self.generator = LocalGenerator(self.manifest)
        self.generator.die_at = die_at
        self.said = []
        settings = engine_settings(steps=8, **controls)
        self.feeder = Feeder(
            self.generator, self.lead, Governor(block, 1, active=False), plan=plan,
            target_lead=2.5 * block, settings=settings,
            on_event=lambda kind, text: self.said.append((kind, text)),
            on_problem=lambda *a: None, on_refused=lambda *a: None, clock=self.clock, pace=pace,
        )  # fmt: skip
        self.feeder.start()

    def pull(self, seconds):
        """So many seconds, without a gap."""
        need, parts = round(seconds * self.manifest.rate), []
        while need:
            n = min(need, 128)
            while self.lead.seconds * self.manifest.rate < n:
                self.clock.sleep(0.01)
            parts.append(self.lead.pull(n))
            need -= n
        self.clock.sleep(0.2)  # the feeder catches up
        return np.concatenate(parts)

    def back(self, seconds):
        """Return to what was pulled so long ago, and wait until it is there."""
        place = self.feeder.history.find(
            self.lead.position[0] - round(seconds * self.manifest.rate)
        )
        self.feeder.go_to(place)
        self.clock.sleep(0.2)
        return place

    def close(self):
        self.feeder.stop()
