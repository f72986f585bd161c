"""One build as a whole: runs the steps, publishes the package, writes the report."""
