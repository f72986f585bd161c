"""Publishing from several threads at once, as builds through `import gpt2forge` do."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from gpt2forge.builder.publish import hold_outputs, publish


def test_threads_that_publish_under_one_name_do_not_disturb_each_other(tmp_path: Path) -> None:
    """Write a link and a file that names its target, from eight threads: in the end they belong together."""
    output = tmp_path / "build/mine"
    artifacts = [tmp_path / "artifacts" / f"{number:064x}" for number in range(8)]
    for artifact in artifacts:
        artifact.mkdir(parents=True)

    def publish_often(artifact: Path) -> None:
        for _ in range(50):
            with hold_outputs(output.parent):
                publish(output, artifact)
                (output.parent / "mine.json").write_text(artifact.name)
            publish(output.with_name("other"), artifact)

    with ThreadPoolExecutor(len(artifacts)) as pool:
        list(pool.map(publish_often, artifacts))
    assert output.readlink().name == (output.parent / "mine.json").read_text()
    assert sorted(path.name for path in output.parent.iterdir()) == ["mine", "mine.json", "other"]
