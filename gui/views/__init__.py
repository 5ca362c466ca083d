"""Pages and strips of the window that are made of several widgets, and their place in it."""
