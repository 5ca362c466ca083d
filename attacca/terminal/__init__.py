"""What a terminal shows and says: keys, the live view, plain lines, tables."""
