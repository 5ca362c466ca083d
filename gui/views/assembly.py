"""Adds the views to the window: pages with tabs, and the status strip below them.

Pages open by their tabs or by Ctrl and a number; packs and devices also by the buttons to the right
of the tabs, which show the current pack and device.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable

from PyQt6.QtCore import QEvent, QObject, Qt, QTimer
from PyQt6.QtGui import QKeySequence, QShortcut
from PyQt6.QtWidgets import QHBoxLayout, QSplitter, QToolButton, QWidget

from gui.diagnostics import diagnostics
from gui.faults import Faults
from gui.main_window import MainWindow
from gui.models.fault_counters import FaultCounters
from gui.session import Session
from gui.views.devices import DevicesView
from gui.views.log import LogView, copied
from gui.views.packs import PacksView
from gui.widgets.fault_bar import FaultBar
from gui.widgets.figures_strip import FiguresStrip
from gui.widgets.picture_view import PictureView
from gui.wiring import Wiring

__all__ = ["Views", "add_views"]

_PICTURE, _DEVICES, _PACKS, _LOG = range(4)
_LEAST = 190  # pixels of height of a page
_MOST_CONTROLS = 0.56  # share of the height before the controls scroll: two rows at 1280 by 800


def add_views(window: MainWindow) -> Views:
    """Build the views of a window and put them there."""
    return Views(window)


class Views(QObject):
    """The pages of a window, and the models that only they need."""

    def __init__(self, window: MainWindow) -> None:
        super().__init__(window)
        self._window = window
        session = window.session
        self.wiring = wiring = Wiring(session, window.settings)
        self.fault_counters = FaultCounters(session.send, session.figures, self)
        self.faults = Faults(session.log, self)
        self.picture = PictureView(wiring.picture)
        self.devices = DevicesView(wiring.devices, session.transport)
        self.packs = PacksView(wiring.packs, session.controls)
        self.log = LogView(session.log, self.report)
        self.strip = FiguresStrip(session, wiring.activity, self.fault_counters)
        self.fault_bar = FaultBar(
            self.faults, lambda: copied(self.report()), lambda: self.show_page(_LOG)
        )  # fmt: skip
        for title, page in (
            ("Picture", self.picture), ("Devices", self.devices), ("Packs", self.packs),
            ("Log", self.log),
        ):  # fmt: skip
            window.add_view(title, page)
            self._key(window.views.count())
        window.views.setMinimumHeight(_LEAST)
        window.views.setCornerWidget(self._corner(), Qt.Corner.TopRightCorner)
        self._place()
        self._tab_order()
        window.controls.rebuilt.connect(self._tab_order)
        window.installEventFilter(self)
        self.picture.set_reduced_motion(window.settings.reduced_motion)
        window.reduced_action.toggled.connect(self.picture.set_reduced_motion)

    def show_page(self, number: int) -> None:
        """Open a page and give it the keyboard focus."""
        views = self._window.views
        views.setCurrentIndex(number)
        page = views.currentWidget()
        if page is not None:
            bar = views.tabBar()
            assert bar is not None
            bar.setFocus()

    def report(self) -> str:
        """The text of a report of a defect."""
        session = self._window.session
        return diagnostics(
            engine=_engine(session), figures=session.figures.all(), lines=session.log.lines,
            faults=[f"{f.times} times: {f.trace}" for f in self.faults.kept],
        )  # fmt: skip

    # ------------------------------------------------------------------ places

    def _place(self) -> None:
        """Add the fault bar to the messages, and the strip at the bottom."""
        page = self._window.transport.parentWidget()
        column = page.layout() if page is not None else None
        assert column is not None
        self._window.messages.add(self.fault_bar)
        column.replaceWidget(self._window.status, self.strip)
        self._window.status.hide()

    def _tab_order(self) -> None:
        """From the top bar through the tabs and the page to the controls."""
        window, top, bar = self._window, self._window.transport, self._window.views.tabBar()
        assert bar is not None
        parts: list[QWidget] = [
            top.play, top.record, top.keep, top.new_piece, top.presets.names, top.presets.save,
            *top.presets.compare.values(), top.moments, top.undo, top.redo, top.panic,
            self.fault_bar.copy, self.fault_bar.look, self.fault_bar.dismiss,
            window.record_line.show_folder, window.banner.button,
            bar, *self._names,
            self.devices.tree, self.devices.play, self.devices.again,
            self.packs.list, self.packs.details, self.packs.load, self.packs.again,
            self.log.words, self.log.level, self.log.copy, self.log.rows,
        ]  # fmt: skip
        for cell in window.controls.cells.values():
            parts += cell.parts
        parts += [self.strip.reset, self.strip.latency]
        for one, next_one in itertools.pairwise(parts):
            QWidget.setTabOrder(one, next_one)

    def eventFilter(self, a0: QObject | None, a1: QEvent | None) -> bool:  # noqa: N802, D102
        event = a1
        if event is not None and event.type() == QEvent.Type.Show:
            self._window.removeEventFilter(self)
            QTimer.singleShot(0, self._share_out)
        return super().eventFilter(a0, event)

    def _share_out(self) -> None:
        """Give the controls the height they need, up to a share, and the page the rest."""
        splitter, inside = self._window.views.parentWidget(), self._window.controls.widget()
        layout = inside.layout() if inside is not None else None
        if not isinstance(splitter, QSplitter) or layout is None:
            return
        whole = splitter.height() - splitter.handleWidth()
        most = min(whole - _LEAST, round(_MOST_CONTROLS * whole))
        needed = min(layout.heightForWidth(self._window.controls.width()) + 2, most)
        splitter.setSizes([whole - needed, needed])

    def _corner(self) -> QWidget:
        corner = QWidget()
        row = QHBoxLayout(corner)
        row.setContentsMargins(0, 0, 10, 2)
        row.setSpacing(6)
        packs, devices = self.wiring.packs, self.wiring.devices
        self._names = (
            self._name_button("Pack", lambda: packs.title, packs.changed, _PACKS),
            self._name_button("Device", lambda: _where(devices.current), devices.changed, _DEVICES),
        )
        for button in self._names:
            row.addWidget(button)
        return corner

    def _name_button(
        self, what: str, name: Callable[[], str], changed: object, page: int
    ) -> QToolButton:
        """A button that shows the current pack or device and opens its page."""
        button = QToolButton()
        button.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        button.clicked.connect(lambda: self.show_page(page))
        button.setToolTip(f"{what}: click to choose another (Ctrl+{page + 1})")

        def refresh() -> None:
            text = button.fontMetrics().elidedText(name(), Qt.TextElideMode.ElideMiddle, 260)
            button.setText(text)
            button.setVisible(bool(text))
            button.setAccessibleName(f"{what}: {name()}")

        changed.connect(refresh)  # type: ignore[attr-defined]
        refresh()
        return button

    def _key(self, number: int) -> None:
        keys = QKeySequence(f"Ctrl+{number}")
        QShortcut(keys, self._window).activated.connect(lambda: self.show_page(number - 1))
        self._window.views.setTabToolTip(number - 1, keys.toString())


def _where(device: str) -> str:
    return "no device" if device == "none" else device


def _engine(session: Session) -> str:
    connection = session.connection
    local = connection.host in ("127.0.0.1", "localhost", "::1")
    where = "this machine" if local else "another machine"
    program = f"{connection.program} {connection.version}".strip() or "not connected"
    return f"{program} on {where}, port {connection.port}, {session.state}"
