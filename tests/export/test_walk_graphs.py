from engine.execution.device_walker import GRAPHS
from export.walk_graphs import build


def test_the_committed_graphs_are_what_the_script_writes():
    assert {path.name: path.read_bytes() for path in GRAPHS.iterdir()} == build()
