#!/usr/bin/env python3
"""A stand-in for Terraform's google provider: serves its *schema* to the real terraform, offline.

    tfstub.py [--schema google-8.7.0.json.gz] -- terraform validate

A schema file has the format of `terraform providers schema -json`. Each provider is served on its own unix
socket, TF_REATTACH_PROVIDERS is set for the command, and its exit status is ours. No registry, no
credentials, no lock-file entry.

init, validate, plan, apply, destroy, show -json and test work, with and without mock_provider. Computed
values are made up, the same each time. Nothing is ever created anywhere. Needs grpcio and msgpack.
"""
from __future__ import annotations
import argparse, base64, contextlib, gzip, hashlib, json, os, re, subprocess, sys, tempfile
from concurrent import futures

import grpc
import msgpack

UNKNOWN = msgpack.ExtType(0, b"\x00")
NESTING = {"single": 1, "list": 2, "set": 3, "map": 4, "group": 5}


# ---- protobuf wire format: just what tfplugin5 needs -------------------------------------------
def _varint(n: int) -> bytes:
    out = bytearray()
    while n > 127:
        out.append(n & 127 | 128)
        n >>= 7
    out.append(n)
    return bytes(out)


def vi(field: int, n) -> bytes:
    return _varint(field << 3) + _varint(int(n)) if n else b""


def ld(field: int, data) -> bytes:
    if isinstance(data, str):
        data = data.encode()
    return _varint(field << 3 | 2) + _varint(len(data)) + data


def opt(field: int, data) -> bytes:
    return ld(field, data) if data else b""


def parse(buf: bytes) -> dict[int, list]:
    out: dict[int, list] = {}
    i = 0

    def varint():
        nonlocal i
        n = s = 0
        while True:
            b = buf[i]
            i += 1
            n |= (b & 127) << s
            if b < 128:
                return n
            s += 7
    while i < len(buf):
        key = varint()
        wire = key & 7
        if wire == 0:
            v = varint()
        elif wire == 2:
            n = varint()
            v = buf[i:i + n]
            i += n
        else:
            n = {1: 8, 5: 4}[wire]
            v = buf[i:i + n]
            i += n
        out.setdefault(key >> 3, []).append(v)
    return out


def dyn_in(raw: bytes):
    f = parse(raw)
    if f.get(1):
        return msgpack.unpackb(f[1][0], raw=False, strict_map_key=False)
    return json.loads(f[2][0]) if f.get(2) else None


def dyn_out(field: int, value) -> bytes:
    return ld(field, ld(1, msgpack.packb(value, use_bin_type=True)))


# ---- schema -> protobuf ------------------------------------------------------------------------
def pb_block(b: dict) -> bytes:
    out = b"".join(ld(2, ld(1, n) + ld(2, json.dumps(a["type"])) + vi(4, a.get("required")) + vi(5, a.get("optional"))
                      + vi(6, a.get("computed")) + vi(7, a.get("sensitive")) + vi(9, a.get("deprecated"))
                      + vi(10, a.get("write_only")))
                   for n, a in sorted(b.get("attributes", {}).items()))
    out += b"".join(ld(3, ld(1, n) + ld(2, pb_block(x["block"])) + vi(3, NESTING[x["nesting_mode"]])
                       + vi(4, x.get("min_items")) + vi(5, x.get("max_items")))
                    for n, x in sorted(b.get("block_types", {}).items()))
    return out


def pb_schema(s: dict) -> bytes:
    return vi(1, s.get("version")) + ld(2, pb_block(s["block"]))


def diag(path, summary, detail, warning=False) -> bytes:
    steps = b"".join(ld(1, vi(3, p) or _varint(3 << 3) + b"\x00") if isinstance(p, int) else ld(1, ld(1, p)) for p in path)
    return vi(1, 2 if warning else 1) + ld(2, summary) + ld(3, detail) + ld(4, steps)


# ---- values ------------------------------------------------------------------------------------
def unknown(v) -> bool:
    return isinstance(v, msgpack.ExtType)


def null_of(block):
    o = {n: None for n in block["attributes"]}
    for n, b in block["block_types"].items():
        o[n] = {"list": [], "set": [], "map": {}}.get(b["nesting_mode"])
    return o


def each(nesting, value):
    """(key, object) pairs of a nested block value"""
    if value is None or unknown(value):
        return []
    if nesting in ("single", "group"):
        return [(None, value)]
    return list(value.items()) if isinstance(value, dict) else list(enumerate(value))


def mark_unknown(block, proposed, config, fill):
    """Planned value: computed arguments that the configuration leaves out become unknown."""
    for n, a in block["attributes"].items():
        if a.get("computed") and (config or {}).get(n) is None and proposed.get(n) is None:
            proposed[n] = fill(n, a)
    for n, b in block["block_types"].items():
        conf = dict(each(b["nesting_mode"], (config or {}).get(n)))
        for k, v in each(b["nesting_mode"], proposed.get(n)):
            if isinstance(v, dict):
                mark_unknown(b["block"], v, conf.get(k), fill)
    return proposed


def set_defaults(block, obj, defaults, path=""):
    """What the provider's code fills in for absent optional arguments (the schema does not tell)."""
    for n in block["attributes"]:
        if obj.get(n) is None and path + n in defaults:
            obj[n] = defaults[path + n]
    for n, b in block["block_types"].items():
        for _, v in each(b["nesting_mode"], obj.get(n)):
            if isinstance(v, dict):
                set_defaults(b["block"], v, defaults, path + n + ".")


def from_json(block, v):
    """JSON state -> value (absent arguments become null)"""
    if v is None:
        return None
    o = null_of(block)
    for n in block["attributes"]:
        o[n] = v.get(n)
    for n, b in block["block_types"].items():
        x = v.get(n)
        if x is None:
            continue
        nm = b["nesting_mode"]
        o[n] = (from_json(b["block"], x) if nm in ("single", "group") else
                {k: from_json(b["block"], y) for k, y in x.items()} if nm == "map" else
                [from_json(b["block"], y) for y in x])
    return o


class Fakes:
    """Made-up values for what the real service would compute."""
    def __init__(self, table):
        self.table = table

    def resource(self, block, tf_type, obj, defaults):
        ctx = {k: v for k, v in defaults.items() if v}
        ctx.update({k: v for k, v in obj.items() if isinstance(v, (str, int)) and not isinstance(v, bool)})
        seed = tf_type + "/" + json.dumps({k: v for k, v in sorted(ctx.items())}, default=str)
        for k in ("project", "region", "location", "zone"):
            if k in obj and unknown(obj[k]) and defaults.get(k):
                obj[k] = defaults[k]
        tmpl = {**self.table.get("*", {}), **self.table.get(tf_type, {})}
        rnd = hashlib.sha256(seed.encode()).hexdigest()
        ctx.update(hash=rnd[:8], digits=str(int(rnd[:16], 16) % 10**12).zfill(12), type=tf_type)
        ctx.setdefault("project", "stub-project")
        ctx.setdefault("location", ctx.get("region", "stub-region"))
        ctx.setdefault("name", "stub-" + rnd[:8])
        # templates may use each other: two passes
        for _ in (1, 2):
            for k, t in tmpl.items():
                if k in obj and unknown(obj[k]) and isinstance(t, str):
                    try:
                        ctx[k] = t.format(**ctx)
                    except KeyError:
                        pass
        self._fill(block, obj, "", tmpl, ctx, seed)
        return obj

    def _fill(self, block, obj, path, tmpl, ctx, seed):
        for n, a in block["attributes"].items():
            if unknown(obj.get(n)):
                obj[n] = self.value(a["type"], path + n, tmpl, ctx, seed)
        for n, b in block["block_types"].items():
            if unknown(obj.get(n)):
                obj[n] = {"list": [], "set": [], "map": {}}.get(b["nesting_mode"])
            for _, v in each(b["nesting_mode"], obj.get(n)):
                self._fill(b["block"], v, path + n + ".", tmpl, ctx, seed)

    def value(self, ty, path, tmpl, ctx, seed):
        t = tmpl.get(path)
        if t is not None:
            if isinstance(t, str) and ty in ("string", "number"):
                try:
                    s = t.format(**ctx)
                    return int(s) if ty == "number" else s
                except (KeyError, ValueError):
                    pass
            elif not isinstance(t, str):
                return t
        if path in ctx and ty == "string":
            return str(ctx[path])
        if ty == "string":
            return "stub-" + hashlib.sha256((seed + path).encode()).hexdigest()[:10]
        return {"number": 1, "bool": False}.get(ty) if isinstance(ty, str) and ty != "dynamic" else (
            None if ty == "dynamic" else {} if ty[0] == "map" else None if ty[0] == "object" else [])


# ---- checks beyond the schema ------------------------------------------------------------------
class Rules:
    """enums (from the provider's doc comments) and a hand-kept table of other provider checks"""
    def __init__(self, enums, table):
        self.enums, self.table = enums, table

    def of(self, tf_type):
        rules = self.table.get(tf_type, {})
        return self.table.get(rules.get("same_as"), rules)

    def check(self, tf_type, block, obj):
        out, rules = [], self.of(tf_type)
        if obj is None or unknown(obj):
            return out
        enums = {**self.enums.get(tf_type, {}), **rules.get("enums", {})}
        regex = rules.get("regex", {})

        def walk(block, o, path, steps):
            for n in block["attributes"]:
                v, p = o.get(n), path + n
                if v is None or unknown(v):
                    continue
                for x in v if isinstance(v, list) else [v]:
                    if p in enums and isinstance(x, str) and x and x not in enums[p]:
                        out.append(diag(steps + [n], f"expected {p} to be one of {json.dumps(enums[p])}, got {x}", ""))
                    if p in regex and isinstance(x, str) and not re.search(regex[p], x):
                        out.append(diag(steps + [n], f"invalid value for {p}: {x!r} does not match {regex[p]}", ""))
                    lo, hi = rules.get("range", {}).get(p, (None, None))
                    if lo is not None and isinstance(x, (int, float)) and not lo <= x <= hi:
                        out.append(diag(steps + [n], f"expected {p} to be in the range ({lo} - {hi}), got {x}", ""))
                    if p in rules.get("base64", ()) and isinstance(x, str):
                        try:
                            base64.b64decode(x, validate=True)
                        except ValueError:
                            out.append(diag(steps + [n], f"{p} is not base64", ""))
            for n, b in block["block_types"].items():
                for k, v in each(b["nesting_mode"], o.get(n)):
                    if isinstance(v, dict):
                        walk(b["block"], v, path + n + ".", steps + [n] + ([k] if isinstance(k, int) and b["nesting_mode"] == "list" else []))
        walk(block, obj, "", [])

        def present(p):     # -> True / False / None (not known yet), one per enclosing block instance
            heads = [(obj, block)]
            *init, last = p.split(".")
            for h in init:
                heads = [(v, b["block_types"][h]["block"]) for o, b in heads
                         for _, v in each(b["block_types"][h]["nesting_mode"], o.get(h)) if isinstance(v, dict)]
            return [None if unknown(o.get(last)) else o.get(last) not in (None, [], {}) for o, _ in heads]
        for kind in ("exactly_one_of", "conflicts_with", "at_least_one_of", "required_with"):
            for group in rules.get(kind, []):
                for row in zip(*(present(p) for p in group)):
                    n, maybe = row.count(True), row.count(None)
                    bad = {"exactly_one_of": n > 1 or n + maybe == 0, "conflicts_with": n > 1,
                           "at_least_one_of": n + maybe == 0, "required_with": row[0] is True and False in row}[kind]
                    if bad:
                        out.append(diag([group[0].split(".")[0]], f"{kind.replace('_', ' ')}: {', '.join(group)} ({n} set)", ""))
        return out


# ---- the provider ------------------------------------------------------------------------------
class Provider:
    def __init__(self, addr, schema, enums, rules, fakes):
        self.addr, self.s, self.rules, self.fakes = addr, schema, Rules(enums, rules), Fakes(fakes)
        self.project_set = bool(os.environ.get("GOOGLE_PROJECT"))
        self.defaults = {"project": os.environ.get("GOOGLE_PROJECT") or "stub-project", "region": "us-central1", "zone": "us-central1-a"}
        self.schema_pb = (ld(1, pb_schema(schema["provider"]))
                          + b"".join(ld(2, ld(1, t) + ld(2, pb_schema(x))) for t, x in schema["resource_schemas"].items())
                          + b"".join(ld(3, ld(1, t) + ld(2, pb_schema(x))) for t, x in schema["data_source_schemas"].items())
                          + (ld(5, ld(2, pb_block({"attributes": {"module_name": {"type": "string", "optional": True}}})))
                             if addr.rpartition("/")[2].startswith("google") else b"")
                          + b"".join(ld(8, ld(1, t) + ld(2, pb_schema(x))) for t, x in schema.get("ephemeral_resource_schemas", {}).items()))

    def block(self, name, kind="resource_schemas"):
        return self.s[kind][name]["block"]

    def GetSchema(self, _):
        return self.schema_pb

    def PrepareProviderConfig(self, q):
        return q.get(1) and ld(1, q[1][0]) or b""

    def Configure(self, q):
        conf = dyn_in(q[2][0]) if q.get(2) else None
        for k in self.defaults:
            v = (conf or {}).get(k)
            if isinstance(v, str):
                self.defaults[k] = v
                self.project_set |= k == "project"
        return b""

    def ValidateResourceTypeConfig(self, q):
        t = q[1][0].decode()
        return b"".join(ld(1, d) for d in self.rules.check(t, self.block(t), dyn_in(q[2][0])))

    def ValidateDataSourceConfig(self, q):
        return b""

    ValidateEphemeralResourceConfig = ValidateDataSourceConfig

    def UpgradeResourceState(self, q):
        raw = parse(q[3][0])
        t = q[1][0].decode()
        return dyn_out(1, from_json(self.block(t), json.loads(raw[1][0])))

    def ReadResource(self, q):
        return dyn_out(1, dyn_in(q[2][0])) + opt(3, q.get(3, [b""])[0])

    def PlanResourceChange(self, q):
        t = q[1][0].decode()
        proposed, config = dyn_in(q[3][0]), dyn_in(q[4][0])
        if proposed is None:
            return dyn_out(1, None)
        rules, b = self.rules.of(t), self.block(t)
        set_defaults(b, proposed, rules.get("defaults", {}))
        if "project" in b["attributes"] and proposed.get("project") is None and self.project_set:
            proposed["project"] = self.defaults["project"]
        mark_unknown(b, proposed, config, lambda n, a: UNKNOWN)
        for n in rules.get("known_at_plan", ()):
            if unknown(proposed.get(n)):
                try:
                    proposed[n] = self.fakes.table[t][n].format(**{k: v for k, v in proposed.items() if isinstance(v, str)})
                except KeyError:
                    pass        # depends on something not known yet
        return dyn_out(1, proposed) + vi(5, 1)      # legacy_type_system, as the SDK-made providers say

    def ApplyResourceChange(self, q):
        t = q[1][0].decode()
        planned = dyn_in(q[3][0])
        if planned is None:
            return dyn_out(1, None)
        return dyn_out(1, self.fakes.resource(self.block(t), t, planned, self.defaults)) + vi(4, 1)

    def ImportResourceState(self, q):
        t, i = q[1][0].decode(), q[2][0].decode()
        return ld(1, ld(1, t) + dyn_out(2, {**null_of(self.block(t)), "id": i}))

    def ReadDataSource(self, q):
        t = q[1][0].decode()
        b = self.block(t, "data_source_schemas")
        conf = dyn_in(q[2][0])
        o = mark_unknown(b, dict(conf), conf, lambda n, a: UNKNOWN)
        return dyn_out(1, self.fakes.resource(b, "data." + t, o, self.defaults))

    def Stop(self, _):
        return b""


def make_server(p: Provider, target: str):
    def handler(name):
        fn = getattr(p, name)

        def call(req, ctx):
            try:
                return fn(parse(req))
            except Exception as e:                       # noqa: BLE001 - becomes a terraform error
                import traceback
                traceback.print_exc()
                ctx.abort(grpc.StatusCode.INTERNAL, f"tfstub {p.addr} {name}: {type(e).__name__}: {e}")
        return grpc.unary_unary_rpc_method_handler(call)
    names = [n for n in dir(Provider) if n[0].isupper()]
    server = grpc.server(futures.ThreadPoolExecutor(8), options=[("grpc.max_receive_message_length", -1)])
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("tfplugin5.Provider", {n: handler(n) for n in names}),))
    server.add_insecure_port(target)
    server.start()
    return server


def load(path):
    op = gzip.open if path.endswith(".gz") else open
    with op(path, "rt") as f:
        return json.load(f)


def providers(schemas, rules, fakes):
    for path in schemas:
        doc = load(path)
        for addr, s in doc["provider_schemas"].items():
            yield Provider(addr, s, doc.get("x_enums", {}), rules, fakes)


@contextlib.contextmanager
def serving(schemas, rules=None, fakes=None):
    """Serve the schemas from this process; yields the environment for terraform (use it in a pytest fixture)."""
    with tempfile.TemporaryDirectory(prefix="tfstub") as tmp:
        reattach, servers = {}, []
        for i, p in enumerate(providers(schemas, rules or {}, fakes or {})):
            sock = f"{tmp}/{i}.sock"
            servers.append(make_server(p, f"unix:{sock}"))
            reattach[p.addr] = {"Protocol": "grpc", "ProtocolVersion": 5, "Pid": os.getpid(), "Test": True,
                                "Addr": {"Network": "unix", "String": sock}}
        try:
            yield {**os.environ, "TF_REATTACH_PROVIDERS": json.dumps(reattach), "CHECKPOINT_DISABLE": "1",
                   "TF_IN_AUTOMATION": "1", "TF_CLI_CONFIG_FILE": os.devnull}
        finally:
            for s in servers:
                s.stop(0)


def main():
    here = os.path.dirname(os.path.abspath(__file__)) + "/"
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument("--schema", default=here + "google-8.7.0.json.gz")
    ap.add_argument("command", nargs="+")
    a = ap.parse_args()
    with serving([a.schema], load(here + "rules-google.json"), load(here + "fakes-google.json")) as env:
        return subprocess.run(a.command, env=env).returncode


if __name__ == "__main__":
    sys.exit(main())
