#!/usr/bin/env python3
"""Writes the fuzzers' seeds into Tests/Fuzz/Corpus: small files that their readers accept, and some nearly so.

usage: scripts/make-fuzz-corpus.py
"""
import gzip
import io
import json
import pathlib
import struct
import tarfile
import zipfile
import zlib

OUT = pathlib.Path(__file__).resolve().parent.parent / "Tests/Fuzz/Corpus"


def put(target, name, data):
    (OUT / target).mkdir(parents=True, exist_ok=True)
    (OUT / target / name).write_bytes(data if isinstance(data, bytes) else data.encode())


def safetensors(header, body=b""):
    text = json.dumps(header).encode() if isinstance(header, dict) else header
    return struct.pack("<Q", len(text)) + text + body


def tensor(kind, shape, start, end):
    return {"dtype": kind, "shape": shape, "data_offsets": [start, end]}


def write_safetensors():
    put("safetensors", "empty", safetensors({}))
    put("safetensors", "two", safetensors(
        {"__metadata__": {"format": "x", "é": "\u0001"}, "a": tensor("F32", [2, 1], 0, 8), "b": tensor("U8", [], 8, 9)},
        bytes(range(9))))
    kinds = dict(F64=8, F32=4, F16=2, BF16=2, I64=8, I32=4, I16=2, I8=1, U64=8, U32=4, U16=2, U8=1, BOOL=1)
    header, end = {}, 0
    for kind, size in kinds.items():
        header[kind] = tensor(kind, [1], end, end + size)
        end += size
    put("safetensors", "types", safetensors(header, bytes(end)))
    put("safetensors", "zero-length", safetensors({"a": tensor("F32", [0, 9223372036854775807], 0, 0)}))
    put("safetensors", "overlap", safetensors({"a": tensor("U8", [2], 0, 2), "b": tensor("U8", [2], 1, 3)}, b"abc"))
    put("safetensors", "repeated", safetensors(b'{"a":1,"a":2}'))
    put("safetensors", "escapes", safetensors(b'{"__metadata__":{"\\ud83d\\ude00\\n":"\\"\\\\\\/"}}'))
    put("safetensors", "long-header", struct.pack("<Q", 2**63) + b"{}")


def pickle_text(text):
    return b"X" + struct.pack("<I", len(text)) + text.encode()


def pickle_tensor(key, count, shape, strides, offset=0):
    def numbers(values):
        return b"(" + b"".join(b"K" + bytes([v]) for v in values) + b"t"
    return (b"ctorch._utils\n_rebuild_tensor_v2\n((" + pickle_text("storage") + b"ctorch\nFloatStorage\n" + pickle_text(key)
            + pickle_text("cpu") + b"K" + bytes([count]) + b"tQK" + bytes([offset]) + numbers(shape) + numbers(strides)
            + b"\x89ccollections\nOrderedDict\n)RtR")


def torch(pickle, storages, order=b"little", method=zipfile.ZIP_STORED):
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", method) as file:
        for name, data in [("data.pkl", pickle), ("byteorder", order)] + [(f"data/{k}", v) for k, v in storages.items()]:
            info = zipfile.ZipInfo(f"x/{name}", (1980, 1, 1, 0, 0, 0))
            info.compress_type = method
            file.writestr(info, data)
    return out.getvalue()


def write_torch():
    def state(tensors):
        return b"\x80\x02ccollections\nOrderedDict\n)R(" + b"".join(pickle_text(k) + v for k, v in tensors.items()) + b"u."
    put("torch", "number", torch(b"\x80\x02K\x07.", {}))
    put("torch", "containers", torch(b"\x80\x04}(X\x01\x00\x00\x00a](K\x01G\x3f\xf0\0\0\0\0\0\0NeX\x01\x00\x00\x00b\x88\x85q\x00u.", {}))
    put("torch", "itself", torch(b"\x80\x02]q\x00h\x00a.", {}))
    put("torch", "hostile", torch(b"\x80\x02cos\nsystem\n" + pickle_text("true") + b"\x85R.", {}))
    put("torch", "views", torch(
        state({"a": pickle_tensor("0", 6, [2, 3], [3, 1]), "b": pickle_tensor("0", 6, [3, 2], [1, 3])}), {"0": bytes(24)}))
    # The smallest network: image 1, patch 1, one channel, width 1, one block, one class.
    shapes = [("cls_token", [1, 1, 1]), ("pos_embed", [1, 3, 1]), ("patch_embed.proj.weight", [1, 1, 1, 1]),
              ("patch_embed.proj.bias", [1])]
    block = [("norm1.weight", [1]), ("norm1.bias", [1]), ("attn.qkv.weight", [3, 1]), ("attn.proj.weight", [1, 1]),
             ("attn.proj.bias", [1]), ("norm2.weight", [1]), ("norm2.bias", [1]), ("mlp.fc1.weight", [4, 1]),
             ("mlp.fc1.bias", [4]), ("mlp.fc2.weight", [1, 4]), ("mlp.fc2.bias", [1])]
    shapes += [("blocks.0." + name, shape) for name, shape in block]
    shapes += [("norm.weight", [1]), ("norm.bias", [1]), ("linear_head.weight", [1, 1]), ("linear_head.bias", [1])]
    tensors = {}
    for name, shape in shapes:
        strides = [1] * len(shape)
        for axis in reversed(range(len(shape) - 1)):
            strides[axis] = strides[axis + 1] * shape[axis + 1]
        tensors["module." + name] = pickle_tensor("0", 4, shape, strides)
    put("torch", "network", torch(state(tensors), {"0": bytes(16)}))
    put("torch", "big-endian", torch(b"\x80\x02K\x07.", {}, b"big"))
    put("torch", "deflated", torch(b"\x80\x02K\x07." + bytes(100), {}, method=zipfile.ZIP_DEFLATED))
    put("torch", "before-1.6", b"\x80\x02\x8a\x0al\xfc\x9cF\xf9 j\xa8P\x19.")


def png():
    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
    header = struct.pack(">IIBBBBB", 2, 2, 8, 2, 0, 0, 0)
    return (b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"\0abcdef\0ghijkl"))
            + chunk(b"IEND", b""))


def tar(entries, form=tarfile.USTAR_FORMAT):
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=form) as file:
        for name, data, *kind in entries:
            info = tarfile.TarInfo(name)
            info.size = len(data)
            if kind:
                info.type, info.size, info.linkname = kind[0], 0, "target"
            file.addfile(info, io.BytesIO(data) if info.size else None)
    raw = out.getvalue().rstrip(b"\0")
    return raw + bytes(-len(raw) % 512 + 1024)


def write_tar():
    image = png()
    plain = tar([("d", b"", tarfile.DIRTYPE), ("a/1.png", image), ("b/2.png", image)])
    put("tar", "plain", plain)
    put("tar", "gzip", gzip.compress(plain, mtime=0))
    put("tar", "nested", tar([("n1.tar", tar([("1.png", image)])), ("n2.tar", tar([("2.png", image)]))]))
    put("tar", "nested-twice", tar([("n1.tar", tar([("n2.tar", tar([("2.png", image)]))]))]))
    put("tar", "gnu-long", tar([("a/" + "x" * 120 + ".png", image)], tarfile.GNU_FORMAT))
    put("tar", "posix-long", tar([("a/" + "é" * 120 + ".png", image)], tarfile.PAX_FORMAT))
    put("tar", "hostile", tar([("../a/1.png", image), ("/a/1.png", image), ("a/l.png", b"", tarfile.SYMTYPE),
                               ("a/h.png", b"", tarfile.LNKTYPE), ("a/d.png", b"", tarfile.CHRTYPE)]))
    record = bytes([3]) + bytes(3072)
    names = "\n".join("abcdefghij") + "\n"
    put("tar", "cifar10", gzip.compress(tar(
        [(f"c/data_batch_{i}.bin", record) for i in range(1, 6)] + [("c/test_batch.bin", record),
                                                                  ("c/batches.meta.txt", names.encode())]), mtime=0))


def write_text():
    root = OUT.parent.parent.parent
    for path in sorted((root / "configs").rglob("*.yaml")):
        put("yaml", "-".join(path.relative_to(root / "configs").parts).removesuffix(".yaml"), path.read_bytes())
    put("yaml", "anchors", "kind: certify\nname: &a x\ncheckpoint: *a\ndataset: {name: *a, indices: [1, 2, 3]}\n"
                           "smoothing: {sigma: [0.25, 1e0, .5], n0: 10, n: 20, alpha: 0.001}\nseed: 1\n")
    put("yaml", "scalars", "kind: certify\nname: 007\nseed: 0x10\nsmoothing: {sigma: .inf, n: ~, alpha: 1_000.5}\n? - a\n: !!str 5\n")
    put("yaml", "json", '{"kind": "certify", "name": "\\u00e9", "checkpoint": "c", "dataset": {"name": "d"}, "smoothing": {"sigma": [0.5]}}')
    put("yaml", "large-tables", "kind: certify\nname: a\ncheckpoint: c\ndataset: {name: d}\n"
                                "smoothing: {sigma: [10, 100, 250, 1000], n: 1000, m: 1}\n")
    put("yaml", "base-60", "seed: 8888888888888888888:8888888888\nx: [1:30, -_9999999999999999999:99]\n")
    put("yaml", "tiny-sigma", "kind: certify\nname: a\ncheckpoint: c\ndataset: {name: d}\n"
                              "smoothing: {sigma: [1e-30, 1e-9223372036854775808], n: 1000}\n")
    header = "idx\tlabel\tpredict\tradius\tcorrect\ttime\n"
    put("log", "plain", header + "0\t3\t3\t0.832\t1\t0:00:13.736080\n20\t1\t-1\t0.0\t0\t1 day, 2:00:00\n")
    put("log", "headerless", "3\t3\t0.832\t1\t0:00:13.736080\n1\t-1\t0.0\t0\t15.4\n")
    put("log", "ours", header[:-1] + "\tn_a\tn\tsigma\tother\r\n0\t3\t3\t0.83\t1\t\t99\t100\t0.25\tx\r\n")
    put("log", "cut", header + "0\t3\t3\t0.832\t1\t0:00:13.736080\n1\t2\t")
    put("log", "wrong", header + "x\t-3\tnan\t-1\t2\t0:99:00\n0\t0\n\n0\t0\t0\t1e400\t1\t1\n")
    put("table", "plain", "hits,draws,sigma,alpha\n99,100,0.25,0.001\n50,100,1,0.05\n")
    put("table", "quoted", 'name,"hits",draws,sigma,alpha\r\n"a, ""b""\nc",1000,1000,.5,1e-3\r\n')
    put("table", "bom", "\ufeffalpha,sigma,draws,hits\n0.5,1000,1,1")
    put("table", "wrong", "hits,draws,sigma,alpha\n5,2,x,7\n1,2\n\n,,,\n")


if __name__ == "__main__":
    write_safetensors()
    write_torch()
    write_tar()
    write_text()
