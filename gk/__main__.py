"""`python -m gk`, and the `gk` command."""

from gk.cli.main import main

if __name__ == "__main__":
    main()
