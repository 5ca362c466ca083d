"""Widgets, each for one model. Their only state is text that is being typed."""
