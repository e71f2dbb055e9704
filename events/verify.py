#!/usr/bin/env python3
"""Verify a file of events, like events.jsonl, with all its parts: python3 verify.py FILE

Each event must match its hash and continue the chain of its stream. CATALOGUE.md
describes both. Prints each wrong line and each stream. The exit code is 1 if a line
is wrong. Not verified: the record MACs, which need the peppers of the service; the
notices, which have no hash; and that no event is missing at the beginning or the end.
"""
import hashlib, json, pathlib, sys

def parts(path):
    """The parts of the file, the oldest first: events.000001.jsonl, ..., events.jsonl."""
    older = {int(p.suffixes[-2][1:]): p for p in path.parent.glob("*.*" + path.suffix) if p.suffixes[-2][1:].isdecimal()}
    return [p for n, p in sorted(older.items()) if p.name == f"{path.stem}.{n:06}{path.suffix}"] + [path] * path.exists()

def digest(e):
    """The hash of an event, from its members."""
    texts = [f'{int(e["sequence"])}/{e["type"]}/{e["dataschema"].split(":")[-1]}']
    texts += [e.get(member, "") for member in ("stream", "commandid", "actor", "actortokenid", "time")]
    texts += [e.get("keepuntil", "0001-01-01T00:00:00.000000Z"), e["dataraw"]]
    h = hashlib.sha256()
    page = [e["actorvia"], e.get("actoraddress", "")] if "actorvia" in e else []
    for part in [bytes.fromhex(e["prevhash"]), *(t.encode() for t in texts), bytes.fromhex(e["privatedigest"]), *(t.encode() for t in page)]:
        h.update(len(part).to_bytes(8, "big") + part)
    return h.hexdigest()

def agrees(line, e):
    """Whether the members that repeat what the hash covers agree with it."""
    data, text = json.loads(e["dataraw"]), lambda value: json.dumps(value, sort_keys=True)
    pairs = [(e["specversion"], "1.0"), (e["datacontenttype"], "application/json"), (text(e["data"]), text(data)),
             ("actoraddress" in e and "actorvia" not in e, False),
             (e["dataschema"].rpartition(":")[0], f'urn:apitoken:event:{e["type"]}'), ("hash" in e, "sequence" in e)]
    if "sequence" in e:
        pairs += [(e["id"], f'{e["stream"]}/{int(e["sequence"])}'), (e["sequence"], f'{int(e["sequence"]):012}'),
                  (e.get("subject", ""), data.get("token_id", ""))]
    if line is not e:
        pairs += [(line["source"], "apitoken"), (line["detail-type"], e["type"]), (line["time"], e["time"])]
    return e["source"].startswith("urn:apitoken:") and all(a == b for a, b in pairs)

def problem(line, streams):
    """What is wrong with a line, or None. streams has the hash and the MAC of each event before."""
    e = line.get("detail", line)  # audit export prints the event alone
    if not agrees(line, e):
        return "its members differ from the content that its hash covers"
    if "sequence" not in e:
        return None  # a notice
    seq, stream, this = int(e["sequence"]), streams.setdefault(e["stream"], {}), (e["hash"], e["recordmac"])
    if digest(e) != e["hash"]:
        stream.setdefault(seq, this)  # so that the next event is not wrong too
        return "its hash does not match its content"
    if seq in stream:  # each event is written at least once
        return None if stream[seq] == this else "an earlier line with the same id differs"
    in_order = not stream or seq - 1 in stream and seq > next(reversed(stream))
    prev = stream[seq - 1][0] if seq - 1 in stream else "0" * 64 if seq == 1 else e["prevhash"]
    stream[seq] = this
    if not in_order:
        return f'event {seq} of {e["stream"]} is out of order, or the event before it is missing'
    return None if e["prevhash"] == prev else "it does not continue from the event before it"

if len(sys.argv) != 2:
    sys.exit(__doc__)
wrong, streams, files = 0, {}, parts(pathlib.Path(sys.argv[1]).resolve())
for file in files or sys.exit(f"{sys.argv[1]}: there is no such file"):
    for n, text in enumerate(file.open("rb"), 1):
        if file == files[-1] and not text.endswith(b"\n"):
            break  # a crash cut the line short, or the service is writing it
        try:
            why = problem(json.loads(text), streams)
        except (ValueError, KeyError, TypeError, AttributeError) as err:
            why = f"it is not an event of the service: {err!r}"
        if why:
            wrong += 1
            print(f"{file.name} line {n}: {why}")
for name, stream in sorted(streams.items()):
    print(f"{name}: events {min(stream)} to {max(stream)}")
sys.exit(1 if wrong else 0)
