"""SuperCollider's own language, without a window, as a client: the generated snippet at work."""

from __future__ import annotations

import pytest
from control_tables import ENGINE_SPACE, ENGINE_TURNED
from printing_program import need, printing, wait_until

from osc.templates import TEMPLATES
from osc.templates.surface import surface

# Loads the snippet, posts how many controls it knows, sets some, and posts what changes.
SCRIPT = """
"%(snippet)s".load;
("knows" + ~attacca[\\controls].size).postln;
fork {
    var before = IdentityDictionary.new;
    loop {
        ~attacca[\\values].keysValuesDo { |path, value|
            if (before[path] != value) {
                before[path] = value;
                ("holds" + path + value).postln
            }
        };
        0.05.wait
    }
};
fork {
    1.wait;
    ~attacca[\\set].('/gain', -6);
    ~attacca[\\set].('/sampler', 'heun');
    ~attacca[\\norm].('/guidance', 0.75);
    ~attacca[\\press].('/stop');
};
"""
HEADLESS = {
    "QT_QPA_PLATFORM": "offscreen", "QTWEBENGINE_DISABLE_SANDBOX": "1",
    "QTWEBENGINE_CHROMIUM_FLAGS": "--no-sandbox",
}  # fmt: skip


@pytest.fixture(autouse=True)
def sclang() -> None:
    need("sclang", "supercollider-language")


def test_the_snippet_sets_controls_and_follows_what_others_turn(server, instrument, tmp_path):
    snippet, script = tmp_path / "attacca.scd", tmp_path / "script.scd"
    snippet.write_bytes(
        TEMPLATES["supercollider"].make(surface(ENGINE_SPACE), "127.0.0.1", server.port)
    )
    script.write_text(SCRIPT % {"snippet": snippet}, encoding="utf-8")
    instrument.set(temperature=0.75)
    env = HEADLESS | {"HOME": str(tmp_path), "XDG_RUNTIME_DIR": str(tmp_path)}
    with printing(["sclang", "-D", str(script)], env) as program:
        program.wait(lambda line: line == f"knows {len(ENGINE_TURNED)}", 60.0)
        program.wait(lambda line: line == "holds /temperature 0.75")  # by the /dump
        program.wait(lambda line: line == "holds /temperature 0.75")
        wait_until(lambda: instrument.settings["pause"] is True, "/stop is pressed")
        settings = instrument.settings
        assert (settings["gain"], settings["sampler"]) == (-6.0, "heun")
        assert settings["guidance"] == pytest.approx(3.0)
        program.wait(lambda line: line == "holds /gain -6.0")
        program.wait(lambda line: line == "holds /sampler heun")
        instrument.set(gain=2.5, pause=False, seed=1234)  # by someone else
        program.wait(lambda line: line == "holds /gain 2.5", 10.0)
        program.wait(lambda line: line == "holds /pause 0")
        program.wait(lambda line: line == "holds /seed 1234")
        known = {line.split()[1] for line in program.lines if line.startswith("holds ")}
        assert known == {ENGINE_SPACE.of(p.name).path for p in ENGINE_TURNED}
        assert not [line for line in program.lines if "error" in line.lower()]
