"""A stand-in for `benchmarks.gpu.one_run` that trains nothing: 100 people in a second.

Its number times this variable is when it begins.
"""

import json
import os
import sys

print("ready", flush=True)
sys.stdin.readline()
began = int(sys.argv[2]) * float(os.environ.get("FAKE_RUN_LATER", "0"))
print(json.dumps({"people": 100, "seconds": 1.0, "began": began, "ended": began + 1}))
