"""Makes a project of a user's own: a recipe for a checkpoint, and the files around it."""
