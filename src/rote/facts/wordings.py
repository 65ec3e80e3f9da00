class Wordings:
    def __init__(self, templates):
        import re

        pats = {t.text for t in templates}
        self._p = [re.compile(re.escape(t).replace(re.escape("{subject}"), ".+?"), re.I) for t in pats]

    def occur_in(self, text):
        return any(p.search(text) for p in self._p)
