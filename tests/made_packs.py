"""Small packs of format 3, made in a folder by the tests: one for each kind of plan.

The networks are fixed random layers. What they play is no music, but it depends on all that they
read, so a wrong frame, order or position changes every sample after it.
"""

from __future__ import annotations

import hashlib
import json
from fractions import Fraction
from pathlib import Path

import numpy as np
from onnx import TensorProto, helper, numpy_helper

from export.manifest_text import manifest_text

FLOAT = TensorProto.FLOAT


class Net:
    """Collects the nodes of one graph."""

    def __init__(self, seed: int) -> None:
        self._random = np.random.default_rng(seed)
        self.nodes, self.constants, self._count = [], [], 0

    def constant(self, array) -> str:
        name = f"c{len(self.constants)}"
        self.constants.append(numpy_helper.from_array(np.asarray(array, np.float32), name))
        return name

    def op(self, kind: str, *inputs: str, output: str = "", **attributes) -> str:
        self._count += 1
        output = output or f"t{self._count}"
        self.nodes.append(helper.make_node(kind, list(inputs), [output], **attributes))
        return output

    def weights(self, *shape: int, summed: int = -2) -> str:
        scale = 1 / np.sqrt(shape[summed])
        return self.constant(scale * self._random.standard_normal(shape))

    def frames(self, name: str, frames: int, to: int, rows: int, to_rows: int) -> str:
        """[1, rows, frames] -> [1, to_rows, to]: rows mixed, then frames; every input counts."""
        over_time = self.op("MatMul", name, self.weights(frames, to))
        return self.op("MatMul", self.weights(to_rows, rows, summed=-1), over_time)

    def sum(self, names: list[str]) -> str:
        total = names[0]
        for name in names[1:]:
            total = self.op("Add", total, name)
        return total

    def save(self, path: Path, inputs: dict[str, tuple], outputs: dict[str, tuple]) -> None:
        def infos(tensors):
            return [
                helper.make_tensor_value_info(n, s[0] if isinstance(s[0], int) and s[0] > 1000
                                              else FLOAT, s)
                for n, s in tensors.items()
            ]  # fmt: skip

        graph = helper.make_graph(
            self.nodes, "g", infos(inputs), infos(outputs), initializer=self.constants
        )
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)])
        model.ir_version = 9
        path.write_bytes(model.SerializeToString())


def step(
    folder: Path, name: str, rows: int, frames: int, reads: dict[str, tuple], seed=0, scale=0.5
) -> None:
    """A denoiser: tanh of x (a frame and its neighbours) and of the sine of all that it reads."""
    net = Net(seed)
    kernel = net.constant(0.4 * np.random.default_rng(seed).standard_normal((rows, rows, 3))
                          / np.sqrt(rows))  # fmt: skip
    level = net.op("Sqrt", net.op("Add", net.op("Mul", "sigma", "sigma"), net.constant([1.0])))
    x = net.op("Conv", net.op("Div", "x", level), kernel, pads=[1, 1])
    parts = [x]
    for read, shape in reads.items():
        if len(shape) == 1:
            size = shape[0]
            flat = net.op("MatMul", net.op("Unsqueeze", read, _axis(net)), net.weights(size, rows))
            turned = net.op("Transpose", net.op("Unsqueeze", flat, _axis(net)), perm=[0, 2, 1])
            parts.append(turned)
        else:
            bounded = net.op("Sin", read)
            parts.append(net.frames(bounded, shape[-1], frames, shape[-2], rows))
    net.op("Mul", net.op("Tanh", net.sum(parts)), net.constant([scale]), output="x0")
    inputs = {"x": (1, rows, frames), "alpha": (1,), "sigma": (1,)}
    inputs |= {n: s if len(s) == 1 else (1, *s) for n, s in reads.items()}
    net.save(folder / name, inputs, {"x0": (1, rows, frames)})


def _axis(net: Net) -> str:
    name = f"a{len(net.constants)}"
    net.constants.append(numpy_helper.from_array(np.array([0], np.int64), name))
    return name


def network(
    folder: Path, name: str, rows: int, frames: int, reads: dict[str, tuple], seed=0
) -> None:
    """One evaluation: tanh of everything that it reads."""
    net = Net(seed)
    parts = [net.frames(n, s[-1], frames, s[-2], rows) for n, s in reads.items()]
    net.op("Tanh", net.sum(parts), output="frames")
    net.save(folder / name, {n: (1, *s) for n, s in reads.items()}, {"frames": (1, rows, frames)})


def write(folder: Path, rate: int, channels: int, signals: list, stages: list, **tables) -> Path:
    """Write pack.toml around these tables, with the hash of every file of the folder.

    The signal `sound`, which is played, is added.
    """
    if not (folder / "golden.npz").exists():
        np.savez(folder / "golden.npz", x=np.zeros(0))
    files = {p.name: hashlib.sha256(p.read_bytes()).hexdigest() for p in folder.iterdir()}
    head = {"format": 3, "name": "made", "title": "A pack of the tests", "version": "1",
            "licence": "CC0-1.0", "rate": rate, "channels": channels,
            "output": "sound"}  # fmt: skip
    golden = {"file": "golden.npz", "tolerance": 1e-4}
    signals = [*signals, {"name": "sound", "kind": "samples"}]
    tables |= {"": head, "signal": signals, "stage": stages, "golden": golden}
    (folder / "pack.toml").write_text(manifest_text(tables, files), "utf-8")
    return folder


def signal(name: str, kind: str, rows: int, samples: int, **options) -> dict:
    return {"name": name, "kind": kind, "rows": rows, "grid": {"samples": Fraction(samples)},
            **options}  # fmt: skip


def diffusion(output: str, file: str, steps: int, **fields) -> dict:
    """A diffusion stage with one graph; with a past it continues by prefix."""
    if "past" in fields:
        fields = {"continues": "prefix", **fields}
    schedule = {"kind": "karras", "sigma_min": 0.05, "sigma_max": 5.0, "rho": 5.0}
    return {"output": output, "kind": "diffusion", "graphs": {"step": file}, "schedule": schedule,
            "sampler": {"kind": "ddim"}, "steps": {"default": steps}, **fields}  # fmt: skip


def from_frames(kind: str, block: int, *inputs: tuple[str, int, int], **fields) -> dict:
    """A network or transform that makes the sound of signals: each with frames before and after."""
    reads = [{"signal": s, "before": before, "after": after} for s, before, after in inputs]
    stage = {"output": "sound", "kind": kind, "inputs": reads, **fields}
    return stage | ({"block": block} if block else {})


def past(rows: int, frames: int) -> dict[str, tuple]:
    return {"past": (rows, frames), "present": (1,)}


def stereo_waveform(folder: Path) -> Path:
    """A network trained without a past, on stereo samples at 44.1 kHz: continues by replacement."""
    step(folder, "step.onnx", 2, 1024 + 8192, {})
    return write(folder, 44100, 2, [], [
        diffusion("sound", "step.onnx", 4, block=8192, continues="replace", past=1024, overlap=256,
                  resample=2),
    ])  # fmt: skip


def latent(folder: Path) -> Path:
    """Latents, and a network that decodes them from frames on both sides."""
    step(folder, "step.onnx", 8, 32, past(8, 16))
    network(folder, "decoder.onnx", 1, 32 * 64, {"latents": (8, 32 + 2 + 3)}, seed=1)
    return write(folder, 16000, 1, [signal("latents", "latent", 8, 64)], [
        diffusion("latents", "step.onnx", 4, block=32, past=16),
        from_frames("network", 2048, ("latents", 2, 3), graphs={"run": "decoder.onnx"}),
    ])  # fmt: skip


def latent_with_diffusion_decoder(folder: Path) -> Path:
    """Latents, and a decoder that is sampled as well."""
    step(folder, "step.onnx", 4, 32, {"previous": (4, 32), "present": (1,)})
    step(folder, "decode.onnx", 1, 2048, {"latents": (4, 32 + 1 + 1), **past(1, 256)}, seed=1)
    return write(folder, 16000, 1, [signal("latents", "latent", 4, 64)], [
        diffusion("latents", "step.onnx", 4, block=32, continues="embed"),
        diffusion("sound", "decode.onnx", 3, block=2048, past=256,
                  inputs=[{"signal": "latents", "before": 1, "after": 1}]),
    ])  # fmt: skip


def mel_and_vocoder(folder: Path) -> Path:
    """Mel bands, and a network that turns them into sound."""
    step(folder, "step.onnx", 16, 24, past(16, 8))
    network(folder, "vocoder.onnx", 1, 12 * 128, {"mel": (16, 12 + 2 + 2)}, seed=1)
    mel = signal("mel", "mel", 16, 128, window=512, floor=0.01)
    return write(folder, 16000, 1, [mel], [
        diffusion("mel", "step.onnx", 4, block=24, past=8),
        from_frames("network", 1536, ("mel", 2, 2), graphs={"run": "vocoder.onnx"}),
    ])  # fmt: skip


def low_rate_and_upsampler(folder: Path) -> Path:
    """Sound at a quarter of the rate, and a second diffusion that fills in the rest."""
    step(folder, "low.onnx", 1, 1024, past(1, 256))
    step(folder, "up.onnx", 1, 2048, {"low": (1, 512 + 8 + 8)}, seed=1)
    return write(folder, 16000, 1, [signal("low", "samples", 1, 4)], [
        diffusion("low", "low.onnx", 4, block=1024, past=256),
        diffusion("sound", "up.onnx", 2, block=2048,
                  inputs=[{"signal": "low", "before": 8, "after": 8}]),
    ])  # fmt: skip


def mdct(folder: Path) -> Path:
    """Coefficients of an MDCT, in stereo."""
    step(folder, "step.onnx", 2 * 32, 64, past(2 * 32, 16))
    return write(folder, 22050, 2, [signal("coefficients", "mdct", 64, 32)], [
        diffusion("coefficients", "step.onnx", 4, block=64, past=16),
        from_frames("transform", 0, ("coefficients", 0, 0), transform="decode"),
    ])  # fmt: skip


def coarse_and_fine_codes(folder: Path) -> Path:
    """Two streams of codes on one grid, the second from the first, read together by a decoder."""
    rng = np.random.default_rng(5)
    signals = []
    for name in ("coarse", "fine"):
        np.save(folder / f"{name}.npy", rng.standard_normal((1, 16, 4)).astype(np.float32))
        signals.append(signal(name, "codes", 4, 64, codebooks=f"{name}.npy"))
    step(folder, "coarse.onnx", 4, 32, past(4, 16))
    step(folder, "fine.onnx", 4, 16, {"coarse": (4, 16 + 4 + 1), **past(4, 8)}, seed=1)
    both = dict.fromkeys(("coarse", "fine"), (4, 16 + 1 + 1))
    network(folder, "decoder.onnx", 1, 16 * 64, both, seed=2)
    return write(folder, 8000, 1, signals, [
        diffusion("coarse", "coarse.onnx", 4, block=32, past=16),
        diffusion("fine", "fine.onnx", 3, block=16, past=8,
                  inputs=[{"signal": "coarse", "before": 4, "after": 1}]),
        from_frames("network", 1024, ("coarse", 1, 1), ("fine", 1, 1),
                    graphs={"run": "decoder.onnx"}),
    ])  # fmt: skip


WORDS = ["[UNK]", "rain", "piano", "slow", "fast", "a"]
TOKENIZER = {
    "version": "1.0", "truncation": None, "padding": None, "added_tokens": [],
    "normalizer": {"type": "Lowercase"}, "pre_tokenizer": {"type": "Whitespace"},
    "post_processor": None, "decoder": None,
    "model": {"type": "WordLevel", "vocab": {w: i for i, w in enumerate(WORDS)},
              "unk_token": "[UNK]"},
}  # fmt: skip


def encoder(length: int, width: int) -> bytes:
    """Looks each token up in a table; outputs [1, length, width], and the mask as floats."""
    table = np.random.default_rng(1).standard_normal((len(WORDS), width)).astype(np.float32)
    shape = [1, length]
    graph = helper.make_graph(
        [
            helper.make_node("Gather", ["table", "tokens"], ["rows"]),
            helper.make_node("Cast", ["mask"], ["token_mask"], to=FLOAT),
            helper.make_node("Unsqueeze", ["token_mask", "last"], ["wide"]),
            helper.make_node("Mul", ["rows", "wide"], ["embedding"]),
        ],
        "encoder",
        [helper.make_tensor_value_info(n, TensorProto.INT64, shape) for n in ("tokens", "mask")],
        [helper.make_tensor_value_info("embedding", FLOAT, [1, length, width]),
         helper.make_tensor_value_info("token_mask", FLOAT, shape)],
        initializer=[numpy_helper.from_array(table, "table"),
                     numpy_helper.from_array(np.array([2]), "last")],
    )  # fmt: skip
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)])
    model.ir_version = 9
    return model.SerializeToString()


def text_prompt(folder: Path) -> Path:
    """Latents from a text, which an encoder turns into tensors, with guidance by it."""
    (folder / "encoder.onnx").write_bytes(encoder(6, 4))
    (folder / "tokenizer.json").write_text(json.dumps(TOKENIZER), "utf-8")
    step(folder, "step.onnx", 8, 32, {"words": (6, 4), **past(8, 16)})
    network(folder, "decoder.onnx", 1, 32 * 64, {"latents": (8, 32 + 1 + 1)}, seed=1)
    prompt = {"name": "prompt", "kind": "text", "about": "What to play.", "default": "rain"}
    read = {"control": "prompt", "graph": "encoder.onnx", "tokenizer": "tokenizer.json",
            "length": 6, "outputs": {"embedding": "words", "token_mask": "words_mask"}}  # fmt: skip
    stages = [
        diffusion("latents", "step.onnx", 4, block=32, past=16, controls=["prompt"],
                  guidance={"branch": "controls", "scale": 2.0}),
        from_frames("network", 2048, ("latents", 1, 1), graphs={"run": "decoder.onnx"}),
    ]  # fmt: skip
    return write(folder, 16000, 1, [signal("latents", "latent", 8, 64)], stages,
                 control=[prompt], encoder=[read])  # fmt: skip


def beat_roll(folder: Path) -> Path:
    """A roll of four keys on beats that reads its place in the bar, performed, and its sound."""
    keys, rows = 4, 16
    when = {"when": (3, 4)}
    step(folder, "notes.onnx", 3 * keys, 4, {**when, **past(rows, 16)}, scale=2.0)
    step(folder, "sound.onnx", 1, 2048, {"strings": (rows, 16 + 4 + 1), **past(1, 256)}, seed=1)
    roll = {"name": "roll", "kind": "roll", "rows": rows, "grid": {"per_beat": Fraction(4)},
            "lowest": 60}  # fmt: skip
    bars = {"name": "bars", "kind": "bars", "grid": {"per_beat": Fraction(4)}}
    strings = signal("strings", "roll", rows, 128, lowest=60)
    stages = [
        diffusion("roll", "notes.onnx", 4, block=4, past=16,
                  inputs=[{"signal": "bars", "graph_input": "when"}]),
        {"output": "strings", "kind": "transform", "transform": "perform",
         "inputs": [{"signal": "roll"}]},
        diffusion("sound", "sound.onnx", 2, block=2048, past=256,
                  inputs=[{"signal": "strings", "before": 4, "after": 1}]),
    ]  # fmt: skip
    return write(folder, 16000, 1, [bars, roll, strings], stages)
