"""A corpus as a plugin: a column of a CSV file, each row a document (textforge's own `csv` does more).

textforge train table:reviews.csv,column=text --plugin examples/textforge_csv.py -o model/
"""

import csv
from pathlib import Path

import textforge


class CsvCorpus(textforge.Corpus):
    """A column of a CSV file, each row a document."""

    name = "table"
    path: str = textforge.option(help="The file.")
    column: str = textforge.option(default="text", help="The column's name, from the first row.")

    def read(self):
        with Path(self.path).open(encoding="utf-8", newline="") as file:
            for row in csv.DictReader(file):
                yield row[self.column]
                yield textforge.END_OF_TEXT


@textforge.hookimpl
def register_corpora(register):
    register(CsvCorpus)
