#!/usr/bin/env python3
"""Scores a server of ours with the suites of ../shared/conformance and compares with the recorded floors.

    conformance.py --server target/ci/heliosdb-nano              every suite, about ten minutes
    conformance.py --server ... --quick                          a few files of each, as make test runs them
    conformance.py --server ... --only regress sqllogictest
    conformance.py --server ... --record                         raise the floors to what was reached

The floors are in tests/conformance-floors.toml: how many statements, records, cases or queries must match. They only go up."""
import argparse
import json
import os
import pathlib
import re
import subprocess
import sys
import tempfile
import time
import tomllib

sys.dont_write_bytecode = True
from local_server import LocalServer

ROOT = pathlib.Path(__file__).resolve().parent.parent
SUITES = pathlib.Path(os.environ.get("HELIOSDB_CONFORMANCE", ROOT.parent / "shared" / "conformance"))
FLOORS = ROOT / "tests" / "conformance-floors.toml"
DIFFERENCES = ROOT / "tests" / "isolation-differences.toml"

QUICK_REGRESS = ["name", "text", "oid", "float8", "bit", "date", "select_distinct", "select_implicit", "returning", "portals", "truncate"]
QUICK_SQLLOGICTEST = ["select1.test", "evidence/in1.test", "evidence/slt_lang_aggfunc.test", "random/aggregates/slt_good_18.test",
                      "index/between/10/slt_good_5.test", "index/delete/10/slt_good_3.test"]


def score(command, environment, result_file):
    """Runs a scorer, showing what it prints; returns its JSON result, or its output where it writes none."""
    done = subprocess.run([sys.executable, "-B", *map(str, command)], env=environment, text=True, stdout=subprocess.PIPE)
    print("\n".join(done.stdout.splitlines()[-4:]), flush=True)
    if result_file is None:
        return done.stdout
    try:
        return json.loads(pathlib.Path(result_file).read_text())
    except (OSError, ValueError):
        return None


def regress(server, environment, quick, work):
    arguments = ["--only", *QUICK_REGRESS] if quick else ["--fail-list", work / "regress.failed"]
    out = work / "regress.json"
    result = score([SUITES / "regress_score.py", "--port", server.port, "--json", out, *arguments], environment, out)
    return dict(regress=(result["total"]["matched"], result["total"]["statements"])) if result else {}


def sqllogictest(server, environment, quick, work):
    arguments = [SUITES / "sqllogictest" / name for name in QUICK_SQLLOGICTEST] if quick else ["--fail-list", work / "slt.failed"]
    out = work / "slt.json"
    result = score([SUITES / "sqllogictest" / "slt_count.py", "--port", server.port, "-j", 2, "--json", out, *arguments], environment, out)
    return dict(sqllogictest=(result["total"]["passed"], result["total"]["records"])) if result else {}


def hermitage(server, environment, _quick, _work):
    output = score([SUITES / "hermitage" / "hermit.py", "--port", server.port], environment, None)
    found = re.search(r"(\d+) passed, (\d+) failed", output)
    return dict(hermitage=(int(found[1]), int(found[1]) + int(found[2]))) if found else {}


def isolation(server, environment, quick, work):
    if quick:
        return {}
    out = work / "isolation.json"
    result = score([SUITES / "iso_score.py", "--port", server.port, "--json", out], environment, out)
    if not result:
        return {}
    sort_by_cause({spec["spec"]: spec["failed"] for spec in result["specs"]})
    return dict(isolation=(result["total"]["matched"], result["total"]["permutations"]))


def sort_by_cause(failed):
    """Prints why isolation permutations fail, by the list of differences; what it does not explain, and what it lists in vain, by name."""
    listed = tomllib.loads(DIFFERENCES.read_text())
    counts, seen = {}, set()
    for kind in ("difference", "unsupported"):
        for entry in listed.get(kind, []):
            wanted = entry.get("permutations", failed.get(entry["spec"], []))
            found = [name for name in failed.get(entry["spec"], []) if name in wanted]
            seen.update((entry["spec"], name) for name in found)
            cause = "different on purpose" if kind == "difference" else f"not supported yet: {entry['needs']}"
            counts[cause] = counts.get(cause, 0) + len(found)
            if len(found) < len(wanted) or not wanted:
                print(f"{DIFFERENCES.name}: of {entry['spec']} not all that is listed fails")
    for cause, count in sorted(counts.items(), key=lambda item: -item[1]):
        print(f"{count:>5}  {cause}")
    for spec, names in failed.items():
        for name in names:
            if (spec, name) not in seen:
                print(f"       unexplained: {spec}: {name}")


def tpc(server, environment, quick, work):
    if quick:
        return {}
    out = work / "tpc.json"
    results = score([SUITES / "tpc_on_pg.py", "--port", server.port, "--json", out, "--verbose"], environment, out)
    return {result["suite"]: (result["passed"], result["total"]) for result in results or []}


SCORERS = dict(regress=regress, sqllogictest=sqllogictest, hermitage=hermitage, isolation=isolation, tpc=tpc)


def read_floors(section):
    """The `name = count` lines of one section."""
    floors, current = {}, None
    for line in FLOORS.read_text().splitlines():
        if header := re.match(r"\[(\w+)\]", line):
            current = header[1]
        elif current == section and (entry := re.match(r"(\w+) = (\d+)", line)):
            floors[entry[1]] = int(entry[2])
    return floors


def write_floors(section, reached):
    lines, current = [], None
    for line in FLOORS.read_text().splitlines():
        if header := re.match(r"\[(\w+)\]", line):
            current = header[1]
        elif current == section and (entry := re.match(r"(\w+) = (\d+)", line)) and entry[1] in reached:
            line = re.sub(r"= \d+.*", "= {} # of {}".format(*reached[entry[1]]), line)
        lines.append(line)
    FLOORS.write_text("\n".join(lines) + "\n")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--server", required=True, help="the server's binary")
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--only", nargs="+", choices=SCORERS)
    parser.add_argument("--record", action="store_true")
    parser.add_argument("--keep", type=pathlib.Path, help="a directory for the suites' results")
    arguments = parser.parse_args()
    if not SUITES.is_dir():
        print(f"conformance: the suites are not in {SUITES}")
        return 2

    section = "quick" if arguments.quick else "full"
    reached, wanted = {}, read_floors(section)
    with tempfile.TemporaryDirectory() as scratch:
        work = arguments.keep or pathlib.Path(scratch)
        work.mkdir(parents=True, exist_ok=True)
        for name in arguments.only or SCORERS:
            # Each suite gets a fresh server, so that one suite's crash is not another's failure.
            with LocalServer(arguments.server) as server:
                started = time.monotonic()
                found = SCORERS[name](server, server.environment(), arguments.quick, work)
                reached.update(found)
                if found:
                    print(f"{name}: {time.monotonic() - started:.0f} s\n", flush=True)
    failed = False
    for name, (count, total) in reached.items():
        floor = wanted.get(name, 0)
        verdict = "ok" if count >= floor else "BELOW THE FLOOR"
        failed |= count < floor
        print(f"{name:<14}{count:>8} of {total:<8}{100 * count / max(total, 1):>7.2f} %   floor {floor:<8}{verdict}")
    for name in wanted.keys() - reached.keys():
        if not arguments.only:
            print(f"{name:<14} was not scored")
            failed = True
    if arguments.record:
        write_floors(section, {name: value for name, value in reached.items() if value[0] >= wanted.get(name, 0)})
    print(f"conformance: {'FAILED' if failed else 'ok'}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
