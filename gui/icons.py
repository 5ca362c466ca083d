"""Vector icons in the colours of the current theme, sharp at every scale."""

from __future__ import annotations

from collections.abc import Callable

from PyQt6.QtCore import QPointF, QRect, QRectF, QSize, Qt
from PyQt6.QtGui import (
    QColor,
    QGuiApplication,
    QIcon,
    QIconEngine,
    QPainter,
    QPainterPath,
    QPalette,
    QPen,
    QPixmap,
    QPolygonF,
)

__all__ = ["icon"]

_RED = QColor("#e03131")


def icon(name: str) -> QIcon:
    """One of play, pause, stop, record, undo, redo."""
    return QIcon(_Engine(name))


class _Engine(QIconEngine):
    """Draws a shape when Qt asks, at whatever size and scale."""

    def __init__(self, name: str) -> None:
        super().__init__()
        self._name = name

    def clone(self) -> QIconEngine:
        return _Engine(self._name)

    def pixmap(self, size: QSize, mode: QIcon.Mode, state: QIcon.State) -> QPixmap:
        pixmap = QPixmap(size)
        pixmap.fill(Qt.GlobalColor.transparent)
        painter = QPainter(pixmap)
        self.paint(painter, QRect(0, 0, size.width(), size.height()), mode, state)
        painter.end()
        return pixmap

    def paint(
        self, painter: QPainter | None, rect: QRect, mode: QIcon.Mode, state: QIcon.State
    ) -> None:
        if painter is None:
            return
        disabled = mode == QIcon.Mode.Disabled
        group = QPalette.ColorGroup.Disabled if disabled else QPalette.ColorGroup.Active
        colour = QGuiApplication.palette().color(group, QPalette.ColorRole.ButtonText)
        if self._name == "record" and not disabled:
            colour = _RED
        side = min(rect.width(), rect.height())
        painter.save()
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.translate(rect.center().x() + 0.5 - side / 2, rect.center().y() + 0.5 - side / 2)
        painter.scale(side / 16, side / 16)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(colour)
        _SHAPES[self._name](painter, colour)
        painter.restore()


def _play(painter: QPainter, _: QColor) -> None:
    painter.drawPolygon(QPolygonF([QPointF(4, 2), QPointF(14, 8), QPointF(4, 14)]))


def _pause(painter: QPainter, _: QColor) -> None:
    painter.drawRect(QRectF(3, 2, 3.5, 12))
    painter.drawRect(QRectF(9.5, 2, 3.5, 12))


def _stop(painter: QPainter, _: QColor) -> None:
    painter.drawRect(QRectF(3, 3, 10, 10))


def _record(painter: QPainter, _: QColor) -> None:
    painter.drawEllipse(QRectF(2.5, 2.5, 11, 11))


def _undo(painter: QPainter, colour: QColor) -> None:
    path = QPainterPath(QPointF(4, 6))
    path.lineTo(9, 6)
    path.cubicTo(14.5, 6, 14.5, 13, 9, 13)
    path.lineTo(6, 13)
    painter.setBrush(Qt.BrushStyle.NoBrush)
    painter.setPen(QPen(colour, 1.8))
    painter.drawPath(path)
    painter.setPen(Qt.PenStyle.NoPen)
    painter.setBrush(colour)
    painter.drawPolygon(QPolygonF([QPointF(1, 6), QPointF(6, 2), QPointF(6, 10)]))


def _redo(painter: QPainter, colour: QColor) -> None:
    painter.translate(16, 0)
    painter.scale(-1, 1)
    _undo(painter, colour)


_SHAPES: dict[str, Callable[[QPainter, QColor], None]] = {
    "play": _play, "pause": _pause, "stop": _stop, "record": _record, "undo": _undo, "redo": _redo,
}  # fmt: skip
