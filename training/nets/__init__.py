"""The networks of all recipes, and the layers that they share."""
