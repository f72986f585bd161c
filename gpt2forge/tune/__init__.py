"""Finds out what each choice of a recipe is worth, and chooses the best ones under limits."""
