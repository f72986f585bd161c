"""The command line: one file for each command. click and rich are used only here."""
