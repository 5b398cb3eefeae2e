"""``python -m autonoe``: the command line of the very interpreter that runs it."""

from autonoe.cli import main

if __name__ == "__main__":
    main()
