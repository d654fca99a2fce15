"""The reference of pipeline files, written from the tables that check them: `python -m advorch.cli.reference`."""
