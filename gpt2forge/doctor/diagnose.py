"""All examinations, in the order in which they are shown."""

from pathlib import Path

from gpt2forge.doctor.examination import Examination
from gpt2forge.doctor.examine_disk import examine_disk
from gpt2forge.doctor.examine_memory import examine_memory
from gpt2forge.doctor.examine_processor import examine_processor
from gpt2forge.doctor.examine_threads import examine_threads
from gpt2forge.doctor.examine_versions import examine_versions


def diagnose(store: Path) -> list[Examination]:
    """Examine everything; the memory is read for about a second."""
    return [
        examine_threads(),  # first: what this program does is no load
        examine_processor(),
        examine_memory(),
        examine_versions(),
        examine_disk(store),
    ]
