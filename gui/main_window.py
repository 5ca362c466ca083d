"""The main window: its widgets, menus and keys.

Contract for more views: `add_view(title, widget)` adds a page above the controls.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from PyQt6.QtCore import QSize, Qt, QTimer, pyqtSignal
from PyQt6.QtGui import QAction, QActionGroup, QCloseEvent, QKeyEvent, QKeySequence
from PyQt6.QtWidgets import (
    QAbstractButton,
    QApplication,
    QComboBox,
    QHBoxLayout,
    QMainWindow,
    QMenu,
    QSplitter,
    QStackedWidget,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from gui.closing import Closing
from gui.session import Session
from gui.settings import Settings
from gui.theme import THEMES, Theme, apply_theme
from gui.widgets.banner import Banner
from gui.widgets.control_panel import ControlPanel
from gui.widgets.field import Field
from gui.widgets.level_meter import LevelMeter
from gui.widgets.message_slot import MessageSlot
from gui.widgets.pages import Pages
from gui.widgets.record_line import RecordLine
from gui.widgets.stage import LEAVE_KEY, Stage
from gui.widgets.transport_bar import KEEP, PANIC_KEY, TransportBar

if TYPE_CHECKING:
    from gui.views.assembly import Views

__all__ = ["MainWindow"]

_SIZE, _LEAST = QSize(1280, 800), QSize(760, 600)
_FRAME = QSize(8, 40)  # pixels that a window manager may put around it
_MESSAGE = 36  # pixels of height of the line for messages
_ENTER, _KEYPAD = (Qt.Key.Key_Return, Qt.Key.Key_Enter), Qt.KeyboardModifier.KeypadModifier


class MainWindow(QMainWindow):
    """Shows a session.

    `closed` is emitted when it is closed and its engine has ended or keeps playing.
    """

    closed = pyqtSignal()

    def __init__(self, session: Session, settings: Settings) -> None:
        super().__init__()
        self.session, self.settings = session, settings
        self._may_close = False
        self.setWindowTitle("Attacca")
        self.setMinimumSize(_LEAST)
        self.transport = TransportBar(session)
        self.banner = Banner(session)
        self.record_line = RecordLine(session.transport)
        self.messages = MessageSlot([self.banner, self.record_line], _MESSAGE)
        self.meter = LevelMeter(session.meters)
        self.controls = ControlPanel(session.controls, session.midi)
        self.status = QWidget()  # placeholder for the status strip
        self.stage = Stage(session)
        self.stage.left.connect(lambda: self.set_stage(False))
        self.views = Pages()
        self.views.hide()
        self.pages: Views | None = None  # set by the assembly
        self._pages = QStackedWidget()
        self._pages.addWidget(self._main_page())
        self._pages.addWidget(self.stage)
        self.setCentralWidget(self._pages)
        self._menus()
        self.closing = Closing(self, session, self._leaves, self._part)
        # Later: the signal may come while the window is closing, when it cannot be closed.
        session.ended.connect(lambda: QTimer.singleShot(0, self._close_now))
        app = QApplication.instance()
        assert isinstance(app, QApplication)
        app.focusChanged.connect(self._focus_moved)
        self.resize(_SIZE)
        geometry = settings.geometry
        if geometry is not None:
            self.restoreGeometry(geometry)
        self._fit_screen()
        self._set_reduced_motion(settings.reduced_motion)
        self.transport.play.setFocus()

    def add_view(self, title: str, view: QWidget) -> None:
        """Add a page."""
        self.views.addTab(view, title)
        self.views.show()

    def set_stage(self, on: bool) -> None:
        """Enter or leave stage mode."""
        self._pages.setCurrentIndex(int(on))
        self.stage_action.setChecked(on)
        bar = self.menuBar()
        assert bar is not None
        bar.setVisible(not on)
        (self.stage.play if on else self.transport.play).setFocus()

    @property
    def is_stage(self) -> bool:
        """Whether it is in stage mode."""
        return self._pages.currentIndex() == 1

    # ------------------------------------------------------------------ pages

    def _main_page(self) -> QWidget:
        page = QWidget()
        column = QVBoxLayout(page)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(4)
        column.addWidget(self.transport)
        messages = QHBoxLayout()
        messages.setContentsMargins(10, 0, 10, 0)
        messages.addWidget(self.messages)
        column.addLayout(messages)
        meter = QHBoxLayout()
        meter.setContentsMargins(10, 2, 10, 0)
        meter.addWidget(self.meter)
        column.addLayout(meter)
        middle = QSplitter(Qt.Orientation.Vertical)
        middle.setChildrenCollapsible(False)
        middle.addWidget(self.views)
        middle.addWidget(self.controls)
        middle.setStretchFactor(0, 1)
        column.addWidget(middle, 1)
        column.addWidget(self.status)
        return page

    def _fit_screen(self) -> None:
        """Keep the window within its screen."""
        screen = self.screen()
        if screen is None:
            return
        room = screen.availableGeometry()
        self.resize(self.size().boundedTo(room.size() - _FRAME).expandedTo(_LEAST))
        if not room.contains(self.geometry()):
            self.move(
                max(room.left(), min(self.x(), room.right() - self.width())),
                max(room.top(), min(self.y(), room.bottom() - self.height())),
            )

    # ------------------------------------------------------------------ menus

    def _menus(self) -> None:
        bar = self.menuBar()
        assert bar is not None
        session, transport = self.session, self.session.transport
        music, edit, view = (bar.addMenu(f"&{n}") for n in ("Music", "Edit", "View"))
        assert music is not None
        assert edit is not None
        assert view is not None
        play = self._action(music, "&Play or pause", self.transport.play.click, "")
        play.setShortcuts([QKeySequence("Space"), QKeySequence("Ctrl+Space")])
        self._action(music, "&New piece", transport.reset, "Ctrl+N")
        self._action(music, "&Record or stop recording", self.transport.record.click, "Ctrl+R")
        self._action(
            music, f"Sa&ve the last {KEEP[1]} seconds", lambda: transport.keep(KEEP[1]), "Ctrl+K"
        )
        self.panic_action = self._action(music, "PA&NIC", transport.panic, PANIC_KEY)
        music.addSeparator()
        if session.owns_engine:
            self._action(music, "&Stop the engine", session.stop, "")
            leave = self._action(
                music, "&Keep playing when the window closes",
                lambda: setattr(self.settings, "leave_playing", leave.isChecked()), "",
            )  # fmt: skip
            leave.setCheckable(True)
            leave.setChecked(self.settings.leave_playing)
        self._action(music, "&Quit", self.close, "Ctrl+Q")
        self._action(edit, "&Undo", session.history.undo, "Ctrl+Z")
        self._action(edit, "&Redo", session.history.redo, "Ctrl+Shift+Z")
        edit.addSeparator()
        self._action(edit, "&Save a preset", self.transport.presets.ask_and_save, "Ctrl+S")
        self._action(edit, "&Compare A and B", self._compare, "Ctrl+B")
        edit.addSeparator()
        moments = session.moments
        self._action(edit, "&Take a snapshot", moments.take_snapshot, "Ctrl+T")
        self._action(edit, "Return to the &last snapshot", moments.recall, "Ctrl+L")
        for text, measure, keys in (
            ("beat", "beats", "Ctrl+Shift+Left"), ("bar", "bars", "Ctrl+Left"),
            ("block", "blocks", "Ctrl+Alt+Left"),
        ):  # fmt: skip
            self._action(
                edit, f"Go back a {text}", lambda m=measure: moments.go_back(m), keys
            )  # fmt: skip
        self._action(edit, "&Fork: continue with the next seed", moments.fork, "Ctrl+F")
        self._view_menu(view)

    def _view_menu(self, view: QMenu) -> None:
        themes = view.addMenu("&Theme")
        assert themes is not None
        group = QActionGroup(self)
        for theme in THEMES:
            action = self._action(
                themes, theme.capitalize(), lambda t=theme: self._set_theme(t), ""
            )
            action.setCheckable(True)
            action.setChecked(theme == self.settings.theme)
            group.addAction(action)
        self.reduced_action = self._action(
            view, "&Reduced motion",
            lambda: self._set_reduced_motion(self.reduced_action.isChecked()), "",
        )  # fmt: skip
        self.reduced_action.setCheckable(True)
        self.stage_action = self._action(view, "&Stage mode", lambda: self.set_stage(True), "F11")
        self.stage_action.setCheckable(True)
        leave = QAction("Leave stage mode", self)
        leave.setShortcut(LEAVE_KEY)
        leave.triggered.connect(lambda: self.set_stage(False))
        self.addAction(leave)

    def _action(self, menu: QMenu, text: str, act: Callable[[], object], keys: str) -> QAction:
        action = QAction(text, self)
        action.setAutoRepeat(False)  # a key held down counts once
        if keys:
            action.setShortcut(QKeySequence(keys))
        action.triggered.connect(lambda _: act())
        menu.addAction(action)
        self.addAction(action)  # its key works in stage mode too, where the menu bar is hidden
        return action

    # ------------------------------------------------------------------ what they do

    def _compare(self) -> None:
        presets = self.session.presets
        presets.compare("B" if presets.slot == "A" else "A")

    def _set_theme(self, theme: Theme) -> None:
        self.settings.theme = theme
        app = QApplication.instance()
        assert isinstance(app, QApplication)
        apply_theme(app, theme)

    def _set_reduced_motion(self, reduced: bool) -> None:
        self.settings.reduced_motion = reduced
        self.reduced_action.setChecked(reduced)
        for meter in (self.meter, self.stage.meter):
            meter.set_reduced_motion(reduced)
        self.session.stream("/meters", 8.0 if reduced else 30.0)

    # ------------------------------------------------------------------ the keyboard

    def _focus_moved(self, old: QWidget | None, new: QWidget | None) -> None:
        if isinstance(new, Field) and new.window() is self:
            new.came_from(old)

    def keyPressEvent(self, a0: QKeyEvent | None) -> None:  # noqa: N802, D102
        event = a0
        # Space plays and pauses, so Enter presses the focused button or opens the focused list.
        part = self.focusWidget()
        enter = event is not None and event.key() in _ENTER and not event.modifiers() & ~_KEYPAD
        if event is None or not enter or part is None:
            super().keyPressEvent(event)
            return
        event.accept()
        if event.isAutoRepeat():
            return
        if isinstance(part, QToolButton) and (menu := part.menu()) is not None:
            menu.popup(part.mapToGlobal(part.rect().bottomLeft()))
        elif isinstance(part, QAbstractButton):
            part.click()
        elif isinstance(part, QComboBox):
            part.showPopup()

    # ------------------------------------------------------------------ closing

    def closeEvent(self, a0: QCloseEvent | None) -> None:  # noqa: N802, D102
        event = a0
        if event is None or self._may_close:
            return
        event.ignore()
        if not self.is_stage:
            self.closing.ask()

    def _leaves(self) -> bool:
        return not self.session.owns_engine or self.settings.leave_playing

    def _part(self, leave: bool) -> None:
        """Hide at once; the engine ends, or keeps playing, afterwards."""
        self.settings.geometry = self.saveGeometry()
        self.settings.sync()
        self.hide()
        self.session.quit(leave=leave)

    def _close_now(self) -> None:
        if self.closing.is_closing and not self._may_close:
            self._may_close = True
            self.close()
            self.closed.emit()
