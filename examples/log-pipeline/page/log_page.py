"""The page: `log_page.py PORT`. / has the latest lines, /?q=WORDS those with all of these words, the newest first.

Where the store is, the environment says (PGSERVICE, PGSERVICEFILE), anew for each connection.
"""

import html
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

import psycopg

MOST = 200
QUERY = """
    select at, instance, line from lines
    where %(words)s = '' or words @@ websearch_to_tsquery('simple', %(words)s)
    order by at desc, line desc limit %(most)s
"""
PAGE = """<!doctype html>
<title>logs</title>
<form><input name="q" value="{words}" autofocus> <button>search</button></form>
<p>{count} lines</p>
<pre>
{lines}
</pre>
"""


class Page(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        url = urlsplit(self.path)
        if url.path == "/health":
            self.answer(200, "ok\n")
            return
        words = parse_qs(url.query).get("q", [""])[0]
        try:
            with psycopg.connect() as store:
                found = store.execute(QUERY, {"words": words, "most": MOST}).fetchall()
        except psycopg.Error as error:
            self.answer(503, f"the store does not answer: {error}\n")
            return
        lines = "\n".join(html.escape(f"{at:%Y-%m-%d %H:%M:%S} {instance} {line}") for at, instance, line in found)
        self.answer(200, PAGE.format(words=html.escape(words), count=len(found), lines=lines), "text/html")

    def answer(self, status: int, text: str, kind: str = "text/plain") -> None:
        body = text.encode()
        self.send_response(status)
        self.send_header("Content-Type", f"{kind}; charset=utf-8")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *arguments: object) -> None:
        """Not a line for each health check."""


ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Page).serve_forever()
