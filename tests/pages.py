"""Pages as a browser reads them, and texts that would do harm on one."""

from __future__ import annotations

import html.parser

HOSTILE = (
    "<script>alert(1)</script>", "</div></main>", "<img src=x onerror=alert(1)>", '"', "'", "&", "&lt;", "]]>", "<!--",
    "\x00", "\x1b[2J", "\r", "\n", "\t", " ", "\x85", "\u202e", "\u2028", "\ufdd1", "\ud800", "文", "</style>", "`",
)  # fmt: skip
VOID = {"meta", "input"}
ATTRIBUTES = {
    "lang", "charset", "name", "content", "http-equiv", "class", "tabindex", "data-tip", "title", "type", "id",
    "checked", "style", "dir",
}  # fmt: skip


class Page(html.parser.HTMLParser):
    """The texts of a page, its tips, and the tags it is made of, which must be balanced."""

    def __init__(self, page):
        super().__init__(convert_charrefs=True)
        self.texts, self.tips, self.classes, self.words = [], [], [], []
        self._open, self._depths = [], []
        self.feed(page)
        self.close()
        assert not self._open

    def handle_starttag(self, tag, attributes):
        assert tag not in {"script", "img", "link", "iframe", "object", "a"}
        values = dict(attributes)
        assert values.keys() <= ATTRIBUTES
        if values.get("class") == "text":
            self.texts.append("")
            self._depths.append(len(self._open))
        if "data-tip" in values:
            self.tips.append(values["data-tip"])
            self.classes.append(values["class"].split())
        if tag not in VOID:
            self._open.append(tag)

    def handle_endtag(self, tag):
        assert self._open.pop() == tag
        if self._depths and len(self._open) == self._depths[-1]:
            self._depths.pop()

    def handle_data(self, data):
        if self._depths:
            self.texts[-1] += data
        else:
            self.words.append(data)
