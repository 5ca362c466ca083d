"""Pure Data itself, without a window, as a client: a patch of the test's own, and the layout."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest
from control_tables import ENGINE_SPACE
from printing_program import need, printing, wait_until

from osc.templates import TEMPLATES
from osc.templates.surface import surface

# Sets a control, subscribes at a port of its own, and prints what comes to it.
CLIENT = r"""#N canvas 40 40 450 300 12;
#X obj 20 20 loadbang;
#X msg 20 50 connect 127.0.0.1 %(server)s;
#X obj 20 200 netsend -u -b;
#X obj 150 50 delay 100;
#X msg 150 80 %(here)s;
#X obj 150 110 oscformat -f i /subscribe;
#X obj 300 50 delay 300;
#X msg 300 80 -6.5;
#X obj 300 110 oscformat -f f /gain;
#X obj 150 160 list prepend send;
#X obj 150 180 list trim;
#X obj 20 230 netreceive -u -b %(here)s;
#X obj 20 250 oscparse;
#X obj 20 270 print heard;
#X connect 0 0 1 0;
#X connect 1 0 2 0;
#X connect 0 0 3 0;
#X connect 3 0 4 0;
#X connect 4 0 5 0;
#X connect 5 0 9 0;
#X connect 0 0 6 0;
#X connect 6 0 7 0;
#X connect 7 0 8 0;
#X connect 8 0 9 0;
#X connect 9 0 10 0;
#X connect 10 0 2 0;
#X connect 11 0 12 0;
#X connect 12 0 13 0;
"""
COMPLAINTS = ("error", "couldn't create", "no such object", "bad connection", "can't")


@pytest.fixture(autouse=True)
def pure_data() -> None:
    need("pd", "puredata-core")


def pd(*patches: Path):
    """It prints to standard error what its window would show."""
    opened = [word for patch in patches for word in ("-open", str(patch))]
    return printing(["pd", "-nogui", "-noaudio", "-nomidi", "-noprefs", "-stderr", *opened])


def free_port() -> int:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def complaints(lines: list[str]) -> list[str]:
    return [line for line in lines if any(word in line.lower() for word in COMPLAINTS)]


def test_a_patch_sets_a_control_and_prints_what_comes_back(server, instrument, tmp_path):
    patch = tmp_path / "client.pd"
    patch.write_text(CLIENT % {"server": server.port, "here": free_port()}, encoding="utf-8")
    with pd(patch) as program:
        wait_until(lambda: instrument.settings["gain"] == -6.5, "the patch sets /gain")
        program.wait(lambda line: line == "heard: list gain -6.5")
        instrument.set(gain=3.25, seed=4321)  # by someone else
        program.wait(lambda line: line == "heard: list gain 3.25")
        program.wait(lambda line: line == "heard: list seed 4321")
        instrument.set(sampler="heun")
        program.wait(lambda line: line == "heard: list sampler heun")
        assert not complaints(program.lines)


class Layout:
    """The generated patch, to which a test adds what a hand at its window would do."""

    def __init__(self, port: int) -> None:
        self.head, *lines = (
            TEMPLATES["pd"].make(surface(ENGINE_SPACE), "127.0.0.1", port).decode().splitlines()
        )
        self.boxes = [line for line in lines if line[:6] in ("#X obj", "#X msg")]
        self.cords = [line for line in lines if line.startswith("#X connect")]
        assert len(lines) == len(self.boxes) + len(self.cords)

    def number(self, words: str) -> int:
        (found,) = [i for i, line in enumerate(self.boxes) if words in line]
        return found

    def feeding(self, target: int) -> list[int]:
        ends = [tuple(map(int, c.strip(";").split()[2:])) for c in self.cords]
        return [end[0] for end in ends if end[2] == target]

    def shown(self, path: str) -> int:
        """The box of a control: the one that is no `symbol free`."""
        sources = self.feeding(self.number(f" {path};"))
        return next(s for s in sources if "symbol" not in self.boxes[s])

    def add(self, box: str) -> int:
        self.boxes.append(f"#X {box};")
        return len(self.boxes) - 1

    def cord(self, source: int, target: int) -> None:
        self.cords.append(f"#X connect {source} 0 {target} 0;")

    def write(self, path: Path) -> Path:
        path.write_text("\n".join([self.head, *self.boxes, *self.cords]) + "\n", encoding="utf-8")
        return path


def test_the_layout_opens_without_a_complaint_and_its_boxes_set_and_follow(
    server, instrument, tmp_path
):
    layout = Layout(server.port)
    loaded = layout.add("obj 20 800 loadbang")
    layout.cord(loaded, layout.number("connect 127.0.0.1"))
    gain = layout.shown("/gain")
    for after, click, target in (
        (100, "obj 20 840 bang", layout.number(" subscribe 20 ")),
        (200, "obj 20 840 bang", layout.number(" dump ")),
        (400, "msg 20 840 2.25", layout.shown("/guidance")),
        (500, "msg 20 840 2", layout.shown("/sampler")),
    ):
        delay, clicked = layout.add(f"obj 20 820 delay {after}"), layout.add(click)
        layout.cord(loaded, delay)
        layout.cord(delay, clicked)
        layout.cord(clicked, target)
    sent, follows = layout.add("obj 20 880 print sent"), layout.add("obj 99 880 print follows")
    (setting,) = layout.feeding(gain)
    layout.cord(gain, sent)
    layout.cord(setting, follows)
    instrument.set(gain=-9.5)
    with pd(layout.write(tmp_path / "layout.pd")) as program:
        program.wait(lambda line: line == "follows: set -9.5")  # by the /dump
        wait_until(lambda: instrument.settings["guidance"] == 2.25, "a box sets /guidance")
        wait_until(lambda: instrument.settings["sampler"] == "euler", "a row sets /sampler")
        instrument.set(gain=1.5)
        program.wait(lambda line: line == "follows: set 1.5")
        assert not complaints(program.lines)
        sent = [line for line in program.lines if line.startswith("sent:")]
        assert sent == ["sent: 0"]  # as it opened, to nobody yet: what is heard is not sent back


def test_what_is_no_object_would_be_a_complaint(tmp_path):
    patch = tmp_path / "wrong.pd"
    patch.write_text("#N canvas 0 0 99 99 12;\n#X obj 9 9 no-such-thing;\n", encoding="utf-8")
    with pd(patch) as program:
        program.wait(lambda line: bool(complaints([line])))
