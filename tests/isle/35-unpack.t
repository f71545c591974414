#!/usr/bin/python3
# Layers unpacked, exactly: random images by us (stacked by overlayfs), by umoci and by podman,
# walked and compared; malicious tars; packing, the list of changes, docker cp's rules.
# timeout: 600
#
# ISLE_BUILD: the build folder; SEED, IMAGES: of the random images.
import hashlib, io, json, os, random, shutil, stat, struct, subprocess, sys, tarfile
import tempfile, time, traceback

TOP = os.path.realpath(os.path.join(os.path.dirname(__file__), "../.."))
BUILD = os.environ.get("ISLE_BUILD", TOP + "/build/main")
REQUIRE = os.environ.get("ISLE_REQUIRE", "").split(",")
LAYER = next((p for p in (BUILD + "/tests/unit/layer", BUILD + "/main/tests/unit/layer")
              if os.path.exists(p)), None)

# Mounts are made in a mount namespace of our own.
if os.geteuid() == 0 and not os.environ.get("IN_NS"):
    os.environ["IN_NS"] = "1"
    os.execvp("unshare", ["unshare", "-m", "--propagation", "private", sys.executable,
                          os.path.realpath(__file__)] + sys.argv[1:])


class Skip(Exception):
    pass


def need(what):
    if what == "root":
        ok = os.geteuid() == 0
    else:
        ok = shutil.which(what) is not None
    if not ok and what in REQUIRE:
        raise AssertionError("%s is required here" % what)
    if not ok:
        raise Skip("no " + what)


def run(*argv, **kw):
    return subprocess.run(argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE, **kw)


def good(*argv, **kw):
    r = run(*argv, **kw)
    assert r.returncode == 0, "%s: %s" % (argv, r.stderr.decode())
    return r.stdout.decode()


def refused(tar, *words):
    """Unpacking tar (bytes) fails in one line that has all of words."""
    open("bad.tar", "wb").write(tar)
    shutil.rmtree("bad", ignore_errors=True)
    os.mkdir("bad")
    r = run(LAYER, "unpack", "bad.tar", "bad")
    text = r.stderr.decode(errors="replace")
    assert r.returncode == 1, "it was taken (%d): %s" % (r.returncode, text)
    assert text.count("\n") == 1, text
    for w in words:
        assert w in text, "%r lacks %r" % (text, w)


# ---- walking ---------------------------------------------------------------------

def walk(root, times=True, skip=()):
    """path -> all that can be seen of it; hard links as the sorted names of their group."""
    out, inodes = {}, {}

    def one(path, rel):
        st = os.lstat(path)
        if stat.S_ISCHR(st.st_mode) and st.st_rdev == 0 and "whiteouts" in skip:
            return
        x = {"mode": oct(st.st_mode), "owner": (st.st_uid, st.st_gid)}
        if times:
            x["mtime"] = st.st_mtime_ns
        xattrs = {}
        for name in os.listxattr(path, follow_symlinks=False):
            if not name.startswith(("trusted.overlay.", "user.overlay.")):
                xattrs[name] = os.getxattr(path, name, follow_symlinks=False)
        if xattrs:
            x["xattrs"] = xattrs
        if stat.S_ISREG(st.st_mode):
            x["size"] = st.st_size
            x["data"] = hashlib.sha256(open(path, "rb").read()).hexdigest()
        elif stat.S_ISLNK(st.st_mode):
            x["link"] = os.readlink(path)
        elif stat.S_ISCHR(st.st_mode) or stat.S_ISBLK(st.st_mode):
            x["dev"] = (os.major(st.st_rdev), os.minor(st.st_rdev))
        if not stat.S_ISDIR(st.st_mode) and st.st_nlink > 1:
            inodes.setdefault((st.st_dev, st.st_ino), []).append(rel)
        out[rel] = x
        if stat.S_ISDIR(st.st_mode):
            for name in sorted(os.listdir(path)):
                one(os.path.join(path, name), os.path.join(rel, name))

    one(os.fsencode(root), b"")
    for group in inodes.values():
        for rel in group:
            if len(group) > 1:          # others may be hidden by a layer above
                out[rel]["links"] = sorted(group)
    # The root's own mode and times: an engine's, unless a layer says.
    del out[b""]
    return out


def same(a, b, what):
    wrong = []
    for path in sorted(set(a) | set(b)):
        x, y = a.get(path), b.get(path)
        if x != y:
            keys = [k for k in sorted(set(x or {}) | set(y or {}))
                    if (x or {}).get(k) != (y or {}).get(k)]
            wrong.append("%r: %s" % (path[-60:], [(k, (x or {}).get(k), (y or {}).get(k))
                                                  for k in keys]))
    assert not wrong, "%s: %d differ:\n%s" % (what, len(wrong), "\n".join(wrong[:12]))


# ---- making layers -------------------------------------------------------------------

def entry(name, kind=tarfile.REGTYPE, data=b"", mode=0o644, uid=0, gid=0, link="", dev=(0, 0),
          mtime="1600000000", xattrs=None):
    t = tarfile.TarInfo(name)
    t.type, t.mode, t.uid, t.gid, t.linkname = kind, mode, uid, gid, link
    t.devmajor, t.devminor = dev
    t.size = len(data)
    t.mtime = int(float(mtime))
    if "." in mtime:
        t.pax_headers["mtime"] = mtime
    for k, v in (xattrs or {}).items():
        t.pax_headers["SCHILY.xattr." + k] = v
    return t, data


def make_tar(entries, fmt=tarfile.PAX_FORMAT):
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=fmt, encoding="utf-8",
                      errors="surrogateescape") as tar:
        for t, data in entries:
            tar.addfile(t, io.BytesIO(data))
    return out.getvalue()


NAMES = ["a", "b", "c", "e\u0301", "\u00e9", "with space", "n" * 180, "new\nline", ".hidden"]
CAPABILITY = struct.pack("<5I", 0x02000001, 0x2000, 0, 0, 0).decode()


def random_time(r):
    return "%d.%09d" % (r.randrange(1, 2 ** 31), r.randrange(10 ** 9))


def random_meta(r):
    m = {"uid": r.choice([0, 0, 0, 1000, 65534, 3000000]), "gid": r.choice([0, 0, 5, 1000]),
         "mtime": random_time(r)}
    if r.random() < 0.2:
        m["xattrs"] = {"user.note": "value %d" % r.randrange(100)}
    return m


def shuffled(r, entries):
    """Any order in which directories come before what they hold, as engines ask."""
    r.shuffle(entries)
    dirs = {t.name.rstrip("/"): (t, d) for t, d in entries if t.isdir()}
    done, out = set(), []
    for t, data in entries:
        parts = t.name.rstrip("/").split("/")
        for i in range(1, len(parts)):
            up = "/".join(parts[:i])
            if up not in done:
                done.add(up)
                out.append(dirs[up])
        if not t.isdir() or t.name.rstrip("/") not in done:
            out.append((t, data))
        if t.isdir():
            done.add(t.name.rstrip("/"))
    return out


def random_layer(r, merged, both=True):
    """
    Entries of a layer over merged (path -> kind), which becomes what is there after it.  both: a
    name may come with its own whiteout, before or after it; podman removes the name then.
    """
    mine, entries, late = {}, [], []

    def parents(path):
        parts = path.split("/")
        for i in range(1, len(parts)):
            p = "/".join(parts[:i])
            if mine.get(p, "dir") != "dir":
                return False
        for i in range(1, len(parts)):
            add_dir("/".join(parts[:i]))
        return True

    def add_dir(p):
        if p not in mine:
            meta = random_meta(r)
            if not both:                # podman's vfs keeps those of a layer below
                meta.pop("xattrs", None)
            entries.append(entry(p + r.choice(["", "/"]), tarfile.DIRTYPE,
                                 mode=r.choice([0o755, 0o700, 0o1777, 0o2775, 0o555]),
                                 **meta))
            mine[p] = "dir"

    for _ in range(r.randrange(15, 40)):
        path = "/".join(r.choice(NAMES) for _ in range(r.randrange(1, 5)))
        if path in mine or not parents(path):
            continue
        kind = r.choice(["file"] * 5 + ["dir", "dir", "symlink", "link", "fifo", "dev"])
        files = [p for p, k in mine.items() if k == "file"]
        meta = random_meta(r)
        if kind == "dir":
            add_dir(path)
            continue
        if kind == "link":
            if not files:
                continue
            name = r.choice(files)
            first = next(t for t, _ in entries if t.name == name)
            t = entry(path, tarfile.LNKTYPE, link=first.name, mode=first.mode, uid=first.uid,
                      gid=first.gid, mtime=first.pax_headers["mtime"])
            late.append(t)
        elif kind == "symlink":
            meta.pop("xattrs", None)
            entries.append(entry(path, tarfile.SYMTYPE, link=r.choice(
                ["a", "/etc/passwd", "../" * 9 + "x", "l" * 300]), mode=0o777, **meta))
        elif kind == "fifo":
            meta.pop("xattrs", None)
            entries.append(entry(path, tarfile.FIFOTYPE, mode=0o640, **meta))
        elif kind == "dev":
            meta.pop("xattrs", None)
            entries.append(entry(path, r.choice([tarfile.CHRTYPE, tarfile.BLKTYPE]),
                                 dev=(r.randrange(1, 300), r.randrange(1, 70000)),
                                 mode=0o660, **meta))
        else:
            if r.random() < 0.2:
                meta.setdefault("xattrs", {})["security.capability"] = CAPABILITY
            data = os.urandom(r.choice([0, 1, 511, 512, 513, 5000, 70000]))
            entries.append(entry(path, data=data, mode=r.choice(
                [0o644, 0o600, 0o4755, 0o2755, 0o1644, 0o000]), **meta))
        mine[path] = kind
    # Whiteouts of what lies below, in directories this layer has; opaque marks.
    gone = set()
    for path in [p for p in merged if r.random() < 0.25]:
        up, _, base = path.rpartition("/")
        if (up and mine.get(up) != "dir") or (path in mine and not both):
            continue
        entries.append(entry((up + "/" if up else "") + ".wh." + base))
        gone.add(path)
    for path in [p for p, k in mine.items() if k == "dir" and r.random() < 0.15]:
        entries.append(entry(path + "/.wh..wh..opq"))
        gone |= {p for p in merged if p.startswith(path + "/")}
    entries = shuffled(r, entries)
    for p, k in list(merged.items()):
        ups = ["/".join(p.split("/")[:i]) for i in range(1, p.count("/") + 2)]
        if any(u in gone or mine.get(u, "dir") != "dir" for u in ups):
            del merged[p]
    merged.update(mine)
    return entries + late


def add_blob(layout, data):
    digest = hashlib.sha256(data).hexdigest()
    open("%s/blobs/sha256/%s" % (layout, digest), "wb").write(data)
    return "sha256:" + digest, len(data)


def make_layout(layout, tars, compress):
    os.makedirs(layout + "/blobs/sha256")
    layers, ids, files = [], [], []
    for tar in tars:
        packed = compress(tar)
        digest, size = add_blob(layout, packed)
        files.append("%s/blobs/sha256/%s" % (layout, digest[7:]))
        ids.append("sha256:" + hashlib.sha256(tar).hexdigest())
        layers.append({"mediaType": "application/vnd.oci.image.layer.v1.tar+gzip",
                       "digest": digest, "size": size})
    config = json.dumps({"architecture": "amd64", "os": "linux", "config": {},
                         "rootfs": {"type": "layers", "diff_ids": ids}}).encode()
    cd, cs = add_blob(layout, config)
    manifest = json.dumps({"schemaVersion": 2, "config": {
        "mediaType": "application/vnd.oci.image.config.v1+json", "digest": cd, "size": cs},
        "layers": layers}).encode()
    md, ms = add_blob(layout, manifest)
    json.dump({"imageLayoutVersion": "1.0.0"}, open(layout + "/oci-layout", "w"))
    json.dump({"schemaVersion": 2, "manifests": [{
        "mediaType": "application/vnd.oci.image.manifest.v1+json", "digest": md, "size": ms,
        "annotations": {"org.opencontainers.image.ref.name": "t"}}]},
        open(layout + "/index.json", "w"))
    return files, ids


def gzip(data, level="-6"):
    return subprocess.run(["gzip", "-nc", level], input=data, stdout=subprocess.PIPE,
                          check=True).stdout


def stack(dirs, at):
    """Mount the layers, bottom first, as the engine does."""
    os.makedirs(at)
    os.makedirs(at + ".none")
    lower = ":".join(os.path.realpath(d) for d in reversed([at + ".none"] + dirs))
    good("mount", "-t", "overlay", "overlay", "-o", "ro,lowerdir=" + lower, at)


def unpack_all(files, ids, at):
    dirs = []
    for i, f in enumerate(files):
        dirs.append("%s.%d" % (at, i))
        os.mkdir(dirs[-1])
        said = good(LAYER, "unpack", f, dirs[-1]).split()
        assert said[1] == ids[i], "DiffID"
        assert said[0] == "sha256:" + os.path.basename(f), "digest"
    return dirs


def scratch():
    """overlayfs cannot stand on overlayfs: a tmpfs with xattrs, or where we are."""
    os.mkdir("w")
    good("mount", "-t", "tmpfs", "-o", "size=1g", "tmpfs", "w")
    probe = "w/probe"
    open(probe, "w").close()
    try:
        os.setxattr(probe, "user.x", b"1")
    except OSError:
        good("umount", "w")
    os.chdir("w")


def random_tars(seed, both=True):
    r = random.Random(seed)
    merged = {}
    return [make_tar(random_layer(r, merged, both)) for _ in range(r.randrange(2, 5))]


# ---- the cases ------------------------------------------------------------------------------

def t_random_images_are_what_umoci_makes_of_them():
    need("root"), need("umoci")
    scratch()
    seed, began = int(os.environ.get("SEED", "1")), time.time_ns()
    for s in range(seed, seed + int(os.environ.get("IMAGES", "12"))):
        files, ids = make_layout("oci%d" % s, random_tars(s), gzip)
        stack(unpack_all(files, ids, "l%d" % s), "ours%d" % s)
        good("umoci", "unpack", "--image", "oci%d:t" % s, "umoci%d" % s)
        ours, theirs = walk("ours%d" % s), walk("umoci%d/rootfs" % s)
        for path, x in theirs.items():
            # umoci touches a directory when it carries out a whiteout in it.
            if x["mode"].startswith("0o4") and x["mtime"] > began and path in ours:
                x["mtime"] = ours[path]["mtime"]
        same(ours, theirs, "seed %d" % s)


def t_random_images_are_what_podman_makes_of_them():
    need("root"), need("podman")
    scratch()
    podman = ["podman", "--root", os.getcwd() + "/store", "--runroot", os.getcwd() + "/run",
              "--storage-driver", "vfs"]
    for s in range(101, 105):
        files, ids = make_layout("oci%d" % s, random_tars(s, both=False), gzip)
        stack(unpack_all(files, ids, "l%d" % s), "ours%d" % s)
        image = good(*podman, "pull", "-q", "oci:%s/oci%d:t" % (os.getcwd(), s)).split()[-1]
        at = good(*podman, "image", "mount", image).strip()
        same(walk("ours%d" % s), walk(at), "seed %d" % s)
        good(*podman, "image", "umount", image)


def gnu_tar(fmt, *more):
    return subprocess.run(["tar", "--format=" + fmt, "--xattrs", "--xattrs-include=*",
                           *more, "-C", "tree", "-c", "."], stdout=subprocess.PIPE,
                          check=True).stdout


def a_tree():
    os.makedirs("tree/" + "d" * 120 + "/" + "e" * 120)
    for n, (at, size) in enumerate([(0, 4096), (1 << 20, 1 << 21), (1 << 33, 1 << 34)]):
        with open("tree/sparse%d" % n, "wb") as f:
            f.seek(at)
            f.write(b"data" * 1000)
            f.truncate(size + 5000)
    with open("tree/holes", "wb") as f:
        for i in range(200):
            f.seek(i * 65536)
            f.write(b"x%d" % i)
    os.symlink("t" * 150, "tree/" + "s" * 150)
    os.link("tree/holes", "tree/" + "h" * 130)
    os.utime("tree/holes", ns=(10 ** 18, 1234567890123456789))


def same_tree(b, times):
    x, y = {}, {}
    for root, out in (("tree", x), (b, y)):
        for d, dirs, files in os.walk(root):
            for name in dirs + files:
                p = os.path.join(d, name)
                st = os.lstat(p)
                digest = None
                if stat.S_ISREG(st.st_mode) and st.st_size < 1 << 24:
                    digest = hashlib.sha256(open(p, "rb").read()).hexdigest()
                out[os.fsencode(os.path.relpath(p, root))] = {
                    "mode": st.st_mode, "size": stat.S_ISREG(st.st_mode) and st.st_size,
                    "data": digest, "links": st.st_nlink,
                    "mtime": st.st_mtime_ns if times else st.st_mtime_ns // 10 ** 9}
    same(x, y, b)


def t_sparse_files_and_long_names_in_every_format():
    need("tar")
    a_tree()
    for i, (fmt, more) in enumerate([("gnu", ["-S"]), ("posix", ["-S", "--sparse-version=0.0"]),
                                     ("posix", ["-S", "--sparse-version=0.1"]),
                                     ("posix", ["-S", "--sparse-version=1.0"]),
                                     ("gnu", ["--exclude=sparse2"])]):
        out = "out%d" % i
        os.mkdir(out)
        open("t.tar", "wb").write(gnu_tar(fmt, *more))
        if "--exclude=sparse2" in more:
            os.rename("tree/sparse2", "kept")
        good(LAYER, "unpack", "t.tar", out)
        same_tree(out, fmt == "posix")
        if os.path.exists(out + "/sparse2"):
            assert os.stat(out + "/sparse2").st_blocks < 10000, "the hole was written"
            with open(out + "/sparse2", "rb") as f:
                f.seek(1 << 33)
                assert f.read(4000) == b"data" * 1000


def t_compressions():
    tar = make_tar([entry("f%d" % i, data=os.urandom(100000)) for i in range(30)])
    half = len(tar) // 2 + 77
    forms = {"plain": tar, "gzip": gzip(tar), "members": gzip(tar[:half]) + gzip(tar[half:]),
             "stored": gzip(tar, "-1")}
    if shutil.which("zstd"):
        def zstd(data):
            return subprocess.run(["zstd", "-c"], input=data, stdout=subprocess.PIPE,
                                  stderr=subprocess.DEVNULL, check=True).stdout
        forms["zstd"] = zstd(tar)
        forms["frames"] = zstd(tar[:half]) + zstd(tar[half:])
    first = None
    for name, data in forms.items():
        open(name, "wb").write(data)
        os.mkdir(name + ".d")
        said = good(LAYER, "unpack", name, name + ".d").split()
        assert said[1] == "sha256:" + hashlib.sha256(tar).hexdigest(), name
        first = first or walk(name + ".d")
        same(first, walk(name + ".d"), name)
    refused(forms["gzip"][:-200], "ends too early")
    refused(forms["gzip"][:-8] + b"\0" * 8, "corrupt gzip")
    refused(forms["gzip"] + b"garbage after it", "corrupt gzip")
    refused(tar[:70000], "ends in the middle")
    refused(b"\xfd7zXZ\0" + tar, "xz")


def t_whiteouts_in_either_order():
    need("root")
    scratch()
    d, f = tarfile.DIRTYPE, tarfile.REGTYPE
    low = [entry("d", d, mode=0o755), entry("d/old", f), entry("x", d, mode=0o755),
           entry("x/old", f), entry("y", f), entry("z", d, mode=0o755), entry("z/old", f)]
    marks = [entry("d", d, mode=0o755), entry("d/.wh..wh..opq"), entry("d/new", f),
             entry(".wh.x"), entry("x", d, mode=0o755), entry("x/new", f),
             entry(".wh.y"), entry("y", f, data=b"new"), entry("z", f), entry("z", d, mode=0o755)]
    for i, top in enumerate((marks, list(reversed(marks[:-2])) + marks[-2:])):
        open("low.tar", "wb").write(make_tar(low))
        open("top.tar", "wb").write(make_tar(top))
        dirs = ["low%d" % i, "top%d" % i]
        for x, t in zip(dirs, ("low.tar", "top.tar")):
            os.mkdir(x)
            good(LAYER, "unpack", t, x)
        stack(dirs, "m%d" % i)
        names = sorted(os.fsdecode(p) for p in walk("m%d" % i))
        assert names == ["d", "d/new", "x", "x/new", "y", "z"], names
        assert open("m%d/y" % i).read() == "new"


def t_malicious_tars_are_refused_by_name():
    d, s, h = tarfile.DIRTYPE, tarfile.SYMTYPE, tarfile.LNKTYPE
    refused(make_tar([entry("../evil")]), "../evil", "..")
    refused(make_tar([entry("a/../../evil")]), "a/../../evil")
    refused(make_tar([entry("etc", s, link="/etc"), entry("etc/evil")]), "etc/evil", "symlink")
    refused(make_tar([entry("up", s, link="../.."), entry("up/evil")]), "up/evil", "symlink")
    refused(make_tar([entry("l", h, link="/etc/passwd")]), "\"l\"", "/etc/passwd")
    refused(make_tar([entry("l", h, link="../../etc/passwd")]), "\"l\"", "..")
    refused(make_tar([entry("p", s, link="/etc"), entry("l", h, link="p/passwd")]), "\"l\"")
    refused(make_tar([entry("f"), entry("f/below")]), "f/below", "not a directory")
    refused(make_tar([entry(".wh...")]), "whiteout")
    refused(make_tar([entry("./", tarfile.REGTYPE)])[:0] +
            make_tar([entry(".", s, link="x")]), "root")
    refused(make_tar([entry("x" * 300)]), "name too long")
    refused(make_tar([entry("y/" * 3000 + "z")]), "too long")
    refused(make_tar([entry("f", xattrs={"user.big": "x" * 1100000})]), "1 MiB")
    nul = bytearray(make_tar([entry("a" * 120)]))
    at = nul.index(b"path=") + 10
    nul[at] = 0
    refused(bytes(nul), "pax")
    bad = bytearray(make_tar([entry("f")]))
    bad[0] ^= 1
    refused(bytes(bad), "checksum")
    huge = entry("huge")[0]
    huge.size = 1 << 42
    refused(huge.tobuf(tarfile.PAX_FORMAT), "huge", "limit")
    # An absolute name is taken below the root; nothing was written outside.
    open("abs.tar", "wb").write(make_tar([entry("/tmp/isle-35-abs", data=b"x")]))
    os.mkdir("abs")
    good(LAYER, "unpack", "abs.tar", "abs")
    assert os.path.exists("abs/tmp/isle-35-abs") and not os.path.exists("/tmp/isle-35-abs")


def t_a_symlink_parent_inside_is_followed():
    open("t.tar", "wb").write(make_tar([
        entry("usr/lib", tarfile.DIRTYPE, mode=0o755), entry("lib", tarfile.SYMTYPE,
                                                             link="usr/lib"),
        entry("lib/x", data=b"1")]))
    os.mkdir("out")
    good(LAYER, "unpack", "t.tar", "out")
    assert open("out/usr/lib/x").read() == "1" and os.path.islink("out/lib")


def t_bombs_are_refused():
    need("zstd")
    if shutil.disk_usage(".").free < 6 << 30:
        raise Skip("no 6 GB of disk")
    header = entry("bomb")[0]
    header.size = 16 << 30
    cmd = "{ cat head; head -c 8000000000 /dev/zero; } | zstd -q -c -1 >bomb.zst"
    open("head", "wb").write(header.tobuf(tarfile.PAX_FORMAT))
    subprocess.run(["sh", "-c", cmd], check=True)
    os.mkdir("bomb")
    r = run(LAYER, "unpack", "bomb.zst", "bomb")
    assert r.returncode == 1 and b"bomb" in r.stderr, r.stderr


def t_memory_is_flat():
    sizes = {}
    for mb in (8, 256):
        header = entry("big")[0]
        header.size = mb << 20
        with open("head", "wb") as f:
            f.write(header.tobuf(tarfile.PAX_FORMAT))
        subprocess.run(["sh", "-c", "{ cat head; head -c %d /dev/urandom; head -c 1024 "
                        "/dev/zero; } | gzip -1 >t.gz" % (mb << 20)], check=True)
        os.mkdir("out%d" % mb)
        code = ("import os,resource,subprocess,sys;subprocess.run(sys.argv[1:],check=True,"
                "stdout=subprocess.DEVNULL);"
                "print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)")
        # What a child of python's has at its start counts too: a shell in between is small.
        sizes[mb] = int(good(sys.executable, "-c", code, LAYER, "unpack", "t.gz",
                             "out%d" % mb))
        os.unlink("out%d/big" % mb)
    assert sizes[256] < sizes[8] + 4096, "kB: %s" % sizes


def t_packed_layers_come_back():
    need("root")
    scratch()
    r = random.Random(7)
    merged = {}
    for name in ("low", "top"):
        open(name + ".tar", "wb").write(make_tar(random_layer(r, merged)))
        os.mkdir(name)
        good(LAYER, "unpack", name + ".tar", name)
    for d in ("upper", "work", "mnt", "again"):
        os.mkdir(d)
    good("mount", "-t", "overlay", "o", "-o", "lowerdir=top:low,upperdir=upper,workdir=work",
         "mnt")
    names = sorted(os.listdir("mnt"))
    os.mkdir("mnt/fresh")
    open("mnt/fresh/file", "w").write("x")
    os.link("mnt/fresh/file", "mnt/fresh/link")
    victim = names[0]
    if os.path.isdir("mnt/" + victim) and not os.path.islink("mnt/" + victim):
        shutil.rmtree("mnt/" + victim)
    else:
        os.unlink("mnt/" + victim)
    os.mkdir("mnt/" + victim)               # opaque
    open("mnt/%s/inside" % victim, "w").close()
    if len(names) > 1:
        good("rm", "-rf", "mnt/" + names[1])  # a whiteout
    want = walk("mnt")
    good("umount", "mnt")
    said = good(LAYER, "pack", "upper", "p.tgz", "layer").split()
    assert said[0] == "sha256:" + hashlib.sha256(open("p.tgz", "rb").read()).hexdigest()
    assert good(LAYER, "unpack", "p.tgz", "again").split()[1] == said[1], "DiffID"
    stack(["low", "top", "again"], "m2")
    same(want, walk("m2"), "packed upper")
    first = open("p.tgz", "rb").read()
    good(LAYER, "pack", "upper", "p2.tgz", "layer")
    assert first == open("p2.tgz", "rb").read(), "packing twice gives two streams"


def t_list_of_changes():
    need("root")
    scratch()
    for d in ("l1", "l2", "upper", "work", "mnt"):
        os.mkdir(d)
    for p in ("l1/etc", "l1/gone", "l1/renewed", "l1/same", "l2/etc"):
        os.makedirs(p)
    for p in ("l1/etc/a", "l1/gone/x", "l1/renewed/old", "l1/renewed/kept", "l2/etc/b",
              "l1/same/f"):
        open(p, "w").write(p)
    os.utime("l1/etc", (1, 1)), os.utime("l2/etc", (1, 1))
    good("mount", "-t", "overlay", "o", "-o", "lowerdir=l2:l1,upperdir=upper,workdir=work",
         "mnt")
    open("mnt/etc/a", "a").write("more")
    os.unlink("mnt/etc/b")
    os.makedirs("mnt/new/sub")
    open("mnt/new/sub/f", "w").close()
    shutil.rmtree("mnt/gone")
    shutil.rmtree("mnt/renewed")
    os.mkdir("mnt/renewed")
    open("mnt/renewed/kept", "w").close()
    good("umount", "mnt")
    got = good(LAYER, "diff", "upper", "l1", "l2").splitlines()
    assert got == ["C /etc", "C /etc/a", "D /etc/b", "D /gone", "A /new", "A /new/sub",
                   "A /new/sub/f", "C /renewed", "C /renewed/kept", "D /renewed/old"], got


def cp(*args, **kw):
    return run(LAYER, "cp", *args, **kw)


def t_cp_places_things_as_docker_does():
    os.makedirs("s/dir/sub"), os.makedirs("d/have")
    open("s/file", "w").write("1")
    open("s/dir/sub/f", "w").write("2")
    open("d/old", "w").write("old")
    os.symlink("file", "s/link")
    cases = [("/file", "/new", "new"), ("/file", "/have", "have/file"), ("/file", "/old", "old"),
             ("/dir", "/made", "made/sub/f"), ("/dir", "/have", "have/dir/sub/f"),
             ("/dir/.", "/have", "have/sub/f"), ("/dir/.", "/made2", "made2/sub/f"),
             ("/dir", "/made3/", "made3/sub/f"), ("file", "have/again", "have/again")]
    for a, b, result in cases:
        r = cp("s", a, "d", b)
        assert r.returncode == 0 and os.path.exists("d/" + result), (a, b, r.stderr)
    assert open("d/old").read() == "1"
    assert cp("s", "/link", "d", "/l1").returncode == 0 and os.readlink("d/l1") == "file"
    assert cp("-L", "s", "/link", "d", "/l2").returncode == 0 and not os.path.islink("d/l2")
    for a, b, word in [("/none", "/x", b"no such file"), ("/dir", "/old", b"cannot copy"),
                       ("/file", "/nodir/", b"no such directory"),
                       ("/file/", "/x", b"not a directory"),
                       ("/file", "/no/parent", b"no such file")]:
        r = cp("s", a, "d", b)
        assert r.returncode == 1 and word in r.stderr, (a, b, r.stderr)


def t_cp_streams():
    os.makedirs("s/dir/sub"), os.mkdir("d")
    open("s/dir/sub/f", "w").write("2")
    tar = cp("s", "/dir", "d", "-").stdout
    names = tarfile.open(fileobj=io.BytesIO(tar)).getnames()
    assert names == ["dir", "dir/sub", "dir/sub/f"], names
    assert cp("s", "-", "d", "/", input=tar).returncode == 0
    assert open("d/dir/sub/f").read() == "2"
    r = cp("s", "-", "d", "/dir/sub/f", input=tar)
    assert r.returncode == 1 and b"must be a directory" in r.stderr
    r = cp("s", "-", "d", "/", input=make_tar([entry("dir/sub", data=b"x")]))
    assert r.returncode == 1 and b"cannot overwrite directory" in r.stderr, r.stderr
    open("d/.wh.name", "w").close()
    assert cp("s", "-", "d", "/", input=make_tar([entry(".wh.dir")])).returncode == 0
    assert os.path.exists("d/dir") and os.path.exists("d/.wh.dir")


def t_cp_stays_inside_its_root():
    os.makedirs("root/etc"), os.makedirs("out")
    open("root/etc/secret", "w").write("inside")
    os.symlink("/etc", "root/abs")
    os.symlink("../../../../../../etc", "root/rel")
    for name in ("abs", "rel"):
        assert cp("root", "/%s/secret" % name, "out", "/" + name).returncode == 0
        assert open("out/" + name).read() == "inside"
    open("out/new", "w").write("x")
    os.symlink("/tmp/isle-35-outside", "root/dangling")
    os.makedirs("root/tmp")
    assert cp("out", "/new", "root", "/dangling").returncode == 0
    assert not os.path.exists("/tmp/isle-35-outside")
    assert os.path.exists("root/tmp/isle-35-outside")


def t_cp_keeps_holes_links_and_xattrs():
    os.makedirs("s/t"), os.mkdir("d")
    with open("s/t/sparse", "wb") as f:
        f.seek(1 << 30)
        f.write(b"end")
    open("s/t/a", "w").write("linked")
    os.link("s/t/a", "s/t/b")
    os.mkfifo("s/t/fifo")
    xattrs = True
    try:
        os.setxattr("s/t/a", "user.k", b"v")
    except OSError:
        xattrs = False
    os.utime("s/t", ns=(5, 6))
    r = cp("-a", "s", "/t", "d", "/")
    assert r.returncode == 0, r.stderr
    assert os.stat("d/t/sparse").st_blocks < 1000
    assert os.stat("d/t/a").st_ino == os.stat("d/t/b").st_ino
    assert not xattrs or os.getxattr("d/t/b", "user.k") == b"v"
    assert stat.S_ISFIFO(os.stat("d/t/fifo").st_mode) and os.stat("d/t").st_mtime_ns == 6


def t_a_very_deep_tree_is_removed():
    os.mkdir("top")
    fd = os.open("top", os.O_RDONLY)
    for _ in range(1500):
        os.mkdir("d", dir_fd=fd)
        below = os.open("d", os.O_RDONLY, dir_fd=fd)
        os.close(fd)
        fd = below
    os.close(fd)
    good(LAYER, "rm", ".", "top")
    assert not os.path.lexists("top")


def main():
    cases = [(n[2:].replace("_", " "), f) for n, f in globals().items() if n.startswith("t_")]
    if len(sys.argv) > 1:
        cases = [c for c in cases if any(a.replace("_", " ") in c[0] for a in sys.argv[1:])]
    if not LAYER:
        print("Bail out! no tests/unit/layer in %s; build it" % BUILD)
        return 2
    print("1..%d" % len(cases), flush=True)
    failed = 0
    top = tempfile.mkdtemp(prefix="isle-35-")
    for i, (name, f) in enumerate(cases, 1):
        here = "%s/%d" % (top, i)
        os.mkdir(here)
        os.chdir(here)
        pid = os.fork()
        if pid == 0:
            code = 0
            try:
                f()
                print("ok %d - %s" % (i, name), flush=True)
            except Skip as x:
                print("ok %d - %s # SKIP %s" % (i, name, x), flush=True)
            except BaseException:
                traceback.print_exc()
                print("not ok %d - %s" % (i, name), flush=True)
                code = 1
            os._exit(code)
        failed |= os.waitpid(pid, 0)[1] != 0
    os.chdir("/")
    if os.geteuid() == 0:
        subprocess.run("awk -v t=%s/ 'index($2, t) == 1 { print $2 }' /proc/mounts | tac | "
                       "while read -r m; do umount -l \"$m\"; done" % top, shell=True)
    shutil.rmtree(top, ignore_errors=True)
    return 1 if failed else 0


sys.exit(main())
