"""Controls while something plays: the bus that every change goes through, and undo."""
