"""What the machine has and what it can keep: doctor, devices, bench."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from command_line import PIANO, attacca, environment, no_sound
from sound_servers import PulseServer
from virtual_clock import VirtualClock

from attacca import measuring
from attacca.checkup import Finding, Machine, examine
from attacca.measuring import Sustained, Times, fit_steps
from attacca.verbs.bench import verdict
from engine.packs.read import read_manifest
from engine.stream.generator import Block


def finding(machine: Machine, name: str) -> Finding:
    return next(f for f in examine(machine) if f.name == name)


# --------------------------------------------------------------------------- doctor


def test_doctor_without_sound_fails_and_names_the_cure(tmp_path: Path) -> None:
    done = attacca("doctor", cwd=tmp_path, env=no_sound(tmp_path))
    assert done.returncode == 1
    assert done.stderr == ""
    lines = done.stdout.splitlines()
    at = next(i for i, line in enumerate(lines) if "sound devices" in line)
    assert lines[at].startswith("fail")
    assert lines[at + 1].strip().startswith("fix: ")
    assert any(line.startswith("ok") and "pack piano" in line for line in lines)


def test_every_finding_that_is_not_ok_has_a_cure(tmp_path: Path) -> None:
    poor = Machine(
        system="linux", python=(3, 9), folder=tmp_path / "gone", alsa=(tmp_path,),
        environment={"PULSE_SERVER": "unix:/x", "ATTACCA_PACKS": str(tmp_path), "TERM": "dumb"},
        has_library=lambda name: name != "soxr",
    )  # fmt: skip
    found = {f.name: f for f in examine(poor)}
    assert found["python"].state == "fail"
    assert found["libraries"].fix == "pip install soxr"
    assert found["alsa bridge"].state == "fail"
    assert "libasound2-plugins" in found["alsa bridge"].fix
    assert found["this folder"].state == "warn"
    assert all(f.fix for f in found.values() if f.state != "ok")


def test_doctor_distinguishes_a_bridge_to_pipewire_from_none(tmp_path: Path) -> None:
    (tmp_path / "pipewire-0").touch()
    here = {"XDG_RUNTIME_DIR": str(tmp_path)}
    machine = Machine(system="linux", environment=here, alsa=(tmp_path,))
    assert finding(machine, "alsa bridge").fix == "sudo apt-get install pipewire-alsa"
    (tmp_path / "libasound_module_pcm_pulse.so").touch()
    assert finding(machine, "alsa bridge").state == "ok"


def test_doctor_points_at_a_damaged_pack(tmp_path: Path) -> None:
    (tmp_path / "viola").mkdir()
    (tmp_path / "viola" / "pack.toml").write_text("format = 99\n")
    machine = Machine(environment={"ATTACCA_PACKS": str(tmp_path)})
    found = finding(machine, "pack viola")
    assert found.state == "fail"
    assert "format 99" in found.text


@pytest.mark.sound
@pytest.mark.slow
def test_doctor_and_devices_see_a_sound_server(pulse: PulseServer, tmp_path: Path) -> None:
    env = environment(**{k: pulse.env[k] for k in ("XDG_RUNTIME_DIR", "PULSE_SERVER", "HOME")})
    done = attacca("doctor", cwd=tmp_path, env=env)
    assert "fail" not in done.stdout
    assert done.returncode == 0
    done = attacca("devices", cwd=tmp_path, env=env)
    assert done.returncode == 0, done.stderr
    default = [line for line in done.stdout.splitlines() if line.startswith("*")]
    assert len(default) == 1
    assert "ALSA" in default[0]
    assert "48" in default[0]


def test_devices_without_any_is_one_line_and_status_1(tmp_path: Path) -> None:
    done = attacca("devices", cwd=tmp_path, env=no_sound(tmp_path))
    assert done.returncode == 1
    assert done.stdout == ""
    assert done.stderr.count("\n") == 1


# --------------------------------------------------------------------------- bench


class FakeGenerator:
    """Takes 0.1 s and 0.05 s a step for a block, by a clock that only it moves."""

    def __init__(self, clock: VirtualClock, per_step: float = 0.05) -> None:
        self._clock, self._per_step = clock, per_step
        self.stopped = False

    def start(self) -> None:
        self._clock.advance(0.5)

    def stop(self) -> None:
        self.stopped = True

    def make(self, request: Any) -> Block:
        notes = request.stages["notes"]
        self._clock.advance(0.1 + self._per_step * notes.steps)
        samples = np.zeros((2048 * notes.keep, 1), np.float32)
        return Block(samples, 0, notes.steps, 0, 0.0, 0, request)


def measured(per_step: float) -> tuple[float, list[measuring.Report]]:
    clock = VirtualClock()
    generator: Any = FakeGenerator(clock, per_step)
    result = measuring.measure(
        read_manifest(PIANO), generator, {"default": 3.0, "jam": 1.0}, 40.0,
        clock=clock, say=lambda text: None,
    )  # fmt: skip
    assert generator.stopped
    return result


def test_bench_finds_the_most_steps_that_fit() -> None:
    first, (default, jam) = measured(0.01)
    assert first == pytest.approx(0.5 + 0.1 + 16 * 0.01)
    assert default.times.factor == pytest.approx(0.26 / (16384 / 24000))
    # 0.1 + 0.01 n <= 0.6 * 0.683: short blocks are kept whole at either latency
    assert default.sustained.steps == 30
    assert jam.sustained.steps == 30
    assert default.sustained.basis.startswith("measured")


def test_bench_says_plainly_when_it_is_too_slow() -> None:
    _, reports = measured(0.3)
    manifest = read_manifest(PIANO)
    assert reports[0].sustained.steps == 1
    assert "cannot play" in verdict(manifest, reports)
    _, reports = measured(0.01)
    assert "plays here at its default of 16 steps; this machine can take 30" in verdict(
        manifest, reports
    )
    _, reports = measured(0.03)
    assert "plays here with --steps 10" in verdict(manifest, reports)


def test_the_fit_counts_the_tail() -> None:
    even = [Times(n, 1.0, 1.0, (0.1 * n,) * 10) for n in (2, 4)]
    rare = [Times(n, 1.0, 1.0, (0.1 * n,) * 9 + (0.2 * n,)) for n in (2, 4)]
    assert fit_steps(even) == 6
    assert fit_steps(rare) == 3
    hopeless = [Times(n, 1.0, 0.1, (0.1 + 0.1 * n,)) for n in (2, 4)]
    assert fit_steps(hopeless) == 0
    assert Sustained(0, "").steps == 0


@pytest.mark.slow
def test_bench_measures_this_machine(tmp_path: Path) -> None:
    done = attacca("bench", "--seconds", 4, "--json", cwd=tmp_path, timeout=110)
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout)
    assert result["verdict"].endswith(".")
    assert result["first_sound"] > 0.1
    for row in result["latencies"]:
        assert row["p50"] <= row["p99"] <= row["p99.9"] <= row["max"]
        assert row["blocks"] >= 4
        assert row["real_time_factor"] == pytest.approx(row["p50"] / row["block"], rel=0.7)
