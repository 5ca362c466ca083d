"""The stages that run in the generator: diffusion, network, transform; and their signals."""
