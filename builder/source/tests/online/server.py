#!/usr/bin/env python3
"""A web server with the faults that servers have, for the tests of downloads.

server.py ROOT CERTIFICATE KEY LOG prints its port. The first folder of a path names the
fault, the rest a file below ROOT. LOG gets a line for each request: path, Range, If-Range,
status.
"""

import os
import ssl
import sys
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

root, certificate, key, log_path = sys.argv[1:5]
seen = {}


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *args):
        pass

    def note(self, status):
        fields = [self.path, self.headers.get("Range", "-"), self.headers.get("If-Range", "-")]
        with open(log_path, "a") as log:
            log.write(" ".join([*fields, str(status)]) + "\n")

    def plain(self, status, headers=()):
        self.note(status)
        self.send_response(status)
        for name, value in headers:
            self.send_header(name, value)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def do_GET(self):
        _, fault, name = self.path.split("/", 2)
        count = seen[self.path] = seen.get(self.path, 0) + 1
        if fault == "loop":
            return self.plain(302, [("Location", self.path)])
        if fault == "hop" and count == 1:
            return self.plain(302, [("Location", "/plain/" + name)])
        if fault == "down":
            return self.plain(302, [("Location", "http://127.0.0.1:9/" + name)])
        if fault == "busy" and count <= 2:
            return self.plain(503)
        try:
            with open(os.path.join(root, name), "rb") as file:
                data = file.read()
        except OSError:
            return self.plain(404)
        # A large file is cut, small ones (lists, signatures) are let through.
        large = len(data) > 100000
        if fault == "changed" and count == 1:
            data = bytes(byte ^ 1 for byte in data)
        tag = '"%s-%d"' % (fault, 1 if fault == "changed" and count == 1 else 2)
        start = 0
        status = 200
        wanted = self.headers.get("Range")
        valid = self.headers.get("If-Range", tag) == tag
        if wanted and valid and fault != "norange":
            start = int(wanted.removeprefix("bytes=").removesuffix("-"))
            status = 206
            if start >= len(data):
                return self.plain(416)
        self.note(status)
        body = data[start:]
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        if fault != "bare":
            self.send_header("ETag", tag)
        if status == 206:
            self.send_header("Content-Range", "bytes %d-%d/%d" % (start, len(data) - 1, len(data)))
        self.end_headers()
        cut = fault in ("cut", "norange", "changed", "bare") and count == 1
        stall = fault == "stuck" or (fault == "stall" and count == 1)
        if large and (cut or stall):
            if count == 1:
                self.wfile.write(body[: len(body) // 2])
            self.wfile.flush()
            if stall:
                time.sleep(20)
            self.close_connection = True
            self.connection.close()
            return
        self.wfile.write(body)


server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
server.daemon_threads = True
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain(certificate, key)
server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
print(server.server_address[1], flush=True)
server.serve_forever()
