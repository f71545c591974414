#!/usr/bin/env python3
"""registry.py LAYOUT LOG [OPTION=VALUE...] - a registry on 127.0.0.1 that misbehaves as told.

Serves the blobs of an OCI layout as any repository and tag (the layout's first manifest).
Prints its port, and writes one line a request to LOG: method, path, Range or "-", what
Authorization began with or "-", and bytes sent of a body.  Options:

  cut=N          close the connection after N bytes of a layer, each time
  cut_once=N     the same, the first time a layer is asked for
  stall=N        stop sending after N bytes of a layer, and keep the connection
  slow=BPS       so many bytes of a layer a second
  fail=N         the first N requests get 500
  busy=N         the first N requests get 429 with Retry-After: retry_after
  retry_after=S  (default 1)
  no_range=1     ignore Range
  digest=1       layers have one wrong byte
  short=1        layers end early, with a Content-Length that says so
  long=1         layers go on after their end
  manifest=N     the manifest has N bytes
  schema1=1      the manifest is of Docker's schema 1
  loop=1         blobs are redirected in a circle
  redirect=URL   blobs are redirected to URL + path
  auth=bearer    a token is needed, from /token;  auth=basic: ann and secret
  token_fail=1   /token answers 500 once
"""
import base64
import http.server
import json
import pathlib
import socketserver
import sys
import threading
import time

layout, log = pathlib.Path(sys.argv[1]), open(sys.argv[2], "a", buffering=1)
option = dict(o.split("=", 1) for o in sys.argv[3:])
lock = threading.Lock()
seen = set()
left = {k: int(option.get(k, 0)) for k in ("fail", "busy", "token_fail")}
BASIC = "Basic " + base64.b64encode(b"ann:secret").decode()
TYPES = "application/vnd.oci.image."


def blob(digest):
    return layout / "blobs" / digest.replace(":", "/")


top = json.loads((layout / "index.json").read_text())["manifests"][0]
manifest = blob(top["digest"]).read_bytes()
layers = {d["digest"] for d in json.loads(manifest).get("layers", [])}


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    sent = 0

    def log_message(self, *_):
        pass

    def note(self):
        who = self.headers.get("Authorization", "-").split(" ")[0]
        log.write(f"{self.command} {self.path} {self.headers.get('Range', '-')} {who} {self.sent}\n")

    def answer(self, status, body=b"", **headers):
        self.send_response(status)
        for k, v in headers.items():
            self.send_header(k.replace("_", "-"), v)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def once(self, what):
        with lock:
            left[what] -= 1
            return left[what] >= 0

    def do_HEAD(self):
        self.do_GET()

    def do_GET(self):
        self.sent = 0
        try:
            self.serve()
        except (BrokenPipeError, ConnectionResetError):
            self.close_connection = True
        finally:
            self.note()

    def serve(self):
        if self.path.startswith("/token"):
            return self.token()
        if self.once("fail"):
            return self.answer(500)
        if self.once("busy"):
            return self.answer(429, Retry_After=option.get("retry_after", "1"))
        if not self.allowed():
            return None
        part = self.path.split("/")
        if self.path == "/v2/":
            return self.answer(200, b"{}")
        if part[-2] == "manifests":
            return self.manifest()
        return self.send_blob(part[-1])

    def token(self):
        if self.once("token_fail"):
            return self.answer(500)
        if option.get("anonymous") != "1" and self.headers.get("Authorization") != BASIC:
            return self.answer(401, b'{"details":"incorrect username or password"}')
        return self.answer(200, b'{"token":"T0KEN","expires_in":60}')

    def allowed(self):
        way, got = option.get("auth"), self.headers.get("Authorization")
        if way == "bearer" and got != "Bearer T0KEN":
            realm = f'http://{self.headers["Host"]}/token'
            self.answer(401, WWW_Authenticate=f'Bearer realm="{realm}",service="test"')
            return False
        if way == "basic" and got != BASIC:
            self.answer(401, WWW_Authenticate='Basic realm="test"')
            return False
        return True

    def manifest(self):
        if "manifest" in option:
            return self.answer(200, b" " * int(option["manifest"]))
        if "schema1" in option:
            return self.answer(200, b'{"schemaVersion":1,"fsLayers":[]}',
                               Content_Type="application/vnd.docker.distribution.manifest.v1+prettyjws")
        return self.answer(200, manifest, Content_Type=TYPES + "manifest.v1+json",
                           Docker_Content_Digest=top["digest"])

    def send_blob(self, digest):
        if "loop" in option:
            return self.answer(307, Location=self.path)
        if "redirect" in option:
            return self.answer(307, Location=option["redirect"] + self.path)
        path = blob(digest)
        if not path.exists():
            return self.answer(404)
        data = path.read_bytes()
        if digest not in layers:
            return self.answer(200, data)
        return self.send_layer(digest, data)

    def send_layer(self, digest, data):
        size, first = len(data), 0
        if "digest" in option:
            data = data[:-1] + bytes([data[-1] ^ 1])
        if "short" in option:
            data = data[:-10]
        asked = self.headers.get("Range", "")
        if asked.startswith("bytes=") and "no_range" not in option:
            first = int(asked[6:].split("-")[0])
        data = data[first:]
        self.send_response(206 if first else 200)
        if first:
            self.send_header("Content-Range", f"bytes {first}-{size - 1}/{size}")
        if "long" in option:        # no length: the end is the connection's
            data += b"x" * 100000
            self.send_header("Connection", "close")
            self.close_connection = True
        else:
            self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.send_slowly(data, self.end_of(digest))

    def end_of(self, digest):
        """After how many bytes this answer stops, or None."""
        with lock:
            first_time = digest not in seen
            seen.add(digest)
        if "cut_once" in option and first_time:
            return int(option["cut_once"])
        return int(option["cut"]) if "cut" in option else None

    def send_slowly(self, data, end):
        rate = int(option.get("slow", 0))
        step = max(rate // 20, 1) if rate else 65536
        for at in range(0, len(data), step):
            part = data[at:at + step]
            if end is not None and at + len(part) >= end:
                self.wfile.write(part[:end - at])
                self.sent += end - at
                self.close_connection = True
                return
            if "stall" in option and at + len(part) > int(option["stall"]):
                time.sleep(3600)
            self.wfile.write(part)
            self.sent += len(part)
            if rate:
                time.sleep(0.05)


class Server(socketserver.ThreadingMixIn, http.server.HTTPServer):
    daemon_threads = True

    def handle_error(self, request, client_address):
        pass                        # a client that went away is no news here


server = Server(("127.0.0.1", 0), Handler)
print(server.server_address[1], flush=True)
server.serve_forever()
