"""The stream: the generator process, the feeder that requests blocks from it, and the lead."""
