"""The window: an OSC client in its own process. May import `osc` and `engine.controls`.

Everything it does goes over OSC. If it crashes, the music keeps playing: the engine is another
process.

`connection.py` speaks OSC from Qt's event loop; `models/` hold the state, without widgets;
`session.py` joins them; `engine_process.py` starts and ends the engine; `widgets/` and `views/`
show models; `main_window.py` is the window. Everything runs in Qt's main thread. Overrides of Qt's
methods name their parameters as PyQt6's stubs do (`a0`), so that types can be checked.
"""
