"""Colours of the window: light, dark, or as in the system. Fusion style with custom palettes.

Qt gets the scheme as well (`QStyleHints.setColorScheme`), so that native dialogs and title bars
follow where the platform can. One accent; every state that has a colour has a shape or a word too.
Qt's main thread.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from PyQt6.QtCore import Qt
from PyQt6.QtGui import QColor, QPalette
from PyQt6.QtWidgets import QApplication, QWidget

__all__ = ["STAGE_SCALE", "THEMES", "Colours", "Theme", "apply_theme", "colours_of", "is_dark"]

STAGE_SCALE = 1.8  # of the font, in stage mode
Theme = Literal["system", "light", "dark"]
THEMES: tuple[Theme, ...] = ("system", "light", "dark")
_SCHEMES = {
    "system": Qt.ColorScheme.Unknown, "light": Qt.ColorScheme.Light, "dark": Qt.ColorScheme.Dark,
}  # fmt: skip


@dataclass(frozen=True)
class Colours:
    """Colours for custom drawing; good, warn and bad are for meters."""

    accent: QColor
    groove: QColor
    line: QColor
    dim: QColor
    good: QColor
    warn: QColor
    bad: QColor


_LIGHT = Colours(*map(QColor, (
    "#0b7285", "#d3d7da", "#c3c8cc", "#5c666e", "#2b8a3e", "#b46900", "#c92a2a",
)))  # fmt: skip
_DARK = Colours(*map(QColor, (
    "#4cc3d9", "#3a4147", "#3d444b", "#97a1a9", "#51cf66", "#fcc419", "#ff6b6b",
)))  # fmt: skip

# window, text, base, alternate base, button, disabled text, highlighted text
_PALETTES = {
    False: ("#f1f3f4", "#1b1f23", "#ffffff", "#f7f8f9", "#e7eaec", "#6f7980", "#ffffff"),
    True: ("#1f2326", "#e4e8ea", "#16191b", "#24292d", "#2c3237", "#848e96", "#10252a"),
}


def is_dark(widget: QWidget) -> bool:
    """Whether it is shown dark."""
    return widget.palette().color(QPalette.ColorRole.Window).lightness() < 128


def colours_of(widget: QWidget) -> Colours:
    """The colours for a widget."""
    return _DARK if is_dark(widget) else _LIGHT


def apply_theme(app: QApplication, theme: Theme) -> None:
    """Show the whole program light, dark, or as in the system."""
    hints = app.styleHints()
    assert hints is not None
    hints.setColorScheme(_SCHEMES[theme])
    dark = theme == "dark" or (
        theme == "system" and hints.colorScheme() == Qt.ColorScheme.Dark
    )  # fmt: skip
    app.setStyle("Fusion")
    app.setPalette(_palette(dark))
    app.setStyleSheet(_sheet(_DARK if dark else _LIGHT, app.font().pointSizeF()))


def _palette(dark: bool) -> QPalette:
    window, text, base, alternate, button, disabled, lit = map(QColor, _PALETTES[dark])
    colours, role = (_DARK if dark else _LIGHT), QPalette.ColorRole
    palette = QPalette(button, window)
    for which, colour in (
        (role.Window, window), (role.WindowText, text), (role.Base, base), (role.Text, text),
        (role.AlternateBase, alternate), (role.Button, button), (role.ButtonText, text),
        (role.ToolTipBase, base), (role.ToolTipText, text), (role.PlaceholderText, disabled),
        (role.Highlight, colours.accent), (role.HighlightedText, lit), (role.Link, colours.accent),
        (role.Accent, colours.accent), (role.BrightText, colours.bad), (role.Mid, colours.line),
    ):  # fmt: skip
        palette.setColor(which, colour)
    for which in (role.WindowText, role.Text, role.ButtonText):
        palette.setColor(QPalette.ColorGroup.Disabled, which, disabled)
    return palette


def _sheet(colours: Colours, points: float) -> str:
    """Additions to Fusion: quiet frames, buttons of one height, a visible focus."""
    line, accent, bad, dim = (
        c.name() for c in (colours.line, colours.accent, colours.bad, colours.dim)
    )
    return f"""
    QGroupBox {{ border: 1px solid {line}; border-radius: 6px; margin-top: 1.3em;
        padding: 3px 2px 2px 2px; font-weight: 600; }}
    QGroupBox * {{ font-weight: 400; }}
    QGroupBox::title {{ subcontrol-origin: margin; left: 10px; padding: 0 3px; }}
    QPushButton, QToolButton {{ border: 1px solid {line}; border-radius: 5px; padding: 4px 10px;
        background: palette(button); }}
    QPushButton:hover, QToolButton:hover {{ border-color: {dim}; }}
    QPushButton:pressed, QToolButton:pressed {{ background: palette(mid); }}
    QPushButton:checked, QToolButton:checked {{ background: {accent}; font-weight: 700;
        color: palette(highlighted-text); border-color: {accent}; }}
    QPushButton:checked:disabled {{ background: palette(mid); border-color: {line}; }}
    QPushButton:disabled, QToolButton:disabled {{ color: palette(placeholder-text); }}
    QPushButton:focus, QToolButton:focus, QLineEdit:focus {{ border: 2px solid {accent}; }}
    QPushButton:checked:focus {{ border: 2px solid palette(text); }}
    QToolButton::menu-indicator {{ width: 0; }}
    QLineEdit {{ border: 1px solid {line}; border-radius: 4px; padding: 1px 3px;
        background: palette(base); selection-background-color: palette(highlight); }}
    QLineEdit:disabled {{ background: palette(window);
        color: palette(placeholder-text); }}
    QToolTip {{ border: 1px solid {line}; padding: 3px; color: palette(text);
        background: palette(base); }}
    #panic {{ background: {bad}; color: {"#1b0d0d" if colours is _DARK else "#ffffff"};
        font-weight: 700; border-color: {bad}; }}
    #panic:focus {{ border: 3px double palette(window); }}
    #panic:disabled {{ background: palette(button); color: palette(placeholder-text);
        border-color: {line}; }}
    #banner {{ border: 1px solid {line}; background: palette(base); }}
    #stage QLabel, #stage QPushButton, #stage QLineEdit
        {{ font-size: {STAGE_SCALE * points:.1f}pt; }}
    #stage #banner QLabel, #stage #banner QPushButton {{ font-size: {1.2 * points:.1f}pt; }}
    #stage #quiet {{ font-size: {points:.1f}pt; }}
    #dim {{ color: {dim}; }}
    #strong {{ font-weight: 600; }}
    #bad {{ color: {bad}; }}
    """
