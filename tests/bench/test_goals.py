"""Numbers beside their goals."""

from typing import Any

from bench import goals
from bench.goals import BLOCKS, CTRANSLATE2, FITTED_BLOCKS, OPTIMUM, PYTORCH, Verdict, check_goals
from bench.page import TAKEN, name_origin
from bench.peers.systems import SYSTEMS


def time_system(token: float, far: float, prefill: float, batch: float) -> dict[str, Any]:
    spread = {"least": 0.0, "largest": 0.0}
    return {
        "bytes": 26.0,
        "limit_share": {"64": {"median": 0.5 / token, **spread}},
        "token_ms": {"64": {"median": token, **spread}, "1000": {"median": far, **spread}},
        "prefill_ms": {"64": {"median": prefill, **spread}, "1000": {"median": 10 * prefill, **spread}},
        "tokens_s": {"16": {"median": batch, **spread}},
    }


def check_peers(systems: dict[str, Any]) -> dict[tuple[str, str], Verdict]:
    peers = {"float32_bytes": 100, "systems": systems}
    return {(verdict.what, verdict.unit): verdict for verdict in check_goals({"peers": {"774m": peers}})}


def test_a_number_at_its_goal_reaches_it() -> None:
    assert Verdict("size", 0.17, 0.17, "of float32").reached
    assert not Verdict("size", 0.1701, 0.17, "of float32").reached


def test_a_number_that_is_wanted_large_falls_short_below_its_goal() -> None:
    assert Verdict("tokens", 1.5, 1.5, "of others", at_least=True).reached
    assert not Verdict("tokens", 1.49, 1.5, "of others", at_least=True).reached


def test_ours_are_held_against_each_peer_that_was_measured() -> None:
    systems = {
        PYTORCH: time_system(10.0, 12.0, 100.0, 5.0),
        CTRANSLATE2: time_system(4.0, 5.0, 30.0, 100.0),
        BLOCKS: time_system(1.0, 1.6, 20.0, 160.0),
        OPTIMUM: {"error": "killed"},
    }
    verdicts = check_peers(systems)
    token = verdicts[f"a token, {BLOCKS}", "of PyTorch fp32"]
    assert (token.value, token.goal, token.reached) == (0.1, 0.15, True)
    assert verdicts[f"a token, {BLOCKS}", "of CTranslate2 int8"].value == 0.25
    assert verdicts[f"tokens/s of 16 texts, {BLOCKS}", "of CTranslate2 int8"].reached
    assert not verdicts[f"a token behind 1000, {BLOCKS}", "of one behind 64"].reached
    assert verdicts[f"the memory's limit, {BLOCKS}", "of its time"].value == 0.5
    assert verdicts[f"size, {BLOCKS}", "of float32"].reached is True
    assert not any("Optimum" in unit for _, unit in verdicts)


def test_goals_are_about_systems_that_there_are() -> None:
    pairs = {*goals.TOKENS, *goals.BATCHES, *goals.DIVERGENCES, *((one, other) for one, other, _ in goals.PREFILLS)}
    named = {name for pair in pairs for name in pair} | {*goals.SIZES, *goals.PASTS, *goals.INCREASES}
    assert named <= set(SYSTEMS)


def test_minutes_are_checked_where_all_of_them_were_taken() -> None:
    one = {"date": "2026-11-26", "host": {"processor": "EPYC"}}
    run = {**one, "seconds": dict.fromkeys(TAKEN, 240.0), "origins": dict.fromkeys(TAKEN, name_origin(one))}
    assert [verdict.value for verdict in check_goals(run)] == [24.0]
    assert not list(
        check_goals({**run, "origins": {**run["origins"], "idle": {"date": "2026-11-27", "processor": "EPYC"}}})
    )
    assert not list(check_goals({**run, "origins": {}}))


def test_divergence_is_checked_on_the_trained_model() -> None:
    systems = {
        OPTIMUM: {"bytes": 1, "fidelity": {"kl_mean": 1e-2, "perplexity_increase": 0.009}},
        FITTED_BLOCKS: {"bytes": 1, "fidelity": {"kl_mean": 1e-3, "perplexity_increase": -0.0004}},
    }
    found = {verdict.what: verdict.reached for verdict in check_goals({"peers": {"nano": {"systems": systems}}})}
    assert found == {f"KL divergence, {FITTED_BLOCKS}": False, f"perplexity, {FITTED_BLOCKS}": True}


def test_the_conversion_that_takes_most_memory_is_held_against_the_goal() -> None:
    peaks = {"774m": {"TensorFlow 1": {"peak_memory_bytes": 2e8}, "GGUF F32": {"peak_memory_bytes": 1.1e9}}}
    (verdict,) = check_goals({"formats": peaks})
    assert (verdict.value, verdict.reached) == (1.1, False)


def test_whole_texts_are_held_against_the_fastest_other() -> None:
    def write(speed: float) -> dict[str, Any]:
        return {"tokens_s": {"16": {"median": speed}}, "open_s": 0.9, "added_bytes": 61e6}

    loop = {"loop": {"likeliest": 0.02, "drawn": 0.04}}
    writers = {BLOCKS: write(200.0), f"{BLOCKS}, packed": write(160.0), CTRANSLATE2: write(100.0), "x": {"error": "y"}}
    nano = {**loop, "guesses": {"repeating, likeliest": {"faster": 1.4}, "ordinary, drawn": {"faster": 9.0}}}
    texts = {"774m": {"writers": writers, "alone": {BLOCKS: loop}}, "nano": {"writers": {}, "alone": {BLOCKS: nano}}}
    found = {verdict.what: (verdict.value, verdict.reached) for verdict in check_goals({"texts": texts})}
    assert found == {
        f"the loop, {BLOCKS}, 774m": (2.0, True),
        "tokens/s of 16 whole texts, the fastest of ours": (2.0, True),
        f"opened, {BLOCKS}, packed": (0.9, True),
        f"a second process, {BLOCKS}, packed": (61.0, False),
        f"the loop, {BLOCKS}, nano": (2.0, True),
        "guesses where a text repeats its prompt, the best package, nano": (1.4, False),
    }
