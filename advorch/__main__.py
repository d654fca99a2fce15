"""`python -m advorch`, for a machine where the interpreter is known and its scripts are not on the path."""

from advorch.cli.app import main

if __name__ == "__main__":
    main()
