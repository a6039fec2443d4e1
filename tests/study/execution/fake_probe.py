"""A stand-in for `probe_run` that trains nothing: 50 people a second, whatever else runs."""

import sys

print("ready", flush=True)
sys.stdin.readline()
print(50.0, flush=True)
sys.stdin.read()
