"""``make bench``: every benchmark of the client, one after the other."""

from benchmarks import calls, importing, structuring, threads

for benchmark in (calls, structuring, importing, threads):
    benchmark.main()
