"""Takes the pictures of the window in `docs/images/`: every view, light and dark, at 1x and 2x.

`python -m docs.screenshots [FOLDER]` starts an engine without a sound device, lets it play, and
shows the real window off-screen. Needs the `gui` extra; two minutes. `small` is the smallest size.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from engine.child_process import child_command, child_environment

ROOT = Path(__file__).resolve().parents[1]
IMAGES = ROOT / "docs" / "images"
PORT = 9417
SCALES = (1, 2)
SIZE = (1280, 800)


def main(arguments: list[str]) -> int:
    """Take all of them. Returns the exit status."""
    folder = Path(arguments[0]) if arguments else IMAGES
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as home:
        # An empty user folder: the pictures show no personal presets.
        env = child_environment(
            XDG_DATA_HOME=f"{home}/.local/share", HOME=home, QT_QPA_PLATFORM="offscreen"
        )
        engine = subprocess.Popen(
            child_command("attacca", "play", "--no-status", "--device", "none",
                          "--seed", "7", "--osc-port", str(PORT)),
            cwd=ROOT, env=env, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
        )  # fmt: skip
        try:
            for scale in SCALES:
                subprocess.run(
                    child_command("docs.screenshots", "--window", str(scale), str(folder)),
                    cwd=ROOT, env={**env, "QT_SCALE_FACTOR": str(scale)}, check=True,
                )  # fmt: skip
        finally:
            engine.terminate()
            engine.wait()
    return 0


def take(scale: int, folder: Path) -> None:
    """Take those of one scale, in this process."""
    from PyQt6.QtCore import QEventLoop, QTimer
    from PyQt6.QtWidgets import QApplication

    from gui.application import Start, make_window
    from gui.theme import apply_theme

    app = QApplication(["attacca"])
    apply_theme(app, "light")

    def wait(milliseconds: int) -> None:
        loop = QEventLoop()
        QTimer.singleShot(milliseconds, loop.quit)
        loop.exec()

    def until(true: Callable[[], object]) -> None:
        for _ in range(600):
            if true():
                return
            wait(50)
        raise TimeoutError("the engine never played")

    def picture(name: str, turn: Callable[[], None] = lambda: None) -> None:
        for theme in ("light", "dark"):
            apply_theme(app, theme)
            turn()
            wait(400)
            path = folder / f"window-{name}-{theme}-{scale}x.png"
            window.grab().save(str(path))
            print(path.name)

    with tempfile.TemporaryDirectory() as settings:
        alone = make_window(Start("127.0.0.1", PORT + 1, [], Path(settings)))
        window = alone
        window.resize(*SIZE)
        window.show()
        wait(300)
        picture("first")
        window.hide()
        alone.session.connection.stop()
        window = make_window(Start("127.0.0.1", PORT, None, Path(settings)))
        session = window.session
        window.resize(*SIZE)
        window.show()
        until(lambda: session.figures["pack"] is not None and session.meters.peak[0] > -60)
        for name, value in (("harmony/c", 0.8), ("harmony/e", 0.5), ("harmony/g", 0.7),
                            ("density", 6.0), ("gain", -3.0), ("room", 0.45)):  # fmt: skip
            session.controls[name].set(value)
        for name in ("Quiet", "Bright", "Last encore"):
            session.presets.save(name)
            wait(200)
        wait(18_000)  # until the picture is full, and the first hurry over
        session.transport.record(True, f"take {scale}")
        wait(600)
        temperature = session.controls["temperature"]
        picture("playing", lambda: temperature.nudge(5))  # one that is not audible yet
        window.resize(760, 600)
        picture("small")
        window.resize(*SIZE)
        assert window.pages is not None
        for number, name in enumerate(("devices", "packs", "log"), 1):
            window.pages.show_page(number)
            picture(name)
        window.pages.show_page(0)
        window.set_stage(True)
        picture("stage")
        session.transport.record(False)
        wait(300)
        session.connection.stop()


if __name__ == "__main__":
    if sys.argv[1:2] == ["--window"]:
        take(int(sys.argv[2]), Path(sys.argv[3]))
    else:
        sys.exit(main(sys.argv[1:]))
