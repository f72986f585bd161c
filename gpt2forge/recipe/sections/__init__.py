"""The sections of a recipe: what each may hold, its defaults, and what the defaults mean."""
