"""The window: one more OSC client, in a process of its own. May import `osc` and `engine.controls`.

It can do nothing that OSC cannot, and its end is not heard: the engine is another process.

`connection.py` speaks OSC from Qt's event loop; `models/` hold what it says, without widgets;
`session.py` puts them together; `engine_process.py` starts and ends the engine; `widgets/` and
`views/` show models; `main_window.py` is the window. Everything runs in Qt's main thread.
"""
