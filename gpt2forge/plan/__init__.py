"""The steps of a recipe: the key of each, whether it is done or will run, and why."""
