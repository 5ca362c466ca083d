"""The instrument without an interface: numpy, ONNX Runtime, PortAudio.

It does not depend on its interfaces, and uses no torch, Qt or OSC. Importing this package does no
work.
"""
