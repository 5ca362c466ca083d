"""The instrument without a face: numpy, ONNX Runtime, PortAudio, plugins.

Nothing here knows who is steering it: no torch, no Qt, no OSC. Importing this package does no work.
"""
