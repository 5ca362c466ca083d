"""PyTorch side of the house: data, nets, losses, recipes. Whoever plays never imports it."""
