from pathlib import Path

from engine.sampling.parameterisation import PARAMETERISATIONS
from engine.sampling.samplers import SAMPLERS
from engine.sampling.schedules import SCHEDULES

PAGE = (Path(__file__).parents[3] / "docs" / "sampling.md").read_text(encoding="utf-8")


def test_the_page_lists_every_sampler_as_the_registry_has_it():
    for sampler in SAMPLERS.values():
        order = sampler.order or "-"
        noise = "yes" if sampler.stochastic else "no"
        assert f"| `{sampler.name}` | {order} | {sampler.evaluations} | {noise} |" in PAGE


def test_the_page_lists_every_schedule_and_parameterisation():
    for name in (*SCHEDULES, *PARAMETERISATIONS):
        assert f"| `{name}`" in PAGE
