"""
A NetApp Element (SolidFire) cluster that is not there: its JSON-RPC over HTTPS, as a process of its own.

It is written from NetApp's documents, and knows nothing of our provider. What it is like is held by NetApp's own client
(tests/emulators/test_element.py). `cluster` has the state and how methods are called, `volumes`, `policies`, `access`,
`jobs` and `reads` the methods by noun, `server` the transport and the faults, `export` shows volumes as real iSCSI
targets.

Where no source says how a cluster behaves, the emulator is strict, and the name of its error can be set.
"""
