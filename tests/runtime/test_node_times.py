"""The profile of a session, parsed and taken."""

from pathlib import Path

import numpy as np

from gpt2forge.runtime.decoder import Decoder
from gpt2forge.runtime.node_times import profile_runs, read_profile, take_medians
from tests.workshop import Workshop

EVENTS = [
    {"cat": "Session", "name": "session_initialization", "ts": 0, "dur": 50},
    {"cat": "Session", "name": "model_run", "ts": 100, "dur": 40},
    {"cat": "Node", "name": "h.0.a_kernel_time", "ts": 110, "dur": 10, "args": {"op_name": "MatMulNBits"}},
    {"cat": "Node", "name": "h.0.a_fence_before", "ts": 109, "dur": 1, "args": {"op_name": "MatMulNBits"}},
    {"cat": "Session", "name": "model_run", "ts": 200, "dur": 60},
    {"cat": "Node", "name": "h.0.a_kernel_time", "ts": 210, "dur": 30, "args": {"op_name": "MatMulNBits"}},
]


def test_nodes_belong_to_the_run_that_they_lie_in() -> None:
    first, second = read_profile(EVENTS)
    assert (first.ms, second.ms) == (0.04, 0.06)
    assert [(node.name, node.operator, node.ms) for node in first.nodes] == [("h.0.a", "MatMulNBits", 0.01)]
    assert [node.ms for node in take_medians([first, second])] == [0.02]


def test_every_run_of_a_package_is_timed_node_by_node(workshop: Workshop, tmp_path: Path) -> None:
    def act(decoder: Decoder) -> None:
        read = decoder.start(12)
        read(np.arange(8)[None])
        read(np.array([[1]]))

    prompt, token = profile_runs(workshop.build("nano-cpu-int8"), 1, tmp_path, act)
    for run in (prompt, token):
        operators = {node.operator for node in run.nodes}
        assert {"MatMulNBits", "GroupQueryAttention", "GatherBlockQuantized"} <= operators
        assert 0 < sum(node.ms for node in run.nodes) <= run.ms * 1.05
    names = {node.name for node in token.nodes}
    assert {"h.0.attn.c_attn", "h.3.mlp.c_proj", "lm_head"} <= names
