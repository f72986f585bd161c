"""`python -m gpt2forge` is the same as the `gpt2forge` command."""

from gpt2forge.main import main

if __name__ == "__main__":
    main()
