"""Small packs of format 3, made in a folder by the tests: one for each kind of plan.

The networks are fixed random layers. What they play is no music, but it depends on all that they
read, so a wrong frame, order or position changes every sample after it.
"""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
from onnx import TensorProto, helper, numpy_helper

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

    def weights(self, *shape: int) -> str:
        scale = 1 / np.sqrt(shape[-2])
        return self.constant(scale * self._random.standard_normal(shape))

    def frames(self, name: str, frames: int, to: int, rows: int, to_rows: int) -> str:
        """[1, rows, frames] -> [1, to_rows, to]: rows mixed, then frames; every input counts."""
        over_time = self.op("MatMul", name, self.weights(frames, to))
        return self.op("MatMul", self.weights(to_rows, rows), over_time)

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


def step(folder: Path, name: str, rows: int, frames: int, reads: dict[str, tuple], seed=0) -> None:
    """A denoiser: tanh of x (a frame and its neighbours) and of everything that it reads."""
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
            parts.append(net.frames(read, shape[-1], frames, shape[-2], rows))
    net.op("Mul", net.op("Tanh", net.sum(parts)), net.constant([0.5]), output="x0")
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


def write(folder: Path, text: str, name: str = "made") -> Path:
    """Write pack.toml around `text`, with the hash of every file of the folder."""
    np.savez(folder / "golden.npz", x=np.zeros(0))
    files = sorted(p for p in folder.iterdir() if p.name != "pack.toml")
    hashes = "\n".join(f'"{p.name}" = "{hashlib.sha256(p.read_bytes()).hexdigest()}"'
                       for p in files)  # fmt: skip
    head = f"""format = 3
name = "{name}"
title = "A pack of the tests"
version = "1"
licence = "CC0-1.0"
"""
    golden = '[golden]\nfile = "golden.npz"\ntolerance = 0.0001\n'
    (folder / "pack.toml").write_text(f"{head}{text}\n{golden}\n[files]\n{hashes}\n")
    return folder


DIFFUSION = """kind = "diffusion"
schedule = { kind = "karras", sigma_min = 0.05, sigma_max = 5.0, rho = 5.0 }
sampler = { kind = "ddim" }
"""


def stereo_waveform(folder: Path) -> Path:
    """A network trained without a past, on stereo samples at 44.1 kHz: continues by replacement."""
    step(folder, "step.onnx", 2, 1024 + 4096, {})
    return write(folder, f"""rate = 44100
channels = 2
output = "sound"
[[signal]]
name = "sound"
kind = "samples"
[[stage]]
output = "sound"
{DIFFUSION}continues = "replace"
block = 4096
past = 1024
overlap = 256
resample = 2
steps = {{ least = 4, default = 8 }}
graphs = {{ step = "step.onnx" }}
""")  # fmt: skip


def latent(folder: Path) -> Path:
    """Latents, and a network that decodes them from frames on both sides."""
    context = {"past": (8, 16), "present": (1,)}
    step(folder, "step.onnx", 8, 32, context)
    network(folder, "decoder.onnx", 1, 8 * 64, {"latents": (8, 8 + 2 + 3)}, seed=1)
    return write(folder, f"""rate = 16000
channels = 1
output = "sound"
[[signal]]
name = "latents"
kind = "latent"
rows = 8
grid = {{ samples = 64 }}
[[signal]]
name = "sound"
kind = "samples"
[[stage]]
output = "latents"
{DIFFUSION}continues = "prefix"
block = 32
past = 16
steps = {{ least = 2, default = 4 }}
graphs = {{ step = "step.onnx" }}
[[stage]]
output = "sound"
kind = "network"
block = 512
inputs = [{{ signal = "latents", before = 2, after = 3 }}]
graphs = {{ run = "decoder.onnx" }}
""")  # fmt: skip


def latent_with_diffusion_decoder(folder: Path) -> Path:
    """Latents, and a decoder that is sampled as well."""
    step(folder, "step.onnx", 4, 16, {"previous": (4, 16), "present": (1,)})
    step(folder, "decode.onnx", 1, 1024,
         {"latents": (4, 16 + 1 + 1), "past": (1, 256), "present": (1,)}, seed=1)  # fmt: skip
    return write(folder, f"""rate = 16000
channels = 1
output = "sound"
[[signal]]
name = "latents"
kind = "latent"
rows = 4
grid = {{ samples = 64 }}
[[signal]]
name = "sound"
kind = "samples"
[[stage]]
output = "latents"
{DIFFUSION}continues = "embed"
block = 16
steps = {{ default = 4 }}
graphs = {{ step = "step.onnx" }}
[[stage]]
output = "sound"
{DIFFUSION}continues = "prefix"
block = 1024
past = 256
steps = {{ default = 3 }}
inputs = [{{ signal = "latents", before = 1, after = 1 }}]
graphs = {{ step = "decode.onnx" }}
""")  # fmt: skip


def mel_and_vocoder(folder: Path) -> Path:
    """Mel bands, and a network that turns them into sound."""
    step(folder, "step.onnx", 16, 24, {"past": (16, 8), "present": (1,)})
    network(folder, "vocoder.onnx", 1, 12 * 128, {"mel": (16, 12 + 2 + 2)}, seed=1)
    return write(folder, f"""rate = 16000
channels = 1
output = "sound"
[[signal]]
name = "mel"
kind = "mel"
rows = 16
grid = {{ samples = 128 }}
window = 512
floor = 0.01
[[signal]]
name = "sound"
kind = "samples"
[[stage]]
output = "mel"
{DIFFUSION}continues = "prefix"
block = 24
past = 8
steps = {{ default = 4 }}
graphs = {{ step = "step.onnx" }}
[[stage]]
output = "sound"
kind = "network"
block = 1536
inputs = [{{ signal = "mel", before = 2, after = 2 }}]
graphs = {{ run = "vocoder.onnx" }}
""")  # fmt: skip


def low_rate_and_upsampler(folder: Path) -> Path:
    """Sound at a quarter of the rate, and a second diffusion that fills in the rest."""
    step(folder, "low.onnx", 1, 512, {"past": (1, 256), "present": (1,)})
    step(folder, "up.onnx", 1, 1024, {"low": (1, 256 + 8 + 8)}, seed=1)
    return write(folder, f"""rate = 16000
channels = 1
output = "sound"
[[signal]]
name = "low"
kind = "samples"
grid = {{ samples = 4 }}
[[signal]]
name = "sound"
kind = "samples"
[[stage]]
output = "low"
{DIFFUSION}continues = "prefix"
block = 512
past = 256
steps = {{ default = 4 }}
graphs = {{ step = "low.onnx" }}
[[stage]]
output = "sound"
{DIFFUSION}block = 1024
steps = {{ default = 2 }}
inputs = [{{ signal = "low", before = 8, after = 8 }}]
graphs = {{ step = "up.onnx" }}
""")  # fmt: skip


def mdct(folder: Path) -> Path:
    """Coefficients of an MDCT, in stereo."""
    step(folder, "step.onnx", 2 * 128, 16, {"past": (2 * 128, 8), "present": (1,)})
    return write(folder, f"""rate = 22050
channels = 2
output = "sound"
[[signal]]
name = "coefficients"
kind = "mdct"
rows = 256
grid = {{ samples = 128 }}
[[signal]]
name = "sound"
kind = "samples"
[[stage]]
output = "coefficients"
{DIFFUSION}continues = "prefix"
block = 16
past = 8
steps = {{ default = 4 }}
graphs = {{ step = "step.onnx" }}
[[stage]]
output = "sound"
kind = "transform"
transform = "decode"
inputs = [{{ signal = "coefficients" }}]
""")  # fmt: skip


def coarse_and_fine_codes(folder: Path) -> Path:
    """Two streams of codes on one grid, the second from the first, read together by a decoder."""
    rng = np.random.default_rng(5)
    for name in ("coarse", "fine"):
        books = rng.standard_normal((1, 16, 4)).astype(np.float32)
        np.save(folder / f"{name}.npy", books)
    step(folder, "coarse.onnx", 4, 16, {"past": (4, 16), "present": (1,)})
    step(folder, "fine.onnx", 4, 8, {"coarse": (4, 8 + 4 + 1), "past": (4, 8), "present": (1,)},
         seed=1)  # fmt: skip
    network(folder, "decoder.onnx", 1, 8 * 64,
            {"coarse": (4, 8 + 1 + 1), "fine": (4, 8 + 1 + 1)}, seed=2)  # fmt: skip
    signals = "".join(f"""[[signal]]
name = "{name}"
kind = "codes"
rows = 4
grid = {{ samples = 64 }}
codebooks = "{name}.npy"
""" for name in ("coarse", "fine"))  # fmt: skip
    return write(folder, f"""rate = 8000
channels = 1
output = "sound"
{signals}
[[signal]]
name = "sound"
kind = "samples"
[[stage]]
output = "coarse"
{DIFFUSION}continues = "prefix"
block = 16
past = 16
steps = {{ default = 4 }}
graphs = {{ step = "coarse.onnx" }}
[[stage]]
output = "fine"
{DIFFUSION}continues = "prefix"
block = 8
past = 8
steps = {{ default = 3 }}
inputs = [{{ signal = "coarse", before = 4, after = 1 }}]
graphs = {{ step = "fine.onnx" }}
[[stage]]
output = "sound"
kind = "network"
block = 512
inputs = [
    {{ signal = "coarse", before = 1, after = 1 }},
    {{ signal = "fine", before = 1, after = 1 }},
]
graphs = {{ run = "decoder.onnx" }}
""")  # fmt: skip
