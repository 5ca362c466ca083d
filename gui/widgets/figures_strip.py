"""The engine's status in one strip: lead, load, steps, faults, latency, tempo.

Each has a caption, a value and a tool tip; a share also has a bar.
"""

from __future__ import annotations

from collections.abc import Iterator

from PyQt6.QtCore import QPoint, Qt
from PyQt6.QtWidgets import QPushButton, QToolButton, QWidget

from gui.models.activity import Activity
from gui.models.fault_counters import FAULT_COUNTERS, FaultCounters
from gui.models.figures import Figures
from gui.session import Session
from gui.widgets.flow import FlowLayout
from gui.widgets.gauge import Gauge
from gui.widgets.latency_table import LatencyTable
from osc.fixed_addresses import COUNTED, ERRORS, fixed_address

__all__ = ["FiguresStrip", "counter_lines"]

_BUSY = 0.8  # load from which it is called high
_FAULTS_ABOUT = (
    "Xruns: the sound card needed audio and none was ready. Gaps: the music was not ready in time, "
    "so the last sound was held. Restarts: of the generator. Errors: the sum of those listed here."
)
_SHORT = 0.4  # share of the target lead below which it is called short


class FiguresStrip(QWidget):
    """Shows the status of a session.

    Parameters
    ----------
    activity : of other clients.
    fault_counters : of dropouts and faults.
    """

    def __init__(
        self,
        session: Session,
        activity: Activity,
        fault_counters: FaultCounters,
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self._session, self._activity, self._fault_counters = session, activity, fault_counters
        self._table = LatencyTable(session.figures, self)
        self.lead = Gauge(
            "Lead", "00.0 s, short", "Audio that is generated and not yet audible.", bar=True
        )  # fmt: skip
        self.load = Gauge(
            "Load", "100 %, high",
            "Generation time as a share of the audio's duration; over 100 % it cannot keep up.",
            bar=True,
        )  # fmt: skip
        self.steps = Gauge(
            "Steps", "\N{BLACK DOWN-POINTING TRIANGLE} 20 of 200, reduced",
            "Network evaluations per block; the governor lowers them while the machine cannot "
            "keep up.",
        )  # fmt: skip
        self.fault_counters = Gauge(
            "Faults", "99 xruns, 99 gaps",
            _FAULTS_ABOUT,
        )  # fmt: skip
        self.reset = QPushButton("Reset")
        self.reset.setToolTip("Count xruns, gaps, restarts and errors from 0 again")
        self.reset.setAccessibleName("Reset faults")
        self.reset.clicked.connect(fault_counters.reset)
        self.latency = QToolButton()
        self.latency.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.latency.setToolTip(
            "Time until a live and a block control are audible; click for the parts."
        )
        self.latency.clicked.connect(self._open_table)
        self.tempo = Gauge("Tempo", "300.0 BPM, link",
                           "The current tempo and its source.")  # fmt: skip
        self.lamps = {
            "osc": Gauge("OSC", "999999", "Lit while others send OSC; number of packets."),
            "midi": Gauge(
                "MIDI", "999999", "Lit while MIDI is received or sent; number of messages."
            ),
        }
        self._lay_out()
        for signal in (session.figures.changed, session.transport.changed, fault_counters.changed):
            signal.connect(self.refresh)
        session.meters.lead_changed.connect(self._show_lead)
        activity.changed.connect(self._show_lamps)
        self.refresh()

    def refresh(self) -> None:
        """Show the current values."""
        figures = self._session.figures
        there = figures["pack"] is not None
        load = figures.number("load")
        high = load >= _BUSY
        self._set(self.load, f"{100 * load:.0f} %{', high' if high else ''}", load, high)
        self._show_steps()
        counts = {name: self._fault_counters.count(name) for name in FAULT_COUNTERS}
        words = [_counted(n, name) for name, n in counts.items() if n or name in ("xruns", "gaps")]
        self._set(self.fault_counters, ", ".join(words), high=bool(figures.text("trouble")))
        self.fault_counters.setToolTip("\n".join([_FAULTS_ABOUT, *counter_lines(figures)]))
        self.reset.setEnabled(there and any(counts.values()))
        live, block = figures.number("latency/live"), figures.number("latency/block") / 1000
        text = f"live {live:.0f} ms \N{MIDDLE DOT} block {block:.1f} s" if there else "latency"
        if text != self.latency.text():
            self.latency.setText(text)
            self.latency.setAccessibleName(f"Latency: {text}")
        self.latency.setEnabled(there)
        self._show_tempo()
        self._show_lead()
        self._show_lamps()

    # ------------------------------------------------------------------ one by one

    def _show_lead(self) -> None:
        figures, lead = self._session.figures, self._session.meters.lead or 0.0
        # The lead varies between the mark at which a block is requested and one block more.
        mark = figures.number("latency/lead") / 1000
        most = mark + (figures.number("latency/block") - figures.number("latency/live")) / 1000
        short = lead < _SHORT * mark
        text = f"{lead:.1f} s{', short' if short else ''}"
        self._set(self.lead, text, lead / max(most, 0.1), short)

    def _show_steps(self) -> None:
        figures = self._session.figures
        steps, requested = figures.number("steps"), figures.number("steps/requested")
        eased = bool(figures.number("eased"))
        text = f"{steps:.0f}"
        if requested and requested != steps:
            text += f" of {requested:.0f}"
        if eased:
            text = f"\N{BLACK DOWN-POINTING TRIANGLE} {text}, reduced"
        self._set(self.steps, text)

    def _show_tempo(self) -> None:
        figures = self._session.figures
        known = figures["tempo/bpm"] is not None
        # An internal tempo that no action waits for is not worth showing.
        source = figures.text("tempo/source")
        waits = self._session.controls["quantise"].value != "off"
        self.tempo.setVisible(known and (source != "own" or waits))
        lost = "" if figures.number("tempo/locked", 1.0) else ", no signal"
        self._set(self.tempo, f"{figures.number('tempo/bpm'):.1f} BPM, {source}{lost}")

    def _show_lamps(self) -> None:
        for name, lamp in self.lamps.items():
            lamp.set_lamp(self._activity.is_lit(name))
            lamp.setVisible(self._activity.is_reported(name))
            self._set(lamp, f"{self._activity.count(name)}")

    def _set(self, gauge: Gauge, text: str, share: float = 0.0, high: bool = False) -> None:
        there = self._session.figures["pack"] is not None
        gauge.set_value(text if there else "\N{EN DASH}", share if there else 0.0, high=high)

    def _open_table(self) -> None:
        self._table.refresh()
        self._table.adjustSize()
        top = self.latency.mapToGlobal(QPoint(0, 0))
        self._table.move(top.x(), max(0, top.y() - self._table.height() - 4))
        self._table.show()

    def _lay_out(self) -> None:
        row = FlowLayout(self, 12, fill=False)
        row.setContentsMargins(10, 2, 10, 4)
        parts: tuple[QWidget, ...] = (
            self.lead, self.load, self.steps, self.fault_counters, self.reset, self.latency,
            *self.lamps.values(), self.tempo,
        )  # fmt: skip
        for part in parts:
            row.addWidget(part)


def counter_lines(figures: Figures) -> Iterator[str]:
    """A line for every counter that is not 0, errors first."""
    for name in sorted(COUNTED, key=lambda name: name not in ERRORS):
        if count := figures.number(name):
            yield f"{name}: {count:g}. {fixed_address(f'/status/{name}').about}"


def _counted(count: int, names: str) -> str:
    return f"{count} {names.removesuffix('s') if count == 1 else names}"
