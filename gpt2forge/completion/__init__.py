"""Completes command lines in a shell. It imports little, because each press of a key starts it."""
