"""Pages and strips of the window that consist of several widgets."""
