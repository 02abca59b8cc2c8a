"""What leaves of one call: two voices left and right, a side-car, everything as a zip.

All of it is made while it is sent, block by block, aligned to the call's clock.
"""
