"""Stages at work in the generator: diffusion, network, transform, and the signals between them."""
