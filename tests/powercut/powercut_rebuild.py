#!/usr/bin/env python3
"""Build the tree a disk would hold after a power cut, from a powercut.so recording.

  powercut_rebuild.py --root DATA --mirror MIRROR --out NEWDATA --model strict|ext4|random [--seed N]

DATA is the live tree as kill -9 left it, MIRROR the recording.  strict: only
what was fsynced, and names only as the last fsync of their directory saw them.
ext4: any fsync commits the journal, so all names
of that moment are durable (contents still only as fsynced).  random: each name and each file is
taken either as synced or as live, by the seed (all of these are legal).
Prints one line with counts; exit status 0.
"""

import argparse
import ctypes
import os
import random
import shutil
import sys

libc = ctypes.CDLL(None, use_errno=True)


def key(path):
    buf = ctypes.create_string_buffer(256)
    if libc.statx(-100, os.fsencode(path), 0x100, 0x900, buf):
        return None
    i = int.from_bytes(buf.raw[32:40], "little")
    s = int.from_bytes(buf.raw[80:88], "little")
    n = int.from_bytes(buf.raw[88:92], "little")
    return f"{i:x}-{s:x}-{n:x}"


def listing(mirror, k, where="dir"):
    try:
        with open(os.path.join(mirror, where, k), "rb") as f:
            out = {}
            for l in f.read().split(b"\n"):
                if l:
                    t, kk, name = l.split(b" ", 2)
                    out[os.fsdecode(name)] = (t.decode(), kk.decode())
            return out
    except FileNotFoundError:
        return {}


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--root", required=True)
    p.add_argument("--mirror", required=True)
    p.add_argument("--out", required=True)
    p.add_argument("--model", choices=("strict", "ext4", "random"), default="strict")
    p.add_argument("--seed", type=int, default=0)
    a = p.parse_args()
    rnd = random.Random(a.seed)
    root = os.path.realpath(a.root)
    live_path = {}  # key -> live path
    for d, ds, fs in os.walk(root):
        for x in ds + fs:
            pth = os.path.join(d, x)
            k = key(pth)
            if k:
                live_path[k] = pth
    n = {"files": 0, "empty": 0, "names_lost": 0, "bytes_lost": 0}

    def content(k, dst):
        synced, live = os.path.join(a.mirror, "ino", k), live_path.get(k)
        src = synced if os.path.exists(synced) else None
        if live and not os.path.isfile(live):
            live = None  # a socket: nothing of it outlives its process
        if a.model == "random" and live and rnd.random() < 0.5:
            src = live
        n["files"] += 1
        if src:
            shutil.copyfile(src, dst)
            if live:
                t = os.stat(live)
                os.utime(dst, ns=(t.st_atime_ns, t.st_mtime_ns))
            if live and os.path.exists(live):
                n["bytes_lost"] += max(0, os.path.getsize(live) - os.path.getsize(dst))
        else:
            open(dst, "wb").close()
            if live:
                t = os.stat(live)
                os.utime(dst, ns=(t.st_atime_ns, t.st_mtime_ns))
            n["empty"] += 1

    def build(k, live, out):
        os.makedirs(out, exist_ok=True)
        entries = dict(listing(a.mirror, k, "jdir" if a.model == "ext4" else "dir"))
        now = {}
        if live and os.path.isdir(live):
            for x in os.listdir(live):
                q = os.path.join(live, x)
                kk = key(q)
                if kk and not os.path.islink(q):
                    now[x] = ("d" if os.path.isdir(q) else "f", kk)
        if a.model == "random":
            for name in set(entries) | set(now):
                if entries.get(name) != now.get(name) and rnd.random() < 0.5:
                    if name in now:
                        entries[name] = now[name]
                    else:
                        entries.pop(name, None)
        n["names_lost"] += len(set(now) - set(entries))
        for name, (t, kk) in sorted(entries.items()):
            q = os.path.join(out, name)
            if t == "d":
                build(kk, live_path.get(kk) or (os.path.join(live, name) if live else None), q)
            else:
                content(kk, q)
        if live and os.path.isdir(live):
            t = os.stat(live)
            os.utime(out, ns=(t.st_atime_ns, t.st_mtime_ns))

    if os.path.exists(a.out):
        sys.exit(f"{a.out} exists")
    build(key(root), root, a.out)
    st = os.stat(root)
    for d, ds, fs in os.walk(a.out):
        for x in [""] + fs:
            try:
                os.chown(os.path.join(d, x), st.st_uid, st.st_gid)
            except PermissionError:
                pass
    print(f"model {a.model}: " + ", ".join(f"{v} {k}" for k, v in n.items()))


if __name__ == "__main__":
    main()
