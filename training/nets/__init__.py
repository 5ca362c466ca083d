"""Networks: magnitude-preserving layers and the U-Net with the previous block's embedding."""
