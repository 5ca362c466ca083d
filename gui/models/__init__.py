"""View-models: what the engine says, as Qt objects without widgets, tested without a screen.

Each takes messages by `take(address, arguments)`, says what has changed by signals, and sends by
the function passed to it. Any number of widgets may show one. Qt's main thread.
"""
