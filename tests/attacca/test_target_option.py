"""`--target` on every verb that runs a network, and what doctor says of targets."""

from __future__ import annotations

import pytest
from tiny_pack import TINY

from attacca.checkup import Machine, examine
from attacca.cli import main, make_parser
from engine.execution.targets import TARGETS, offered_targets
from engine.onnx_runtime import library

OFFERED = [target.name for target in offered_targets()]
LACKED = next(name for name in TARGETS if name not in OFFERED)  # no system has all of them
PLAY = ["play", "--pack", str(TINY), "--device", "none", "--duration", "0.1", "--no-status",
        "--no-osc"]  # fmt: skip
VERBS = {
    "play": PLAY,
    "render": ["render", "--pack", str(TINY), "--seconds", "0.2", "out.wav"],
    "bench": ["bench", str(TINY), "--seconds", "1"],
}


@pytest.mark.parametrize("verb", VERBS)
def test_a_target_that_is_not_offered_is_refused_in_one_line(verb, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert main([*VERBS[verb], "--target", LACKED]) == 2
    provider = TARGETS[LACKED].providers[0].name
    error = capsys.readouterr().err
    assert f"Target {LACKED!r} needs an ONNX Runtime with {provider}: install " in error
    assert f"choose one of {', '.join(OFFERED)}" in error
    assert error.count("\n") == 1
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("verb", ["play", "gui", "render", "bench"])
def test_an_unknown_target_is_refused_before_anything_starts(verb, capsys):
    assert main([*VERBS.get(verb, [verb]), "--target", "gpu"]) == 2
    error = capsys.readouterr().err
    assert f"Unknown target 'gpu': choose one of {', '.join(TARGETS)}" in error
    assert error.count("\n") == 1


def test_the_window_hands_the_target_on_to_the_engine():
    args = make_parser().parse_args(["gui", "--target", LACKED])
    assert args.options(args) == ["--target", LACKED]
    assert make_parser().parse_args([*PLAY, *args.options(args)]).target == LACKED


def test_without_the_option_the_network_runs_on_the_processor():
    for verb in VERBS.values():
        assert make_parser().parse_args(verb).target == "cpu"


def test_doctor_lists_the_targets_that_this_onnx_runtime_offers():
    line = next(f for f in examine(Machine()) if f.name == "onnxruntime")
    assert (line.state, line.text) == (
        "ok", f"{library().__version__}, targets: {', '.join(OFFERED)}"
    )  # fmt: skip
    assert line.text.split("targets: ")[1].startswith("cpu")
