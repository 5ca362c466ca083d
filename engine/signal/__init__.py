"""Representations of sound: STFT, log magnitudes, phase reconstruction, resampling."""
