"""/metrics: the installation's figures in Prometheus' text format.

Whichever web process is asked tells of all processes, from Redis and the database, so
one scrape target is enough. Counters are those of each process, labelled with it, and
begin at nought with it; what outlives processes is counted in `calls.live.tallies`.
The number of queries is the same however many calls there are, and none reads more
than what is open or failed. The table of all metrics is in docs/operating.md.
"""
