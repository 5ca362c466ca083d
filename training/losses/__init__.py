"""What each recipe minimises: how a batch is drawn, corrupted and scored."""
