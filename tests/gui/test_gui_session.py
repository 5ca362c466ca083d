"""A session against a real engine in this process: both hear what the other does."""

from __future__ import annotations

from control_tables import ENGINE_TABLE
from PyQt6.QtTest import QTest

from engine.pack_settings import first_sampling
from gui.engine_process import EngineProcess
from gui.session import Session
from osc.server import OscServer


def test_it_takes_up_an_engine_that_plays_and_knows_everything(session, instrument, until):
    assert session.state == "playing"
    assert session.connection.program == "attacca"
    assert session.figures.text("pack") == instrument.manifest.name
    until(lambda: len(session.controls.values()) == len(ENGINE_TABLE))
    assert all(c.is_known for c in session.controls)


def test_a_turned_control_reaches_the_engine_and_anothers_reaches_the_window(
    session, instrument, until
):
    session.controls["gain"].set(-7.0)
    until(lambda: instrument.settings["gain"] == -7.0)
    instrument.set(gain=-2.0)
    until(lambda: session.controls["gain"].value == -2.0)
    session.controls["temperature"].set(0.75)
    until(lambda: instrument.settings["temperature"] == 0.75)
    assert session.controls["temperature"].pending_seconds is not None
    until(lambda: session.controls["temperature"].pending_seconds is None)


def test_a_control_that_this_pack_does_not_have_is_not_offered(session, instrument, until):
    until(lambda: "density" not in session.controls)
    assert "density" not in instrument.settings.table
    until(lambda: session.controls["gain"].is_enabled)
    assert session.controls["steps"].default == first_sampling(instrument.manifest).steps.default


def test_the_transport_shows_what_the_engine_says(session, instrument, until):
    transport = session.transport
    until(lambda: transport.is_playing)
    transport.toggle()
    until(lambda: instrument.settings["pause"] is True)
    until(lambda: not transport.is_playing)
    transport.toggle()
    until(lambda: transport.is_playing)
    transport.record(True, "take")
    until(lambda: transport.is_recording)
    assert transport.recording.endswith("take.flac")
    transport.record(False)
    until(lambda: not transport.is_recording)
    assert transport.kept.endswith("take.flac")


def test_panic_stays_silent_until_play(session, instrument, until):
    transport = session.transport
    until(lambda: transport.is_playing)
    transport.panic()
    until(lambda: any(line.kind == "panic" for line in session.log.lines))
    until(lambda: not transport.is_playing)
    QTest.qWait(1_500)
    assert instrument.settings["pause"] is True
    assert not transport.is_playing
    transport.play()
    until(lambda: transport.is_playing)
    until(lambda: session.meters.peak[0] > -60)


def test_meters_and_lead_come_by_themselves(session, until):
    until(lambda: session.meters.lead is not None)
    until(lambda: session.meters.peak[0] > -90)
    assert session.meters.held[0] >= session.meters.peak[0]


def test_presets_undo_and_comparing(session, instrument, until):
    gain, presets = session.controls["gain"], session.presets
    instrument.set(gain=0.0)
    until(lambda: gain.value == 0.0)
    gain.set(-5.0)
    until(lambda: instrument.settings["gain"] == -5.0)
    presets.save("quiet")
    until(lambda: presets.names == ("quiet",))
    until(lambda: presets.current == "quiet")
    session.history.undo()
    until(lambda: instrument.settings["gain"] == 0.0)
    presets.recall("quiet")
    until(lambda: instrument.settings["gain"] == -5.0)
    presets.compare("B")
    gain.set(-30.0)
    until(lambda: instrument.settings["gain"] == -30.0)
    presets.compare("A")
    until(lambda: instrument.settings["gain"] == -5.0)
    presets.compare("B")
    until(lambda: instrument.settings["gain"] == -30.0)
    until(lambda: presets.names == ("quiet",), 5)
    presets.delete("quiet")
    until(lambda: presets.names == ())


def test_undo_is_offered_until_there_is_nothing_to_undo(session, until):
    until(lambda: session.history.can_undo)
    for _ in range(210):
        session.history.undo()
    until(lambda: not session.history.can_undo)


def test_a_refusal_is_a_line_in_the_log(session, until):
    session.presets.recall("never saved")
    until(lambda: any("never saved" in line.text for line in session.log.lines))
    line = next(line for line in session.log.lines if "never saved" in line.text)
    assert (line.level, line.kind) == ("error", "/preset/recall")


def test_what_waits_for_the_bar_says_so_until_it_is_done(session, instrument, until):
    session.presets.save("later")
    until(lambda: session.presets.current == "later")
    session.controls["quantise"].set("bar")
    until(lambda: instrument.settings["quantise"] == "bar")
    seen = []
    session.punches.changed.connect(lambda: seen.append(session.punches.text))
    session.presets.recall("later")
    until(lambda: seen and seen[-1] == "")
    assert seen[0].startswith("\N{LEFT DOUBLE QUOTATION MARK}later")
    assert " in " in seen[0]
    instrument.set(quantise="off")


def test_an_engine_started_again_has_the_pack_and_the_device_that_were_chosen(session, tmp_path):
    session.engine = EngineProcess(["--pack", "piano", "--steps", "4"], 9, tmp_path)
    session.connection.received.emit("/done", ("/packs/load", "strings"))
    session.connection.received.emit("/done", ("/device/select", "Scarlett (ALSA)"))
    assert session.engine.options == [
        "--steps", "4", "--pack", "strings", "--device", "Scarlett (ALSA)",
    ]  # fmt: skip
    session.engine = None


def test_somebodys_own_engine_is_neither_ended_nor_started_again(instrument, tmp_path, until):
    asked_to_end = []
    server = OscServer(
        instrument, port=0, library=tmp_path, leave=lambda: asked_to_end.append(True)
    )  # fmt: skip
    server.start()
    engine = EngineProcess([], server.port, tmp_path, command=("/no/such/program",))
    engine.mark.set(2**22 - 1)  # of one that is long gone
    session = Session("127.0.0.1", server.port, engine)
    session.begin()
    until(lambda: session.state == "playing")
    other = Session("127.0.0.1", server.port, engine)
    other.begin()
    until(lambda: other.state == "playing")
    done = []
    other.ended.connect(lambda: done.append(True))
    other.quit(leave=False)
    until(lambda: done)
    assert session.state == "playing"
    server.stop()
    until(lambda: session.state == "idle")
    assert not asked_to_end
    session.connection.stop()


def test_an_engine_that_was_stopped_while_paused_plays_when_it_is_started(tmp_path, qapp):
    engine = EngineProcess([], 9, tmp_path, command=("/no/such/program",))
    session = Session("127.0.0.1", 9, engine)
    session._restore = {"pause": True, "gain": -6.0}
    session.play()
    assert session._restore == {"gain": -6.0}
    assert session.state == "failed"
    assert "/no/such/program" in session.state_text


def test_a_view_is_fed_by_route_and_stream(session, until):
    leads = []
    session.route("/lead", leads.append)
    until(lambda: leads)
    session.stream("/lead", 0)


def test_it_waits_for_an_engine_that_is_gone_and_takes_it_up(instrument, tmp_path, until):
    server = OscServer(instrument, port=0, library=tmp_path)
    server.start()
    port = server.port
    session = Session("127.0.0.1", port)
    session.begin()
    until(lambda: session.state == "playing" and session.controls["gain"].is_known)
    server.stop()
    until(lambda: session.state == "lost")
    assert "gone" in session.state_text
    assert not session.controls["gain"].is_enabled
    assert not session.send("/gain", 0.0)
    instrument.set(gain=-11.0)
    with OscServer(instrument, port=port, library=tmp_path):
        until(lambda: session.state == "playing")
        until(lambda: session.controls["gain"].value == -11.0)
        session.connection.stop()


def test_what_is_no_engine_is_not_taken_for_one(qtbot, until):
    from PyQt6.QtNetwork import QHostAddress, QTcpServer

    stranger = QTcpServer()
    assert stranger.listen(QHostAddress("127.0.0.1"))
    session = Session("127.0.0.1", stranger.serverPort())
    session.begin()
    until(stranger.hasPendingConnections)
    stranger.nextPendingConnection().write(b"HTTP/1.1 400 Bad Request\r\n\r\n\xc0")
    until(lambda: session.connection.bad)
    assert session.state == "idle"
    session.connection.stop()
    stranger.close()
