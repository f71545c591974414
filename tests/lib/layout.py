#!/usr/bin/env python3
"""layout.py LAYOUT TREE... - pack directories as the gzip layers of an image in an OCI layout."""
import gzip
import hashlib
import io
import json
import pathlib
import sys
import tarfile

out = pathlib.Path(sys.argv[1])
(out / "blobs/sha256").mkdir(parents=True)
OCI = "application/vnd.oci.image."


def put(data, kind):
    hexa = hashlib.sha256(data).hexdigest()
    (out / "blobs/sha256" / hexa).write_bytes(data)
    return {"mediaType": OCI + kind, "digest": "sha256:" + hexa, "size": len(data)}


diff_ids, layers = [], []
for tree in sys.argv[2:]:
    tar = io.BytesIO()
    with tarfile.open(fileobj=tar, mode="w") as t:
        t.add(tree, arcname=".")
    diff_ids.append("sha256:" + hashlib.sha256(tar.getvalue()).hexdigest())
    layers.append(put(gzip.compress(tar.getvalue(), 6, mtime=0), "layer.v1.tar+gzip"))
arch = {"x86_64": "amd64", "aarch64": "arm64"}.get(__import__("platform").machine(), "amd64")
config = put(json.dumps({"os": "linux", "architecture": arch, "config": {"Cmd": ["/bin/sh"]},
                         "rootfs": {"type": "layers", "diff_ids": diff_ids}}).encode(),
             "config.v1+json")
manifest = put(json.dumps({"schemaVersion": 2, "mediaType": OCI + "manifest.v1+json",
                           "config": config, "layers": layers}).encode(), "manifest.v1+json")
manifest["annotations"] = {"org.opencontainers.image.ref.name": "1"}
(out / "index.json").write_text(json.dumps({"schemaVersion": 2, "manifests": [manifest]}))
(out / "oci-layout").write_text('{"imageLayoutVersion":"1.0.0"}')
