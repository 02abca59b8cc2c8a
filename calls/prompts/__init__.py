"""The library of audio that can be played into calls.

    upload ─▶ preparing ─▶ a process of its own: reading ─▶ levelling ─▶ two FLACs
                  └─▶ storing: storage, read back, one row

`reading`, `levelling` and `decoding` know no framework. A file that somebody sends us
is decoded in a process that has little memory, little time and no secrets: what is
wrong with it, or with a decoder, ends that process and nothing else.
"""
