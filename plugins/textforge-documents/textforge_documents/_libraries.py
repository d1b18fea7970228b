"""The way to lxml and python-docx, each imported when a document is read."""

from __future__ import annotations

import textforge

LXML = textforge.Framework("lxml", oldest=(5, 2), needed_by="corpus")
DOCX = textforge.Framework("docx", title="python-docx", oldest=(1, 1), distribution="python-docx", needed_by="corpus")
