"""Three small stages that fail on request, for tests of the executor that need no model."""
