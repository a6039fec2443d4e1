"""A web server on this machine that serves a few files, well or badly."""

import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@dataclass
class Behaviour:
    """What a server does.

    Attributes:
        files: content by name.
        breaks: so many answers end in the middle.
        ranges: it serves parts of files; versions: it says which version of a file it has; kind: what it says they are.
        asked: Range headers of the requests, "" where there was none.
    """

    files: dict[str, bytes]
    breaks: int = 0
    ranges: bool = True
    version: str = '"one"'
    kind: str = "application/zip"
    asked: list[str] = field(default_factory=list)


@contextmanager
def serving(behaviour: Behaviour) -> Iterator[str]:
    """The address of a server that behaves so."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            content = behaviour.files.get(self.path[1:])
            behaviour.asked.append(self.headers.get("Range", ""))
            if content is None:
                self.send_error(404)
                return
            start = int(re.findall(r"\d+", self.headers.get("Range", "0"))[0])
            same = self.headers.get("If-Range") in (None, behaviour.version)
            part = bool(behaviour.ranges and start and same)
            if part and start >= len(content):
                self.send_response(416)
                self.send_header("Content-Range", f"bytes */{len(content)}")
                self.end_headers()
                return
            body = content[start:] if part else content
            self.send_response(206 if part else 200)
            self.send_header("Content-Length", str(len(body)))
            self.send_header("Content-Type", behaviour.kind)
            if behaviour.version:
                self.send_header("ETag", behaviour.version)
            if part:
                self.send_header("Content-Range", f"bytes {start}-{len(content) - 1}/{len(content)}")
            self.end_headers()
            if behaviour.breaks:
                behaviour.breaks -= 1
                body = body[: len(body) // 2]
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()
