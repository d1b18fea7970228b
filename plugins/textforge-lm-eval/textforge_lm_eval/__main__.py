"""The harness's own command, ``lm_eval``, with the model ``textforge`` among its models.

python -m textforge_lm_eval --model textforge --model_args model=model/,backend=torch --tasks lambada_openai
"""

from __future__ import annotations

import sys

from textforge.errors import TextforgeError
from textforge_lm_eval._library import run_harness


def main() -> None:
    """Run the command; what textforge refuses ends it with one line."""
    try:
        run_harness(sys.argv[1:])
    except TextforgeError as error:
        sys.exit(f"Error: {error}")


if __name__ == "__main__":
    main()
