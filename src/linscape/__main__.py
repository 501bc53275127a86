"""`python -m linscape` is the command `linscape`."""

from linscape.cli import main

if __name__ == "__main__":
    main()
