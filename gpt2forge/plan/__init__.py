"""From a recipe to steps: the key of each, which are done, which will run, and why."""
