"""Widgets, each showing one model. They keep no state of their own but what is typed right now."""
