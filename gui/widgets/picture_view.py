"""The picture of the music, which scrolls under the playhead.

Left of the playhead is the sound that was played; right of it the lead (generated and not yet
audible), lighter, with its length. Above are the blocks with their steps; a block with steps
reduced by the governor has a triangle and another colour. Thin lines are seams. Below is the time
from the playhead, on the left the frequency.

At most 30 frames a second, and none while nothing moves or the view is hidden. With reduced motion
the picture stands still, page by page, and the playhead moves over it a few times a second.
"""

from __future__ import annotations

import math

from PyQt6.QtCore import QEvent, QPointF, QRect, QRectF, QSize, Qt, QTimer
from PyQt6.QtGui import (
    QColor,
    QFontMetricsF,
    QHelpEvent,
    QPainter,
    QPaintEvent,
    QPen,
    QPolygonF,
    QResizeEvent,
)
from PyQt6.QtWidgets import QSizePolicy, QToolTip, QWidget

from gui.models.picture import Picture
from gui.theme import colours_of
from gui.widgets.block_strip import BlockStrip
from gui.widgets.picture_axes import frequency_marks, time_marks
from gui.widgets.picture_raster import Raster

__all__ = ["PictureView"]

_FRAME, _SLOW_FRAME = 33, 250  # ms
_A_SECOND = 60.0  # pixels, at least
_SPAN = 34.0  # seconds, at most
_LEFT, _TOP, _RIGHT, _BOTTOM = 40, 20, 10, 20  # pixels around the picture
_ROOMS = (4.0, 8.0, 16.0)  # seconds right of the line
_UNKNOWN = QColor("#15171a")
_AHEAD = QColor(255, 255, 255, 44)
_DESCRIBE = 1_000  # ms between two descriptions for screen readers


class PictureView(QWidget):
    """Shows a picture."""

    def __init__(self, picture: Picture, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.picture = picture
        self._raster, self._strip = Raster(picture), BlockStrip(picture, self, _TOP)
        self._slow, self._room, self._page = False, _ROOMS[0], 0.0
        self._drawn: tuple[object, ...] = ()
        self._axis_room = self._room  # that the times were drawn for
        self.area = QRect()  # the spectrogram, in pixels of the widget
        self.pixels_a_second = _A_SECOND
        self._revision = self._passed = 0
        self.frames = 0  # drawn so far
        self.setAttribute(Qt.WidgetAttribute.WA_OpaquePaintEvent)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)
        self.setAccessibleName("Picture of the music")
        self._small = self.font()
        self._small.setPointSizeF(self._small.pointSizeF() * 0.85)
        picture.changed.connect(self._change)
        picture.cleared.connect(self._clear)
        picture.blocks_changed.connect(self._look_again)
        picture.bands_changed.connect(self.update)
        self._timer = QTimer(self)
        self._timer.setTimerType(Qt.TimerType.PreciseTimer)
        self._timer.timeout.connect(self._tick)

    def set_reduced_motion(self, reduced: bool) -> None:
        """Whether the playhead moves over pages instead of the picture under the playhead."""
        self._slow = reduced
        if self._timer.isActive():
            self._timer.start(_SLOW_FRAME if reduced else _FRAME)
        self._turn_page()
        self.update()

    # ------------------------------------------------------------------ what is where

    @property
    def begin(self) -> float:
        """Seconds of music at the left edge."""
        if self._slow:
            return self._page
        return self.picture.playhead.audible() - self._span + self._room

    @property
    def _span(self) -> float:
        return self.area.width() / self.pixels_a_second

    def x_of(self, seconds: float) -> float:
        """The x coordinate of a position."""
        return self.area.left() + (seconds - self.begin) * self.pixels_a_second

    def _fit_room(self) -> None:
        """More room for a longer lead; less only for a much shorter one, to avoid flicker."""
        lead, half = self.picture.playhead.lead, self._span / 2
        if lead > 0.95 * self._room or lead < 0.35 * self._room:
            fits = next((room for room in _ROOMS if lead <= 0.95 * room), _ROOMS[-1])
            self._room = min(fits, max(half, 1.0))

    def _turn_page(self) -> None:
        audible = self.picture.playhead.audible()
        if not self._page <= audible <= self._page + self._span - self._room:
            self._page = audible

    # ------------------------------------------------------------------ when to draw

    def _tick(self) -> None:
        window = self.window()
        handle = window.windowHandle() if window is not None else None
        if not self.isVisible() or (handle is not None and not handle.isExposed()):
            return
        self._fit_room()
        if self._slow:
            self._turn_page()
        ratio = self.devicePixelRatioF()
        audible = self.picture.playhead.audible() * self.pixels_a_second * ratio
        now = (
            round(audible),
            round(self.picture.playhead.generated, 3),
            self._revision,
            self._room,
        )
        if now != self._drawn:
            self._drawn = now
            area = self.area
            if self._slow or self._room != self._axis_room:
                self.update()  # the times below the picture move too
            else:
                self.update(QRect(area.left(), 0, area.width(), area.bottom() + 1))
            self._axis_room = self._room
        self._passed += self._timer.interval()
        if self._passed >= _DESCRIBE:
            self._passed = 0
            self._describe()

    def _change(self, first: int, count: int) -> None:
        self._raster.change(first, count)
        self._revision += 1

    def _clear(self) -> None:
        self._raster.forget()
        self._revision += 1

    def _look_again(self) -> None:
        self._revision += 1

    def _describe(self) -> None:
        block = self.picture.block_at(self.picture.playhead.audible())
        audible = f"; audible: {block.text}" if block is not None else ""
        text = f"{self.picture.playhead.lead:.0f} s ahead{audible}"
        if text != self.accessibleDescription():
            self.setAccessibleDescription(text)

    def showEvent(self, a0: object) -> None:  # noqa: N802, D102
        self._timer.start(_SLOW_FRAME if self._slow else _FRAME)

    def hideEvent(self, a0: object) -> None:  # noqa: N802, D102
        self._timer.stop()

    def changeEvent(self, a0: QEvent | None) -> None:  # noqa: N802, D102
        super().changeEvent(a0)
        self._strip.forget()

    def resizeEvent(self, a0: QResizeEvent | None) -> None:  # noqa: N802, D102
        self.area = self.rect().adjusted(_LEFT, _TOP, -_RIGHT, -_BOTTOM)
        self.pixels_a_second = max(_A_SECOND, self.area.width() / _SPAN)
        self._room = min(self._room, max(self._span / 2, 1.0))

    def event(self, a0: QEvent | None) -> bool:  # noqa: D102
        event = a0
        if isinstance(event, QHelpEvent) and event.type() == QEvent.Type.ToolTip:
            QToolTip.showText(event.globalPos(), self._tip(event.pos().x()), self)
            return True
        return super().event(event)

    def _tip(self, x: int) -> str:
        at = self.begin + (x - self.area.left()) / self.pixels_a_second
        block = self.picture.block_at(at)
        away = at - self.picture.playhead.audible()
        when = f"{abs(away):.1f} s {'ahead' if away > 0 else 'ago'}"
        return f"{when}: {block.text}" if block is not None else when

    # ------------------------------------------------------------------ drawing

    def sizeHint(self) -> QSize:  # noqa: N802, D102
        return QSize(900, 300)

    def minimumSizeHint(self) -> QSize:  # noqa: N802, D102
        return QSize(320, 120)

    def paintEvent(self, a0: QPaintEvent | None) -> None:  # noqa: N802, D102
        event = a0
        painter, area = QPainter(self), self.area
        self.frames += 1
        painter.setFont(self._small)
        background = self.palette().window()
        whole = event is None or event.rect().left() < area.left()
        if area.width() <= 0 or area.height() <= 0:
            painter.fillRect(self.rect(), background)
            return
        # Moving parts are drawn from one moment.
        begin, audible = self.begin, self.picture.playhead.audible()
        if whole:
            for strip in (
                QRect(0, 0, _LEFT, self.height()),
                QRect(area.right() + 1, 0, _RIGHT, self.height()),
                QRect(_LEFT, area.bottom() + 1, area.width(), _BOTTOM),
            ):
                painter.fillRect(strip, background)
            self._frequencies(painter, area)
        if whole or self._slow:
            painter.fillRect(QRect(_LEFT, area.bottom() + 1, area.width(), _BOTTOM), background)
            self._times(painter, area, begin, audible)
        self._spectrogram(painter, area, begin)
        painter.setClipRect(QRect(area.left(), 0, area.width(), area.bottom() + 1))
        self._lead(painter, area, begin, audible)
        ratio = self.devicePixelRatioF()
        scale = self.pixels_a_second * ratio
        first, width = round(begin * scale), math.ceil(area.width() * ratio)
        self._strip.draw(painter, area, first, width, scale)
        self._line(painter, area, begin, audible)

    def _spectrogram(self, painter: QPainter, area: QRect, begin: float) -> None:
        ratio = self.devicePixelRatioF()
        scale = self.pixels_a_second * ratio
        width = math.ceil(area.width() * ratio)
        self._raster.fit(width, math.ceil(area.height() * ratio), scale, _UNKNOWN.rgb())
        self._raster.set_ratio(ratio)
        self._raster.draw(painter, area.left(), area.top(), round(begin * scale), width)

    def _x(self, area: QRect, begin: float, seconds: float) -> float:
        """On a whole device pixel like the spectrogram, so that nothing jitters against it."""
        ratio = self.devicePixelRatioF()
        scale = self.pixels_a_second * ratio
        return area.left() + (round(seconds * scale) - round(begin * scale)) / ratio

    def _lead(self, painter: QPainter, area: QRect, begin: float, audible: float) -> None:
        generated = self.picture.playhead.generated
        if not self.picture.playhead.is_reported or generated <= audible:
            return
        left, right = self._x(area, begin, audible), self._x(area, begin, generated)
        ribbon = QRectF(left, area.top(), right - left, area.height())
        painter.fillRect(ribbon, _AHEAD)
        text = f"{generated - audible:.1f} s ahead"
        wide = QFontMetricsF(self._small).horizontalAdvance(text) + 10
        place = QRectF(left + 4, area.top() + 4, wide, 18)
        if place.right() > area.right():
            place.moveRight(area.right())
        painter.fillRect(place, QColor(0, 0, 0, 150))
        painter.setPen(Qt.GlobalColor.white)
        painter.drawText(place, Qt.AlignmentFlag.AlignCenter, text)

    def _line(self, painter: QPainter, area: QRect, begin: float, audible: float) -> None:
        if not self.picture.playhead.is_reported:
            painter.setPen(QColor("#b8bec4"))
            painter.drawText(area, Qt.AlignmentFlag.AlignCenter, "no music yet")
            return
        x = self._x(area, begin, audible)
        painter.fillRect(QRectF(x - 1, area.top(), 2, area.height()), Qt.GlobalColor.white)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(self.palette().windowText())
        painter.drawPolygon(
            QPolygonF([QPointF(x - 6, _TOP - 9), QPointF(x + 6, _TOP - 9), QPointF(x, _TOP)])
        )

    # ------------------------------------------------------------------ axes

    def _frequencies(self, painter: QPainter, area: QRect) -> None:
        colours = colours_of(self)
        painter.setPen(QPen(colours.dim, 1))
        for place, text in frequency_marks(self.picture.frequencies):
            y = area.bottom() - place * area.height()
            painter.drawLine(QPointF(_LEFT - 4, y), QPointF(_LEFT - 1, y))
            painter.drawText(
                QRectF(0, y - 9, _LEFT - 6, 18),
                Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter, text,
            )  # fmt: skip

    def _times(self, painter: QPainter, area: QRect, begin: float, audible: float) -> None:
        painter.setPen(QPen(colours_of(self).dim, 1))
        origin = audible if self.picture.playhead.is_reported else begin + self._span - self._room
        for away, text in time_marks(begin - origin, begin + self._span - origin):
            x = float(round(area.left() + (origin + away - begin) * self.pixels_a_second))
            if area.left() <= x <= area.right():
                painter.drawLine(QPointF(x, area.bottom() + 1), QPointF(x, area.bottom() + 4))
                box = QRectF(x - 30, area.bottom() + 4, 60, _BOTTOM - 4)
                box.moveRight(min(box.right(), float(self.width())))
                painter.drawText(box, Qt.AlignmentFlag.AlignCenter, text)
