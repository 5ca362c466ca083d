"""The governor: eases when time runs short, gives back slowly, never asks more than was asked."""

import itertools

from hypothesis import given
from hypothesis import strategies as st

from engine.stream.governor import Governor
from engine.stream.lead_and_stride import lead_and_stride

BLOCK = 2.0


def play(governor, blocks, cost_per_step, asked=8, stride=1.0, wanted=1.0):
    """A simulated machine: lead falls by what a block takes and rises by what it lasts."""
    lead, plans = wanted, []
    for _ in range(blocks):
        plan = governor.plan(asked, stride)
        seconds = plan.steps * cost_per_step
        lead = min(lead, wanted) - seconds
        governor.observe(asked, plan, seconds, max(lead, 0.0), wanted)
        lead = max(lead, 0.0) + plan.stride * BLOCK
        plans.append(plan)
    return plans


def test_a_fast_machine_is_left_alone():
    assert {p.steps for p in play(Governor(BLOCK, 4), 50, 0.02)} == {8}


def test_a_slow_machine_gets_steps_that_fit_and_not_fewer_than_the_floor():
    plans = play(Governor(BLOCK, 4), 50, 0.3)  # 8 steps would take 2.4 s for 2 s of audio
    assert plans[-1].steps * 0.3 < BLOCK
    assert min(p.steps for p in plans) >= 4


def test_steps_come_back_when_the_machine_is_free_again_but_slowly():
    governor = Governor(BLOCK, 4)
    low = play(governor, 20, 0.3)[-1].steps
    plans = play(governor, 80, 0.02)
    assert plans[-1].steps == 8
    rises = [b.steps - a.steps for a, b in itertools.pairwise(plans)]
    assert max(rises) == 1
    assert plans[5].steps <= low + 1


def test_at_the_floor_a_short_stride_is_lengthened():
    plans = play(Governor(BLOCK, 4), 40, 0.2, stride=0.25)
    assert plans[-1].stride == 1.0
    assert plans[-1].eased


@given(st.integers(1, 200), st.floats(0.125, 1.0), st.floats(0.0, 1.0), st.integers(1, 8))
def test_never_more_than_requested(asked, stride, cost, floor):
    for plan in play(Governor(BLOCK, floor), 12, cost, asked=asked, stride=stride):
        assert min(asked, floor) <= plan.steps <= asked
        assert plan.stride >= stride


def test_offline_nothing_is_eased():
    assert {p.steps for p in play(Governor(BLOCK, 4, active=False), 9, 5.0)} == {8}


@given(st.floats(0.35, 10.0))
def test_lead_and_stride_add_up_to_the_requested_latency(latency):
    lead, stride = lead_and_stride(latency, BLOCK)
    assert abs(lead + stride * BLOCK - latency) < 1e-9
    assert lead >= 0.05
