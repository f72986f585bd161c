"""The `gpt2forge` command, run as `python -m gpt2forge`."""

from gpt2forge.main import main

if __name__ == "__main__":
    main()
