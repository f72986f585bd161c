"""Tests of gpt2forge/fetch against real servers on loopback."""
