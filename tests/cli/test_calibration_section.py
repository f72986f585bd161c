"""`method: gptq` on the real example: its gain in accuracy, and the reuse of its statistics."""

import json

import pytest

from tests.workshop import FITTED, UNTIMED, Workshop, copy_workshop

pytestmark = pytest.mark.slow

FEW = FITTED[1:]


@pytest.fixture(scope="module")
def workshop(fitted_once: Workshop, tmp_path_factory: pytest.TempPathFactory) -> Workshop:
    return copy_workshop(fitted_once, tmp_path_factory.mktemp("calibration") / "here")


def test_fitted_weights_leave_half_of_the_divergence(workshop: Workshop) -> None:
    loose = ("--set", "verify.max_perplexity_increase=9%")
    plain = workshop.prove("nano-cpu-int4", *loose, *UNTIMED)
    fitted = workshop.prove(*FITTED, *loose, *UNTIMED)
    assert fitted["verify"]["kl_mean"] < 0.55 * plain["verify"]["kl_mean"]
    assert (
        abs(fitted["bytes"]["package"] - plain["bytes"]["package"]) < 1000
    )  # the forge.json of the fitted one is longer


def test_smooth_activations_lose_less(workshop: Workshop) -> None:
    said = ("--set", "quantization.smooth=true", "--set", "calibration.text=examples/nano/calibration.txt")
    plain, smooth = (workshop.prove("nano-vnni-int8", *words, *UNTIMED) for words in ((), (*said, *FEW)))
    assert smooth["verify"]["kl_mean"] < 0.97 * plain["verify"]["kl_mean"]


def test_another_granularity_collects_nothing_again(workshop: Workshop) -> None:
    def plan(*words: str) -> dict[str, str]:
        steps = json.loads(workshop.run("plan", "--json", FITTED[0], "--name", "n64", *words).stdout)["steps"]
        return {step["stage"]: step["verdict"] for step in steps}

    other = plan(*FEW, "--set", "quantization.granularity=64")
    assert (other["calibrate"], other["quantize"]) == ("done", "will run")
    assert plan("--set", "calibration.tokens=2048")["calibrate"] == "will run"


def test_nothing_is_collected_where_nothing_reads_it(workshop: Workshop) -> None:
    said = ("--set", "calibration.text=examples/nano/calibration.txt")
    unread, plain = (workshop.report("nano-cpu-int4", "--name", "unread", *words)["steps"] for words in (said, ()))
    assert "calibrate" not in [step["stage"] for step in unread]
    assert unread[-1]["key"] == plain[-1]["key"]


def test_missing_text_is_named_with_its_place(workshop: Workshop) -> None:
    done = workshop.run("build", "nano-cpu-int4-gptq", "--name", "gone", "--set", "calibration.text=gone.txt", code=1)
    assert done.stderr == (
        "error: --set calibration.text=gone.txt: `calibration.text: gone.txt`: there is no such file; name a file, by its path "
        f"from the project, `{workshop.folder}`\n"
    )
