"""What the benchmark of the window makes of its rounds."""

from __future__ import annotations

from dataclasses import replace

from benchmarks.window_cost import Span, section

WITHOUT = Span(False, 40.0, 0.0, 0.0, 15.0, 0.0, 0, 0, 0.0)
WITH = Span(True, 40.0, 12.0, 1.5, 16.0, 30.0, 2, 1, 90.0)


def test_the_bound_is_held_by_the_mean_of_rounds_with_a_window_only():
    text = section([WITHOUT, WITH], [1.0, 1.5])
    assert "12.0 % of one core; at most 15 %: held" in text
    assert "| with | 40 s | 12.0 % | 30.0 | 1.5 % | 16.0 % | 2 | 1 | 90 MB |" in text
    assert "**not held**" in section([WITHOUT, WITH, replace(WITH, window_cpu=20.0)], [1.0])
