"""A scripted provider that records what reached it.

The simulated providers of the quickstart hide credentials in what they record, and credentials are
what the fallback tests are about.
"""

import http.server
import queue
import socket
import struct
import threading
import time


class Recorder:
    """A provider on `port`, as a context manager; `answer` gets the handler of each request, for `send` or `cut`.

    The handler has the `body`.
    """

    def __init__(self, port, answer):
        self.forget()
        recorder = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                recorder.begun.put(self.path)
                self.body = bytearray()
                try:
                    self.read_body()
                except OSError:
                    recorder.broken.put((self.path, bytes(self.body)))
                    self.close_connection = True
                    return
                recorder.paths.append(self.path)
                recorder.requests.append((self.headers.items(), bytes(self.body)))
                recorder.answer(self)

            do_GET = do_POST

            def read_body(self):
                if self.headers.get("transfer-encoding", "").lower() != "chunked":
                    return self.take(int(self.headers.get("content-length") or 0))
                size = None
                while size != 0:
                    line = self.rfile.readline()
                    if not line:
                        raise ConnectionError("no more chunks")
                    size = int(line.split(b";")[0], 16)
                    self.take(size)
                    # The end of a chunk, or trailers and the end of all.
                    while self.rfile.readline() not in (b"\r\n", b""):
                        pass
                return None

            def take(self, size):
                piece = self.rfile.read(size)
                self.body += piece
                if len(piece) < size:
                    raise ConnectionError("the body ends too early")

            def log_message(self, *_):
                pass

        self.answer = answer
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", port), Handler)
        self.server.daemon_threads = True
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.02,), daemon=True)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.server.shutdown()
        self.server.server_close()

    def forget(self):
        """What was seen before is not there any more."""
        self.paths = []
        self.requests = []  # a list of header pairs, and the body
        self.begun = queue.Queue()  # paths, as soon as the headers came
        self.broken = queue.Queue()  # paths of requests whose bodies came to no end, and as much as came

    def everything(self):
        """All that was seen, as one text to search in."""
        parts = list(self.paths)
        for headers, body in self.requests:
            parts += ["%s: %s" % pair for pair in headers] + [body.decode(errors="replace")]
        return "\n".join(parts)


def send(handler, status, body, content_type="application/json"):
    """A complete answer, and the end of the connection: the next test scripts another provider on this port."""
    handler.send_response(status)
    handler.send_header("content-type", content_type)
    handler.send_header("content-length", str(len(body)))
    handler.send_header("connection", "close")
    handler.end_headers()
    handler.wfile.write(body)


def cut(handler, status, beginning, content_type="text/event-stream"):
    """The beginning of an answer, then a connection that is reset."""
    handler.send_response(status)
    handler.send_header("content-type", content_type)
    handler.send_header("transfer-encoding", "chunked")
    handler.end_headers()
    handler.wfile.write(b"%x\r\n%s\r\n" % (len(beginning), beginning))
    handler.wfile.flush()
    time.sleep(0.3)  # a reset overtakes what was not read yet
    # Lingering for no time turns the close into a reset.
    handler.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    handler.close_connection = True
