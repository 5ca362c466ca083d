"""A SuperCollider snippet: a spec for each control, functions to set them, and responders."""

from __future__ import annotations

import json

from engine.controls.control import FREE
from osc.templates.surface import Knob, Surface, plain

__all__ = ["snippet"]

_HEAD = """// Attacca from SuperCollider. Evaluate the block, then for instance:
//   ~attacca[\\set].('/gain', -6);  ~attacca[\\press].('/panic');
//   ~attacca[\\norm].('/gain', 0.5);  ~attacca[\\values].postln;
(
if (~attacca.notNil) { ~attacca[\\lease].stop };
~attacca = (addr: NetAddr("%HOST%", %PORT%), values: IdentityDictionary.new, controls: (
"""
_TAIL = """
~attacca[\\set] = { |path, value| ~attacca[\\addr].sendMsg(path, value) };
~attacca[\\norm] = { |path, share|
    ~attacca[\\addr].sendMsg(path, ~attacca[\\controls][path][\\spec].map(share))
};
~attacca[\\press] = { |path| ~attacca[\\addr].sendMsg(path, 1) };
~attacca[\\free] = { |path| ~attacca[\\addr].sendMsg(path, "free") };
~attacca[\\controls].keysValuesDo { |path, control|
    ~attacca[\\values][path] = control[\\default];
    OSCdef(("attacca" ++ path).asSymbol, { |message|
        ~attacca[\\values][path] = message[1]
    }, path);
};
// Changes by others arrive until the lease expires; any message renews it.
~attacca[\\addr].sendMsg('/subscribe'); // the SkipJack sends only after its first interval
~attacca[\\lease] = SkipJack({ ~attacca[\\addr].sendMsg('/subscribe') }, 20);
~attacca[\\addr].sendMsg('/dump');
)
"""


def snippet(whole: Surface, host: str, port: int) -> bytes:
    """The file."""
    rows = ",\n".join(f"  {_row(knob)}" for knob in whole.knobs)
    buttons = ", ".join(f"'{button.path}'" for button in whole.buttons)
    head = _HEAD.replace("%HOST%", host).replace("%PORT%", str(port))
    return f"{head}{rows}\n), buttons: [{buttons}]);\n{_TAIL}".encode()


def _row(knob: Knob) -> str:
    """One control: its spec with range, step and default, and its choices."""
    step = 0 if knob.look == "float" else 1
    spec = (
        f"ControlSpec({plain(knob.low)}, {plain(knob.high)}, 'lin', {step}, "
        f"{plain(knob.start)}, {json.dumps(knob.unit)})"
    )
    if knob.choices:
        default = f"'{knob.choices[int(knob.start)]}'"
    else:
        default = f"'{FREE}'" if knob.default is None else plain(knob.default)
    words = "[" + ", ".join(f"'{word}'" for word in knob.choices) + "]"
    return f"'{knob.path}': (spec: {spec}, default: {default}, choices: {words})"
