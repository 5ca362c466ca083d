"""Training in PyTorch: data, networks, losses, recipes, trainer. Never imported by the player."""
