"""The command line, `poseur`."""
