"""``python -m textforge``."""

from textforge.cli import main

if __name__ == "__main__":
    main(prog_name="textforge")
