"""The picture of the music: the model against a plain dictionary, the pixels against the model."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PyQt6.QtGui import QImage, QPainter

from gui.models.picture import KEPT, Picture
from gui.models.playhead import Playhead
from gui.spectrum_colours import colour_table
from gui.widgets.picture_axes import frequency_marks, time_marks
from gui.widgets.picture_raster import Raster
from gui.widgets.picture_view import PictureView

HOP, BANDS = 0.04, 8
HZ = tuple(40.0 * 2**n for n in range(BANDS))


class Clock:
    """Turned by hand."""

    def __init__(self) -> None:
        self.now = 50.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def picture(clock, qapp) -> Picture:
    return Picture(clock)


def columns(first: int, count: int, seed: int = 0) -> np.ndarray:
    """Columns that differ from each other, whatever piece of them is sent."""
    n = np.arange(first, first + count)[:, None] * 31 + np.arange(BANDS) * 7 + seed * 101
    return (n % 256).astype(np.uint8)


def paint(picture: Picture, first: int, levels: np.ndarray) -> None:
    assert picture.take("/picture", (first * HOP, HOP, BANDS, levels.tobytes()))


# ---------------------------------------------------------------------- the model

steps = st.one_of(
    st.tuples(st.just("paint"), st.integers(0, 1500), st.integers(1, 12)),
    st.tuples(st.just("clear"), st.integers(0, 1500), st.just(0)),
)


@settings(max_examples=60, deadline=None)
@given(st.lists(steps, max_size=30))
def test_what_is_kept_is_what_was_sent_last_and_no_more(told):
    picture, kept = Picture(Clock()), {}
    most = math.ceil(KEPT / HOP)
    for seed, (what, first, count) in enumerate(told):
        if what == "paint":
            levels = columns(first, count, seed)
            paint(picture, first, levels)
            for n, column in zip(range(first, first + count), levels, strict=True):
                kept = {m: c for m, c in kept.items() if m % most != n % most}
                kept[n] = column
        else:
            picture.take("/picture/clear", (first * HOP,))
            kept = {n: c for n, c in kept.items() if n < first}
    assert not picture.levels(-1100, 1100)[1].any(), "nothing is before the music"
    levels, known = picture.levels(0, 1600)
    assert set(np.flatnonzero(known)) == set(kept)
    for n, column in kept.items():
        np.testing.assert_array_equal(levels[n], column)


@pytest.mark.parametrize(
    "arguments",
    [
        (), (0.0, HOP, BANDS), (0.0, HOP, BANDS, b""), (0.0, HOP, 0, b"abc"),
        (0.0, HOP, BANDS, b"abc"), (0.0, 0.0, BANDS, bytes(8)), (math.nan, HOP, BANDS, bytes(8)),
        (0.0, math.nan, BANDS, bytes(8)), ("x", HOP, BANDS, bytes(8)), (0.0, HOP, 10**9, bytes(8)),
        (math.inf, HOP, BANDS, bytes(8)),
    ],
)  # fmt: skip
def test_odd_columns_are_left_out(picture, arguments):
    paint(picture, 3, columns(3, 1))
    assert picture.take("/picture", arguments)
    assert picture.levels(0, 10)[1].tolist() == [n == 3 for n in range(10)]


def test_a_block_that_stands_in_place_of_another_ends_it(picture):
    for index, (start, steps) in enumerate(((0.0, 16), (0.68, 16), (1.36, 16), (1.0, 8))):
        picture.take("/block", (index, start, 0.68, steps, 0.0, 0.3, steps < 16))
    assert [(b.index, b.start, round(b.end, 2)) for b in picture.blocks] == [
        (0, 0.0, 0.68), (1, 0.68, 1.0), (3, 1.0, 1.68),
    ]  # fmt: skip
    assert picture.block_at(0.9).index == 1
    assert "reduced" in picture.block_at(1.2).text
    assert picture.block_at(1.7) is None
    picture.take("/picture/clear", (0.5,))
    assert [(b.index, b.end) for b in picture.blocks] == [(0, 0.5)]
    picture.take("/picture/clear", (0.0,))
    assert picture.blocks == []


def test_blocks_and_columns_do_not_grow(picture):
    for n in range(2_000):
        picture.take("/block", (n, 0.7 * n, 0.7, 16, 0.0, 0.3, 0))
        paint(picture, 17 * n, columns(17 * n, 17))
    assert picture.blocks[-1].index == 1999
    assert len(picture.blocks) <= KEPT / 0.7 + 3
    assert picture.levels(0, 40_000)[1].sum() <= KEPT / HOP + 1


# ---------------------------------------------------------------------- the line of the ear


@settings(max_examples=40, deadline=None)
@given(st.lists(st.floats(-0.02, 0.02), min_size=30, max_size=60), st.floats(0.0, 1e5))
def test_the_line_runs_evenly_though_messages_shake(shakes, start):
    clock = Clock()
    head, began, places = Playhead(clock), clock.now, []
    for shake in shakes:
        head.take(start + clock.now - began + shake, start + 1e4)
        for _ in range(5):
            clock.now += 0.02
            places.append(head.audible() - (start + clock.now - began))
    late = np.array(places[50:])
    assert np.abs(late).max() < 0.025
    assert np.abs(np.diff(places[10:])).max() < 0.01, "no jumps that an eye sees"


def test_the_line_stands_while_the_music_is_held_and_jumps_when_it_is_elsewhere(clock):
    head = Playhead(clock)
    assert not head.is_reported
    assert head.lead == 0
    for n in range(20):
        head.take(n * 0.1, 5.0)
        clock.now += 0.1
    assert head.flows
    held = head.audible()
    for _ in range(5):
        head.take(1.95, 5.0)
        clock.now += 0.1
    assert not head.flows
    assert head.audible() == pytest.approx(1.95)
    assert held == pytest.approx(2.0, abs=0.05)
    assert head.lead == pytest.approx(3.05)
    head.take(100.0, 102.0)
    assert head.audible() == pytest.approx(100.0)


def test_the_line_stops_without_messages_and_never_passes_the_generated_end(clock):
    head = Playhead(clock)
    for n in range(10):
        head.take(n * 0.1, 1.2)
        clock.now += 0.1
    clock.now += 60
    assert head.audible() <= 1.2
    head.extend(50.0)
    assert head.audible() < 1.7


# ---------------------------------------------------------------------- pixels


def pixels(raster: Raster, first: int, count: int) -> np.ndarray:
    image = QImage(count, raster.height, QImage.Format.Format_RGB32)
    image.fill(0)
    painter = QPainter(image)
    raster.draw(painter, 0, 0, first, count)
    painter.end()
    bits = image.constBits()
    bits.setsize(image.sizeInBytes())
    return np.frombuffer(bytes(bits), np.uint32).reshape(raster.height, count)


moves = st.lists(
    st.one_of(
        st.tuples(st.just("scroll"), st.integers(-40, 130), st.just(0)),
        st.tuples(st.just("paint"), st.integers(-10, 60), st.integers(1, 12)),
        st.tuples(st.just("clear"), st.integers(-20, 20), st.just(0)),
    ),
    min_size=1, max_size=25,
)  # fmt: skip


@settings(max_examples=60, deadline=None)
@given(moves, st.sampled_from([25.0, 61.7, 120.0]))
def test_scrolled_pixels_are_those_that_would_be_computed_again(moved, scale):
    picture = Picture(Clock())
    raster = Raster(picture)
    picture.changed.connect(raster.change)
    picture.cleared.connect(raster.forget)
    raster.fit(200, 20, scale, 0xFF112233)
    paint(picture, 0, columns(0, 60))
    first = 100
    for seed, (what, by, count) in enumerate(moved):
        column = max(0, round(first / scale / HOP) + by)
        if what == "scroll":
            first = max(0, first + by)
        elif what == "paint":
            paint(picture, column, columns(column, count, seed))
        else:
            picture.take("/picture/clear", (column * HOP,))
        fresh = Raster(picture)
        fresh.fit(200, 20, scale, 0xFF112233)
        np.testing.assert_array_equal(pixels(raster, first, 200), pixels(fresh, first, 200))


def test_a_loud_band_is_a_light_line_at_its_height_and_missing_columns_are_plain(picture):
    levels = np.zeros((50, BANDS), np.uint8)
    levels[:, 5] = 230
    paint(picture, 0, levels)
    raster = Raster(picture)
    raster.fit(150, 80, 50.0, 0xFF112233)
    raster.set_ratio(2.0)  # its pixels stay where they are written
    assert pixels(raster, 0, 150)[:40, :75].max() > 0xFF112233
    raster.set_ratio(1.0)
    seen = pixels(raster, 0, 150)
    light = (seen[:, 40] & 0xFF00) >> 8
    assert abs(int(light.argmax()) - (1 - 5 / (BANDS - 1)) * 80) < 3
    assert set(seen[:, 120].tolist()) == {0xFF112233}
    assert len(set(seen[:, 98].tolist())) > 3


def test_colours_grow_lighter_evenly_for_every_eye():
    table = colour_table(-80.0, -10.0)
    red, green, blue = ((table >> shift & 255).astype(float) for shift in (16, 8, 0))
    light = 0.2126 * red + 0.7152 * green + 0.0722 * blue
    assert (np.diff(light) > -0.5).all()
    assert light[-1] - light[0] > 200


def test_axes_say_where_things_are():
    marks = {text: place for place, text in frequency_marks(HZ)}
    assert marks["100"] == pytest.approx((math.log2(100 / 40) + 0.5) / BANDS)
    assert "10k" not in marks
    assert frequency_marks(()) == []
    assert dict(time_marks(-4.5, 2.2))[0.0] == "now"
    assert [text for _, text in time_marks(-2.1, 1.1)] == [
        "\N{MINUS SIGN}2 s", "\N{MINUS SIGN}1 s", "now", "+1 s",
    ]  # fmt: skip
    assert len(time_marks(-300, 20)) < 20


# ---------------------------------------------------------------------- the view


@pytest.fixture
def view(picture, qtbot) -> PictureView:
    picture.take("/spectrum/bands", HZ)
    made = PictureView(picture)
    qtbot.addWidget(made)
    made.resize(900, 300)
    made.show()
    qtbot.waitExposed(made)
    return made


def play(picture: Picture, clock: Clock, seconds: float, ahead: float = 2.0) -> None:
    """Music of a loud band, played from 0."""
    count = round((seconds + ahead) / HOP)
    levels = np.full((count, BANDS), 60, np.uint8)
    paint(picture, 0, levels)
    for n in range(round(seconds * 10) + 1):
        clock.now += 0.1
        picture.take("/playhead", (n * 0.1 + 0.05, seconds + ahead, n * 0.1))


def grey(image: QImage, x: float, y: float) -> int:
    ratio = image.devicePixelRatio()
    return image.pixelColor(round(x * ratio), round(y * ratio)).lightness()


def test_the_past_is_left_of_the_line_the_lead_is_lighter_and_nothing_is_beyond(
    view, picture, clock
):
    play(picture, clock, 5.0)
    image = view.grab().toImage()
    middle = view.area.center().y()
    line = view.x_of(picture.playhead.audible())
    past, lead = grey(image, line - 60, middle), grey(image, line + 60, middle)
    assert grey(image, line, middle) > 240, "the line is white"
    assert lead > past + 10
    assert grey(image, line + 2.3 * view.pixels_a_second, middle) < past
    assert line < view.area.right() - 2.2 * view.pixels_a_second, "the whole lead is in view"


def test_with_reduced_motion_the_picture_stands_and_the_line_moves(view, picture, clock):
    view.set_reduced_motion(True)
    play(picture, clock, 1.0)
    view._tick()
    begin, place = view.begin, view.x_of(picture.playhead.audible())
    for n in range(20):
        clock.now += 0.1
        picture.take("/playhead", (1.1 + n * 0.1, 3.0, 1.1 + n * 0.1))
    view._tick()
    assert view.begin == begin
    assert view.x_of(picture.playhead.audible()) > place + 60
    for n in range(300):
        clock.now += 0.1
        picture.take("/playhead", (3.1 + n * 0.1, 40.0, 3.1 + n * 0.1))
        view._tick()
    assert view.begin > begin, "at the end of the page comes another"
    assert view.area.left() <= view.x_of(picture.playhead.audible()) <= view.area.right()


def on_the_screen(view: PictureView) -> QImage:
    """What was really painted, piece by piece, where `grab` would paint everything again."""
    screen = view.screen()
    assert screen is not None
    return screen.grabWindow(view.winId()).toImage()


@pytest.mark.parametrize("reduced", [False, True])
def test_the_time_axis_on_the_screen_is_that_of_the_moment(view, picture, clock, qtbot, reduced):
    view.set_reduced_motion(reduced)
    view._timer.stop()  # ticks come from here alone
    play(picture, clock, 1.0)
    view._tick()
    qtbot.wait(20)
    before = on_the_screen(view)
    for n in range(7):
        clock.now += 0.1
        picture.take("/playhead", (1.1 + n * 0.1, 3.0, 1.1 + n * 0.1))
        view._tick()
        qtbot.wait(20)
    shown, fresh = on_the_screen(view), view.grab().toImage()
    top = view.area.bottom() + 2
    strip = (0, top, view.width(), view.height() - top)
    assert shown.copy(*strip) == fresh.copy(*strip).convertToFormat(shown.format())
    assert shown != before, "the line has moved"
    assert (shown.copy(*strip) != before.copy(*strip)) is reduced
    picture.take("/playhead", (1.8, 8.0, 1.8))  # a longer lead takes more room
    view._tick()
    qtbot.wait(20)
    shown, fresh = on_the_screen(view), view.grab().toImage()
    assert shown.copy(*strip) == fresh.copy(*strip).convertToFormat(shown.format())


def test_nothing_is_drawn_while_nothing_moves_or_the_view_is_hidden(view, picture, clock, qtbot):
    play(picture, clock, 2.0)
    for _ in range(3):
        picture.take("/playhead", (2.0, 4.0, 2.0))  # held
        clock.now += 0.1
    drawn = []
    paint_event = view.paintEvent

    def noted(event):
        drawn.append(1)
        paint_event(event)

    view.paintEvent = noted
    qtbot.wait(200)
    drawn.clear()
    qtbot.wait(300)
    assert len(drawn) <= 1
    view.hide()
    drawn.clear()
    for _ in range(10):
        clock.now += 0.1
        picture.take("/playhead", (3.0, 4.0, 3.0))
        paint(picture, 100, columns(100, 12))
        qtbot.wait(20)
    assert drawn == []


def test_a_long_lead_makes_room_and_a_screen_reader_is_informed(view, picture, clock):
    play(picture, clock, 4.0, ahead=7.0)
    picture.take("/block", (12, 3.5, 7.5, 16, 0.0, 0.25, 1))
    for _ in range(40):
        view._tick()
    assert view.x_of(picture.playhead.generated) <= view.area.right()
    assert view.accessibleDescription().startswith("7 s ahead; audible: block 12")
    assert "16 steps, reduced by the governor" in view._tip(
        round(view.x_of(picture.playhead.audible() + 0.05))
    )
