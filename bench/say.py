"""What is being done, with the time: the bench runs for half an hour, and somebody may be watching."""

import sys
import time


def say(what: str) -> None:
    print(f"{time.strftime('%H:%M:%S')} {what}", file=sys.stderr, flush=True)
