"""Levels of both channels and the reduction of the limiter, drawn as vectors.

The bar is the mean level, the line in it the held peak; the same as numbers beside it. A clip
lights a CLIP field until it is clicked.
"""

from __future__ import annotations

from PyQt6.QtCore import QLineF, QRectF, QSize, Qt
from PyQt6.QtGui import QColor, QMouseEvent, QPainter, QPaintEvent, QPen
from PyQt6.QtWidgets import QSizePolicy, QWidget

from gui.models.meters import Meters
from gui.theme import Colours, colours_of

__all__ = ["LevelMeter"]

_LOW = -60.0  # dB at the left end
_MARKS = (-60, -48, -36, -24, -18, -12, -6, 0)
_WARM, _HOT = -12.0, -1.0  # dB from which a peak is drawn as warm, as hot
# In fifteenths of a line of the font: the bars, the scale and the numbers grow with it.
_BAR, _APART, _TALL, _NUMBERS = 11, 14, 58, 96


class LevelMeter(QWidget):
    """Two horizontal bars over a scale in dB.

    Parameters
    ----------
    scale : of everything, for stage mode; not by the font, which a new theme sets back.
    """

    def __init__(self, meters: Meters, scale: float = 1.0, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._meters, self._scaled = meters, scale
        self._slow = False
        self._shown = (0, 0, 0.0, 0)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setAccessibleName("Output level")
        self.setToolTip("Level in dB of full scale; the line is the peak. Click to reset clips.")
        meters.levels_changed.connect(self._look)

    def set_reduced_motion(self, reduced: bool) -> None:
        """Move less: no falling peaks, levels in steps of 3 dB."""
        self._slow = reduced
        self.update()

    def sizeHint(self) -> QSize:  # noqa: N802, D102
        return QSize(420, round(_TALL * self._unit))

    def minimumSizeHint(self) -> QSize:  # noqa: N802, D102
        return QSize(260, round(_TALL * self._unit))

    @property
    def _unit(self) -> float:
        """Pixels of a fifteenth of a line."""
        return self._scaled * self.fontMetrics().height() / 15

    @property
    def _room(self) -> float:
        """Pixels of width of the bars."""
        return max(1.0, self.width() - _NUMBERS * self._unit)

    def mousePressEvent(self, a0: QMouseEvent | None) -> None:  # noqa: N802, D102
        self._meters.forget_clips()

    def _look(self) -> None:
        """Redraw only if a pixel would change."""
        m = self._meters
        now = (
            self._x(self._level(m.rms[0])) + self._x(m.held[0]) * 4096,
            self._x(self._level(m.rms[1])) + self._x(m.held[1]) * 4096,
            round(m.reduction, 1), m.clips,
        )  # fmt: skip
        if now != self._shown:
            self._shown = now
            self.update()
            peak = max(m.held)
            self.setAccessibleDescription(
                f"peak {peak:.0f} dB, limiter {m.reduction:.1f} dB, {m.clips} clips"
            )

    def _level(self, level: float) -> float:
        return 3.0 * round(level / 3.0) if self._slow else level

    def _x(self, level: float) -> int:
        share = min(max((level - _LOW) / -_LOW, 0.0), 1.0)
        return round(share * self._room)

    # ------------------------------------------------------------------ drawing

    def paintEvent(self, a0: QPaintEvent | None) -> None:  # noqa: N802, D102
        painter, colours = QPainter(self), colours_of(self)
        small = self.font()
        small.setPointSizeF(small.pointSizeF() * 0.85 * self._scaled)
        painter.setFont(small)
        for i in (0, 1):
            self._bar(painter, colours, i)
        self._scale(painter, colours)
        self._numbers(painter, colours)

    def _bar(self, painter: QPainter, colours: Colours, i: int) -> None:
        meters, y, tall = self._meters, (2 + _APART * i) * self._unit, _BAR * self._unit
        painter.fillRect(QRectF(0, y, self._room, tall), colours.groove)
        x = self._x(self._level(meters.rms[i]))
        painter.fillRect(QRectF(0, y, x, tall), colours.accent)
        held = meters.held[i]
        if held > _LOW:
            left = min(self._x(held), self._room - 3)
            painter.fillRect(QRectF(left, y, 3, tall), _heat(colours, held))

    def _scale(self, painter: QPainter, colours: Colours) -> None:
        unit = self._unit
        painter.setPen(QPen(colours.dim, 1))
        for mark in _MARKS:
            x, text = self._x(mark), f"{mark}".replace("-", "\N{MINUS SIGN}")
            painter.drawLine(QLineF(x, 29 * unit, x, 32 * unit))
            box = QRectF(x - 20 * unit, 32 * unit, 40 * unit, 16 * unit)
            how = Qt.AlignmentFlag.AlignHCenter
            if mark == _MARKS[0]:
                box.moveLeft(0)
                how = Qt.AlignmentFlag.AlignLeft
            painter.drawText(box, how, text)

    def _numbers(self, painter: QPainter, colours: Colours) -> None:
        meters, unit = self._meters, self._unit
        left, wide = self._room + 10 * unit, (_NUMBERS - 10) * unit
        peak = max(meters.held)
        text = f"{peak:.1f} dB".replace("-", "\N{MINUS SIGN}") if peak > -90 else "silent"
        painter.setPen(self.palette().windowText().color())
        where = Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter
        painter.drawText(QRectF(left, 0, wide, 16 * unit), where, text)
        painter.setPen(colours.dim)
        limiter = f"limiter {meters.reduction:.1f} dB"
        painter.drawText(QRectF(left, 14 * unit, wide, 16 * unit), where, limiter)
        if meters.clips:
            box = QRectF(left, 32 * unit, 80 * unit, 16 * unit)
            painter.fillRect(box, colours.bad)
            painter.setPen(self.palette().base().color())
            painter.drawText(box, Qt.AlignmentFlag.AlignCenter, f"CLIP {meters.clips}")


def _heat(colours: Colours, level: float) -> QColor:
    if level >= _HOT:
        return colours.bad
    return colours.warn if level >= _WARM else colours.good
